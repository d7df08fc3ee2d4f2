/* The first Gemma, and what the later ones kept of it. transformers rounds the embeddings' factor to bfloat16 when it runs in
 * bfloat16; here, as in llama.cpp, it is float32. */
#include "models/gemma.h"

#include "base/error.h"

#include <math.h>

const char *const gemma_hf_names[TENSOR_ROLE_COUNT] = {
    [TENSOR_TOKEN_EMBEDDING] = "embed_tokens",
    [TENSOR_ATTENTION_NORM] = "layers.#.input_layernorm",
    [TENSOR_Q] = "layers.#.self_attn.q_proj",
    [TENSOR_K] = "layers.#.self_attn.k_proj",
    [TENSOR_V] = "layers.#.self_attn.v_proj",
    [TENSOR_Q_NORM] = "layers.#.self_attn.q_norm",
    [TENSOR_K_NORM] = "layers.#.self_attn.k_norm",
    [TENSOR_ATTENTION_OUTPUT] = "layers.#.self_attn.o_proj",
    [TENSOR_ATTENTION_POST_NORM] = "layers.#.post_attention_layernorm",
    [TENSOR_FF_NORM] = "layers.#.pre_feedforward_layernorm",
    [TENSOR_FF_GATE] = "layers.#.mlp.gate_proj",
    [TENSOR_FF_UP] = "layers.#.mlp.up_proj",
    [TENSOR_FF_DOWN] = "layers.#.mlp.down_proj",
    [TENSOR_FF_POST_NORM] = "layers.#.post_feedforward_layernorm",
    [TENSOR_OUTPUT_NORM] = "norm",
    [TENSOR_HEAD] = "lm_head",
};

static hob_status read_attention_scale(const struct draft *d, int64_t n_large_layers, float *ret_scale,
                                       hob_error *error)
{
    bool is_large = model_source_is_gguf(d->source) && n_large_layers && d->n_layers == n_large_layers;
    double scalar = (double)(is_large ? d->width / d->n_heads : d->head_width), scale;
    TRY(model_source_float(d->source, KEY_QUERY_SCALAR, scalar, &scalar, error));
    TRY(model_source_float(d->source, KEY_ATTENTION_SCALE, 1 / sqrt(scalar), &scale, error));
    *ret_scale = (float)scale;
    return HOB_OK;
}

hob_status gemma_read(struct draft *d, struct rotary_decoder *decoder, int64_t n_large_layers, hob_error *error)
{
    decoder->is_norm_zero_centred = !model_source_is_gguf(d->source); /* the converter adds the 1 */
    decoder->feed = FEED_GEGLU;
    TRY(rotary_decoder_read_biases(d, decoder, error));
    TRY(rotary_decoder_read(d, decoder, error));
    decoder->embedding_scale = (float)sqrt((double)d->width);
    return read_attention_scale(d, n_large_layers, &decoder->attention_scale, error);
}

static hob_status build(struct draft *d, hob_error *error)
{
    struct rotary_decoder decoder = {.rope_base = 10000};
    TRY(gemma_read(d, &decoder, 0, error));
    return rotary_decoder_build(d, &decoder, error);
}

const struct model_def model_gemma = {
    .name = "gemma",
    .summary = "Gemma: scaled embeddings, GELU gates",
    .kind = MODEL_DECODER,
    .gguf_architecture = "gemma",
    .hf_types = {"gemma"},
    .hf_prefixes = {"model.", ""},
    .hf_names = rotary_decoder_hf_names,
    .build = build,
};
