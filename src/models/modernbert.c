/* ModernBERT: norms in front, rotary positions, GeGLU, no biases; every third layer sees the whole text, the others a window, with
 * frequencies of their own.
 *
 * Source: Warner et al. 2024. */
#include "models/text_encoder.h"

#include "base/error.h"

#include <string.h>

static const char *const hf_names[TENSOR_ROLE_COUNT] = {
    [TENSOR_TOKEN_EMBEDDING] = "embeddings.tok_embeddings",
    [TENSOR_EMBEDDING_NORM] = "embeddings.norm",
    [TENSOR_ATTENTION_NORM] = "layers.#.attn_norm",
    [TENSOR_QKV] = "layers.#.attn.Wqkv",
    [TENSOR_ATTENTION_OUTPUT] = "layers.#.attn.Wo",
    [TENSOR_FF_NORM] = "layers.#.mlp_norm",
    [TENSOR_FF_UP] = "layers.#.mlp.Wi",
    [TENSOR_FF_DOWN] = "layers.#.mlp.Wo",
    [TENSOR_OUTPUT_NORM] = "final_norm",
    [TENSOR_POOLER] = "head.dense",
    [TENSOR_POOLER_NORM] = "head.norm",
    [TENSOR_LABELS] = "classifier",
};

static hob_status read_ropes(struct draft *d, struct text_encoder *modern, hob_error *error)
{
    double global, local;
    int64_t window;
    TRY(model_source_float(d->source, KEY_ROPE_BASE, 160000, &global, error));
    TRY(model_source_float(d->source, KEY_LOCAL_ROPE_BASE, 10000, &local, error));
    TRY(model_source_int(d->source, KEY_LOCAL_WINDOW, 128, &window, error));
    TRY(model_source_int(d->source, KEY_GLOBAL_EVERY, 3, &modern->global_every, error));
    if (window < 2) return model_source_refuse(d->source, KEY_LOCAL_WINDOW, "2 or more", error);
    modern->half_window = window / 2;
    modern->rope = (struct encoder_rope){.base = (float)global, .factors = VALUE_NONE};
    modern->local_rope = (struct encoder_rope){.base = (float)local, .factors = VALUE_NONE};
    return HOB_OK;
}

static hob_status read_head(struct draft *d, struct text_encoder *modern, hob_error *error)
{
    const char *activation, *pooling;
    TRY(model_source_text(d->source, KEY_CLASSIFIER_ACTIVATION, "gelu", &activation, error));
    TRY(model_source_text(d->source, KEY_CLASSIFIER_POOLING, "cls", &pooling, error));
    if (strcmp(activation, "gelu")) return model_source_refuse(d->source, KEY_CLASSIFIER_ACTIVATION, "gelu", error);
    if (strcmp(pooling, "cls") && strcmp(pooling, "mean"))
        return model_source_refuse(d->source, KEY_CLASSIFIER_POOLING, "cls or mean", error);
    modern->head = (struct sequence_head){.activation = HEAD_GELU, .has_norm = true, .epsilon = modern->epsilon,
                                          .pooling = strcmp(pooling, "mean") ? HOB_POOLING_CLS : HOB_POOLING_MEAN};
    return HOB_OK;
}

static hob_status build(struct draft *d, hob_error *error)
{
    struct text_encoder modern = {.is_pre_norm = true,
                                  .lacks_first_norm = true,
                                  .lacks_norm_bias = true,
                                  .gate = GATE_FIRST,
                                  .epsilon = 1e-5f,
                                  .first_position = POSITIONS_NOT_LEARNED,
                                  .distance_bias = VALUE_NONE};
    TRY(text_encoder_read(d, &modern, error));
    TRY(text_encoder_want(d, KEY_ATTENTION_BIAS, false, error));
    TRY(text_encoder_want(d, KEY_FF_BIAS, false, error));
    TRY(text_encoder_want(d, KEY_NORM_BIAS, false, error));
    TRY(read_ropes(d, &modern, error));
    TRY(read_head(d, &modern, error));
    draft_begin(d);
    text_encoder_build(d, &modern);
    return HOB_OK;
}

const struct model_def model_modernbert = {
    .name = "modernbert",
    .summary = "ModernBERT encoders: modernbert-embed, gte-modernbert",
    .kind = MODEL_ENCODER,
    .gguf_architecture = "modern-bert",
    .hf_types = {"modernbert"},
    .hf_prefixes = {"model.", ""},
    .hf_names = hf_names,
    .build = build,
};
