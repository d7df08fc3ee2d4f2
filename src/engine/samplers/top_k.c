/* Keeps the k best. */
#include "engine/sampler.h"

static bool is_active(const hob_generate_options *options)
{
    return sampler_may_cut(options) && options->top_k != 0;
}

static void apply(struct sampler_chain *chain)
{
    struct candidates *candidates = &chain->candidates;
    if (chain->options.top_k < candidates->n_items) candidates_keep_best(candidates, chain->options.top_k);
}

const struct sampler_def sampler_top_k = {.name = "top_k", .is_active = is_active, .apply = apply};
