#include "engine/sampler.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/rng.h"
#include "base/size.h"

#define SAMPLER(name) extern const struct sampler_def sampler_##name;
#include "engine/samplers.def"
#undef SAMPLER

static const struct sampler_def *const samplers[] = {
#define SAMPLER(name) &sampler_##name,
#include "engine/samplers.def"
#undef SAMPLER
};

static hob_status check_options(const hob_generate_options *options, hob_error *error)
{
    for (size_t i = 0; i < ARRAY_LENGTH(samplers); i++)
        if (samplers[i]->check) TRY(samplers[i]->check(options, error));
    return HOB_OK;
}

hob_status sampler_chain_init(struct sampler_chain *chain, const hob_generate_options *options, size_t n_vocab,
                              hob_error *error)
{
    struct sampler_chain new_chain = {.n_vocab = n_vocab};
    if (options) new_chain.options = *options;
    if (n_vocab == 0 || n_vocab > INT32_MAX)
        FAIL(error, HOB_BAD_ARGUMENT, "vocabulary: found %zu tokens, expected 1 to %d", n_vocab, INT32_MAX);
    TRY(check_options(&new_chain.options, error));
    new_chain.candidates.items = memory_new(n_vocab, sizeof(struct candidate));
    if (!new_chain.candidates.items) FAIL(error, HOB_NO_MEMORY, "no memory for %zu candidates", n_vocab);
    *chain = new_chain;
    return HOB_OK;
}

void sampler_chain_release(struct sampler_chain *chain)
{
    memory_free(chain->candidates.items);
    *chain = (struct sampler_chain){0};
}

/* The candidate at which the running sum of weights passes the u-th part of the total. */
static int32_t draw(const struct candidates *candidates, double u)
{
    float max_logit = candidates_max_logit(candidates);
    double target = u * candidates_total_weight(candidates, max_logit);
    double sum = 0;
    int32_t last_possible = candidates->items[0].id;
    for (size_t i = 0; i < candidates->n_items; i++) {
        double weight = candidate_weight(candidates->items[i].logit, max_logit);
        if (weight == 0) continue;
        last_possible = candidates->items[i].id;
        sum += weight;
        if (sum > target) break;
    }
    return last_possible;
}

/* Sums in double and in the order of the ids, so that the value does not depend on the samplers. */
static float logprob_of(const float *logits, size_t n_logits, float logit, float max_logit)
{
    double sum = 0;
    for (size_t i = 0; i < n_logits; i++)
        if (!isnan(logits[i])) sum += logits[i] == max_logit ? 1.0 : (double)expf(logits[i] - max_logit);
    if (isnan(logit)) return -INFINITY;
    return (float)((logit == max_logit ? 0.0 : (double)logit - (double)max_logit) - log(sum));
}

void sampler_chain_pick(struct sampler_chain *chain, const float *logits, int32_t *ret_id, float *ret_logprob)
{
    struct candidates *candidates = &chain->candidates;
    candidates_load(candidates, logits, chain->n_vocab);
    float max_logit = ret_logprob ? candidates_max_logit(candidates) : 0;
    for (size_t i = 0; i < ARRAY_LENGTH(samplers); i++)
        if (samplers[i]->is_active(&chain->options)) samplers[i]->apply(&chain->options, candidates);

    struct rng rng = {.seed = chain->options.seed, .position = 2 * chain->n_draws++}; /* a double takes two words */
    double u = rng_uniform_double(&rng);
    int32_t id = candidates->n_items == 1 ? candidates->items[0].id : draw(candidates, u);
    *ret_id = id;
    if (ret_logprob) *ret_logprob = logprob_of(logits, chain->n_vocab, logits[id], max_logit);
}
