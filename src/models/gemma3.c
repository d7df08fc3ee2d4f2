/* Gemma 3, text only: norms of heads instead of soft caps; five layers with a window and a rotary base of their own to each one that
 * sees everything.
 *
 * Source: Gemma team 2025 (Gemma 3). */
#include "models/gemma.h"

#include "base/error.h"

/* config.json knows Gemma 2's soft caps still; the models have none. */
static hob_status refuse_caps(const struct draft *d, hob_error *error)
{
    static const enum model_key keys[] = {KEY_ATTENTION_SOFTCAP, KEY_LOGIT_SOFTCAP};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        double cap;
        TRY(model_source_float(d->source, keys[i], 0, &cap, error));
        if (cap != 0) return model_source_refuse(d->source, keys[i], "none", error);
    }
    return HOB_OK;
}

static hob_status build(struct draft *d, hob_error *error)
{
    enum { LAYERS_OF_27B = 62 };
    struct rotary_decoder decoder = {.has_post_norms = true,
                                     .head_norm = HEAD_NORM_EACH,
                                     .rope_base = 1000000,
                                     .rope_local_base = 10000,
                                     .window = {.is_on = true, .period = 6}};
    TRY(refuse_caps(d, error));
    TRY(gemma_read(d, &decoder, LAYERS_OF_27B, error));
    return rotary_decoder_build(d, &decoder, error);
}

const struct model_def model_gemma3 = {
    .name = "gemma3",
    .summary = "Gemma 3 (text): norms of heads, local and global layers with two rotary bases",
    .kind = MODEL_DECODER,
    .gguf_architecture = "gemma3",
    .hf_types = {"gemma3_text"},
    .hf_prefixes = {"model.", ""},
    .hf_names = gemma_hf_names,
    .build = build,
};
