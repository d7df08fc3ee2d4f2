/* Mirostat 2: holds the surprise of the text, in bits a token, near tau. Tokens more surprising than a mean are dropped; the mean
 * follows by eta times what the last token's surprise was off. It begins at twice tau.
 * Source: Basu et al. 2021, "Mirostat: a neural text decoding algorithm that directly controls perplexity"; version 2 as in the
 * authors' code and llama.cpp. */
#include "engine/sampler.h"

#include "base/error.h"

#define DEFAULT_RATE 0.1

static hob_status check(const hob_generate_options *options, size_t n_vocab, hob_error *error)
{
    (void)n_vocab;
    if (!(options->mirostat_tau >= 0) || isinf(options->mirostat_tau))
        FAIL(error, HOB_BAD_ARGUMENT, "mirostat: tau: found %g, expected 0 or above", (double)options->mirostat_tau);
    if (!(options->mirostat_eta >= 0) || isinf(options->mirostat_eta))
        FAIL(error, HOB_BAD_ARGUMENT, "mirostat: eta: found %g, expected 0 or above", (double)options->mirostat_eta);
    return HOB_OK;
}

static bool is_active(const hob_generate_options *options)
{
    return options->temperature != 0 && options->mirostat_tau != 0;
}

/* The best stays in any case. -log2(weight / total) <= mean, without a logarithm for each token. */
static void apply(struct sampler_chain *chain)
{
    struct candidates *candidates = &chain->candidates;
    struct candidate best = candidates_best(candidates);
    double least = candidates_weigh(candidates) * exp2(-chain->now.mirostat_mean);
    size_t n_kept = 0;
    for (size_t i = 0; i < candidates->n_items; i++) {
        struct candidate item = candidates->items[i];
        if (item.id == best.id || (double)candidates->weights[item.id] >= least) candidates->items[n_kept++] = item;
    }
    candidates->n_items = n_kept;
}

static void learn(struct sampler_chain *chain, struct candidate drawn)
{
    const hob_generate_options *options = &chain->options;
    double total = candidates_weigh(&chain->candidates);
    double surprise = log2(total) - log2((double)chain->candidates.weights[drawn.id]);
    double rate = options->mirostat_eta != 0 ? (double)options->mirostat_eta : DEFAULT_RATE;
    chain->now.mirostat_mean -= rate * (surprise - (double)options->mirostat_tau);
}

const struct sampler_def sampler_mirostat = {
    .name = "mirostat", .check = check, .is_active = is_active, .apply = apply, .learn = learn};
