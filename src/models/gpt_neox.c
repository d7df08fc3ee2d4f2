/* GPT-NeoX and Pythia: attention and feed-forward part side by side, a quarter of each head turns. Hugging Face keeps q, k and v of a
 * head together; the converter to GGUF sorts them into three blocks.
 *
 * Source: Black et al. 2022; Biderman et al. 2023 (Pythia). */
#include "models/rotary_decoder.h"

#include "base/error.h"

static const char *const hf_names[TENSOR_ROLE_COUNT] = {
    [TENSOR_TOKEN_EMBEDDING] = "gpt_neox.embed_in",
    [TENSOR_ATTENTION_NORM] = "gpt_neox.layers.#.input_layernorm",
    [TENSOR_QKV] = "gpt_neox.layers.#.attention.query_key_value",
    [TENSOR_ATTENTION_OUTPUT] = "gpt_neox.layers.#.attention.dense",
    [TENSOR_FF_NORM] = "gpt_neox.layers.#.post_attention_layernorm",
    [TENSOR_FF_UP] = "gpt_neox.layers.#.mlp.dense_h_to_4h",
    [TENSOR_FF_DOWN] = "gpt_neox.layers.#.mlp.dense_4h_to_h",
    [TENSOR_OUTPUT_NORM] = "gpt_neox.final_layer_norm",
    [TENSOR_HEAD] = "embed_out",
};

static hob_status build(struct draft *d, hob_error *error)
{
    struct rotary_decoder decoder = {.norm = NORM_LAYER,
                                     .qkv = model_source_is_gguf(d->source) ? QKV_ROWS : QKV_BY_HEAD,
                                     .has_ff_bias = true,
                                     .feed = FEED_GELU,
                                     .gelu = "gelu",
                                     .rope_base = 10000};
    TRY(model_source_bool(d->source, KEY_ATTENTION_BIAS, true, &decoder.has_qkv_bias, error));
    decoder.has_output_bias = decoder.has_qkv_bias;
    TRY(model_source_bool(d->source, KEY_IS_PARALLEL, true, &decoder.is_parallel, error));
    TRY(rotary_decoder_read(d, &decoder, error));
    if (d->n_kv_heads != d->n_heads) return model_source_refuse(d->source, KEY_KV_HEADS, "as many as heads", error);
    return rotary_decoder_build(d, &decoder, error);
}

const struct model_def model_gpt_neox = {
    .name = "gpt_neox",
    .summary = "GPT-NeoX and Pythia: parallel parts, LayerNorm, partly rotary heads",
    .kind = MODEL_DECODER,
    .gguf_architecture = "gptneox",
    .hf_types = {"gpt_neox"},
    .hf_prefixes = {"", "model."},
    .hf_names = hf_names,
    .build = build,
};
