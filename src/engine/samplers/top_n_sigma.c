/* Keeps logits within n standard deviations of the best. The deviation is that of all logits that are possible; temperature
 * scales it with them, so it decides nothing here.
 * Source: Tang et al. 2024, "Top-n-sigma: not all logits are you need". */
#include "engine/sampler.h"

#include "base/error.h"

static hob_status check(const hob_generate_options *options, size_t n_vocab, hob_error *error)
{
    (void)n_vocab;
    if (!(options->top_n_sigma >= 0) || isinf(options->top_n_sigma))
        FAIL(error, HOB_BAD_ARGUMENT, "top-n-sigma: found %g, expected 0 or above", (double)options->top_n_sigma);
    return HOB_OK;
}

static bool is_active(const hob_generate_options *options)
{
    return sampler_may_cut(options) && options->top_n_sigma != 0;
}

/* Differences from the best, so that large logits do not cancel. */
static double deviation_below(const struct candidates *candidates, float max_logit)
{
    double sum = 0, sum_squares = 0;
    size_t n = 0;
    for (size_t i = 0; i < candidates->n_items; i++) {
        double difference = (double)candidates->items[i].logit - (double)max_logit;
        if (!isfinite(difference)) continue;
        sum += difference;
        sum_squares += difference * difference;
        n++;
    }
    if (n == 0) return 0;
    double mean = sum / (double)n, variance = sum_squares / (double)n - mean * mean;
    return variance > 0 ? sqrt(variance) : 0;
}

static void apply(struct sampler_chain *chain)
{
    struct candidates *candidates = &chain->candidates;
    float max_logit = candidates_max_logit(candidates);
    double least = (double)max_logit - (double)chain->options.top_n_sigma * deviation_below(candidates, max_logit);
    size_t n_kept = 0;
    for (size_t i = 0; i < candidates->n_items; i++)
        if ((double)candidates->items[i].logit >= least) candidates->items[n_kept++] = candidates->items[i];
    candidates->n_items = n_kept;
}

const struct sampler_def sampler_top_n_sigma = {
    .name = "top_n_sigma", .check = check, .is_active = is_active, .apply = apply};
