/* Connections of the line protocols, each with one request under way at a time: answers come in the order of the questions. What a client
 * sends meanwhile waits in its buffer, which has a bound, and then in the system's.
 *
 * A connection that was sent text or a table is closed behind the answer, which is how "nc" knows that it is over; one of JSON lines stays
 * until the client ends it. Descriptors are watched edge-triggered: each callback reads and writes as much as there is. */
#include "server/line/line_server.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "server/http/linger.h"
#include "server/http/request_id.h"
#include "server/line/suggestions.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SILENCE_MS = 100, READ_BYTES = 16 << 10, MOST_REPLY_BYTES = 1 << 20 };

struct line_connection {
    struct line_server *line;
    struct line_connection *next, *previous;
    int fd;
    struct watch *watch;
    struct timer *timer;
    struct buffer in, out;
    size_t n_sent; /* of out */
    enum line_state state;
    bool is_closing; /* behind what is in out */
    uint64_t received_ns; /* when the last bytes came */

    /* the request under way */
    struct job *job; /* NULL: none */
    struct line_request request;
    size_t n;
    bool has_beams;
    uint64_t started_ns;
    char id[REQUEST_ID_BYTES];
};

struct line_server {
    struct server *server;
    struct lingering *lingering;
    struct line_connection *connections;
    size_t n_connections, n_requests;
    bool is_draining;
};

static void go_on(struct line_connection *connection);

/* ---- life ---- */

static void drop_job(struct line_connection *connection)
{
    if (!connection->job) return;
    connection->job->on_change = NULL;
    if (!transcript_is_over(connection->job->transcript)) job_cancel(connection->job);
    job_unref(connection->job);
    connection->job = NULL;
    connection->line->n_requests--;
}

/* With bytes unread the system would reset the connection, and the answer might be lost with it. */
static void close_socket(struct line_connection *connection)
{
    int n_unread = 0;
    if (ioctl(connection->fd, FIONREAD, &n_unread) == 0 && n_unread > 0) {
        shutdown(connection->fd, SHUT_WR);
        lingering_add(connection->line->lingering, connection->fd);
    }
    close(connection->fd);
}

static void connection_close(struct line_connection *connection)
{
    struct line_server *line = connection->line;
    drop_job(connection);
    loop_unwatch(connection->watch);
    loop_timer_free(connection->timer);
    close_socket(connection);
    buffer_release(&connection->in);
    buffer_release(&connection->out);
    line_request_release(&connection->request);
    if (connection->previous) connection->previous->next = connection->next;
    else line->connections = connection->next;
    if (connection->next) connection->next->previous = connection->previous;
    line->n_connections--;
    memory_free(connection);
}

/* ---- answers ---- */

static void put_line(struct line_connection *connection, json_t *object)
{
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    if (text) buffer_append_string(&connection->out, text);
    buffer_append_byte(&connection->out, '\n');
    free(text);
}

static void count(struct line_connection *connection, int status)
{
    struct server *server = connection->line->server;
    double seconds = (double)(clock_now_ns() - connection->started_ns) * 1e-9;
    char code[16];
    snprintf(code, sizeof code, "%d", status);
    metrics_add(server->metrics, METRIC_requests, (struct labels){.endpoint = "line", .code = code}, 1);
    metrics_observe(server->metrics, METRIC_request_duration, (struct labels){.endpoint = "line"}, seconds);
    server_log(server->log, LOG_INFO, "request",
               (struct log_field[]){LOG_TEXT("id", connection->id), LOG_TEXT("method", "LINE"), LOG_COUNT("status", status),
                                    LOG_NUMBER("ms", seconds * 1e3), LOG_COUNT("received", connection->request.text.n_bytes),
                                    LOG_PRIVATE("text", buffer_text(&connection->request.text)), LOG_TEXT("by", "unix"), LOG_FIELDS_END});
}

static void reply_problem(struct line_connection *connection, const struct problem *problem)
{
    count(connection, problem_http_status(problem->kind));
    put_line(connection, json_pack("{s:s}", "error", problem->message));
}

static void reply(struct line_connection *connection)
{
    count(connection, 200);
    put_line(connection, suggestions_json(connection->job->transcript, connection->n));
}

/* ---- the request under way ---- */

static bool submit(struct line_connection *connection, struct problem *ret_problem);

static const struct event *last_event(const struct transcript *transcript)
{
    const struct event *last = NULL;
    for (const struct event *event; (event = transcript_next(transcript, last));) last = event;
    return last;
}

