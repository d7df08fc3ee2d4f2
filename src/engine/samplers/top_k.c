/* Keeps the k best. */
#include "engine/sampler.h"

static bool is_active(const hob_generate_options *options)
{
    return options->top_k != 0;
}

static void apply(const hob_generate_options *options, struct candidates *candidates)
{
    if (options->top_k >= candidates->n_items) return;
    candidates_begin_sort(candidates);
    for (size_t i = 0; i < options->top_k; i++) candidates_sort_next(candidates);
    candidates_keep_sorted(candidates);
}

const struct sampler_def sampler_top_k = {.name = "top_k", .is_active = is_active, .apply = apply};
