/* One HTTP request and its reply, between libmicrohttpd and a route. The loop's thread only.
 *
 * A route reads the request, then either replies at once or runs jobs whose events an answer_def turns into the reply: a stream or
 * one body. Where the client goes away its jobs are cancelled and the exchange ends by itself. Owns the request, an arena, its jobs.
 *
 *     static bool handle(struct exchange *exchange, struct problem *ret_problem)
 *     {
 *         struct inputs inputs = {…};
 *         if (!fields_read(exchange_body(exchange), fields, n_fields, &inputs, ret_problem)) return false;
 *         struct embed_job *embed = embed_job_new(inputs.model);
 *         if (!exchange_add(exchange, &embed->job, ret_problem)) return false;          the exchange owns it from here on
 *         … fill embed->inputs …
 *         exchange_run(exchange, &answer, state, inputs.is_stream);
 *         return true;
 *     }
 */
#ifndef SERVER_HTTP_EXCHANGE_H
#define SERVER_HTTP_EXCHANGE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/json.h"
#include "server/job.h"
#include "server/server.h"

#include <jansson.h>

struct exchange;
struct route_def;
struct api_def;

/* ---- the request ---- */
struct server *exchange_server(const struct exchange *exchange);
const struct route_def *exchange_route(const struct exchange *exchange);
const char *exchange_header(const struct exchange *exchange, const char *name);  /* NULL: not there */
const char *exchange_query(const struct exchange *exchange, const char *name);   /* of the URL, decoded; NULL: not there */
const char *exchange_parameter(const struct exchange *exchange);                 /* what stands for {name} in the route's path, decoded; NULL: none */
const json_t *exchange_body(const struct exchange *exchange);                    /* an object; NULL where the route takes none or none came */
const char *exchange_body_text(const struct exchange *exchange, size_t *ret_n_bytes);
const char *exchange_id(const struct exchange *exchange);                        /* the request id: x-request-id where sound, else made */
const void *exchange_client(const struct exchange *exchange);                    /* for job.fairness: who asks */
bool exchange_is_local(const struct exchange *exchange);                         /* by a UNIX socket: it is this user, or root */
int64_t exchange_now_s(const struct exchange *exchange);                         /* unix time of its arrival */
struct arena *exchange_arena(struct exchange *exchange);                         /* what lives as long as the exchange */

/* ---- replies at once ---- */
/* Takes body; NULL is 507. Compact JSON. */
void exchange_reply_json(struct exchange *exchange, int status, json_t *body);
void exchange_reply_text(struct exchange *exchange, int status, const char *content_type, const char *text, size_t n_bytes);
/* In the shape of the route's API. Where a route returns false this is called for it. */
void exchange_fail(struct exchange *exchange, const struct problem *problem);
/* From here on failures have that API's shape: for paths that two APIs share. */
void exchange_set_api(struct exchange *exchange, const struct api_def *api);
void exchange_set_header(struct exchange *exchange, const char *name, const char *value); /* copied; before the reply */

/* ---- replies from jobs ---- */
/* How events of jobs become a reply. All on the loop's thread; out grows by what the client is to get next. */
struct answer_def {
    const char *stream_type; /* "text/event-stream", "application/x-ndjson"; NULL: never streamed */
    /* Streams. begin: once, before the first event, the status line not yet sent; may be NULL. event: each event of each job in its
     * order, EVENT_FAILED included when it comes after others (the last of a job that fails early is given to exchange_fail instead).
     * end: once, when all jobs are over. */
    void (*begin)(struct exchange *exchange, void *state, struct buffer *out);
    void (*event)(struct exchange *exchange, void *state, size_t job, const struct event *event, struct buffer *out);
    void (*end)(struct exchange *exchange, void *state, struct buffer *out);
    /* What is sent while nothing comes for ping_s: an SSE comment; NULL: nothing. */
    const char *ping;
    /* Not streamed: once, when all jobs are done (a job that fails goes to exchange_fail and ends the others): the body. */
    json_t *(*whole)(struct exchange *exchange, void *state);
    void (*release)(void *state); /* state's own memory beyond the exchange's arena; may be NULL */
};

/* Takes the caller's reference to a new job, to be run by exchange_run. false: job is NULL, memory is out. */
bool exchange_add(struct exchange *exchange, struct job *job, struct problem *ret_problem);
/* Submits the jobs that were added. state: in the exchange's arena, or freed by answer->release. */
void exchange_run(struct exchange *exchange, const struct answer_def *answer, void *state, bool is_stream);
/* The jobs' transcripts, in the order they were added. */
const struct transcript *exchange_transcript(const struct exchange *exchange, size_t job);
struct job *exchange_job(const struct exchange *exchange, size_t job);
size_t exchange_n_jobs(const struct exchange *exchange);

/* ---- for answers ---- */
/* "data: JSON\n\n", with "event: NAME\n" before it where name is not NULL. Takes object. */
void exchange_put_sse(struct buffer *out, const char *name, json_t *object);
void exchange_put_sse_text(struct buffer *out, const char *text); /* "data: TEXT\n\n" */
void exchange_put_ndjson(struct buffer *out, json_t *object);     /* takes object */

#endif
