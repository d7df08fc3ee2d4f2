/* Makes every token of the window less probable, the prompt's too, however often it is there: a logit above 0 is divided by the
 * penalty, one below multiplied.
 * Source: Keskar et al. 2019, "CTRL: a conditional transformer language model for controllable generation", section 4.1. */
#include "engine/past.h"

#include "base/error.h"

static hob_status check(const hob_generate_options *options, size_t n_vocab, hob_error *error)
{
    (void)n_vocab;
    if (!(options->repetition_penalty >= 0) || isinf(options->repetition_penalty))
        FAIL(error, HOB_BAD_ARGUMENT, "repetition penalty: found %g, expected a number above 0",
             (double)options->repetition_penalty);
    return HOB_OK;
}

static bool is_active(const hob_generate_options *options)
{
    return options->repetition_penalty != 0 && options->repetition_penalty != 1;
}

static hob_status init(struct sampler_chain *chain, const hob_tokenizer *tokenizer, hob_error *error)
{
    (void)tokenizer;
    return past_need_counts(chain, error);
}

static void adjust(struct sampler_chain *chain)
{
    struct past past = past_window(chain, 0, chain->options.penalty_last_n);
    float penalty = chain->options.repetition_penalty;
    for (size_t i = 0; i < past.n_ids; i++) {
        int32_t id = past.ids[i];
        float *logit = &chain->candidates.items[id].logit;
        if (chain->counts[id]++ == 0) *logit = *logit > 0 ? *logit / penalty : *logit * penalty;
    }
    for (size_t i = 0; i < past.n_ids; i++) chain->counts[past.ids[i]] = 0;
}

const struct sampler_def sampler_repetition_penalty = {
    .name = "repetition_penalty", .check = check, .is_active = is_active, .init = init, .adjust = adjust};
