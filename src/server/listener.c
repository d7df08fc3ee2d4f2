/* Accepts, looks who it is, waits for the first bytes, hands the socket on.
 *
 * HTTP is told by a request line that begins with a method it has and a target ("GET /"); all else on a UNIX socket is a line protocol.
 * TCP speaks HTTP alone: the line protocols carry no key. Watches of silent connections are edge-triggered, so that bytes which do not
 * tell yet ("PO") do not wake the loop again and again. */
#include "server/listener.h"

#include "base/error.h"
#include "base/memory.h"
#include "server/address.h"
#include "server/listen_fds.h"
#include "server/unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    ACCEPTED_AT_ONCE = 64,     /* then others have their turn */
    PAUSE_MS = 100,            /* without accepting, when descriptors are out */
    UNDECIDED_MS = 100,        /* "PO" may still become "POST /" for so long */
    LONGEST_METHOD = 8,
};

struct door {
    struct listener *listener;
    struct watch *watch;
    struct unix_socket *socket; /* NULL: not a file of ours */
    int fd;
    bool is_local; /* UNIX */
    char address[ADDRESS_TEXT_BYTES];
};

struct silent { /* a connection that has not said what it speaks */
    struct listener *listener;
    struct silent *next, *previous;
    struct watch *watch;
    struct timer *timer; /* NULL: it may wait for ever */
    int fd;
    bool is_local, is_undecided;
};

struct listener {
    struct server *server;
    struct http_server *http;
    struct line_server *line;
    struct door *doors;
    size_t n_doors;
    struct silent *silent;
    size_t n_silent;
    uint64_t n_accepted;
    struct timer *pause;
    bool is_activated, is_reachable, is_paused;
};

/* ---- connections that have not said anything ---- */

/* The socket stays open. */
static void silent_forget(struct silent *silent)
{
    struct listener *listener = silent->listener;
    loop_unwatch(silent->watch);
    loop_timer_free(silent->timer);
    if (silent->previous) silent->previous->next = silent->next;
    else listener->silent = silent->next;
    if (silent->next) silent->next->previous = silent->previous;
    listener->n_silent--;
    memory_free(silent);
}

static void silent_close(struct silent *silent)
{
    int fd = silent->fd;
    silent_forget(silent);
    close(fd);
}

enum speech { SPEECH_NONE, SPEECH_UNDECIDED, SPEECH_HTTP, SPEECH_LINES };

/* bytes: the first ones, not all of them perhaps. */
static enum speech speech_of(const char *bytes, size_t n_bytes)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        size_t n_method = strlen(methods[i]), n_same = n_bytes < n_method ? n_bytes : n_method;
        if (memcmp(bytes, methods[i], n_same) != 0) continue;
        if (n_bytes <= n_method) return SPEECH_UNDECIDED;
        if (bytes[n_method] != ' ') continue;
        if (n_bytes == n_method + 1) return SPEECH_UNDECIDED;
        if (strchr("/*h", bytes[n_method + 1])) return SPEECH_HTTP; /* a path, *, or http:// */
    }
    return SPEECH_LINES;
}

static void hand_on(struct silent *silent, enum speech speech)
{
    struct listener *listener = silent->listener;
    int fd = silent->fd;
    bool is_local = silent->is_local;
    silent_forget(silent);
    if (speech == SPEECH_HTTP || !is_local) http_server_take(listener->http, fd, is_local);
    else line_server_take(listener->line, fd);
}

static void on_silence(void *context)
{
    struct silent *silent = context;
    if (silent->is_undecided) hand_on(silent, SPEECH_LINES);
    else silent_close(silent);
}

static void wait_a_little(struct silent *silent)
{
    if (!silent->timer && loop_timer_new(silent->listener->server->loop, on_silence, silent, &silent->timer, NULL) != HOB_OK) {
        hand_on(silent, SPEECH_LINES);
        return;
    }
    silent->is_undecided = true;
    loop_timer_set(silent->timer, UNDECIDED_MS);
}

