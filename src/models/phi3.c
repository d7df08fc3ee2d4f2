/* Phi-3, Phi-3.5 and Phi-4: one matrix for q, k and v, one for gate and up, a sliding window, long contexts by LongRoPE.
 *
 * Source: Abdin et al. 2024 (Phi-3 technical report). */
#include "models/rotary_decoder.h"

#include "base/error.h"

static hob_status build(struct draft *d, hob_error *error)
{
    struct rotary_decoder decoder = {
        .qkv = QKV_ROWS, .feed = FEED_SWIGLU_FUSED, .rope_base = 10000, .window.is_on = true};
    TRY(rotary_decoder_read_biases(d, &decoder, error));
    TRY(rotary_decoder_read(d, &decoder, error));
    return rotary_decoder_build(d, &decoder, error);
}

const struct model_def model_phi3 = {
    .name = "phi3",
    .summary = "Phi-3, Phi-3.5, Phi-4: rotary decoders with fused matrices and LongRoPE",
    .kind = MODEL_DECODER,
    .gguf_architecture = "phi3",
    .hf_types = {"phi3"},
    .hf_prefixes = {"model.", ""},
    .hf_names = rotary_decoder_hf_names,
    .build = build,
};
