/* Jina's second BERT: no positions but a penalty on distance (ALiBi), GEGLU with gate and up in one matrix. Its config.json says "bert".
 *
 * Source: Günther et al. 2023. */
#include "models/distance_bias.h"
#include "models/text_encoder.h"

#include "base/error.h"

#include <string.h>

static const char *const hf_names[TENSOR_ROLE_COUNT] = {
    [TENSOR_TOKEN_EMBEDDING] = "embeddings.word_embeddings",
    [TENSOR_TYPE_EMBEDDING] = "embeddings.token_type_embeddings",
    [TENSOR_EMBEDDING_NORM] = "embeddings.LayerNorm",
    [TENSOR_Q] = "encoder.layer.#.attention.self.query",
    [TENSOR_K] = "encoder.layer.#.attention.self.key",
    [TENSOR_V] = "encoder.layer.#.attention.self.value",
    [TENSOR_Q_FULL_NORM] = "encoder.layer.#.attention.self.layer_norm_q",
    [TENSOR_ATTENTION_OUTPUT] = "encoder.layer.#.attention.output.dense",
    [TENSOR_ATTENTION_OUTPUT_NORM] = "encoder.layer.#.attention.output.LayerNorm",
    [TENSOR_FF_UP] = "encoder.layer.#.mlp.gated_layers",
    [TENSOR_FF_DOWN] = "encoder.layer.#.mlp.wo",
    [TENSOR_LAYER_OUTPUT_NORM] = "encoder.layer.#.mlp.layernorm",
    [TENSOR_POOLER] = "pooler.dense",
    [TENSOR_LABELS] = "classifier",
};

/* The code model's queries and keys are normalised; nothing in its metadata says so. */
static hob_status refuse_query_norms(const struct draft *d, hob_error *error)
{
    char name[SOURCE_NAME_BYTES];
    if (model_source_tensor(d->source, TENSOR_Q_FULL_NORM, PART_WEIGHT, 0, name))
        FAIL(error, HOB_UNSUPPORTED, "%s: %s: found a norm of the queries, expected none", d->source->file->path, name);
    return HOB_OK;
}

static hob_status build(struct draft *d, hob_error *error)
{
    struct text_encoder jina = {.has_qkv_bias = true,
                                .has_output_bias = true,
                                .has_down_bias = true,
                                .gate = GATE_FIRST,
                                .epsilon = 1e-12f,
                                .first_position = POSITIONS_NOT_LEARNED};
    const char *kind;
    char name[SOURCE_NAME_BYTES];
    TRY(text_encoder_read(d, &jina, error));
    TRY(refuse_query_norms(d, error));
    TRY(model_source_text(d->source, KEY_FF_KIND, "geglu", &kind, error));
    if (strcmp(kind, "geglu")) return model_source_refuse(d->source, KEY_FF_KIND, "geglu", error);
    if (model_source_tensor(d->source, TENSOR_FF_GATE, PART_WEIGHT, 0, name)) jina.gate = GATE_APART;
    TRY(text_encoder_read_types(d, &jina, 2, error));
    draft_begin(d);
    TRY(distance_bias_alibi(d, &jina.distance_bias, error));
    text_encoder_build(d, &jina);
    return HOB_OK;
}

static bool is_jina(const struct model_source *source)
{
    return model_source_is_gguf(source) || model_source_says(source, KEY_POSITION_KIND, "alibi");
}

const struct model_def model_jina_bert_v2 = {
    .name = "jina-bert-v2",
    .summary = "Jina's BERT with ALiBi: jina-embeddings-v2",
    .kind = MODEL_ENCODER,
    .gguf_architecture = "jina-bert-v2",
    .hf_types = {"bert"},
    .hf_prefixes = {"", "bert."},
    .hf_names = hf_names,
    .is_this = is_jina,
    .build = build,
};
