/* Generation: token after token from a decoder's session.
 *
 * Greedy unless temperature is above 0; the same model, ids, options and seed give the same tokens on the same kernel table,
 * whatever the number of threads, what else runs beside it, what caches held before and how the prompt was cut.
 *
 *     hob_generate_options options = {.max_tokens = 64};
 *     if (hob_generate(session, ids, n_ids, &options, print_token, NULL, &result, &error) != HOB_OK) …
 *
 * Several at once on one session, a forward pass for all of them at a time:
 *
 *     if (hob_generation_new(session, ids, n_ids, &options, on_token, context, &generations[i], &error) != HOB_OK) …
 *     while (!all are done)
 *         if (hob_generations_step(session, generations, n, &error) != HOB_OK) …
 *     hob_generation_free(generations[i]);
 */
#ifndef HOB_GENERATE_H
#define HOB_GENERATE_H

#include "hob/grammar.h"
#include "hob/session.h"

/* When a beam search ends. */
typedef enum hob_early_stopping {
    HOB_EARLY_STOPPING_NO,    /* no open beam is likely to beat the worst finished text (of W): its score now is looked at */
    HOB_EARLY_STOPPING_YES,   /* as soon as W texts are finished */
    HOB_EARLY_STOPPING_NEVER, /* no open beam can beat the worst finished text any more */
} hob_early_stopping;

/* Added to a token's logit; minus infinity bans it. */
typedef struct hob_logit_bias {
    int32_t id;
    float bias;
} hob_logit_bias;

typedef struct hob_generate_options {
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

    /* ---- what may come ---- one of them at most; not for beams. The text is one of the grammar's, unless a limit cuts it off, and
     * ends as soon as nothing can follow; the model's end tokens may come where it is a whole one. ---- */
    const hob_grammar *grammar; /* compiled once for many generations */
    const char *gbnf;           /* or as text */
    const char *json_schema;    /* "" : any JSON object or array */

    /* ---- when to stop ---- */
    size_t max_tokens;          /* 0: up to the context's end */
    size_t min_tokens;          /* until so many have come no token ends the text, and stop texts are not looked for */
    uint64_t max_ms;            /* from hob_generation_new on, waiting and parked time included; 0: no limit */
    bool ignores_end;           /* go on after an end-of-text token */
    const char *const *stops;   /* texts that end generation; never part of the text */
    size_t n_stops;
    const int32_t *stop_ids;    /* tokens that end generation; not part of the text either */
    size_t n_stop_ids;

    /* ---- several texts ---- */
    size_t n_samples;           /* from one prefill; text i is what a request of its own with seed + i gives. 0: one.
                                   Of a beam search: the best so many, at most beam_width */
    size_t beam_width;          /* 0 or 1: no beam search, which draws nothing (temperature 0) and takes no stop texts */
    float length_penalty;       /* of beams: score = sum of log-probabilities / tokens^length_penalty, the end token counted */
    hob_early_stopping early_stopping;

    /* ---- the context ---- */
    bool shifts_context;        /* when it is full, go on with its first n_keep tokens and the newer half of the others, as if they had
                                   been the prompt: they are computed anew. Wants max_tokens; not for beams */
    size_t n_keep;              /* of the prompt; the token that begins a text is always among them */
    size_t chunk_tokens;        /* of the prompt in one step; 0: 192 */

    /* ---- drafts: guesses of the next tokens that one run checks. They make it faster or slower and change no byte of a text ---- */
    size_t n_draft_tokens;      /* most at a time, 0 to 64; 0: none. Not for beams */
    hob_session *draft_session; /* of a smaller model with the same vocabulary, which makes them; the caller's, as long as the generation, and
                                   run by whoever runs that. NULL: what followed where the last tokens stood before */
} hob_generate_options;

typedef enum hob_finish {
    HOB_FINISH_LENGTH,
    HOB_FINISH_END,
    HOB_FINISH_STOP,
    HOB_FINISH_CONTEXT,
    HOB_FINISH_CANCELLED,
    HOB_FINISH_TIME
} hob_finish;

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
    const hob_logprob *top_logprobs; /* [n_top_logprobs], best first; of equals the lower id. A beam search gives none */
    size_t n_top_logprobs;
    size_t output;          /* which of the texts it belongs to, from 0. Those of a beam search come when it is over, best first */
} hob_generated;

/* Called for each token of a text as it comes, in the middle of a step: it may cancel generations, and must not make, run or free anything
 * of the session. Each of the text's n_tokens comes once, with its id. One that ends the text as an end token or stop id is none of them:
 * it comes in no call, and hob_generated_output.end_id names it. One that completes a stop text is one of them: it comes with its id, and
 * with what stands before the stop text. A last call without id follows where text was held back until the end.
 * Return false to stop: the generation is cancelled, all its texts are. */
typedef bool hob_on_generated(void *context, const hob_generated *generated);

typedef struct hob_generate_result {
    hob_finish finish; /* of the first text */
    size_t n_prompt_tokens;
    size_t n_cached_tokens; /* of the prompt, which were not computed again */
    size_t n_prompt_done;   /* of the prompt, computed or cached so far: how far it is */
    size_t n_tokens;        /* generated, of all texts; tokens that end one are not counted */
    size_t n_drafted, n_draft_accepted; /* drafts run, and those of them that were right */
    double prompt_ms, generate_ms;
} hob_generate_result;

