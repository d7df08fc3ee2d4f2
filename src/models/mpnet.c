/* MPNet: RoBERTa's positions, and scores by buckets of distance that all layers share.
 *
 * Source: Song et al. 2020. */
#include "models/distance_bias.h"
#include "models/text_encoder.h"

#include "base/error.h"

static const char *const hf_names[TENSOR_ROLE_COUNT] = {
    [TENSOR_TOKEN_EMBEDDING] = "embeddings.word_embeddings",
    [TENSOR_POSITION_EMBEDDING] = "embeddings.position_embeddings",
    [TENSOR_EMBEDDING_NORM] = "embeddings.LayerNorm",
    [TENSOR_RELATIVE_BIAS] = "encoder.relative_attention_bias",
    [TENSOR_Q] = "encoder.layer.#.attention.attn.q",
    [TENSOR_K] = "encoder.layer.#.attention.attn.k",
    [TENSOR_V] = "encoder.layer.#.attention.attn.v",
    [TENSOR_ATTENTION_OUTPUT] = "encoder.layer.#.attention.attn.o",
    [TENSOR_ATTENTION_OUTPUT_NORM] = "encoder.layer.#.attention.LayerNorm",
    [TENSOR_FF_UP] = "encoder.layer.#.intermediate.dense",
    [TENSOR_FF_DOWN] = "encoder.layer.#.output.dense",
    [TENSOR_LAYER_OUTPUT_NORM] = "encoder.layer.#.output.LayerNorm",
    [TENSOR_POOLER] = "classifier.dense",
    [TENSOR_LABELS] = "classifier.out_proj",
};

static hob_status build(struct draft *d, hob_error *error)
{
    struct text_encoder mpnet = {
        .has_qkv_bias = true, .has_output_bias = true, .has_up_bias = true, .has_down_bias = true, .epsilon = 1e-12f};
    int64_t n_buckets;
    TRY(text_encoder_read(d, &mpnet, error));
    TRY(text_encoder_skip_padding(d, &mpnet, error));
    TRY(model_source_int(d->source, KEY_BUCKETS, 32, &n_buckets, error));
    draft_begin(d);
    TRY(distance_bias_buckets(d, n_buckets, &mpnet.distance_bias, error));
    text_encoder_build(d, &mpnet);
    return HOB_OK;
}

const struct model_def model_mpnet = {
    .name = "mpnet",
    .summary = "MPNet encoders: all-mpnet-base-v2",
    .kind = MODEL_ENCODER,
    .gguf_architecture = "",
    .hf_types = {"mpnet"},
    .hf_prefixes = {"mpnet.", ""},
    .hf_names = hf_names,
    .build = build,
};
