#include "engine/sampler.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/rng.h"
#include "base/size.h"
#include "engine/log_sum.h"

#include <string.h>

#define SAMPLER(name) extern const struct sampler_def sampler_##name;
#include "engine/samplers.def"
#undef SAMPLER

static const struct sampler_def *const samplers[] = {
#define SAMPLER(name) &sampler_##name,
#include "engine/samplers.def"
#undef SAMPLER
};

static hob_status check_options(const hob_generate_options *options, size_t n_vocab, hob_error *error)
{
    if (options->n_top_logprobs > HOB_MAX_TOP_LOGPROBS)
        FAIL(error, HOB_BAD_ARGUMENT, "top logprobs: found %zu, expected 0 to %d", options->n_top_logprobs,
             HOB_MAX_TOP_LOGPROBS);
    for (size_t i = 0; i < ARRAY_LENGTH(samplers); i++)
        if (samplers[i]->check) TRY(samplers[i]->check(options, n_vocab, error));
    return HOB_OK;
}

static hob_status make_workspace(struct sampler_chain *chain, const hob_tokenizer *tokenizer, hob_error *error)
{
    chain->candidates.items = memory_new(chain->n_vocab, sizeof(struct candidate));
    chain->candidates.weights = memory_new(chain->n_vocab, sizeof(float));
    if (!chain->candidates.items || !chain->candidates.weights)
        FAIL(error, HOB_NO_MEMORY, "no memory for %zu candidates", chain->n_vocab);
    chain->top_logprobs = memory_new(chain->options.n_top_logprobs, sizeof *chain->top_logprobs);
    if (!chain->top_logprobs)
        FAIL(error, HOB_NO_MEMORY, "no memory for %zu top logprobs", chain->options.n_top_logprobs);
    for (size_t i = 0; i < ARRAY_LENGTH(samplers); i++)
        if (samplers[i]->init && samplers[i]->is_active(&chain->options))
            TRY(samplers[i]->init(chain, tokenizer, error));
    return HOB_OK;
}

hob_status sampler_chain_init(struct sampler_chain *chain, const hob_generate_options *options,
                              const hob_tokenizer *tokenizer, size_t n_vocab, hob_error *error)
{
    struct sampler_chain new_chain = {.n_vocab = n_vocab};
    if (options) new_chain.options = *options;
    if (n_vocab == 0 || n_vocab > INT32_MAX)
        FAIL(error, HOB_BAD_ARGUMENT, "vocabulary: found %zu tokens, expected 1 to %d", n_vocab, INT32_MAX);
    TRY(check_options(&new_chain.options, n_vocab, error));
    hob_status status = make_workspace(&new_chain, tokenizer, error);
    if (status == HOB_OK) *chain = new_chain;
    else sampler_chain_release(&new_chain);
    return status;
}

void sampler_chain_release(struct sampler_chain *chain)
{
    for (size_t i = 0; i < ARRAY_LENGTH(samplers); i++)
        if (samplers[i]->release) samplers[i]->release(chain);
    memory_free(chain->candidates.items);
    memory_free(chain->candidates.weights);
    memory_free(chain->ids);
    memory_free(chain->counts);
    memory_free(chain->top_logprobs);
    *chain = (struct sampler_chain){0};
}

/* ---- the past ---- */

hob_status sampler_chain_begin(struct sampler_chain *chain, const int32_t *prompt, size_t n_prompt, size_t n_more,
                               hob_error *error)
{
    size_t n_room;
    for (size_t i = 0; i < n_prompt; i++)
        if (prompt[i] < 0 || (size_t)prompt[i] >= chain->n_vocab)
            FAIL(error, HOB_BAD_ARGUMENT, "prompt: token %zu: found id %d, expected 0 to %zu", i, (int)prompt[i],
                 chain->n_vocab - 1);
    if (!size_add(n_prompt, n_more, &n_room))
        FAIL(error, HOB_NO_MEMORY, "no memory for a past of %zu tokens", SIZE_MAX);
    if (n_room > chain->n_room) {
        int32_t *ids = memory_resize(chain->ids, n_room, sizeof *ids);
        if (!ids) FAIL(error, HOB_NO_MEMORY, "no memory for a past of %zu tokens", n_room);
        chain->ids = ids;
        chain->n_room = n_room;
        for (size_t i = 0; i < ARRAY_LENGTH(samplers); i++)
            if (samplers[i]->begin && samplers[i]->is_active(&chain->options)) TRY(samplers[i]->begin(chain, error));
    }
    if (n_prompt) memcpy(chain->ids, prompt, n_prompt * sizeof *prompt);
    chain->n_prompt = n_prompt;
    chain->now = (struct sampler_mark){.n_ids = n_prompt, .mirostat_mean = 2 * (double)chain->options.mirostat_tau};
    return HOB_OK;
}

