/* Generation: token after token from a decoder's session.
 *
 * Greedy unless temperature is above 0; the same model, ids, options and seed give the same tokens on the same kernel table,
 * whatever the number of threads.
 *
 *     hob_generate_options options = {.max_tokens = 64};
 *     if (hob_generate(session, ids, n_ids, &options, print_token, NULL, &result, &error) != HOB_OK) …
 */
#ifndef HOB_GENERATE_H
#define HOB_GENERATE_H

#include "hob/session.h"

typedef struct hob_generate_options {
    size_t max_tokens;          /* 0: up to the context's end */
    float temperature;          /* 0: greedy */
    size_t top_k;               /* 0: off */
    float top_p;                /* 0 or 1: off */
    float min_p;                /* 0: off */
    uint64_t seed;
    bool has_logprobs;          /* tokens come with their log-probability, at the cost of an exp over the vocabulary */
    bool ignores_end;           /* go on after an end-of-text token */
    const char *const *stops;   /* texts that end generation; never part of the text */
    size_t n_stops;
} hob_generate_options;

typedef enum hob_finish { HOB_FINISH_LENGTH, HOB_FINISH_END, HOB_FINISH_STOP, HOB_FINISH_CONTEXT, HOB_FINISH_CANCELLED } hob_finish;

typedef struct hob_generated {
    int32_t id;             /* HOB_NO_TOKEN in a last call that only brings text that was held back */
    float logprob;          /* natural logarithm of the token's probability under the model, before sampling;
                               0 unless asked for */
    const char *text;       /* whole characters that became final with this token; "" when none; NUL-terminated */
    size_t n_text_bytes;
} hob_generated;

/* Called for each token as it comes. Return false to stop. */
typedef bool hob_on_generated(void *context, const hob_generated *generated);

typedef struct hob_generate_result {
    hob_finish finish;
    size_t n_prompt_tokens, n_tokens; /* n_tokens: generated, the end token not counted */
    double prompt_ms, generate_ms;
} hob_generate_result;

/* Static string: "length", "end", "stop", "context", "cancelled". */
HOB_API const char *hob_finish_name(hob_finish finish);

/* ids: the prompt, at least one; what the session has cached of it already is not computed again. on_generated and
 * ret_result may be NULL. The session's cache afterwards holds prompt and continuation.
 * Fails: HOB_UNSUPPORTED (not a decoder), HOB_BAD_ARGUMENT, HOB_LIMIT (prompt longer than the context). */
HOB_API HOB_MUST_CHECK hob_status hob_generate(hob_session *session, const int32_t *ids, size_t n_ids,
                                               const hob_generate_options *options, hob_on_generated *on_generated,
                                               void *context, hob_generate_result *ret_result, hob_error *error);

#endif
