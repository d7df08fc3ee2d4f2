/* What Ollama's routes share: its error body, its options and durations, the objects that its streams and replies are made of. */
#ifndef SERVER_ROUTES_API_OLLAMA_H
#define SERVER_ROUTES_API_OLLAMA_H

#include "server/http/exchange.h"
#include "server/jobs/generate.h"
#include "server/routes/route.h"
#include "server/routes/sampling.h"

/* What /api/generate and /api/chat have in common. */
struct ollama_fields {
    const char *model;
    bool is_stream, has_logprobs;
    size_t n_top_logprobs;
    const json_t *options, *format, *keep_alive, *think;
};

#define OLLAMA_FIELD(settings, member, word, type, text) \
    {.name = #word, .kind = type, .offset = offsetof(settings, member.word), .help = text}
#define OLLAMA_FIELDS(settings, member)                                                                                                  \
    {.name = "model", .kind = FIELD_TEXT, .is_required = true, .offset = offsetof(settings, member.model), .help = "a model's name"},     \
        {.name = "stream", .kind = FIELD_BOOL, .offset = offsetof(settings, member.is_stream),                                            \
         .help = "a JSON object a line (default), or one in all"},                                                                        \
        OLLAMA_FIELD(settings, member, format, FIELD_ANY, "\"json\" or a JSON Schema that the text is held to"),                          \
        OLLAMA_FIELD(settings, member, options, FIELD_OBJECT, "num_predict, seed, temperature, top_k, top_p, min_p, stop, …"),            \
        OLLAMA_FIELD(settings, member, keep_alive, FIELD_ANY, "how long the model stays: seconds or \"5m\"; 0: goes, below 0: stays"),    \
        OLLAMA_FIELD(settings, member, think, FIELD_ANY, "whether a reasoning model reasons"),                                            \
        {.name = "logprobs", .kind = FIELD_BOOL, .offset = offsetof(settings, member.has_logprobs),                                       \
         .help = "log-probabilities of the tokens"},                                                                                      \
        {.name = "top_logprobs", .kind = FIELD_COUNT, .most = 20, .offset = offsetof(settings, member.n_top_logprobs),                    \
         .help = "and of so many of the most probable ones"}

/* Ollama's defaults where options says nothing: temperature 0.8, top_k 40, top_p 0.9, repeat_penalty 1.1. */
bool ollama_fill_in(const struct ollama_fields *fields, struct generate_job *generate, struct problem *ret_problem);
/* "keep_alive": seconds, or a text like "5m", "1h30m", "-1"; NULL: leaves *ret_s. */
bool ollama_read_keep_alive(const json_t *keep_alive, int64_t *ret_s, struct problem *ret_problem);

/* 2026-11-21T15:04:05.123456789Z */
enum { OLLAMA_TIME_BYTES = 48 };
const char *ollama_time(int64_t seconds, long nanoseconds, char text[OLLAMA_TIME_BYTES]);

/* What a client sees of the texts of a job, chunk by chunk or whole. */
struct ollama_answer {
    const char *model; /* as the request has it */
    bool is_chat;      /* "message", not "response" */
    bool is_empty;     /* there was no prompt: the model was only loaded, or is to go */
    bool is_leaving;   /* keep_alive 0 of such a request */
    bool has_logprobs;
    const struct event *end; /* the text's EVENT_OUTPUT_END */
};
extern const struct answer_def ollama_answer;
/* Runs the job that was added to the exchange. is_empty: there is no prompt. */
bool ollama_run(struct exchange *exchange, const struct ollama_fields *fields, const struct generate_job *generate, bool is_chat, bool is_empty,
                struct problem *ret_problem);

/* "details" of a model, as /api/tags, /api/ps and /api/show have them; its digest as 64 hexadecimal digits. */
json_t *ollama_details(const struct model_status *status);
const char *ollama_digest(const struct model_status *status, char text[65]);

#endif
