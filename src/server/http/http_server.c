/* libmicrohttpd without threads, a listening socket or clocks of its own: its epoll descriptor is one of those that our loop watches, and it
 * runs as a call behind all of the loop's other work, when that descriptor is ready, a connection is new, or an exchange goes on. */
#include "server/http/http_server.h"

#include "base/error.h"
#include "base/memory.h"
#include "server/http/exchange_parts.h"
#include "server/http/microhttpd.h"
#include "server/http/request.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { REPLY_BYTES = 32 << 10, GROWTH_BYTES = 16 << 10, MOST_CONNECTIONS = 1 << 20 };

struct http_server {
    struct server *server;
    struct guard *guard;
    struct lingering *lingering;
    struct MHD_Daemon *daemon;
    struct watch *watch;
    struct timer *timer;
    struct loop_call *run;
    struct http_connection *connections;
    size_t n_connections, n_exchanges;
    bool is_draining, is_ending;
    bool takes_local; /* of the connection that libmicrohttpd is being given */
};

/* ---- running it ---- */

static void run(void *context)
{
    struct http_server *http = context;
    MHD_run(http->daemon);
    MHD_UNSIGNED_LONG_LONG timeout_ms;
    if (MHD_get_timeout(http->daemon, &timeout_ms) != MHD_YES) return;
    if (timeout_ms == 0) loop_call_post(http->run);
    else loop_timer_set(http->timer, timeout_ms);
}

static void on_ready(void *context, uint32_t events)
{
    struct http_server *http = context;
    (void)events;
    loop_call_post(http->run);
}

static void on_time(void *context)
{
    struct http_server *http = context;
    loop_call_post(http->run);
}

/* ---- what libmicrohttpd calls ---- */

static struct http_connection *connection_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static void open_connection(struct http_server *http, struct MHD_Connection *mhd, void **socket_context)
{
    int fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    struct http_connection *connection = connection_new(http->server, http->lingering, http->run, mhd, fd, http->takes_local);
    *socket_context = connection;
    if (!connection) return;
    connection->on_gone = exchange_leave;
    connection->next = http->connections;
    if (http->connections) http->connections->previous = connection;
    http->connections = connection;
    http->n_connections++;
}

static void close_connection(struct http_server *http, struct http_connection *connection)
{
    if (!connection) return;
    if (connection->previous) connection->previous->next = connection->next;
    else http->connections = connection->next;
    if (connection->next) connection->next->previous = connection->previous;
    http->n_connections--;
    connection_free(connection);
}

static void on_connection(void *context, struct MHD_Connection *mhd, void **socket_context, enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED) open_connection(context, mhd, socket_context);
    else close_connection(context, *socket_context);
}

/* The first line of a request has come. What is returned is the state that on_request begins with. */
static void *on_request_line(void *context, const char *uri, struct MHD_Connection *mhd)
{
    (void)context;
    (void)uri;
    struct http_connection *connection = connection_of(mhd);
    if (connection) connection_enter(connection, CONNECTION_READING);
    return NULL;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *mhd, const char *url, const char *method, const char *version,
                                  const char *bytes, size_t *n_bytes, void **state)
{
    struct http_server *http = context;
    struct http_connection *connection = connection_of(mhd);
    if (!connection) return MHD_NO; /* memory was out when it came */
    bool is_new = !*state;
    if (is_new && http->is_ending) return MHD_NO;
    enum MHD_Result result = request_go_on(connection, http->guard, url, method, version, bytes, n_bytes, state);
    if (is_new && *state) {
        http->n_exchanges++;
        if (http->is_draining) exchange_set_header(*state, MHD_HTTP_HEADER_CONNECTION, "close");
    }
    return result;
}