static void finish(struct line_connection *connection)
{
    const struct event *last = last_event(connection->job->transcript);
    struct problem problem = last->problem;
    bool is_done = last->kind == EVENT_DONE;
    bool wants_samples = !is_done && problem.kind == PROBLEM_UNSUPPORTED && connection->has_beams;
    if (is_done) reply(connection);
    drop_job(connection);
    if (wants_samples) {
        connection->has_beams = false;
        if (submit(connection, &problem)) return;
    }
    if (!is_done) reply_problem(connection, &problem);
    if (connection->request.form != LINE_JSON || connection->line->is_draining) connection->is_closing = true;
    go_on(connection);
}

static void on_change(void *context, struct job *job)
{
    if (transcript_is_over(job->transcript)) finish(context);
}

static bool submit(struct line_connection *connection, struct problem *ret_problem)
{
    struct generate_job *generate = suggestions_job(&connection->request, connection->n, connection->has_beams, ret_problem);
    if (!generate) return false;
    connection->job = &generate->job;
    connection->job->fairness = connection;
    connection->job->on_change = on_change;
    connection->job->context = connection;
    connection->job->request_id = job_copy(connection->job, connection->id, strlen(connection->id));
    connection->line->n_requests++;
    scheduler_submit(connection->line->server->scheduler, connection->job);
    return true;
}

static void begin(struct line_connection *connection)
{
    struct problem problem;
    const struct config *config = connection->line->server->config;
    connection->has_beams = true;
    if (suggestions_count(&connection->request, config->beam_width, &connection->n, &problem) && submit(connection, &problem)) return;
    reply_problem(connection, &problem);
    if (connection->request.form != LINE_JSON) connection->is_closing = true;
}

static void forget(struct buffer *buffer, size_t n_bytes)
{
    buffer->n_bytes -= n_bytes;
    memmove(buffer->bytes, buffer->bytes + n_bytes, buffer->n_bytes + 1);
}

/* A request that lacks a field leaves the next line readable, bytes that are no request do not. */
static void refuse(struct line_connection *connection, const struct problem *problem, size_t n_used)
{
    reply_problem(connection, problem);
    if (n_used) forget(&connection->in, n_used);
    else connection->is_closing = true;
}

static bool is_blank(const struct buffer *in)
{
    return strspn(buffer_text(in), " \t\r\n") == in->n_bytes;
}

/* Between lines of JSON an empty one means nothing. */
static bool is_between_lines(const struct line_connection *connection)
{
    return connection->request.form == LINE_JSON && is_blank(&connection->in);
}

/* Requests from what has come, until one is under way or nothing whole is left. */
static void read_requests(struct line_connection *connection)
{
    while (!connection->job && !connection->is_closing && connection->in.n_bytes && !is_between_lines(connection)) {
        struct problem problem;
        size_t n_used;
        connection->started_ns = clock_now_ns();
        request_id_choose(NULL, connection->id);
        enum line_result result = line_request_read(buffer_text(&connection->in), connection->in.n_bytes, connection->state,
                                                    &connection->request, &n_used, &problem);
        if (result == LINE_PARTIAL) return;
        if (result == LINE_BAD) {
            refuse(connection, &problem, n_used);
            continue;
        }
        forget(&connection->in, n_used);
        if (connection->state == LINE_IS_SILENT) connection->state = LINE_GOES_ON;
        begin(connection);
    }
}

/* ---- the socket ---- */

static size_t most_bytes(const struct line_connection *connection)
{
    return (size_t)connection->line->server->config->max_header_bytes;
}

/* false: the connection is broken. */
static bool read_bytes(struct line_connection *connection)
{
    char bytes[READ_BYTES];
    while (connection->in.n_bytes <= most_bytes(connection) && connection->state != LINE_HAS_ENDED) {
        ssize_t n_bytes = recv(connection->fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n_bytes < 0 && errno == EINTR) continue;
        if (n_bytes < 0) return errno == EAGAIN;
        connection->state = n_bytes == 0 ? LINE_HAS_ENDED : LINE_GOES_ON;
        connection->received_ns = clock_now_ns();
        if (!buffer_append(&connection->in, bytes, (size_t)n_bytes)) return false;
    }
    return true;
}

/* false: the connection is broken. */
static bool write_bytes(struct line_connection *connection)
{
    struct buffer *out = &connection->out;
    while (connection->n_sent < out->n_bytes) {
        ssize_t n_bytes = send(connection->fd, out->bytes + connection->n_sent, out->n_bytes - connection->n_sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n_bytes < 0 && errno == EINTR) continue;
        if (n_bytes < 0) return errno == EAGAIN;
        connection->n_sent += (size_t)n_bytes;
        connection->received_ns = clock_now_ns();
    }
    buffer_clear(out);
    connection->n_sent = 0;
    return !out->is_failed;
}

