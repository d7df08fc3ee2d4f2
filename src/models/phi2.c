/* Phi-1, Phi-1.5 and Phi-2: attention and feed-forward part side by side behind one LayerNorm, biases everywhere.
 *
 * Source: Li et al. 2023 (Textbooks are all you need II). */
#include "models/rotary_decoder.h"

#include "base/error.h"

static const char *const hf_names[TENSOR_ROLE_COUNT] = {
    [TENSOR_TOKEN_EMBEDDING] = "model.embed_tokens", [TENSOR_ATTENTION_NORM] = "model.layers.#.input_layernorm",
    [TENSOR_Q] = "model.layers.#.self_attn.q_proj",  [TENSOR_K] = "model.layers.#.self_attn.k_proj",
    [TENSOR_V] = "model.layers.#.self_attn.v_proj",  [TENSOR_ATTENTION_OUTPUT] = "model.layers.#.self_attn.dense",
    [TENSOR_FF_UP] = "model.layers.#.mlp.fc1",       [TENSOR_FF_DOWN] = "model.layers.#.mlp.fc2",
    [TENSOR_OUTPUT_NORM] = "model.final_layernorm",  [TENSOR_HEAD] = "lm_head",
};

static hob_status build(struct draft *d, hob_error *error)
{
    struct rotary_decoder decoder = {
        .norm = NORM_LAYER,
        .is_parallel = true,
        .shares_norm = true,
        .qkv = draft_has(d, TENSOR_QKV, PART_WEIGHT) ? QKV_ROWS : QKV_SEPARATE, /* GGUF files of older checkpoints */
        .has_qkv_bias = true,
        .has_output_bias = true,
        .has_ff_bias = true,
        .has_head_bias = true,
        .feed = FEED_GELU,
        .gelu = "gelu_new",
        .rope_base = 10000,
    };
    TRY(rotary_decoder_read(d, &decoder, error));
    return rotary_decoder_build(d, &decoder, error);
}

const struct model_def model_phi2 = {
    .name = "phi2",
    .summary = "Phi-1, Phi-1.5, Phi-2: parallel parts behind one LayerNorm",
    .kind = MODEL_DECODER,
    .gguf_architecture = "phi2",
    .hf_types = {"phi"},
    .hf_prefixes = {""},
    .hf_names = hf_names,
    .build = build,
};
