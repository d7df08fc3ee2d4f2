/* Choosing the next token: a chain of samplers over the candidates, then one seeded draw.
 *
 * A sampler is a file in samplers/ and a row in samplers.def. The chain applies the active ones in the order of the rows: first what
 * changes single logits (bias, penalties, DRY), as llama.cpp does; then what Hugging Face's generate gives: temperature, then what cuts
 * the tail; then XTC. Top-n-sigma and top-k stand before temperature nevertheless: it changes neither what they keep nor, with
 * them, the result, and this way it scales what they leave and not the whole vocabulary. A grammar's mask comes before the tail
 * is cut, so that something allowed is always left. Mirostat takes the place of all that cuts.
 *
 * The n-th draw depends on the seed, the stream and n only, never on threads or timing. The past is the ids that the chain was given
 * and those it picked; with the draws made and mirostat's mean it is the whole state, so a chain can be marked, taken back and copied.
 * A chain owns its workspace, allocated by init and begin; picking, copying and taking back allocate nothing. One thread at a time.
 *
 *     struct sampler_chain chain;
 *     TRY(sampler_chain_init(&chain, options, tokenizer, n_vocab, error));
 *     TRY(sampler_chain_begin(&chain, prompt, n_prompt, n_most_new, error));
 *     sampler_chain_pick(&chain, logits, NULL, &id, &logprob);
 *     sampler_chain_release(&chain);
 */
#ifndef ENGINE_SAMPLER_H
#define ENGINE_SAMPLER_H

#include "engine/candidates.h"
#include "hob/generate.h"
#include "hob/tokenizer.h"

struct sampler_chain;

struct sampler_def {
    const char *name;
    /* Fails: HOB_BAD_ARGUMENT. Called for every row, active or not. NULL: any value will do. */
    hob_status (*check)(const hob_generate_options *options, size_t n_vocab, hob_error *error);
    bool (*is_active)(const hob_generate_options *options);
    /* Makes what apply needs. NULL: nothing. Only called when active; release takes what init left, whole or not. */
    hob_status (*init)(struct sampler_chain *chain, const hob_tokenizer *tokenizer, hob_error *error);
    void (*release)(struct sampler_chain *chain);
    /* Reserves what depends on the length of the past, chain->n_room. NULL: nothing. */
    hob_status (*begin)(struct sampler_chain *chain, hob_error *error);
    /* Changes single logits, while candidates[id] is still the token id. */
    void (*adjust)(struct sampler_chain *chain);
    /* Narrows or rescales; leaves at least one candidate. A row has this or adjust. */
    void (*apply)(struct sampler_chain *chain);
    /* Learns from the candidate that was drawn of those that were left. NULL: does not. */
    void (*learn)(struct sampler_chain *chain, struct candidate drawn);
};

/* What changes from token to token. */
struct sampler_mark {
    size_t n_ids;
    uint64_t n_draws; /* made so far: the place in the seed's sequence */
    double mirostat_mean;
};

struct sampler_chain {
    hob_generate_options options; /* its arrays are the caller's */
    uint64_t stream;              /* of the seed: another one for each of n samples; 0 after init */
    size_t n_vocab;
    struct candidates candidates;
    int32_t *ids; /* the past: prompt, then what was picked */
    size_t n_prompt, n_room;
    struct sampler_mark now;
    uint32_t *counts;   /* [n_vocab], all 0 between calls; NULL: no sampler needs it */
    struct dry *dry;    /* samplers/dry.c's; NULL: not active */
    float *true_logits; /* [n_vocab] samplers/typical_p.c's, while it orders by something else; NULL: not active */
    hob_logprob *top_logprobs; /* [options.n_top_logprobs], of the last pick; fewer in a smaller vocabulary */
    size_t n_top_logprobs;
};

/* Whether the samplers that cut the tail of a distribution may: where a draw is made, and mirostat does not do it alone. */
static inline bool sampler_may_cut(const hob_generate_options *options)
{
    return options->temperature != 0 && options->mirostat_tau == 0;
}

/* options NULL: greedy. tokenizer may be NULL: DRY then has no breakers. n_vocab: at least 1.
 * Fails: HOB_BAD_ARGUMENT (a setting out of range, an id outside the vocabulary), HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status sampler_chain_init(struct sampler_chain *chain, const hob_generate_options *options,
                                             const hob_tokenizer *tokenizer, size_t n_vocab, hob_error *error);
void sampler_chain_release(struct sampler_chain *chain); /* takes a zeroed chain */

/* A new text: the past is the prompt, no draw is made. There is room for n_more picks and accepts.
 * Fails: HOB_NO_MEMORY, HOB_BAD_ARGUMENT (an id outside the vocabulary). */
HOB_MUST_CHECK hob_status sampler_chain_begin(struct sampler_chain *chain, const int32_t *prompt, size_t n_prompt,
                                              size_t n_more, hob_error *error);

/* logits: [n_vocab]. allowed: a bit an id, lowest first, of the tokens that may be chosen, at least one; NULL: all. ret_logprob:
 * natural logarithm of the token's probability under the logits as given, before any sampler and mask; NULL where it is not wanted,
 * which saves n_vocab exponentials. The id becomes part of the past. options.n_top_logprobs: see chain->top_logprobs. */
void sampler_chain_pick(struct sampler_chain *chain, const float *logits, const uint32_t *allowed, int32_t *ret_id,
                        float *ret_logprob);
/* Makes an id that the chain did not choose part of the past: no draw. */
void sampler_chain_accept(struct sampler_chain *chain, int32_t id);

/* Where the chain stands, and back to there: the past must not have been changed before the mark since. */
struct sampler_mark sampler_chain_mark(const struct sampler_chain *chain);
void sampler_chain_rewind(struct sampler_chain *chain, struct sampler_mark mark);
/* The state of from becomes to's: for a fork of a text. Both were made with the same options and have begun with the same room. The
 * seed's stream stays to's. */
void sampler_chain_copy(struct sampler_chain *to, const struct sampler_chain *from);

#endif
