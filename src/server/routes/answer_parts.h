/* Parts of JSON replies that APIs share. NULL when memory is out, as jansson's makers do. */
#ifndef SERVER_ROUTES_ANSWER_PARTS_H
#define SERVER_ROUTES_ANSWER_PARTS_H

#include "server/http/exchange.h"

struct ranked {
    size_t index; /* of the text */
    float score;
};
/* The scores of the exchange's only job for n_texts texts, the best first, of equals the earlier text. In the exchange's arena; NULL: memory
 * is out. */
struct ranked *answer_ranking(struct exchange *exchange, size_t n_texts);
/* The first item of a list, which is taken; NULL for NULL. */
json_t *answer_first(json_t *list);
/* Numbers with nine digits, which bring each float back; null for what is not finite. */
json_t *answer_vector(const float *numbers, size_t n_numbers);
/* The text of a token by itself, of the model that ran the job. */
json_t *answer_token_text(const struct job *job, int32_t id);
/* Its bytes as a list of numbers. */
json_t *answer_token_bytes(const struct job *job, int32_t id);
/* A log-probability; JSON has no minus infinity: the least that clients read is -9999. */
json_t *answer_logprob(float logprob);
/* {"cache_n", "prompt_n", "prompt_ms", "prompt_per_token_ms", "prompt_per_second", "predicted_n", …}: llama.cpp's, which OpenAI's routes
 * add as well. */
json_t *answer_timings(const struct usage *usage);

/* {STATE: the text of the one job}; state: the field's name, a static text. */
extern const struct answer_def answer_text;

/* The events of a job, one after the other. */
#define ANSWER_EVENTS(name, exchange, job)                                                               \
    for (const struct event *name = transcript_next(exchange_transcript((exchange), (job)), NULL); name; \
         name = transcript_next(exchange_transcript((exchange), (job)), name))

#endif
