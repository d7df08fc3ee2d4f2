/* Every route's reading of a request: the input is the body, for all routes that take one. The exchange is a stand-in that runs nothing, so
 * this is what a stranger's JSON goes through before a job runs. */
#include "server/routes/route.h"

#include "base/arena.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

enum { MOST_JOBS = 4096 };

struct exchange {
    const struct route_def *route;
    json_t *body;
    struct arena arena;
    struct job *jobs[MOST_JOBS];
    size_t n_jobs;
};

/* ---- the stand-in ---- */

struct server *exchange_server(const struct exchange *exchange)
{
    static const struct config config;
    static struct server server = {.config = &config};
    (void)exchange;
    return &server;
}
const struct route_def *exchange_route(const struct exchange *exchange)
{
    return exchange->route;
}
const char *exchange_header(const struct exchange *exchange, const char *name)
{
    (void)exchange, (void)name;
    return NULL;
}
const char *exchange_query(const struct exchange *exchange, const char *name)
{
    (void)exchange, (void)name;
    return NULL;
}
const char *exchange_parameter(const struct exchange *exchange)
{
    (void)exchange;
    return "name";
}
const json_t *exchange_body(const struct exchange *exchange)
{
    return exchange->body;
}
const char *exchange_body_text(const struct exchange *exchange, size_t *ret_n_bytes)
{
    (void)exchange;
    *ret_n_bytes = 0;
    return "";
}
const char *exchange_id(const struct exchange *exchange)
{
    (void)exchange;
    return "id";
}
const void *exchange_client(const struct exchange *exchange)
{
    return exchange;
}
bool exchange_is_local(const struct exchange *exchange)
{
    (void)exchange;
    return false;
}
int64_t exchange_now_s(const struct exchange *exchange)
{
    (void)exchange;
    return 0;
}
struct arena *exchange_arena(struct exchange *exchange)
{
    return &exchange->arena;
}
void exchange_reply_json(struct exchange *exchange, int status, json_t *body)
{
    (void)exchange, (void)status;
    json_decref(body);
}
void exchange_reply_text(struct exchange *exchange, int status, const char *content_type, const char *text,
                         size_t n_bytes)
{
    (void)exchange, (void)status, (void)content_type, (void)text, (void)n_bytes;
}
void exchange_fail(struct exchange *exchange, const struct problem *problem)
{
    int status = 0;
    json_decref(exchange->route->api->problem(problem, &status));
}
void exchange_set_api(struct exchange *exchange, const struct api_def *api)
{
    (void)exchange, (void)api;
}
void exchange_set_header(struct exchange *exchange, const char *name, const char *value)
{
    (void)exchange, (void)name, (void)value;
}
bool exchange_add(struct exchange *exchange, struct job *job, struct problem *ret_problem)
{
    if (!job || exchange->n_jobs == MOST_JOBS) {
        job_unref(job);
        return problem_set(ret_problem, PROBLEM_NO_MEMORY, "too many jobs");
    }
    exchange->jobs[exchange->n_jobs++] = job;
    return true;
}
void exchange_run(struct exchange *exchange, const struct answer_def *answer, void *state, bool is_stream)
{
    (void)exchange, (void)is_stream;
    if (answer->release) answer->release(state);
}
const struct transcript *exchange_transcript(const struct exchange *exchange, size_t job)
{
    return exchange->jobs[job]->transcript;
}
struct job *exchange_job(const struct exchange *exchange, size_t job)
{
    return exchange->jobs[job];
}
size_t exchange_n_jobs(const struct exchange *exchange)
{
    return exchange->n_jobs;
}
void exchange_put_sse(struct buffer *out, const char *name, json_t *object)
{
    (void)out, (void)name;
    json_decref(object);
}
void exchange_put_sse_text(struct buffer *out, const char *text)
{
    (void)out, (void)text;
}
void exchange_put_ndjson(struct buffer *out, json_t *object)
{
    (void)out;
    json_decref(object);
}

/* ---- the target ---- */

static void handle(const struct route_def *route, json_t *body)
{
    static struct exchange exchange; /* too large for a stack */
    struct problem problem;
    exchange = (struct exchange){.route = route, .body = body};
    arena_init(&exchange.arena, 1024);
    if (!route->handle(&exchange, &problem)) exchange_fail(&exchange, &problem);
    for (size_t i = 0; i < exchange.n_jobs; i++) job_unref(exchange.jobs[i]);
    arena_release(&exchange.arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    json_t *body = json_loadb((const char *)data, n_bytes, JSON_ALLOW_NUL, NULL);
    for (size_t i = 0; i < n_routes && json_is_object(body); i++)
        if (routes[i]->n_fields) handle(routes[i], body);
    json_decref(body);
    return 0;
}
