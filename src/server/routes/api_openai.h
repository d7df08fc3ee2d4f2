/* What OpenAI's routes share: error bodies, the envelope of a reply, usage, why a text ended, the end of a stream.
 *
 * The loop's thread only. */
#ifndef SERVER_ROUTES_API_OPENAI_H
#define SERVER_ROUTES_API_OPENAI_H

#include "server/routes/generation.h"
#include "server/routes/openai_sampling.h"

/* A reply under way, in the exchange's arena. */
struct openai_reply {
    char id[GENERATION_ID_BYTES];
    const char *object, *chunk_object;
    size_t n_choices; /* of each job: choice i of job j has index j * n_choices + i */
    bool includes_usage, has_logprobs, has_failed;
    hob_pieces *pieces; /* made when the first token is to be spelt */
};

/* NULL: memory is out. prefix: "cmpl-"; object: "text_completion"; chunks of a stream may have another one. */
struct openai_reply *openai_reply_new(struct exchange *exchange, const char *prefix, const char *object,
                                      const char *chunk_object);
void openai_reply_release(void *reply);
/* NULL: memory is out. */
hob_pieces *openai_reply_pieces(struct openai_reply *reply, const struct job *job);

/* {"id", "object", "created", "model", "system_fingerprint", "choices"}; takes choices. */
json_t *openai_envelope(const struct exchange *exchange, const struct openai_reply *reply, const struct job *job,
                        bool is_chunk, json_t *choices);
/* A chunk with one choice, which is taken. */
void openai_put_choice(const struct exchange *exchange, const struct openai_reply *reply, size_t job, json_t *choice,
                       struct buffer *out);
/* An event that says that a job has failed. */
void openai_put_failure(struct openai_reply *reply, const struct problem *problem, struct buffer *out);
/* The chunk with the usage where it was asked for, and "[DONE]". */
void openai_put_end(struct exchange *exchange, const struct openai_reply *reply, struct buffer *out);
/* Adds "usage" and llama.cpp's "timings"; takes and returns body. */
json_t *openai_add_usage(const struct exchange *exchange, json_t *body);
/* prompt_name "prompt_tokens" …: the newer routes call them input_tokens. */
json_t *openai_usage(const struct usage *usage);

/* "stop", "length", "tool_calls". end: EVENT_OUTPUT_END. */
const char *openai_finish(const struct event *end);
json_t *openai_problem(const struct problem *problem, int *ret_status);
/* {"include_usage": true}; options NULL: none. */
bool openai_read_stream_options(const json_t *options, bool *ret_includes_usage, struct problem *ret_problem);

#endif
