/* SmolLM3: Llama whose every fourth layer has no positions.
 *
 * Source: Yang et al. 2025 (RoPE to NoPE and back again). */
#include "models/rotary_decoder.h"

#include "base/error.h"

static hob_status build(struct draft *d, hob_error *error)
{
    struct rotary_decoder decoder = {
        .is_interleaved = model_source_is_gguf(d->source), .rope_base = 2000000, .unturned_period = 4};
    TRY(rotary_decoder_read_biases(d, &decoder, error));
    TRY(rotary_decoder_read(d, &decoder, error));
    return rotary_decoder_build(d, &decoder, error);
}

const struct model_def model_smollm3 = {
    .name = "smollm3",
    .summary = "SmolLM3: Llama with layers that have no positions",
    .kind = MODEL_DECODER,
    .gguf_architecture = "smollm3",
    .hf_types = {"smollm3"},
    .hf_prefixes = {"model.", ""},
    .hf_names = rotary_decoder_hf_names,
    .build = build,
};
