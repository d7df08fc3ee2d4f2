/* Drops what is less probable than p times the best.
 * Source: Nguyen et al. 2024, "Turning up the heat: min-p sampling". */
#include "engine/sampler.h"

#include "base/error.h"

static hob_status check(const hob_generate_options *options, size_t n_vocab, hob_error *error)
{
    (void)n_vocab;
    if (!(options->min_p >= 0 && options->min_p <= 1))
        FAIL(error, HOB_BAD_ARGUMENT, "min-p: found %g, expected 0 to 1", (double)options->min_p);
    return HOB_OK;
}

static bool is_active(const hob_generate_options *options)
{
    return sampler_may_cut(options) && options->min_p != 0;
}

static void apply(struct sampler_chain *chain)
{
    struct candidates *candidates = &chain->candidates;
    float max_logit = candidates_max_logit(candidates), least = max_logit + logf(chain->options.min_p);
    size_t n_kept = 0;
    for (size_t i = 0; i < candidates->n_items; i++)
        if (candidates->items[i].logit >= least) candidates->items[n_kept++] = candidates->items[i];
    candidates->n_items = n_kept;
}

const struct sampler_def sampler_min_p = {.name = "min_p", .check = check, .is_active = is_active, .apply = apply};