/* One of the texts. */
typedef struct hob_generated_output {
    hob_finish finish;
    size_t n_tokens;
    double score;   /* of a beam search's text; else 0 */
    int stop;       /* which of options.stops ended it, from 0; -1: none did */
    int32_t end_id; /* the token that ended it, the model's or one of stop_ids; HOB_NO_TOKEN: none did */
} hob_generated_output;

/* Static string: "length", "end", "stop", "context", "cancelled", "time". */
HOB_API const char *hob_finish_name(hob_finish finish);

/* ids: the prompt, at least one; what the session has cached of it already is not computed again. on_generated and
 * ret_result may be NULL. The session's cache afterwards holds prompt and continuation (the first one; behind a beam search the
 * prompt only).
 * Fails: HOB_UNSUPPORTED (not a decoder), HOB_BAD_ARGUMENT, HOB_LIMIT (prompt longer than the context: the message names both). */
HOB_API HOB_MUST_CHECK hob_status hob_generate(hob_session *session, const int32_t *ids, size_t n_ids,
                                               const hob_generate_options *options, hob_on_generated *on_generated,
                                               void *context, hob_generate_result *ret_result, hob_error *error);

/* ---- step by step, several at a time ---- */

/* A request under way: its texts, what the model keeps of them, how far each is. */
typedef struct hob_generation hob_generation;

/* Copies all it is given, and runs nothing yet. The session's own cache stays as it is. Free it before the session.
 * Fails as hob_generate. */
HOB_API HOB_MUST_CHECK hob_status hob_generation_new(hob_session *session, const int32_t *ids, size_t n_ids,
                                                     const hob_generate_options *options, hob_on_generated *on_generated,
                                                     void *context, hob_generation **ret_generation, hob_error *error);
/* One forward pass: for each generation that is not done a piece of its prompt or a token of each of its texts. A generation may be
 * in the list once. On failure those that it hit are done (cancelled) if they cannot go on; else the step may be tried again. One for
 * want of room in the cache (HOB_LIMIT) hits none: all go on once others are done or parked.
 * Fails: HOB_BAD_ARGUMENT (a generation of another session), HOB_LIMIT (no room in the cache), HOB_NO_MEMORY, whatever an operator
 * reports. */
HOB_API HOB_MUST_CHECK hob_status hob_generations_step(hob_session *session, hob_generation *const *generations, size_t n_generations,
                                                       hob_error *error);
/* The same, of no more than about most_rows positions (0: no bound), so that a step has a known length: the newest tokens of all texts,
 * however many those are; then pieces of prompts, in the order of the list, until there are so many. Those that are left out wait. At least
 * one position is run. The bytes of a text do not depend on it. HOB_RUN_ROWS (session.h) positions go through the model in one pass. */
HOB_API HOB_MUST_CHECK hob_status hob_generations_step_bounded(hob_session *session, hob_generation *const *generations,
                                                               size_t n_generations, size_t most_rows, hob_error *error);
HOB_API bool hob_generation_is_done(const hob_generation *generation);
/* Asks for the end; the next step, which frees what the cache holds of it, is its last. From any thread, from a signal handler too. */
HOB_API void hob_generation_cancel(hob_generation *generation);
/* So far, or all there is when it is done. */
HOB_API hob_generate_result hob_generation_result(const hob_generation *generation);
/* One for each text; a beam search's are there when it is done, best first, and can be fewer than asked for. */
HOB_API size_t hob_generation_n_outputs(const hob_generation *generation);
HOB_API hob_generated_output hob_generation_output(const hob_generation *generation, size_t index); /* zeros outside */
/* At any time but from on_generated; gives its part of the cache back. Takes NULL. */
HOB_API void hob_generation_free(hob_generation *generation);

/* ---- when the cache is too small for all ----
 *
 * Before each step, park the youngest until the rest fits, and let those that are parked go on when there is room for all of one:
 *
 *     while (sum of hob_generation_needs_tokens of those to step > hob_session_room_tokens(session)) hob_generation_park(the youngest);
 *     if (hob_generation_wants_tokens(a parked one) <= what is left of the room) step it again;
 *
 * All of these between steps, not from on_generated. A new generation holds what is kept of its prompt from the beginning.
 */

/* Positions that the session's cache has room for now: free ones, and those kept for texts to come, which give way. In whole blocks.
 * SIZE_MAX: caches are not in one pool, each text has its own. Cheap: to be asked before each step. */
HOB_API size_t hob_session_room_tokens(const hob_session *session);
/* Of those, what the generation's next step takes: whole blocks, those that its texts stop sharing among them. Exact for one under way,
 * also for several together; at most so many for one that is parked. 0 when it is done. */
HOB_API size_t hob_generation_needs_tokens(const hob_generation *generation);
/* What it takes until its prompt, or when parked all its texts, are in the cache, with a token more for each: what to ask for before it is
 * begun or goes on again. */
HOB_API size_t hob_generation_wants_tokens(const hob_generation *generation);
/* What parking or freeing it gives back: blocks that no other generation shares. */
HOB_API size_t hob_generation_holds_tokens(const hob_generation *generation);
/* Takes it out of the cache, as if its texts were finished: what it had there is left to texts to come, and goes when others want the room.
 * It keeps its texts, draws and grammars; the next step that lists it computes again what is no longer there, piece by piece, and goes on.
 * No byte of a text, no draw and no log-probability depends on it. Beam searches too. Between steps; nothing happens to one that is
 * done or parked already. Allocates nothing. */
HOB_API void hob_generation_park(hob_generation *generation);
/* Whether it is, and no step has listed it since. */
HOB_API bool hob_generation_is_parked(const hob_generation *generation);

#endif
