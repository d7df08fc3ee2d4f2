/* Nomic's BERT: rotary positions, SwiGLU, one matrix for query, key and value, no biases but the norms'.
 *
 * Source: Nussbaum et al. 2024. */
#include "models/rope.h"
#include "models/text_encoder.h"

#include "base/error.h"

static const char *const hf_names[TENSOR_ROLE_COUNT] = {
    [TENSOR_TOKEN_EMBEDDING] = "embeddings.word_embeddings",
    [TENSOR_TYPE_EMBEDDING] = "embeddings.token_type_embeddings",
    [TENSOR_EMBEDDING_NORM] = "emb_ln",
    [TENSOR_QKV] = "encoder.layers.#.attn.Wqkv",
    [TENSOR_ATTENTION_OUTPUT] = "encoder.layers.#.attn.out_proj",
    [TENSOR_ATTENTION_OUTPUT_NORM] = "encoder.layers.#.norm1",
    [TENSOR_FF_UP] = "encoder.layers.#.mlp.fc11",
    [TENSOR_FF_GATE] = "encoder.layers.#.mlp.fc12",
    [TENSOR_FF_DOWN] = "encoder.layers.#.mlp.fc2",
    [TENSOR_LAYER_OUTPUT_NORM] = "encoder.layers.#.norm2",
    [TENSOR_POOLER] = "pooler.dense",
    [TENSOR_LABELS] = "classifier",
};

static hob_status refuse_variants(const struct draft *d, hob_error *error)
{
    static const enum model_key not_set[] = {KEY_IS_PRE_NORM,  KEY_IS_PARALLEL,     KEY_USES_RMS,       KEY_FF_UP_BIAS,
                                             KEY_FF_DOWN_BIAS, KEY_SCALES_BY_LAYER, KEY_IS_INTERLEAVED, KEY_IS_CAUSAL};
    for (size_t i = 0; i < sizeof not_set / sizeof not_set[0]; i++) TRY(text_encoder_want(d, not_set[i], false, error));
    TRY(text_encoder_want(d, KEY_SCALES_SCORES, true, error));
    int64_t expert_layers;
    TRY(model_source_int(d->source, KEY_EXPERT_LAYERS, 0, &expert_layers, error));
    if (expert_layers) return model_source_refuse(d->source, KEY_EXPERT_LAYERS, "no experts", error);
    double fraction;
    TRY(model_source_float(d->source, KEY_ROTARY_FRACTION, 1, &fraction, error));
    if (fraction != 1) return model_source_refuse(d->source, KEY_ROTARY_FRACTION, "1", error);
    bool has_scale = model_source_has(d->source, KEY_ROTARY_SCALE_BASE);
    return has_scale ? model_source_refuse(d->source, KEY_ROTARY_SCALE_BASE, "none", error) : HOB_OK;
}

/* Behind the context of training the base would grow with every text's length (dynamic NTK); up to it nothing is scaled, which is how
 * far a text goes here, and in llama.cpp's files. */
static hob_status limit_context(struct draft *d, hob_error *error)
{
    int64_t n_trained;
    TRY(model_source_int(d->source, KEY_TRAINED_CONTEXT, 2048, &n_trained, error));
    if (model_source_has(d->source, KEY_ROTARY_FACTOR) && n_trained < d->n_context)
        d->n_context = d->info->n_context = n_trained;
    return HOB_OK;
}

static hob_status build(struct draft *d, hob_error *error)
{
    char name[SOURCE_NAME_BYTES];
    struct text_encoder nomic = {.is_silu = true,
                                 .gate = GATE_APART,
                                 .epsilon = 1e-12f,
                                 .first_position = POSITIONS_NOT_LEARNED,
                                 .distance_bias = VALUE_NONE};
    TRY(text_encoder_read(d, &nomic, error));
    TRY(refuse_variants(d, error));
    TRY(limit_context(d, error));
    TRY(text_encoder_read_types(d, &nomic, 2, error));
    bool has_bias_tensor = model_source_tensor(d->source, TENSOR_QKV, PART_BIAS, 0, name);
    TRY(model_source_bool(d->source, KEY_QKV_BIAS, has_bias_tensor, &nomic.has_qkv_bias, error));
    nomic.has_output_bias =
        nomic.has_qkv_bias && model_source_tensor(d->source, TENSOR_ATTENTION_OUTPUT, PART_BIAS, 0, name);
    struct rope rope = {.width = d->head_width, .scale = 1, .factors = VALUE_NONE};
    TRY(model_source_float(d->source, KEY_ROPE_BASE, 10000, &rope.base, error));
    draft_begin(d);
    TRY(rope_scale(d, &rope, error));
    nomic.rope = (struct encoder_rope){.base = (float)rope.base, .factors = rope.factors};
    text_encoder_build(d, &nomic);
    return HOB_OK;
}

const struct model_def model_nomic_bert = {
    .name = "nomic-bert",
    .summary = "Nomic's BERT: nomic-embed-text",
    .kind = MODEL_ENCODER,
    .gguf_architecture = "nomic-bert",
    .hf_types = {"nomic_bert"},
    .hf_prefixes = {"", "bert."},
    .hf_names = hf_names,
    .build = build,
};
