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

/* Added to a token's logit; minus infinity bans it. */
typedef struct hob_logit_bias {
    int32_t id;
    float bias;
} hob_logit_bias;

typedef struct hob_generate_options {
    size_t max_tokens;          /* 0: up to the context's end */
    /* How the next token is chosen. Zeros are off; what is on is applied in the order of these fields. First what changes single
     * logits, which works for greedy too: */
    const hob_logit_bias *logit_biases;
    size_t n_logit_biases;
    float repetition_penalty;   /* 0 or 1: off. Logits of tokens seen, prompt included: above 0 divided by it, else multiplied */
    float frequency_penalty;    /* taken off for each time a token was generated: OpenAI's */
    float presence_penalty;     /* taken off once for a token that was generated: OpenAI's */
    size_t penalty_last_n;      /* the three look at so many last tokens; 0: 64; SIZE_MAX: all */
    float dry_multiplier;       /* 0: off. Off a token that would continue a repetition of n tokens: multiplier * base^(n - allowed) */
    float dry_base;             /* 0: 1.75 */
    size_t dry_allowed_length;  /* 0: 2 */
    size_t dry_last_n;          /* 0: all, the prompt included */
    const char *const *dry_breakers; /* texts that no repetition reaches across; NULL: line end, colon, quotation mark, asterisk */
    size_t n_dry_breakers;
    /* Then what draws: */
    float temperature;          /* 0: greedy, the rest is off */
    float top_n_sigma;          /* only logits at most so many standard deviations below the best */
    size_t top_k;               /* 0: off */
    float top_p;                /* 0 or 1: off */
    float min_p;                /* 0: off */
    float typical_p;            /* 0 or 1: off */
    float xtc_probability;      /* of leaving out all but the last of the tokens that have xtc_threshold or more */
    float xtc_threshold;        /* above 0.5 nothing is left out; 0: 0.1 */
    float mirostat_tau;         /* 0: off. The surprise in bits that mirostat 2 aims at; top_n_sigma to XTC are then off */
    float mirostat_eta;         /* how fast it learns; 0: 0.1 */
    uint64_t seed;
    bool has_logprobs;          /* tokens come with their log-probability, at the cost of an exp over the vocabulary */
    size_t n_top_logprobs;      /* and with so many of the most probable tokens, 0 to HOB_MAX_TOP_LOGPROBS */
    bool ignores_end;           /* go on after an end-of-text token */
    const char *const *stops;   /* texts that end generation; never part of the text */
    size_t n_stops;
} hob_generate_options;

typedef enum hob_finish { HOB_FINISH_LENGTH, HOB_FINISH_END, HOB_FINISH_STOP, HOB_FINISH_CONTEXT, HOB_FINISH_CANCELLED } hob_finish;

enum { HOB_MAX_TOP_LOGPROBS = 100 };

typedef struct hob_logprob {
    int32_t id;
    float logprob;          /* natural logarithm of the probability under the model, before any sampler */
} hob_logprob;

typedef struct hob_generated {
    int32_t id;             /* HOB_NO_TOKEN in a last call that only brings text that was held back */
    float logprob;          /* natural logarithm of the token's probability under the model, before sampling;
                               0 unless asked for */
    const char *text;       /* whole characters that became final with this token; "" when none; NUL-terminated */
    size_t n_text_bytes;
    const hob_logprob *top_logprobs; /* [n_top_logprobs], best first; of equals the lower id */
    size_t n_top_logprobs;
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
