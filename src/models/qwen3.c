/* Qwen3: norms of each query's and key's head instead of biases; heads of a width of their own.
 *
 * Source: Yang et al. 2025 (Qwen3 technical report). */
#include "models/rotary_decoder.h"

#include "base/error.h"

static hob_status build(struct draft *d, hob_error *error)
{
    struct rotary_decoder decoder = {
        .head_norm = HEAD_NORM_EACH, .rope_base = 10000, .window.is_on = false, /* as Qwen2's */
    };
    TRY(rotary_decoder_read_biases(d, &decoder, error));
    TRY(rotary_decoder_read(d, &decoder, error));
    return rotary_decoder_build(d, &decoder, error);
}

const struct model_def model_qwen3 = {
    .name = "qwen3",
    .summary = "Qwen3: rotary decoders with norms of queries' and keys' heads",
    .kind = MODEL_DECODER,
    .gguf_architecture = "qwen3",
    .hf_types = {"qwen3"},
    .hf_prefixes = {"model.", ""},
    .hf_names = rotary_decoder_hf_names,
    .build = build,
};
