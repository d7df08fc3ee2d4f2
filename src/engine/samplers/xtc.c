/* Exclude top choices: with a given probability, of the tokens that have the threshold or more only the least probable stays. Less
 * likely tokens are left alone, so the text stays sound but becomes less foreseeable. Whether it strikes is a draw of its own
 * sequence: the draw of the token is the same with it and without.
 * Source: p-e-w's proposal to text-generation-webui, 2024; llama.cpp. */
#include "engine/sampler.h"

#include "base/error.h"
#include "base/rng.h"

#define DEFAULT_THRESHOLD 0.1F
#define XTC_STREAM (UINT64_C(1) << 63)

static hob_status check(const hob_generate_options *options, size_t n_vocab, hob_error *error)
{
    (void)n_vocab;
    if (!(options->xtc_probability >= 0 && options->xtc_probability <= 1))
        FAIL(error, HOB_BAD_ARGUMENT, "XTC probability: found %g, expected 0 to 1", (double)options->xtc_probability);
    if (!(options->xtc_threshold >= 0 && options->xtc_threshold <= 1))
        FAIL(error, HOB_BAD_ARGUMENT, "XTC threshold: found %g, expected 0 to 1", (double)options->xtc_threshold);
    return HOB_OK;
}

static bool is_active(const hob_generate_options *options)
{
    return sampler_may_cut(options) && options->xtc_probability > 0 && options->xtc_threshold <= 0.5F;
}

static bool strikes(const struct sampler_chain *chain)
{
    struct rng rng = {
        .seed = chain->options.seed, .stream = chain->stream | XTC_STREAM, .position = 2 * chain->now.n_draws};
    return rng_uniform_double(&rng) < (double)chain->options.xtc_probability;
}

static bool is_worse(struct candidate a, struct candidate b)
{
    return a.logit < b.logit || (a.logit == b.logit && a.id > b.id);
}

static void apply(struct sampler_chain *chain)
{
    struct candidates *candidates = &chain->candidates;
    float threshold = chain->options.xtc_threshold != 0 ? chain->options.xtc_threshold : DEFAULT_THRESHOLD;
    if (!strikes(chain)) return;
    double least = (double)threshold * candidates_weigh(candidates);
    struct candidate last = {HOB_NO_TOKEN, INFINITY};
    size_t n_kept = 0;
    for (size_t i = 0; i < candidates->n_items; i++) {
        struct candidate item = candidates->items[i];
        bool is_top = (double)candidates->weights[item.id] >= least;
        if (is_top && (last.id == HOB_NO_TOKEN || is_worse(item, last))) last = item;
        if (!is_top) candidates->items[n_kept++] = item;
    }
    if (last.id != HOB_NO_TOKEN) candidates->items[n_kept++] = last;
    candidates->n_items = n_kept;
}

const struct sampler_def sampler_xtc = {.name = "xtc", .check = check, .is_active = is_active, .apply = apply};
