/* A request that is refused is refused as soon as that is known, and its body still read where that is little, so that the connection can
 * go on. A body that is too large ends the connection. */
#include "server/http/request.h"

#include "base/clock.h"
#include "server/http/exchange_parts.h"

#include <string.h>
#include <strings.h>

/* ---- before the body ---- */

static bool is_preflight(const struct exchange *exchange)
{
    return strcmp(exchange->method, "OPTIONS") == 0 && exchange_header(exchange, "Origin") &&
           exchange_header(exchange, "Access-Control-Request-Method");
}

struct counted {
    const char *name;
    size_t n;
};

static enum MHD_Result count_header(void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct counted *counted = context;
    (void)kind;
    (void)value;
    counted->n += strcasecmp(name, counted->name) == 0;
    return MHD_YES;
}

/* Twice the same, or two ways to tell a length, may mean one thing to us and another to whoever passed it on (RFC 9112, 3.2 and 6.3). */
static bool is_ambiguous(const struct exchange *exchange, struct problem *ret_problem)
{
    static const char *const once[] = {"Host", "Origin", "Content-Length", "Transfer-Encoding", "Authorization", "x-api-key"};
    for (size_t i = 0; i < sizeof once / sizeof once[0]; i++) {
        struct counted counted = {.name = once[i]};
        MHD_get_connection_values(exchange->connection->mhd, MHD_HEADER_KIND, count_header, &counted);
        if (counted.n > 1) return !problem_set(ret_problem, PROBLEM_BAD_REQUEST, "%s: found %zu of them, expected one", once[i], counted.n);
    }
    if (!exchange_header(exchange, "Content-Length") || !exchange_header(exchange, "Transfer-Encoding")) return false;
    return !problem_set(ret_problem, PROBLEM_BAD_REQUEST, "found a Content-Length and a Transfer-Encoding, expected one of them");
}

static bool admit(struct exchange *exchange, const struct guard *guard, const char *version, struct problem *ret_problem)
{
    const struct guard_question question = {
        .host = exchange_header(exchange, MHD_HTTP_HEADER_HOST),
        .origin = exchange_header(exchange, "Origin"),
        .authorization = exchange_header(exchange, MHD_HTTP_HEADER_AUTHORIZATION),
        .x_api_key = exchange_header(exchange, "x-api-key"),
        .is_local = exchange->connection->is_local,
        .is_open = is_preflight(exchange) || (exchange->route && (exchange->route->flags & ROUTE_IS_OPEN)),
        .is_http_1_0 = strcmp(version, MHD_HTTP_VERSION_1_0) == 0,
    };
    return guard_admit(guard, &question, ret_problem);
}

/* Lets a page of a configured origin read the reply. */
static void share(struct exchange *exchange, const struct guard *guard)
{
    const char *origin = exchange_header(exchange, "Origin");
    if (!guard_shares_with(guard, origin)) return;
    exchange_set_header(exchange, "Access-Control-Allow-Origin", origin);
    exchange_set_header(exchange, "Access-Control-Expose-Headers", "x-request-id");
    exchange_set_header(exchange, "Vary", "Origin");
}

static void reply_preflight(struct exchange *exchange)
{
    const char *headers = exchange_header(exchange, "Access-Control-Request-Headers");
    exchange_set_header(exchange, "Access-Control-Allow-Methods", "GET, POST, DELETE");
    if (headers) exchange_set_header(exchange, "Access-Control-Allow-Headers", headers);
    exchange_set_header(exchange, "Access-Control-Max-Age", "600");
    exchange_reply_text(exchange, 204, NULL, "", 0);
}

/* Which route, and whether it may be asked for. The order tells strangers nothing: who may not ask learns of no route. */
static bool check(struct exchange *exchange, const struct guard *guard, const char *version, struct problem *ret_problem)
{
    struct problem no_route;
    exchange->route = route_find(exchange->method, exchange->path, &exchange->parameter, &no_route);
    exchange->api = exchange->route ? exchange->route->api : api_of_path(exchange->path);
    if (is_ambiguous(exchange, ret_problem)) {
        exchange_set_header(exchange, MHD_HTTP_HEADER_CONNECTION, "close");
        return false;
    }
    if (!admit(exchange, guard, version, ret_problem)) return false;
    share(exchange, guard);
    if (is_preflight(exchange) && guard_shares_with(guard, exchange_header(exchange, "Origin"))) {
        reply_preflight(exchange);
        return true;
    }
    if (exchange->route) return true;
    *ret_problem = no_route;
    char methods[ROUTE_METHODS_BYTES];
    route_methods(exchange->path, methods);
    if (no_route.kind == PROBLEM_BAD_METHOD) exchange_set_header(exchange, MHD_HTTP_HEADER_ALLOW, methods);
    return false;
}

/* ---- replies ---- */

static enum MHD_Result queue(struct exchange *exchange)
{
    struct http_connection *connection = exchange->connection;
    connection_enter(connection, CONNECTION_SENDING);
    connection->n_given += exchange->n_reply_bytes;
    return MHD_queue_response(connection->mhd, (unsigned)exchange->status, exchange->response);
}

