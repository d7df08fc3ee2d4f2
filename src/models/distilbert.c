/* DistilBERT: BERT with half the layers and without token types. GGUF files of it say "bert".
 *
 * Source: Sanh et al. 2019. */
#include "models/text_encoder.h"

#include "base/error.h"

static const char *const hf_names[TENSOR_ROLE_COUNT] = {
    [TENSOR_TOKEN_EMBEDDING] = "embeddings.word_embeddings",
    [TENSOR_POSITION_EMBEDDING] = "embeddings.position_embeddings",
    [TENSOR_EMBEDDING_NORM] = "embeddings.LayerNorm",
    [TENSOR_Q] = "transformer.layer.#.attention.q_lin",
    [TENSOR_K] = "transformer.layer.#.attention.k_lin",
    [TENSOR_V] = "transformer.layer.#.attention.v_lin",
    [TENSOR_ATTENTION_OUTPUT] = "transformer.layer.#.attention.out_lin",
    [TENSOR_ATTENTION_OUTPUT_NORM] = "transformer.layer.#.sa_layer_norm",
    [TENSOR_FF_UP] = "transformer.layer.#.ffn.lin1",
    [TENSOR_FF_DOWN] = "transformer.layer.#.ffn.lin2",
    [TENSOR_LAYER_OUTPUT_NORM] = "transformer.layer.#.output_layer_norm",
    [TENSOR_POOLER] = "pre_classifier",
    [TENSOR_LABELS] = "classifier",
};

/* Sinusoidal positions lie in the file as if they were learned. */
static hob_status build(struct draft *d, hob_error *error)
{
    struct text_encoder distilbert = {.has_qkv_bias = true,
                                      .has_output_bias = true,
                                      .has_up_bias = true,
                                      .has_down_bias = true,
                                      .epsilon = 1e-12f,
                                      .head = {.activation = HEAD_RELU},
                                      .distance_bias = VALUE_NONE};
    TRY(text_encoder_read(d, &distilbert, error));
    draft_begin(d);
    text_encoder_build(d, &distilbert);
    return HOB_OK;
}

const struct model_def model_distilbert = {
    .name = "distilbert",
    .summary = "DistilBERT encoders",
    .kind = MODEL_ENCODER,
    .gguf_architecture = "",
    .hf_types = {"distilbert"},
    .hf_prefixes = {"distilbert.", ""},
    .hf_names = hf_names,
    .build = build,
};
