/* How tokens are chosen and what ends a text, as OpenAI's routes take it: OpenAI's fields and defaults (temperature 1, penalties of all
 * that was generated), with what llama.cpp's and vLLM's clients add.
 *
 *     struct inputs { …; struct openai_sampling sampling; };
 *     static const struct field_def fields[] = { …, OPENAI_SAMPLING_FIELDS(struct inputs, sampling), … };
 *     struct inputs inputs = {.sampling = OPENAI_SAMPLING_DEFAULTS};
 *     if (!openai_sampling_set(&inputs.sampling, generate, &problem)) …
 */
#ifndef SERVER_ROUTES_OPENAI_SAMPLING_H
#define SERVER_ROUTES_OPENAI_SAMPLING_H

#include "server/routes/sampling.h"

struct openai_sampling {
    struct sampling_fields shared;
    double repetition_penalty; /* vLLM's name of repeat_penalty; 0: not given */
    bool ignores_end;
    size_t min_tokens;
    const json_t *stop_ids;
    const char *grammar;
    const json_t *schema;
};

#define OPENAI_SAMPLING_DEFAULTS     \
    {                                \
        .shared = {                  \
            .temperature = 1,        \
            .top_p = 1,              \
            .typical_p = 1,          \
            .repeat_penalty = 1,     \
            .repeat_last_n = -1,     \
            .dry_base = 1.75,        \
            .dry_allowed_length = 2, \
            .dry_last_n = -1,        \
            .seed = -1,              \
            .xtc_threshold = 0.1,    \
            .mirostat_tau = 5,       \
            .mirostat_eta = 0.1      \
        }                            \
    }

#define OPENAI_SAMPLING_FIELDS(settings, member)                                                                       \
    SAMPLING_FIELDS(settings, member.shared),                                                                          \
        SAMPLING_FIELD(settings, member, repetition_penalty, FIELD_NUMBER, 0, 1e6, "vLLM's name of repeat_penalty"),   \
        SAMPLING_FIELD_OF(settings, member, "ignore_eos", ignores_end, FIELD_BOOL, 0, 0,                               \
                          "go on after the token that ends a text"),                                                   \
        SAMPLING_FIELD(settings, member, min_tokens, FIELD_COUNT, 0, 1e9,                                              \
                       "nothing ends the text before so many tokens"),                                                 \
        SAMPLING_FIELD_OF(settings, member, "stop_token_ids", stop_ids, FIELD_LIST, 0, 0, "tokens that end the text"), \
        SAMPLING_FIELD(settings, member, grammar, FIELD_TEXT, 0, 0, "GBNF: the text is one of this grammar's"),        \
        SAMPLING_FIELD_OF(settings, member, "json_schema", schema, FIELD_ANY, 0, 0, "the text is JSON of this schema")

/* Sets options of generate->inputs; texts and lists are copied into the job. A bias of 100 or more forces a token, of -100 or less bans it. */
bool openai_sampling_set(const struct openai_sampling *sampling, struct generate_job *generate,
                         struct problem *ret_problem);
/* What limits the text: below 0 only the context does; 0: nothing is generated. */
void openai_sampling_set_limit(int64_t max_tokens, struct generate_inputs *inputs);

#endif
