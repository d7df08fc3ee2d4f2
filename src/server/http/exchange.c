/* The request's side of an exchange, and replies that are whole at once. */
#include "server/http/exchange_parts.h"

#include "base/clock.h"
#include "base/memory.h"
#include "hob/hob.h"
#include "server/http/request_id.h"

#include <string.h>

enum { ARENA_CHUNK_BYTES = 1024 };

/* ---- life ---- */

struct exchange *exchange_new(struct http_connection *connection, const char *method, const char *path)
{
    struct exchange *exchange = memory_new(1, sizeof *exchange);
    if (!exchange) return NULL;
    exchange->connection = connection;
    exchange->started_ns = clock_now_ns();
    exchange->started_s = (int64_t)time(NULL);
    arena_init(&exchange->arena, ARENA_CHUNK_BYTES);
    exchange->method = method;
    exchange->path = path;
    request_id_choose(exchange_header(exchange, "x-request-id"), exchange->id);
    return exchange;
}

void exchange_free(struct exchange *exchange)
{
    if (!exchange) return;
    memory_free(exchange->jobs);
    loop_timer_free(exchange->ping);
    if (exchange->response) MHD_destroy_response(exchange->response);
    json_decref(exchange->json);
    buffer_release(&exchange->body);
    buffer_release(&exchange->out);
    arena_release(&exchange->arena);
    memory_free(exchange);
}

void exchange_wait(struct exchange *exchange)
{
    if (exchange->is_waiting) return;
    exchange->is_waiting = true;
    MHD_suspend_connection(exchange->connection->mhd);
    connection_watch(exchange->connection);
}

void exchange_wake(struct exchange *exchange)
{
    if (!exchange->is_waiting) return;
    exchange->is_waiting = false;
    MHD_resume_connection(exchange->connection->mhd);
    loop_call_post(exchange->connection->run);
}

/* ---- the request ---- */

struct server *exchange_server(const struct exchange *exchange)
{
    return exchange->connection->server;
}

const struct route_def *exchange_route(const struct exchange *exchange)
{
    return exchange->route;
}

const char *exchange_header(const struct exchange *exchange, const char *name)
{
    return MHD_lookup_connection_value(exchange->connection->mhd, MHD_HEADER_KIND, name);
}

const char *exchange_query(const struct exchange *exchange, const char *name)
{
    return MHD_lookup_connection_value(exchange->connection->mhd, MHD_GET_ARGUMENT_KIND, name);
}

const char *exchange_parameter(const struct exchange *exchange)
{
    return exchange->parameter;
}

const json_t *exchange_body(const struct exchange *exchange)
{
    return exchange->json;
}

const char *exchange_body_text(const struct exchange *exchange, size_t *ret_n_bytes)
{
    *ret_n_bytes = exchange->body.n_bytes;
    return buffer_text(&exchange->body);
}

const char *exchange_id(const struct exchange *exchange)
{
    return exchange->id;
}

const void *exchange_client(const struct exchange *exchange)
{
    return exchange->connection;
}

bool exchange_is_local(const struct exchange *exchange)
{
    return exchange->connection->is_local;
}

int64_t exchange_now_s(const struct exchange *exchange)
{
    return exchange->started_s;
}

struct arena *exchange_arena(struct exchange *exchange)
{
    return &exchange->arena;
}

/* ---- replies ---- */

void exchange_set_header(struct exchange *exchange, const char *name, const char *value)
{
    struct exchange_header *header = ARENA_NEW(&exchange->arena, struct exchange_header, 1);
    if (!header) return;
    header->name = arena_copy_string(&exchange->arena, name, strlen(name));
    header->value = arena_copy_string(&exchange->arena, value, strlen(value));
    if (!header->name || !header->value) return;
    header->next = exchange->headers;
    exchange->headers = header;
}

static struct MHD_Response *empty_response(void)
{
    return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
}

void exchange_set_response(struct exchange *exchange, int status, const char *content_type, struct MHD_Response *response)
{
    if (exchange->response) {
        if (response) MHD_destroy_response(response);
        return;
    }
    exchange->response = response ? response : empty_response();
    exchange->status = response ? status : problem_http_status(PROBLEM_NO_MEMORY);
    if (!exchange->response) return;
    if (content_type) MHD_add_response_header(exchange->response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    for (const struct exchange_header *header = exchange->headers; header; header = header->next)
        MHD_add_response_header(exchange->response, header->name, header->value);
    MHD_add_response_header(exchange->response, "x-request-id", exchange->id);
    MHD_add_response_header(exchange->response, MHD_HTTP_HEADER_SERVER, "hob/" HOB_VERSION_STRING);
}

char *exchange_dump(const json_t *body)
{
    return json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(9) | JSON_ENCODE_ANY);
}

void exchange_reply_json(struct exchange *exchange, int status, json_t *body)
{
    char *text = body ? exchange_dump(body) : NULL;
    json_decref(body);
    struct MHD_Response *response = NULL;
    if (text) {
        exchange->n_reply_bytes = strlen(text);
        response = MHD_create_response_from_buffer(exchange->n_reply_bytes, text, MHD_RESPMEM_MUST_FREE);
        if (!response) free(text);
    }
    exchange_set_response(exchange, status, "application/json; charset=utf-8", response);
}

void exchange_reply_text(struct exchange *exchange, int status, const char *content_type, const char *text, size_t n_bytes)
{
    exchange->n_reply_bytes = n_bytes;
    struct MHD_Response *response = MHD_create_response_from_buffer(n_bytes, (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
    exchange_set_response(exchange, status, content_type, response);
}

void exchange_set_api(struct exchange *exchange, const struct api_def *api)
{
    exchange->api = api;
}

void exchange_fail(struct exchange *exchange, const struct problem *problem)
{
    int status = 0;
    json_t *body = exchange->api->problem(problem, &status);
    if (problem->retry_after_s) {
        char seconds[16];
        snprintf(seconds, sizeof seconds, "%u", problem->retry_after_s);
        exchange_set_header(exchange, "Retry-After", seconds);
    }
    if (problem->kind == PROBLEM_UNAUTHORIZED) exchange_set_header(exchange, "WWW-Authenticate", "Bearer");
    exchange_reply_json(exchange, status ? status : problem_http_status(problem->kind), body);
}

/* ---- for answers ---- */

static void put_dumped(struct buffer *out, json_t *object)
{
    char *text = object ? exchange_dump(object) : NULL;
    json_decref(object);
    if (text) buffer_append_string(out, text);
    else out->is_failed = true;
    free(text);
}

void exchange_put_sse(struct buffer *out, const char *name, json_t *object)
{
    if (name) buffer_printf(out, "event: %s\n", name);
    buffer_append_string(out, "data: ");
    put_dumped(out, object);
    buffer_append_string(out, "\n\n");
}

void exchange_put_sse_text(struct buffer *out, const char *text)
{
    buffer_append_string(out, "data: ");
    buffer_append_string(out, text);
    buffer_append_string(out, "\n\n");
}

void exchange_put_ndjson(struct buffer *out, json_t *object)
{
    put_dumped(out, object);
    buffer_append_byte(out, '\n');
}
