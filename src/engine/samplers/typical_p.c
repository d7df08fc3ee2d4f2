/* Locally typical sampling: keeps the tokens whose surprise is nearest the expected one, the entropy, until their probabilities sum
 * to p. It is top-p in another order, so the logits are put aside and that order takes their place meanwhile.
 * Source: Meister et al. 2022, "Locally typical sampling". */
#include "engine/sampler.h"

#include "base/error.h"
#include "base/memory.h"

static hob_status check(const hob_generate_options *options, size_t n_vocab, hob_error *error)
{
    (void)n_vocab;
    if (!(options->typical_p >= 0 && options->typical_p <= 1))
        FAIL(error, HOB_BAD_ARGUMENT, "typical-p: found %g, expected 0 to 1", (double)options->typical_p);
    return HOB_OK;
}

static bool is_active(const hob_generate_options *options)
{
    return sampler_may_cut(options) && options->typical_p != 0 && options->typical_p != 1;
}

static hob_status init(struct sampler_chain *chain, const hob_tokenizer *tokenizer, hob_error *error)
{
    (void)tokenizer;
    chain->true_logits = memory_new(chain->n_vocab, sizeof *chain->true_logits);
    if (!chain->true_logits) FAIL(error, HOB_NO_MEMORY, "typical-p: no memory for %zu logits", chain->n_vocab);
    return HOB_OK;
}

static void release(struct sampler_chain *chain)
{
    memory_free(chain->true_logits);
}

/* log(total weight) less the mean logit, both counted from the best logit. */
static double entropy_of(const struct candidates *candidates, double total, float max_logit)
{
    double sum = 0;
    for (size_t i = 0; i < candidates->n_items; i++) {
        struct candidate item = candidates->items[i];
        double weight = (double)candidates->weights[item.id];
        if (weight > 0 && item.logit != max_logit) sum += weight * ((double)item.logit - (double)max_logit);
    }
    return log(total) - sum / total;
}

static void apply(struct sampler_chain *chain)
{
    struct candidates *candidates = &chain->candidates;
    float max_logit = candidates_max_logit(candidates);
    double total = candidates_weigh(candidates);
    double from_best = log(total) - entropy_of(candidates, total, max_logit);
    for (size_t i = 0; i < candidates->n_items; i++) {
        struct candidate *item = &candidates->items[i];
        double below = item->logit == max_logit ? 0 : (double)item->logit - (double)max_logit;
        chain->true_logits[item->id] = item->logit;
        item->logit = (float)-fabs(from_best - below);
    }
    candidates_keep_mass(candidates, (double)chain->options.typical_p * total);
    for (size_t i = 0; i < candidates->n_items; i++)
        candidates->items[i].logit = chain->true_logits[candidates->items[i].id];
}

const struct sampler_def sampler_typical_p = {
    .name = "typical_p", .check = check, .is_active = is_active, .init = init, .release = release, .apply = apply};