static void on_first_bytes(void *context, uint32_t events)
{
    struct silent *silent = context;
    char bytes[LONGEST_METHOD + 2];
    ssize_t n_bytes = recv(silent->fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
    if (n_bytes < 0 && (errno == EAGAIN || errno == EINTR)) {
        if (events & (EPOLLHUP | EPOLLERR)) silent_close(silent);
        return;
    }
    if (n_bytes <= 0) {
        silent_close(silent);
        return;
    }
    enum speech speech = silent->is_local ? speech_of(bytes, (size_t)n_bytes) : SPEECH_HTTP;
    if (speech != SPEECH_UNDECIDED) hand_on(silent, speech);
    else if (events & (EPOLLRDHUP | EPOLLHUP)) hand_on(silent, SPEECH_LINES); /* no more will come */
    else wait_a_little(silent);
}

/* A UNIX socket's client may say nothing for ever. */
static uint64_t silence_ms(const struct listener *listener)
{
    double seconds = listener->server->config->idle_timeout_s;
    return seconds > 0 ? (uint64_t)(seconds * 1000) + 1 : UINT64_MAX;
}

/* Takes the socket. */
static void silent_new(struct listener *listener, int fd, bool is_local)
{
    struct silent *silent = memory_new(1, sizeof *silent);
    if (!silent) {
        close(fd);
        return;
    }
    *silent = (struct silent){.listener = listener, .fd = fd, .is_local = is_local, .next = listener->silent};
    if (listener->silent) listener->silent->previous = silent;
    listener->silent = silent;
    listener->n_silent++;
    struct loop *loop = listener->server->loop;
    bool is_fine = is_local || loop_timer_new(loop, on_silence, silent, &silent->timer, NULL) == HOB_OK;
    if (is_fine && silent->timer) loop_timer_set(silent->timer, silence_ms(listener));
    if (!is_fine || loop_watch(loop, fd, EPOLLIN | EPOLLRDHUP | EPOLLET, on_first_bytes, silent, &silent->watch, NULL) != HOB_OK)
        silent_close(silent);
}

/* ---- accepting ---- */

static size_t n_connections(const struct listener *listener)
{
    return listener->n_silent + http_server_n_connections(listener->http) + line_server_n_connections(listener->line);
}

/* Whoever is not this user, or root, has no business here, even where the socket's file lets them in. */
static bool is_same_user(int fd)
{
    struct ucred peer;
    socklen_t n_bytes = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n_bytes) != 0) return false;
    return peer.uid == geteuid() || peer.uid == 0;
}

static void refuse(struct listener *listener, int fd, const char *why)
{
    close(fd);
    metrics_add(listener->server->metrics, METRIC_refused_connections, (struct labels){.kind = why}, 1);
}

static void take(struct door *door, int fd)
{
    struct listener *listener = door->listener;
    if (n_connections(listener) >= listener->server->config->max_connections) {
        refuse(listener, fd, "limit");
        return;
    }
    if (door->is_local && !is_same_user(fd)) {
        refuse(listener, fd, "uid");
        server_log(listener->server->log, LOG_WARNING, "a connection of another user was closed",
                   (struct log_field[]){LOG_TEXT("address", door->address), LOG_FIELDS_END});
        return;
    }
    if (!door->is_local) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    silent_new(listener, fd, door->is_local);
}

static void watch_doors(struct listener *listener);

static void on_pause_over(void *context)
{
    struct listener *listener = context;
    listener->is_paused = false;
    watch_doors(listener);
}

/* Descriptors or memory are out: connections stay in the system's queue until something was closed. */
static void pause_accepting(struct listener *listener, int code)
{
    server_log(listener->server->log, LOG_WARNING, "no connection can be accepted for a moment",
               (struct log_field[]){LOG_TEXT("error", strerror(code)), LOG_FIELDS_END});
    listener->is_paused = true;
    for (size_t i = 0; i < listener->n_doors; i++) {
        loop_unwatch(listener->doors[i].watch);
        listener->doors[i].watch = NULL;
    }
    loop_timer_set(listener->pause, PAUSE_MS);
}

static void on_connection(void *context, uint32_t events)
{
    struct door *door = context;
    (void)events;
    for (int i = 0; i < ACCEPTED_AT_ONCE && !door->listener->is_paused; i++) {
        int fd = accept4(door->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) door->listener->n_accepted++, take(door, fd);
        else if (errno == EAGAIN || errno == EWOULDBLOCK) return;
        else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) pause_accepting(door->listener, errno);
        /* else: that client went away, or its network did; the next one may be there */
    }
}

static void watch_doors(struct listener *listener)
{
    for (size_t i = 0; i < listener->n_doors; i++) {
        struct door *door = &listener->doors[i];
        if (!door->watch && loop_watch(listener->server->loop, door->fd, EPOLLIN, on_connection, door, &door->watch, NULL) != HOB_OK)
            loop_timer_set(listener->pause, PAUSE_MS);
    }
}

/* ---- listening ---- */

static hob_status listen_tcp(const struct address *address, const char *text, int *ret_fd, hob_error *error)
{
    int fd = socket(address->socket.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) FAIL(error, HOB_IO, "%s: %s", text, strerror(errno));
    if (address->kind == ADDRESS_TCP) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(fd, &address->socket.any, address->n_socket_bytes) != 0 || listen(fd, SOMAXCONN) != 0) {
        int code = errno;
        close(fd);
        FAIL(error, HOB_IO, "%s: %s", text, strerror(code));
    }
    *ret_fd = fd;
    return HOB_OK;
}