static void refuse(struct exchange *exchange, const struct problem *problem)
{
    exchange->is_refused = true;
    exchange->problem = *problem;
}

/* The announced body is more than is taken: replied now, nothing of it is read into memory. */
static enum MHD_Result reply_early(struct exchange *exchange)
{
    exchange->is_handled = true;
    exchange_set_header(exchange, MHD_HTTP_HEADER_CONNECTION, "close");
    exchange_fail(exchange, &exchange->problem);
    connection_linger(exchange->connection);
    return exchange->response ? queue(exchange) : MHD_NO;
}

static enum MHD_Result begin(struct http_connection *connection, const struct guard *guard, const char *url, const char *method,
                             const char *version, void **state)
{
    struct exchange *exchange = exchange_new(connection, method, url);
    if (!exchange) return MHD_NO;
    *state = connection->exchange = exchange;
    struct problem problem;
    if (!check(exchange, guard, version, &problem)) refuse(exchange, &problem);
    if (request_body_expect(exchange, &problem)) return MHD_YES;
    bool is_too_large = problem.kind == PROBLEM_TOO_LARGE;
    if (!exchange->is_refused) refuse(exchange, &problem);
    return is_too_large ? reply_early(exchange) : MHD_YES;
}

static void send_past(struct exchange *exchange, const struct problem *problem)
{
    int status = 0;
    json_t *body = exchange->api->problem(problem, &status);
    char *text = body ? exchange_dump(body) : NULL;
    json_decref(body);
    exchange->status = status ? status : problem_http_status(problem->kind);
    if (text) connection_send(exchange->connection, exchange->status, "Content Too Large", text);
    free(text);
}

/* Chunks need no announcement. libmicrohttpd takes no reply in the middle of a body, so this one goes past it. */
static enum MHD_Result take(struct exchange *exchange, const char *bytes, size_t *n_bytes)
{
    struct problem problem;
    bool is_fine = request_body_take(exchange, bytes, *n_bytes, &problem);
    *n_bytes = 0;
    if (is_fine) return MHD_YES;
    refuse(exchange, &problem);
    send_past(exchange, &problem);
    connection_linger(exchange->connection);
    return MHD_NO;
}

static void handle(struct exchange *exchange)
{
    struct problem problem;
    exchange->is_handled = true;
    connection_enter(exchange->connection, CONNECTION_WORKING);
    if (exchange->response) return; /* a preflight */
    if (exchange->is_refused) exchange_fail(exchange, &exchange->problem);
    else if (!request_body_read(exchange, &problem) || !exchange->route->handle(exchange, &problem)) exchange_fail(exchange, &problem);
}

static enum MHD_Result answer(struct exchange *exchange)
{
    if (exchange->is_gone) return MHD_NO;
    if (!exchange->is_handled) handle(exchange);
    if (exchange->response) return queue(exchange);
    exchange_wait(exchange);
    return MHD_YES;
}

enum MHD_Result request_go_on(struct http_connection *connection, const struct guard *guard, const char *url, const char *method,
                              const char *version, const char *bytes, size_t *n_bytes, void **state)
{
    if (!*state) return begin(connection, guard, url, method, version, state);
    if (*n_bytes) return take(*state, bytes, n_bytes);
    return answer(*state);
}

/* ---- the end ---- */

static void count(const struct exchange *exchange, int status, double seconds)
{
    struct metrics *metrics = exchange->connection->server->metrics;
    const char *endpoint = exchange->route ? exchange->route->path : "other";
    char code[16];
    snprintf(code, sizeof code, "%d", status);
    metrics_add(metrics, METRIC_requests, (struct labels){.endpoint = endpoint, .code = code}, 1);
    metrics_observe(metrics, METRIC_request_duration, (struct labels){.endpoint = endpoint}, seconds);
    metrics_add(metrics, METRIC_request_bytes, (struct labels){0}, (double)exchange->n_body_bytes);
    metrics_add(metrics, METRIC_reply_bytes, (struct labels){0}, (double)exchange->n_reply_bytes);
}

void request_end(struct http_connection *connection, struct exchange *exchange, bool is_sent)
{
    int status = exchange->is_gone || (!is_sent && !exchange->is_refused) ? problem_http_status(PROBLEM_CANCELLED) : exchange->status;
    double seconds = (double)(clock_now_ns() - exchange->started_ns) * 1e-9;
    count(exchange, status, seconds);
    server_log(connection->server->log, LOG_INFO, "request",
               (struct log_field[]){LOG_TEXT("id", exchange->id), LOG_TEXT("method", exchange->method), LOG_TEXT("path", exchange->path),
                                    LOG_COUNT("status", status), LOG_NUMBER("ms", seconds * 1e3), LOG_COUNT("received", exchange->n_body_bytes),
                                    LOG_COUNT("sent", exchange->n_reply_bytes), LOG_TEXT("by", connection->is_local ? "unix" : "tcp"),
                                    LOG_FIELDS_END});
    connection->exchange = NULL;
    connection_unwatch(connection);
    exchange_drop_jobs(exchange);
    exchange_free(exchange);
    connection_enter(connection, CONNECTION_IDLE);
}
