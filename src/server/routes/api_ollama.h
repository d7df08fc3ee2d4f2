/* What Ollama's routes share: its error body, its options and durations, the objects that its streams and replies are made of. */
#ifndef SERVER_ROUTES_API_OLLAMA_H
#define SERVER_ROUTES_API_OLLAMA_H

#include "server/http/exchange.h"
#include "server/jobs/generate.h"
#include "server/routes/route.h"
#include "server/routes/sampling.h"

/* "options" of a generating request, with Ollama's defaults (temperature 0.8, top_k 40, top_p 0.9, repeat_penalty 1.1). NULL: all defaults. */
bool ollama_read_options(const json_t *options, struct generate_job *generate, struct problem *ret_problem);
/* "keep_alive": seconds, or a text like "5m", "1h30m", "-1"; NULL: leaves *ret_s. */
bool ollama_read_keep_alive(const json_t *keep_alive, int64_t *ret_s, struct problem *ret_problem);
/* "format": "json", or a JSON Schema. NULL or "": none. */
bool ollama_read_format(const json_t *format, struct generate_job *generate, struct problem *ret_problem);
/* "think": a boolean or a level: the template's variable. */
bool ollama_read_think(const json_t *think, struct generate_job *generate, struct problem *ret_problem);

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

/* "details" of a model, as /api/tags, /api/ps and /api/show have them; its digest as 64 hexadecimal digits. */
json_t *ollama_details(const struct model_status *status);
const char *ollama_digest(const struct model_status *status, char text[65]);

#endif
