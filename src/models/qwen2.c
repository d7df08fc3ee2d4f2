/* Qwen2 and Qwen2.5: Llama with biases on q, k and v. */
#include "models/rotary_decoder.h"

#include "base/error.h"

static hob_status build(struct draft *d, hob_error *error)
{
    struct rotary_decoder decoder = {
        .has_qkv_bias = true,
        .rope_base = 10000,
        .window.is_on = false, /* config.json names a window that use_sliding_window must switch on */
    };
    TRY(rotary_decoder_read(d, &decoder, error));
    return rotary_decoder_build(d, &decoder, error);
}

const struct model_def model_qwen2 = {
    .name = "qwen2",
    .summary = "Qwen2 and Qwen2.5: rotary decoders with biases on queries, keys and values",
    .kind = MODEL_DECODER,
    .gguf_architecture = "qwen2",
    .hf_types = {"qwen2"},
    .hf_prefixes = {"model.", ""},
    .hf_names = rotary_decoder_hf_names,
    .build = build,
};