void sampler_chain_accept(struct sampler_chain *chain, int32_t id)
{
    HOB_ASSERT(chain->now.n_ids < chain->n_room && id >= 0 && (size_t)id < chain->n_vocab);
    chain->ids[chain->now.n_ids++] = id;
}

struct sampler_mark sampler_chain_mark(const struct sampler_chain *chain)
{
    return chain->now;
}

void sampler_chain_rewind(struct sampler_chain *chain, struct sampler_mark mark)
{
    HOB_ASSERT(mark.n_ids <= chain->now.n_ids && mark.n_ids >= chain->n_prompt);
    chain->now = mark;
}

void sampler_chain_copy(struct sampler_chain *to, const struct sampler_chain *from)
{
    HOB_ASSERT(to->n_vocab == from->n_vocab && from->now.n_ids <= to->n_room);
    if (from->now.n_ids) memcpy(to->ids, from->ids, from->now.n_ids * sizeof *to->ids);
    to->n_prompt = from->n_prompt;
    to->now = from->now;
}

/* ---- a pick ---- */

/* The candidate at which the running sum of weights passes the u-th part of the total. */
static struct candidate draw(struct candidates *candidates, double u)
{
    if (candidates->n_items == 1) return candidates->items[0];
    double target = u * candidates_weigh(candidates), sum = 0;
    struct candidate last_possible = candidates->items[0];
    for (size_t i = 0; i < candidates->n_items && sum <= target; i++) {
        float weight = candidates->weights[candidates->items[i].id];
        if (weight == 0) continue;
        last_possible = candidates->items[i];
        sum += (double)weight;
    }
    return last_possible;
}

static void apply_samplers(struct sampler_chain *chain, const uint32_t *allowed)
{
    for (size_t i = 0; i < ARRAY_LENGTH(samplers); i++)
        if (samplers[i]->adjust && samplers[i]->is_active(&chain->options)) samplers[i]->adjust(chain);
    if (allowed) candidates_keep_allowed(&chain->candidates, allowed);
    for (size_t i = 0; i < ARRAY_LENGTH(samplers); i++)
        if (samplers[i]->apply && samplers[i]->is_active(&chain->options)) samplers[i]->apply(chain);
}

static void learn(struct sampler_chain *chain, struct candidate drawn)
{
    for (size_t i = 0; i < ARRAY_LENGTH(samplers); i++)
        if (samplers[i]->learn && samplers[i]->is_active(&chain->options)) samplers[i]->learn(chain, drawn);
}

/* Logarithms are taken of the logits as given, so that they do not depend on the samplers. */
static void tell_logprobs(struct sampler_chain *chain, const float *logits, int32_t id, float *ret_logprob)
{
    struct log_sum log_sum = log_sum_of(logits, chain->n_vocab);
    if (ret_logprob) *ret_logprob = log_sum_logprob(log_sum, logits[id]);
    size_t n_wanted = chain->options.n_top_logprobs;
    chain->n_top_logprobs = n_wanted < chain->n_vocab ? n_wanted : chain->n_vocab;
    struct candidates *candidates = &chain->candidates;
    if (!n_wanted) return;
    candidates_load(candidates, logits, chain->n_vocab);
    candidates_keep_best(candidates, chain->n_top_logprobs);
    for (size_t i = 0; i < chain->n_top_logprobs; i++)
        chain->top_logprobs[i] =
            (hob_logprob){candidates->items[i].id, log_sum_logprob(log_sum, candidates->items[i].logit)};
}

void sampler_chain_pick(struct sampler_chain *chain, const float *logits, const uint32_t *allowed, int32_t *ret_id,
                        float *ret_logprob)
{
    candidates_load(&chain->candidates, logits, chain->n_vocab);
    apply_samplers(chain, allowed);
    struct rng rng = {.seed = chain->options.seed,
                      .stream = chain->stream,
                      .position = 2 * chain->now.n_draws}; /* a double takes two words */
    struct candidate drawn = draw(&chain->candidates, rng_uniform_double(&rng));
    learn(chain, drawn);
    if (ret_logprob || chain->options.n_top_logprobs) tell_logprobs(chain, logits, drawn.id, ret_logprob);
    chain->now.n_draws++;
    sampler_chain_accept(chain, drawn.id);
    *ret_id = drawn.id;
}
