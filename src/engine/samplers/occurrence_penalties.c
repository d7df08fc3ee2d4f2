/* Frequency and presence penalties: logit - count * frequency - (count > 0) * presence, the count being how often the token was
 * generated within the window; the prompt does not count.
 * Source: OpenAI's API reference, "frequency and presence penalties". */
#include "engine/past.h"

#include "base/error.h"

static hob_status check(const hob_generate_options *options, size_t n_vocab, hob_error *error)
{
    (void)n_vocab;
    if (!isfinite(options->frequency_penalty))
        FAIL(error, HOB_BAD_ARGUMENT, "frequency penalty: found %g, expected a number",
             (double)options->frequency_penalty);
    if (!isfinite(options->presence_penalty))
        FAIL(error, HOB_BAD_ARGUMENT, "presence penalty: found %g, expected a number",
             (double)options->presence_penalty);
    return HOB_OK;
}

static bool is_active(const hob_generate_options *options)
{
    return options->frequency_penalty != 0 || options->presence_penalty != 0;
}

static hob_status init(struct sampler_chain *chain, const hob_tokenizer *tokenizer, hob_error *error)
{
    (void)tokenizer;
    return past_need_counts(chain, error);
}

static void adjust(struct sampler_chain *chain)
{
    struct past past = past_window(chain, chain->n_prompt, chain->options.penalty_last_n);
    for (size_t i = 0; i < past.n_ids; i++) chain->counts[past.ids[i]]++;
    for (size_t i = 0; i < past.n_ids; i++) {
        uint32_t count = chain->counts[past.ids[i]];
        if (!count) continue;
        chain->counts[past.ids[i]] = 0;
        chain->candidates.items[past.ids[i]].logit -=
            (float)count * chain->options.frequency_penalty + chain->options.presence_penalty;
    }
}

const struct sampler_def sampler_occurrence_penalties = {
    .name = "occurrence_penalties", .check = check, .is_active = is_active, .init = init, .adjust = adjust};
