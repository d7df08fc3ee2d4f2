/* GTE's second encoders (gte-base-en-v1.5, gte-multilingual-base, arctic-embed-m-v2.0), whose config.json says "new": BERT with rotary
 * positions, NTK-scaled, GeGLU with up and gate in one matrix, one matrix for query, key and value. The first GTE models are BERT's.
 *
 * Source: Zhang et al. 2024 (mGTE). */
#include "models/text_encoder.h"

#include "base/error.h"

#include <math.h>
#include <string.h>

static const char *const hf_names[TENSOR_ROLE_COUNT] = {
    [TENSOR_TOKEN_EMBEDDING] = "embeddings.word_embeddings",
    [TENSOR_TYPE_EMBEDDING] = "embeddings.token_type_embeddings",
    [TENSOR_EMBEDDING_NORM] = "embeddings.LayerNorm",
    [TENSOR_QKV] = "encoder.layer.#.attention.qkv_proj",
    [TENSOR_Q] = "encoder.layer.#.attention.q_proj",
    [TENSOR_K] = "encoder.layer.#.attention.k_proj",
    [TENSOR_V] = "encoder.layer.#.attention.v_proj",
    [TENSOR_ATTENTION_OUTPUT] = "encoder.layer.#.attention.o_proj",
    [TENSOR_ATTENTION_OUTPUT_NORM] = "encoder.layer.#.attn_ln",
    [TENSOR_FF_UP] = "encoder.layer.#.mlp.up_gate_proj",
    [TENSOR_FF_DOWN] = "encoder.layer.#.mlp.down_proj",
    [TENSOR_LAYER_OUTPUT_NORM] = "encoder.layer.#.mlp_ln",
    [TENSOR_POOLER] = "pooler.dense",
    [TENSOR_LABELS] = "classifier",
};

static hob_status want_text(const struct draft *d, enum model_key key, const char *expected, hob_error *error)
{
    const char *found;
    TRY(model_source_text(d->source, key, expected, &found, error));
    return strcmp(found, expected) ? model_source_refuse(d->source, key, expected, error) : HOB_OK;
}

static hob_status refuse_variants(const struct draft *d, hob_error *error)
{
    TRY(want_text(d, KEY_POSITION_KIND, "rope", error));
    TRY(want_text(d, KEY_NORM_KIND, "layer_norm", error));
    TRY(text_encoder_want(d, KEY_SCALES_BY_LENGTH, false, error));
    bool is_mixed = model_source_has(d->source, KEY_ROPE_MIXED);
    return is_mixed ? model_source_refuse(d->source, KEY_ROPE_MIXED, "none", error) : HOB_OK;
}

/* NTK-aware scaling as these models fix it: the base times the factor, every frequency divided by factor^(2/K). */
static hob_status read_rope(struct draft *d, struct encoder_rope *rope, hob_error *error)
{
    double base, factor;
    struct tensor tensor;
    int64_t n_factors = d->head_width / 2;
    TRY(model_source_float(d->source, KEY_ROPE_BASE, 10000, &base, error));
    *rope = (struct encoder_rope){.base = (float)base, .factors = VALUE_NONE};
    if (!model_source_has(d->source, KEY_ROPE_SCALING)) return HOB_OK;
    TRY(want_text(d, KEY_ROPE_SCALING, "ntk", error));
    TRY(model_source_float(d->source, KEY_ROPE_FACTOR, (double)KEY_REQUIRED, &factor, error));
    if (factor < 1) return model_source_refuse(d->source, KEY_ROPE_FACTOR, "1 or more", error);
    float *factors = ARENA_NEW(&d->builder.graph->arena, float, (size_t)n_factors);
    if (!factors) FAIL(error, HOB_NO_MEMORY, "%s: rotary factors: out of memory", d->source->where);
    for (int64_t i = 0; i < n_factors; i++) factors[i] = (float)pow(factor, 2 / (double)d->head_width);
    TRY(tensor_init(&tensor, DTYPE_F32, 1, &n_factors, factors, error));
    *rope =
        (struct encoder_rope){.base = (float)(base * factor), .factors = builder_constant(&d->builder, "", &tensor)};
    return HOB_OK;
}

static hob_status build(struct draft *d, hob_error *error)
{
    struct text_encoder gte = {.has_qkv_bias = true,
                               .has_output_bias = true,
                               .has_down_bias = true,
                               .gate = GATE_LAST,
                               .epsilon = 1e-12f,
                               .first_position = POSITIONS_NOT_LEARNED,
                               .distance_bias = VALUE_NONE};
    TRY(text_encoder_read(d, &gte, error));
    TRY(refuse_variants(d, error));
    TRY(text_encoder_read_types(d, &gte, 1, error));
    draft_begin(d);
    TRY(read_rope(d, &gte.rope, error));
    text_encoder_build(d, &gte);
    return HOB_OK;
}

const struct model_def model_gte = {
    .name = "gte",
    .summary = "GTE's encoders since 1.5: gte-base-en-v1.5, gte-multilingual-base",
    .kind = MODEL_ENCODER,
    .gguf_architecture = "",
    .hf_types = {"new"},
    .hf_prefixes = {"new.", ""},
    .hf_names = hf_names,
    .build = build,
};
