/* A timer a connection, set for the phase it is in.
 *
 * A TCP client that shuts down its side is taken to be gone: it cannot be told from one that closed. On a UNIX socket it can: a closed
 * one shows as EPOLLHUP, and one that only ended its own sending waits for its reply. */
#include "server/http/connection.h"

#include "base/clock.h"
#include "base/memory.h"

#include <linux/sockios.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum { CHECKS_IN_WRITE_TIMEOUT = 4 };

static uint64_t milliseconds(double seconds)
{
    return seconds > 0 ? (uint64_t)(seconds * 1000) + 1 : UINT64_MAX;
}

static int n_queued(const struct http_connection *connection)
{
    int n_bytes = 0;
    return ioctl(connection->fd, SIOCOUTQ, &n_bytes) == 0 ? n_bytes : 0;
}

static uint64_t write_check_ms(const struct http_connection *connection)
{
    uint64_t timeout_ms = milliseconds(connection->server->config->write_timeout_s);
    return timeout_ms == UINT64_MAX ? timeout_ms : timeout_ms / CHECKS_IN_WRITE_TIMEOUT + 1;
}

/* Whether the client has taken nothing of what waits for it for as long as it may. */
static bool is_stuck(struct http_connection *connection)
{
    int queued = n_queued(connection);
    bool has_moved = queued == 0 || queued != connection->n_queued_seen || connection->n_given != connection->n_given_seen;
    connection->n_queued_seen = queued;
    connection->n_given_seen = connection->n_given;
    if (has_moved) connection->progress_ns = clock_now_ns();
    return (double)(clock_now_ns() - connection->progress_ns) >= connection->server->config->write_timeout_s * 1e9;
}

void connection_send(struct http_connection *connection, int status, const char *reason, const char *body)
{
    char reply[2048];
    int n_bytes = snprintf(reply, sizeof reply,
                           "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s", status, reason,
                           strlen(body), body);
    if (n_bytes < 0 || (size_t)n_bytes >= sizeof reply) return;
    (void)!send(connection->fd, reply, (size_t)n_bytes, MSG_DONTWAIT | MSG_NOSIGNAL); /* nothing was sent before it: there is room */
}

void connection_cut(struct http_connection *connection)
{
    shutdown(connection->fd, SHUT_RDWR);
    loop_call_post(connection->run);
}

static void on_time(void *context)
{
    struct http_connection *connection = context;
    switch (connection->phase) {
    case CONNECTION_READING:
        connection_send(connection, 408, "Request Timeout", "{\"error\":{\"message\":\"the request did not arrive in time\",\"type\":"
                                                            "\"request timed out\",\"code\":408}}");
        connection_cut(connection);
        break;
    case CONNECTION_SENDING:
        if (!is_stuck(connection)) {
            loop_timer_set(connection->timer, write_check_ms(connection));
            break;
        }
        connection_cut(connection);
        if (connection->exchange) connection->on_gone(connection->exchange);
        break;
    case CONNECTION_IDLE: connection_cut(connection); break;
    case CONNECTION_WORKING: break;
    }
}

static uint64_t phase_ms(const struct http_connection *connection)
{
    switch (connection->phase) {
    case CONNECTION_IDLE: return connection->is_local ? UINT64_MAX : milliseconds(connection->server->config->idle_timeout_s);
    case CONNECTION_READING: return milliseconds(connection->server->config->read_timeout_s);
    case CONNECTION_SENDING: return write_check_ms(connection);
    default: return UINT64_MAX;
    }
}

void connection_enter(struct http_connection *connection, enum connection_phase phase)
{
    connection->phase = phase;
    if (phase == CONNECTION_SENDING) connection->progress_ns = clock_now_ns();
    loop_timer_set(connection->timer, phase_ms(connection));
}

struct http_connection *connection_new(struct server *server, struct lingering *lingering, struct loop_call *run, struct MHD_Connection *mhd,
                                       int fd, bool is_local)
{
    struct http_connection *connection = memory_new(1, sizeof *connection);
    if (!connection) return NULL;
    *connection = (struct http_connection){
        .server = server, .lingering = lingering, .run = run, .mhd = mhd, .fd = fd, .is_local = is_local};
    if (loop_timer_new(server->loop, on_time, connection, &connection->timer, NULL) != HOB_OK) {
        memory_free(connection);
        return NULL;
    }
    connection_enter(connection, CONNECTION_READING); /* its first bytes were seen */
    return connection;
}

void connection_free(struct http_connection *connection)
{
    if (!connection) return;
    connection_unwatch(connection);
    loop_timer_free(connection->timer);
    memory_free(connection);
}

static void on_hang_up(void *context, uint32_t events)
{
    struct http_connection *connection = context;
    bool is_gone = (events & (EPOLLHUP | EPOLLERR)) || (!connection->is_local && (events & EPOLLRDHUP));
    if (!is_gone) return;
    connection_unwatch(connection);
    if (connection->exchange) connection->on_gone(connection->exchange);
}

void connection_watch(struct http_connection *connection)
{
    if (connection->watch) return;
    if (loop_watch(connection->server->loop, connection->fd, EPOLLRDHUP | EPOLLET, on_hang_up, connection, &connection->watch, NULL) != HOB_OK)
        connection->watch = NULL; /* then the end is noticed when the next bytes are sent */
}

void connection_unwatch(struct http_connection *connection)
{
    loop_unwatch(connection->watch);
    connection->watch = NULL;
}

void connection_linger(struct http_connection *connection)
{
    lingering_add(connection->lingering, connection->fd);
}
