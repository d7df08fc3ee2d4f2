/* What llama.cpp's own routes share: error body, fields of a generating request, replies whole and streamed. */
#ifndef SERVER_ROUTES_API_LLAMA_H
#define SERVER_ROUTES_API_LLAMA_H

#include "server/http/exchange.h"
#include "server/jobs/generate.h"
#include "server/routes/route.h"
#include "server/routes/sampling.h"

/* What /completion and /infill have in common. */
struct llama_fields {
    const char *model;
    int64_t n_predict, n_keep, n_probs, n_indent, t_max_predict_ms;
    bool is_stream, ignores_end, has_tokens, has_timings;
    const char *grammar;
    const json_t *json_schema, *response_fields;
    struct sampling_fields sampling;
};

/* llama.cpp's defaults: temperature 0.8, top_k 40, top_p 0.95, min_p 0.05. */
#define LLAMA_DEFAULTS                 \
    {                                  \
        .n_predict = -1, .sampling = { \
            .temperature = 0.8,        \
            .top_k = 40,               \
            .top_p = 0.95,             \
            .min_p = 0.05,             \
            .typical_p = 1,            \
            .repeat_penalty = 1,       \
            .repeat_last_n = 64,       \
            .dry_base = 1.75,          \
            .dry_allowed_length = 2,   \
            .dry_last_n = -1,          \
            .xtc_threshold = 0.1,      \
            .mirostat_tau = 5,         \
            .mirostat_eta = 0.1,       \
            .seed = -1                 \
        }                              \
    }

#define LLAMA_FIELD(settings, member, word, field, type, text)                               \
    {                                                                                        \
        .name = word, .kind = type, .offset = offsetof(settings, member.field), .help = text \
    }
#define LLAMA_FIELDS(settings, member)                                                                              \
    LLAMA_FIELD(settings, member, "model", model, FIELD_TEXT, "a model's name; the configured one without it"),     \
        LLAMA_FIELD(settings, member, "n_predict", n_predict, FIELD_INTEGER,                                        \
                    "most tokens; -1: to the context's end, 0: the prompt is only computed"),                       \
        LLAMA_FIELD(settings, member, "n_keep", n_keep, FIELD_INTEGER,                                              \
                    "of the prompt, when a full context is shifted; -1: all"),                                      \
        LLAMA_FIELD(settings, member, "n_probs", n_probs, FIELD_INTEGER,                                            \
                    "log-probabilities of so many of the most probable tokens"),                                    \
        LLAMA_FIELD(settings, member, "n_indent", n_indent, FIELD_INTEGER,                                          \
                    "the text ends before a line with less white space in front; not of streams"),                  \
        LLAMA_FIELD(settings, member, "t_max_predict_ms", t_max_predict_ms, FIELD_INTEGER,                          \
                    "generation ends after so many milliseconds; 0: not"),                                          \
        LLAMA_FIELD(settings, member, "stream", is_stream, FIELD_BOOL, "server-sent events"),                       \
        LLAMA_FIELD(settings, member, "ignore_eos", ignores_end, FIELD_BOOL, "go on after the end of text"),        \
        LLAMA_FIELD(settings, member, "return_tokens", has_tokens, FIELD_BOOL, "the ids of the tokens"),            \
        LLAMA_FIELD(settings, member, "timings_per_token", has_timings, FIELD_BOOL,                                 \
                    "taken; timings come with the last event"),                                                     \
        LLAMA_FIELD(settings, member, "grammar", grammar, FIELD_TEXT, "GBNF that the text is held to"),             \
        LLAMA_FIELD(settings, member, "json_schema", json_schema, FIELD_OBJECT,                                     \
                    "JSON Schema that the text is held to"),                                                        \
        LLAMA_FIELD(settings, member, "response_fields", response_fields, FIELD_TEXTS,                              \
                    "only these fields of the reply, under these names; \"a/b\" goes into an object"),                                 \
        {.name = "cache_prompt",                                                                                    \
         .kind = FIELD_IGNORED,                                                                                     \
         .help = "prompts are always kept for others that begin alike; no result changes"},                         \
        {.name = "id_slot", .kind = FIELD_IGNORED},                                                                 \
        {.name = "samplers", .kind = FIELD_IGNORED, .help = "samplers have one order here"},                        \
        {.name = "min_keep", .kind = FIELD_IGNORED}, {.name = "t_max_prompt_ms", .kind = FIELD_IGNORED},            \
        {.name = "return_progress", .kind = FIELD_IGNORED}, {.name = "post_sampling_probs", .kind = FIELD_IGNORED}, \
        {.name = "lora", .kind = FIELD_IGNORED}, SAMPLING_FIELDS(settings, member.sampling)

bool llama_fill_in(const struct llama_fields *fields, struct generate_job *generate, struct problem *ret_problem);

/* Runs the jobs that were added to the exchange: an object comes back for one, a list for several prompts. */
bool llama_run(struct exchange *exchange, const struct llama_fields *fields, struct problem *ret_problem);

#endif