static void on_completed(void *context, struct MHD_Connection *mhd, void **state, enum MHD_RequestTerminationCode code)
{
    struct http_server *http = context;
    struct http_connection *connection = connection_of(mhd);
    if (!*state || !connection) return;
    http->n_exchanges--;
    request_end(connection, *state, code == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    *state = NULL;
    if (http->is_draining) connection_cut(connection);
}

static void on_log(void *context, const char *format, va_list arguments)
{
    struct http_server *http = context;
    char message[256];
    vsnprintf(message, sizeof message, format, arguments);
    message[strcspn(message, "\n")] = 0;
    server_log(http->server->log, LOG_DEBUG, "libmicrohttpd", (struct log_field[]){LOG_TEXT("says", message), LOG_FIELDS_END});
}

/* ---- life ---- */

static hob_status start(struct http_server *http, hob_error *error)
{
    unsigned flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    size_t memory_bytes = (size_t)http->server->config->max_header_bytes + REPLY_BYTES;
    TRY(microhttpd_load(error));
    http->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, http,                          /* the logger must come first */
                                    MHD_OPTION_EXTERNAL_LOGGER, on_log, http,                        /**/
                                    MHD_OPTION_NOTIFY_COMPLETED, on_completed, http,                 /**/
                                    MHD_OPTION_NOTIFY_CONNECTION, on_connection, http,               /**/
                                    MHD_OPTION_URI_LOG_CALLBACK, on_request_line, http,              /**/
                                    MHD_OPTION_CONNECTION_LIMIT, (unsigned)MOST_CONNECTIONS,         /* ours is in the listener */
                                    MHD_OPTION_CONNECTION_MEMORY_LIMIT, memory_bytes,                /**/
                                    MHD_OPTION_CONNECTION_MEMORY_INCREMENT, (size_t)GROWTH_BYTES,    /**/
                                    MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,                            /**/
                                    MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    if (!http->daemon) FAIL(error, HOB_IO, "libmicrohttpd does not start");
    int fd = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    return loop_watch(http->server->loop, fd, EPOLLIN, on_ready, http, &http->watch, error);
}

hob_status http_server_new(struct server *server, struct http_server **ret_http, hob_error *error)
{
    struct http_server *http = memory_new(1, sizeof *http);
    if (!http) FAIL(error, HOB_NO_MEMORY, "no memory for the HTTP server");
    http->server = server;
    hob_status status = HOB_OK;
    TRY_CLEANUP(guard_new(server->config, &http->guard, error));
    TRY_CLEANUP(lingering_new(server->loop, &http->lingering, error));
    TRY_CLEANUP(loop_call_new(server->loop, run, http, &http->run, error));
    TRY_CLEANUP(loop_timer_new(server->loop, on_time, http, &http->timer, error));
    TRY_CLEANUP(start(http, error));
    *ret_http = http;
    return HOB_OK;

cleanup:
    http_server_free(http);
    return status;
}

hob_status http_server_reload(struct http_server *http, hob_error *error)
{
    struct guard *guard;
    TRY(guard_new(http->server->config, &guard, error));
    guard_free(http->guard);
    http->guard = guard;
    return HOB_OK;
}

/* libmicrohttpd stops no connection that is suspended; what clients sent meanwhile must not suspend one anew. */
static void end_exchanges(struct http_server *http)
{
    http->is_ending = true;
    for (struct http_connection *connection = http->connections; connection; connection = connection->next) {
        connection_cut(connection);
        if (connection->exchange) exchange_leave(connection->exchange);
    }
    if (http->daemon) MHD_run(http->daemon);
}

void http_server_free(struct http_server *http)
{
    if (!http) return;
    end_exchanges(http);
    loop_unwatch(http->watch);
    if (http->daemon) MHD_stop_daemon(http->daemon);
    loop_timer_free(http->timer);
    loop_call_free(http->run);
    lingering_free(http->lingering);
    guard_free(http->guard);
    memory_free(http);
}

void http_server_take(struct http_server *http, int fd, bool is_local)
{
    struct sockaddr_storage address = {.ss_family = AF_UNIX};
    socklen_t n_bytes = sizeof(struct sockaddr_un);
    if (!is_local) {
        n_bytes = sizeof address;
        if (getpeername(fd, (struct sockaddr *)&address, &n_bytes) != 0) n_bytes = sizeof(struct sockaddr_un); /* it is gone: seen when read */
    }
    http->takes_local = is_local;
    if (MHD_add_connection(http->daemon, fd, (struct sockaddr *)&address, n_bytes) == MHD_YES) loop_call_post(http->run);
    /* else libmicrohttpd has closed it */
}

size_t http_server_n_connections(const struct http_server *http)
{
    return http->n_connections;
}

size_t http_server_n_exchanges(const struct http_server *http)
{
    return http->n_exchanges;
}

void http_server_drain(struct http_server *http)
{
    http->is_draining = true;
    for (struct http_connection *connection = http->connections; connection; connection = connection->next)
        if (!connection->exchange) connection_cut(connection);
}
