/* Scoring: how probable a model finds a text that is there already.
 *
 *     hob_score(session, ids, n_ids, 0, on_scored, &sum, &error);          each token's log-probability
 *     hob_perplexity_options options = {.n_context = 512};
 *     hob_perplexity_result result;
 *     hob_perplexity(session, ids, n_ids, &options, &result, &error);      one figure for a long text, as llama.cpp's tool gives it
 */
#ifndef HOB_SCORE_H
#define HOB_SCORE_H

#include "hob/generate.h"

typedef struct hob_scored {
    size_t index; /* of the token in ids, 1 and up: nothing foretells the first */
    int32_t id;
    double logprob;                  /* natural logarithm of its probability after all tokens before it */
    const hob_logprob *top_logprobs; /* what was most probable there; [n_top_logprobs], best first */
    size_t n_top_logprobs;
} hob_scored;

/* Called for each token but the first, in order. Return false to stop. */
typedef bool hob_on_scored(void *context, const hob_scored *scored);

/* ids: the text, what begins it (BOS) included. n_top_logprobs: 0 to HOB_MAX_TOP_LOGPROBS. The session's cache afterwards holds
 * what was scored.
 * Fails: HOB_UNSUPPORTED (not a decoder), HOB_BAD_ARGUMENT, HOB_LIMIT (longer than the context), HOB_NO_MEMORY. */
HOB_API HOB_MUST_CHECK hob_status hob_score(hob_session *session, const int32_t *ids, size_t n_ids,
                                            size_t n_top_logprobs, hob_on_scored *on_scored, void *context,
                                            hob_error *error);

typedef struct hob_perplexity_result {
    double perplexity, error;   /* error: one standard error of the perplexity */
    double mean_logprob;        /* -log(perplexity) */
    size_t n_tokens, n_windows; /* n_tokens: scored */
} hob_perplexity_result;

/* Called behind every window with what is known so far; fraction 0..1 is how much is done. Return false to stop: the result then
 * is of what was read. */
typedef bool hob_on_window(void *context, const hob_perplexity_result *so_far, double fraction);

typedef struct hob_perplexity_options {
    size_t n_context; /* tokens of a window; 0: 512, or the session's context where that is smaller */
    size_t
        stride; /* 0: windows lie end to end, and the tokens of a window's second half are scored. Else windows begin so many
                         tokens apart, and the last so many of each are scored: every token has a long past, at that much more work */
    hob_on_window *on_window; /* NULL: silent */
    void *context;
} hob_perplexity_options;

/* Comparable with llama.cpp's perplexity tool: where the text's first token is the model's BOS, every window's first token is read as
 * BOS; what does not fill a window is left out. ids: at least two windows. options NULL: defaults.
 * Fails: HOB_UNSUPPORTED (not a decoder), HOB_BAD_ARGUMENT (a text too short, a window the context does not hold), HOB_NO_MEMORY. */
HOB_API HOB_MUST_CHECK hob_status hob_perplexity(hob_session *session, const int32_t *ids, size_t n_ids,
                                                 const hob_perplexity_options *options,
                                                 hob_perplexity_result *ret_result, hob_error *error);

#endif
