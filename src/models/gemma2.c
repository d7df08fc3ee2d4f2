/* Gemma 2: norms before and behind each part, soft caps on scores and logits, a sliding window in every other layer.
 *
 * Source: Gemma team 2024 (Gemma 2). */
#include "models/gemma.h"

#include "base/error.h"

/* config.json's null is no cap; no word is the published one. */
static hob_status read_cap(const struct draft *d, enum model_key key, double usual, float *ret_cap, hob_error *error)
{
    double cap;
    TRY(model_source_float(d->source, key, model_source_is_null(d->source, key) ? 0 : usual, &cap, error));
    *ret_cap = (float)cap;
    return HOB_OK;
}

static hob_status build(struct draft *d, hob_error *error)
{
    enum { LAYERS_OF_27B = 46 };
    struct rotary_decoder decoder = {
        .has_post_norms = true, .rope_base = 10000, .window = {.is_on = true, .period = 2}};
    TRY(gemma_read(d, &decoder, LAYERS_OF_27B, error));
    TRY(read_cap(d, KEY_ATTENTION_SOFTCAP, 50, &decoder.attention_softcap, error));
    TRY(read_cap(d, KEY_LOGIT_SOFTCAP, 30, &decoder.logit_softcap, error));
    return rotary_decoder_build(d, &decoder, error);
}

const struct model_def model_gemma2 = {
    .name = "gemma2",
    .summary = "Gemma 2: soft caps, norms around each part, windows in every other layer",
    .kind = MODEL_DECODER,
    .gguf_architecture = "gemma2",
    .hf_types = {"gemma2"},
    .hf_prefixes = {"model.", ""},
    .hf_names = gemma_hf_names,
    .build = build,
};
