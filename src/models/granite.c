/* Granite 3: Llama with multipliers, which keep the sizes of numbers apart from the width.
 *
 * Source: Yang et al. 2022 (maximal update parametrisation). */
#include "models/rotary_decoder.h"

#include "base/error.h"

static hob_status read_scale(const struct draft *d, enum model_key key, float *ret_scale, hob_error *error)
{
    double scale;
    TRY(model_source_float(d->source, key, 0, &scale, error));
    *ret_scale = (float)scale;
    return HOB_OK;
}

static hob_status build(struct draft *d, hob_error *error)
{
    struct rotary_decoder decoder = {.is_interleaved = model_source_is_gguf(d->source), .rope_base = 10000};
    float logit_divisor;
    TRY(rotary_decoder_read_biases(d, &decoder, error));
    TRY(rotary_decoder_read(d, &decoder, error));
    TRY(read_scale(d, KEY_EMBEDDING_SCALE, &decoder.embedding_scale, error));
    TRY(read_scale(d, KEY_RESIDUAL_SCALE, &decoder.residual_scale, error));
    TRY(read_scale(d, KEY_ATTENTION_SCALE, &decoder.attention_scale, error));
    TRY(read_scale(d, KEY_LOGIT_DIVISOR, &logit_divisor, error));
    if (logit_divisor != 0) decoder.logit_scale = 1 / logit_divisor;
    return rotary_decoder_build(d, &decoder, error);
}

const struct model_def model_granite = {
    .name = "granite",
    .summary = "Granite 3: Llama with multipliers of embeddings, residuals, scores and logits",
    .kind = MODEL_DECODER,
    .gguf_architecture = "granite",
    .hf_types = {"granite"},
    .hf_prefixes = {"model.", ""},
    .hf_names = rotary_decoder_hf_names,
    .build = build,
};
