/* OLMo 2: parts read the residuals as they are and their outputs are normed; q and k are normed over all heads together.
 *
 * Source: OLMo team 2024 (2 OLMo 2 Furious). */
#include "models/rotary_decoder.h"

#include "base/error.h"

static const char *const hf_names[TENSOR_ROLE_COUNT] = {
    [TENSOR_TOKEN_EMBEDDING] = "embed_tokens",
    [TENSOR_Q] = "layers.#.self_attn.q_proj",
    [TENSOR_K] = "layers.#.self_attn.k_proj",
    [TENSOR_V] = "layers.#.self_attn.v_proj",
    [TENSOR_Q_NORM] = "layers.#.self_attn.q_norm",
    [TENSOR_K_NORM] = "layers.#.self_attn.k_norm",
    [TENSOR_ATTENTION_OUTPUT] = "layers.#.self_attn.o_proj",
    [TENSOR_ATTENTION_POST_NORM] = "layers.#.post_attention_layernorm",
    [TENSOR_FF_GATE] = "layers.#.mlp.gate_proj",
    [TENSOR_FF_UP] = "layers.#.mlp.up_proj",
    [TENSOR_FF_DOWN] = "layers.#.mlp.down_proj",
    [TENSOR_FF_POST_NORM] = "layers.#.post_feedforward_layernorm",
    [TENSOR_OUTPUT_NORM] = "norm",
    [TENSOR_HEAD] = "lm_head",
};

static hob_status build(struct draft *d, hob_error *error)
{
    struct rotary_decoder decoder = {
        .lacks_pre_norms = true, .has_post_norms = true, .head_norm = HEAD_NORM_WHOLE, .rope_base = 10000};
    TRY(rotary_decoder_read_biases(d, &decoder, error));
    TRY(rotary_decoder_read(d, &decoder, error));
    return rotary_decoder_build(d, &decoder, error);
}

const struct model_def model_olmo2 = {
    .name = "olmo2",
    .summary = "OLMo 2: rotary decoders with norms behind each part",
    .kind = MODEL_DECODER,
    .gguf_architecture = "olmo2",
    .hf_types = {"olmo2"},
    .hf_prefixes = {"model.", ""},
    .hf_names = hf_names,
    .build = build,
};
