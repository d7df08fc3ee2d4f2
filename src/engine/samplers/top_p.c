/* Nucleus sampling: keeps the fewest best whose probabilities sum to p or more.
 * Source: Holtzman et al. 2020, "The curious case of neural text degeneration". */
#include "engine/sampler.h"

#include "base/error.h"

static hob_status check(const hob_generate_options *options, size_t n_vocab, hob_error *error)
{
    (void)n_vocab;
    if (!(options->top_p >= 0 && options->top_p <= 1))
        FAIL(error, HOB_BAD_ARGUMENT, "top-p: found %g, expected 0 to 1", (double)options->top_p);
    return HOB_OK;
}

static bool is_active(const hob_generate_options *options)
{
    return sampler_may_cut(options) && options->top_p != 0 && options->top_p != 1;
}

static void apply(struct sampler_chain *chain)
{
    struct candidates *candidates = &chain->candidates;
    candidates_keep_mass(candidates, (double)chain->options.top_p * candidates_weigh(candidates));
}

const struct sampler_def sampler_top_p = {.name = "top_p", .check = check, .is_active = is_active, .apply = apply};