static hob_status open_address(struct door *door, const struct address *address, const char *text, hob_error *error)
{
    switch (address->kind) {
    case ADDRESS_UNIX: return unix_socket_listen(address, &door->socket, &door->fd, error);
    case ADDRESS_FD:
        door->fd = address->fd;
        if (fcntl(door->fd, F_SETFD, FD_CLOEXEC) != 0 || fcntl(door->fd, F_SETFL, O_NONBLOCK) != 0)
            FAIL(error, HOB_BAD_ARGUMENT, "%s: %s", text, strerror(errno));
        return HOB_OK;
    default: return listen_tcp(address, text, &door->fd, error);
    }
}

static hob_status check_reach(const struct listener *listener, const struct address *address, const char *text, hob_error *error)
{
    if (address->kind == ADDRESS_TCP && listener->server->is_network_off)
        FAIL(error, HOB_BAD_ARGUMENT, "%s: the network is off (server.no_network): expected UNIX sockets alone", text);
    if (!address->is_this_machine && !listener->server->config->api_key_file)
        FAIL(error, HOB_BAD_ARGUMENT, "%s: other machines could ask there: expected server.api_key_file with keys that they must show", text);
    return HOB_OK;
}

static hob_status add_door(struct listener *listener, const struct address *address, const char *text, hob_error *error)
{
    struct address bound = *address;
    if (address->kind == ADDRESS_FD) TRY(address_of_socket(address->fd, &bound, error));
    TRY(check_reach(listener, &bound, text, error));
    struct door *door = &listener->doors[listener->n_doors];
    *door = (struct door){.listener = listener, .fd = -1};
    TRY(open_address(door, address, text, error));
    listener->n_doors++; /* from here on listener_free closes it */
    listener->is_reachable |= !bound.is_this_machine;
    TRY(address_of_socket(door->fd, &bound, error));
    door->is_local = bound.kind != ADDRESS_TCP;
    address_write(&bound, door->address);
    return HOB_OK;
}

static hob_status add_text(struct listener *listener, const char *text, hob_error *error)
{
    struct address address;
    TRY(address_parse(text, &address, error));
    return add_door(listener, &address, text, error);
}

static hob_status add_doors(struct listener *listener, size_t n_passed, hob_error *error)
{
    const struct config *config = listener->server->config;
    listener->is_activated = n_passed > 0;
    listener->doors = memory_new(n_passed + 1 + config->listen.n_items, sizeof *listener->doors);
    if (!listener->doors) FAIL(error, HOB_NO_MEMORY, "no memory to listen");
    for (size_t i = 0; i < n_passed; i++) {
        const struct address address = {.kind = ADDRESS_FD, .fd = listen_fds_at(i)};
        TRY(add_door(listener, &address, "a socket of systemd's", error));
    }
    if (n_passed == 0 && config->socket_path) TRY(add_text(listener, config->socket_path, error));
    for (size_t i = 0; i < config->listen.n_items; i++) TRY(add_text(listener, config->listen.items[i], error));
    if (listener->n_doors == 0) FAIL(error, HOB_BAD_ARGUMENT, "nowhere to listen: expected socket_path or server.listen");
    return HOB_OK;
}

/* As many descriptors as we may have. */
static void raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit); /* where that is refused, what we have must do */
}

hob_status listener_new(struct server *server, struct http_server *http, struct line_server *line, size_t n_passed,
                        struct listener **ret_listener, hob_error *error)
{
    struct listener *listener = memory_new(1, sizeof *listener);
    if (!listener) FAIL(error, HOB_NO_MEMORY, "no memory to listen");
    *listener = (struct listener){.server = server, .http = http, .line = line};
    hob_status status = HOB_OK;
    raise_limit();
    TRY_CLEANUP(loop_timer_new(server->loop, on_pause_over, listener, &listener->pause, error));
    TRY_CLEANUP(add_doors(listener, n_passed, error));
    watch_doors(listener);
    *ret_listener = listener;
    return HOB_OK;

cleanup:
    listener_free(listener);
    return status;
}

void listener_free(struct listener *listener)
{
    if (!listener) return;
    while (listener->silent) silent_close(listener->silent);
    for (size_t i = 0; i < listener->n_doors; i++) {
        loop_unwatch(listener->doors[i].watch);
        close(listener->doors[i].fd);
        unix_socket_free(listener->doors[i].socket);
    }
    loop_timer_free(listener->pause);
    memory_free(listener->doors);
    memory_free(listener);
}

bool listener_is_activated(const struct listener *listener)
{
    return listener->is_activated;
}

bool listener_is_reachable(const struct listener *listener)
{
    return listener->is_reachable;
}

size_t listener_n_idle(const struct listener *listener)
{
    return listener->n_silent;
}

uint64_t listener_n_accepted(const struct listener *listener)
{
    return listener->n_accepted;
}

const char *listener_address(const struct listener *listener, size_t index)
{
    return index < listener->n_doors ? listener->doors[index].address : NULL;
}
