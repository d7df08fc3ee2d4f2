/* StableLM: LayerNorm around Llama's parts, a quarter of each head turns.
 *
 * Source: Bellagente et al. 2024 (Stable LM 2 technical report). */
#include "models/rotary_decoder.h"

#include "base/error.h"

static hob_status build(struct draft *d, hob_error *error)
{
    struct rotary_decoder decoder = {.norm = NORM_LAYER, .rope_base = 10000};
    if (draft_has(d, TENSOR_Q_NORM, PART_WEIGHT))
        FAIL(error, HOB_UNSUPPORTED, "%s: found norms of single heads, expected none", d->source->where);
    TRY(model_source_bool(d->source, KEY_IS_PARALLEL, false, &decoder.is_parallel, error));
    decoder.shares_norm = decoder.is_parallel;
    TRY(rotary_decoder_read_biases(d, &decoder, error));
    decoder.has_output_bias = false;
    TRY(rotary_decoder_read(d, &decoder, error));
    return rotary_decoder_build(d, &decoder, error);
}

const struct model_def model_stablelm = {
    .name = "stablelm",
    .summary = "StableLM: LayerNorm, gated feed-forward, partly rotary heads",
    .kind = MODEL_DECODER,
    .gguf_architecture = "stablelm",
    .hf_types = {"stablelm"},
    .hf_prefixes = {"model.", ""},
    .hf_names = rotary_decoder_hf_names,
    .build = build,
};