static bool is_sent(const struct line_connection *connection)
{
    return connection->out.n_bytes == 0;
}

static void check_length(struct line_connection *connection)
{
    struct problem problem;
    if (connection->job || connection->is_closing || connection->in.n_bytes <= most_bytes(connection)) return;
    connection->started_ns = clock_now_ns();
    problem_set(&problem, PROBLEM_TOO_LARGE, "the request is longer than %zu bytes (server.max_header_bytes)", most_bytes(connection));
    refuse(connection, &problem, 0);
}

static bool is_over(const struct line_connection *connection)
{
    if (connection->job || !is_sent(connection)) return false;
    return connection->is_closing || connection->state == LINE_HAS_ENDED;
}

/* What is waited for next: the end of a silence, the rest of a request, a client that reads. */
static void plan(struct line_connection *connection)
{
    const struct config *config = connection->line->server->config;
    uint64_t after_ms = UINT64_MAX;
    if (!is_sent(connection)) after_ms = config->write_timeout_s > 0 ? (uint64_t)(config->write_timeout_s * 1000) + 1 : UINT64_MAX;
    else if (!connection->job && connection->in.n_bytes && !is_between_lines(connection)) {
        double left_s = config->read_timeout_s;
        after_ms = connection->state == LINE_GOES_ON ? SILENCE_MS : left_s > 0 ? (uint64_t)(left_s * 1000) + 1 : UINT64_MAX;
    }
    loop_timer_set(connection->timer, after_ms);
}

static void go_on(struct line_connection *connection)
{
    bool is_well;
    size_t n_before;
    do { /* a request that is read makes room for bytes that wait in the system */
        n_before = connection->in.n_bytes;
        is_well = read_bytes(connection);
        if (is_well) read_requests(connection);
    } while (is_well && connection->in.n_bytes < n_before && !connection->job);
    check_length(connection);
    if (!is_well || !write_bytes(connection) || is_over(connection)) connection_close(connection);
    else plan(connection);
}

static void on_ready(void *context, uint32_t events)
{
    struct line_connection *connection = context;
    if ((events & (EPOLLHUP | EPOLLERR)) && connection->job) connection_close(connection); /* nobody will read it */
    else go_on(connection);
}

static void on_time(void *context)
{
    struct line_connection *connection = context;
    if (!is_sent(connection)) { /* the client reads nothing */
        connection_close(connection);
        return;
    }
    struct problem problem;
    if (connection->state == LINE_GOES_ON) connection->state = LINE_IS_SILENT;
    else {
        connection->started_ns = clock_now_ns();
        problem_set(&problem, PROBLEM_TOO_SLOW, "the request did not arrive in time");
        refuse(connection, &problem, 0);
    }
    go_on(connection);
}

/* ---- the server ---- */

hob_status line_server_new(struct server *server, struct line_server **ret_line, hob_error *error)
{
    struct line_server *line = memory_new(1, sizeof *line);
    if (!line) FAIL(error, HOB_NO_MEMORY, "no memory for the line protocols");
    line->server = server;
    hob_status status = lingering_new(server->loop, &line->lingering, error);
    if (status == HOB_OK) *ret_line = line;
    else memory_free(line);
    return status;
}

void line_server_free(struct line_server *line)
{
    if (!line) return;
    while (line->connections) connection_close(line->connections);
    lingering_free(line->lingering);
    memory_free(line);
}

void line_server_take(struct line_server *line, int fd)
{
    struct line_connection *connection = memory_new(1, sizeof *connection);
    if (!connection) {
        close(fd);
        return;
    }
    *connection = (struct line_connection){.line = line, .fd = fd, .next = line->connections, .out = {.cap_bytes = MOST_REPLY_BYTES}};
    if (line->connections) line->connections->previous = connection;
    line->connections = connection;
    line->n_connections++;
    struct loop *loop = line->server->loop;
    if (loop_timer_new(loop, on_time, connection, &connection->timer, NULL) != HOB_OK ||
        loop_watch(loop, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, on_ready, connection, &connection->watch, NULL) != HOB_OK)
        connection_close(connection);
    else go_on(connection);
}

size_t line_server_n_connections(const struct line_server *line)
{
    return line->n_connections;
}

size_t line_server_n_requests(const struct line_server *line)
{
    return line->n_requests;
}

void line_server_drain(struct line_server *line)
{
    line->is_draining = true;
    for (struct line_connection *connection = line->connections, *next; connection; connection = next) {
        next = connection->next;
        if (!connection->job && is_sent(connection)) connection_close(connection);
        else connection->is_closing = true;
    }
}
