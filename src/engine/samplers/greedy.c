/* The most probable token, the lowest id where several are: what a temperature of 0 means. */
#include "engine/sampler.h"

static bool is_active(const hob_generate_options *options)
{
    return options->temperature == 0;
}

static void apply(struct sampler_chain *chain)
{
    struct candidates *candidates = &chain->candidates;
    candidates->items[0] = candidates_best(candidates);
    candidates->n_items = 1;
}

const struct sampler_def sampler_greedy = {.name = "greedy", .is_active = is_active, .apply = apply};
