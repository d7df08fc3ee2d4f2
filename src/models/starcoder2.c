/* StarCoder2: LayerNorm, biases everywhere, GELU, a sliding window.
 *
 * Source: Lozhkov et al. 2024. */
#include "models/rotary_decoder.h"

#include "base/error.h"

#include <string.h>

static const char *const hf_names[TENSOR_ROLE_COUNT] = {
    [TENSOR_TOKEN_EMBEDDING] = "embed_tokens",
    [TENSOR_ATTENTION_NORM] = "layers.#.input_layernorm",
    [TENSOR_Q] = "layers.#.self_attn.q_proj",
    [TENSOR_K] = "layers.#.self_attn.k_proj",
    [TENSOR_V] = "layers.#.self_attn.v_proj",
    [TENSOR_ATTENTION_OUTPUT] = "layers.#.self_attn.o_proj",
    [TENSOR_FF_NORM] = "layers.#.post_attention_layernorm",
    [TENSOR_FF_UP] = "layers.#.mlp.c_fc",
    [TENSOR_FF_DOWN] = "layers.#.mlp.c_proj",
    [TENSOR_OUTPUT_NORM] = "norm",
    [TENSOR_HEAD] = "lm_head",
};

static hob_status refuse_types(const struct draft *d, hob_error *error)
{
    const char *norm, *feed;
    TRY(model_source_text(d->source, KEY_NORM_TYPE, "layer_norm", &norm, error));
    if (strcmp(norm, "layer_norm")) return model_source_refuse(d->source, KEY_NORM_TYPE, "layer_norm", error);
    TRY(model_source_text(d->source, KEY_FF_TYPE, "default", &feed, error));
    return strcmp(feed, "default") ? model_source_refuse(d->source, KEY_FF_TYPE, "default", error) : HOB_OK;
}

static hob_status build(struct draft *d, hob_error *error)
{
    struct rotary_decoder decoder = {
        .norm = NORM_LAYER, .feed = FEED_GELU, .gelu = "gelu_pytorch_tanh", .rope_base = 10000, .window.is_on = true};
    TRY(refuse_types(d, error));
    TRY(rotary_decoder_read_biases(d, &decoder, error));
    TRY(rotary_decoder_read(d, &decoder, error));
    return rotary_decoder_build(d, &decoder, error);
}

const struct model_def model_starcoder2 = {
    .name = "starcoder2",
    .summary = "StarCoder2: rotary decoders with LayerNorm, biases and GELU",
    .kind = MODEL_DECODER,
    .gguf_architecture = "starcoder2",
    .hf_types = {"starcoder2"},
    .hf_prefixes = {"model.", ""},
    .hf_names = hf_names,
    .build = build,
};
