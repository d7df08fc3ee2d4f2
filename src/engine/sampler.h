/* Choosing the next token: a chain of samplers over the candidates, then one seeded draw.
 *
 * A sampler is a file in samplers/ and a row in samplers.def. The chain applies the active ones in the order of the rows,
 * which is that of Hugging Face's generate: temperature first, then what cuts the tail. The n-th draw depends on the seed and
 * n only, never on threads or timing. A chain owns its workspace, allocated once; picking allocates nothing. One thread at
 * a time.
 *
 *     struct sampler_chain chain;
 *     TRY(sampler_chain_init(&chain, options, n_vocab, error));
 *     sampler_chain_pick(&chain, logits, &id, &logprob);
 *     sampler_chain_release(&chain);
 */
#ifndef ENGINE_SAMPLER_H
#define ENGINE_SAMPLER_H

#include "engine/candidates.h"
#include "hob/generate.h"

struct sampler_def {
    const char *name;
    /* Fails: HOB_BAD_ARGUMENT. Called for every row, active or not. NULL: any value will do. */
    hob_status (*check)(const hob_generate_options *options, hob_error *error);
    bool (*is_active)(const hob_generate_options *options);
    /* Narrows or rescales; leaves at least one candidate. */
    void (*apply)(const hob_generate_options *options, struct candidates *candidates);
};

struct sampler_chain {
    hob_generate_options options;
    struct candidates candidates;
    size_t n_vocab;
    uint64_t n_draws; /* made so far: the place in the seed's sequence */
};

/* options NULL: greedy. n_vocab: at least 1. Fails: HOB_BAD_ARGUMENT (a setting out of range), HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status sampler_chain_init(struct sampler_chain *chain, const hob_generate_options *options,
                                             size_t n_vocab, hob_error *error);
void sampler_chain_release(struct sampler_chain *chain); /* takes a zeroed chain */

/* logits: [n_vocab]. ret_logprob: natural logarithm of the token's probability under the logits as given, before any
 * sampler; NULL where it is not wanted, which saves n_vocab exponentials. */
void sampler_chain_pick(struct sampler_chain *chain, const float *logits, int32_t *ret_id, float *ret_logprob);

#endif
