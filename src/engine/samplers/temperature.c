/* Divides the logits: below 1 sharpens the distribution, above 1 flattens it. */
#include "engine/sampler.h"

#include "base/error.h"

static hob_status check(const hob_generate_options *options, size_t n_vocab, hob_error *error)
{
    (void)n_vocab;
    if (!(options->temperature >= 0) || isinf(options->temperature))
        FAIL(error, HOB_BAD_ARGUMENT, "temperature: found %g, expected 0 or above", (double)options->temperature);
    return HOB_OK;
}

static bool is_active(const hob_generate_options *options)
{
    return options->temperature != 0 && options->temperature != 1;
}

/* The best logit is taken off first: a tiny temperature must not overflow the best to infinity, where all are equal. */
static void apply(struct sampler_chain *chain)
{
    struct candidates *candidates = &chain->candidates;
    float max_logit = candidates_max_logit(candidates);
    for (size_t i = 0; i < candidates->n_items; i++) {
        float *logit = &candidates->items[i].logit;
        *logit = *logit == max_logit ? 0 : (*logit - max_logit) / chain->options.temperature;
    }
}

const struct sampler_def sampler_temperature = {
    .name = "temperature", .check = check, .is_active = is_active, .apply = apply};
