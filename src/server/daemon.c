/* The parts are made in the order in which they need each other, sockets last: whoever connects finds a daemon that answers, while models
 * are still being opened. Signals come through a descriptor, so that no handler interrupts anything.
 *
 * To stop: no new connections and requests, those under way go on to their end, at most stop_timeout_s; a second signal ends them. */
#include "server/daemon.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "server/gauges.h"
#include "server/listen_fds.h"
#include "server/listener.h"
#include "server/no_network.h"
#include "server/notify.h"
#include "server/remote/remote.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { DRAIN_CHECK_MS = 10, IDLE_CHECKS = 8, ACTIVATED_IDLE_S = 1800 };

struct daemon {
    struct server server; /* first: routes call back with it */
    const struct config_sources *sources;
    struct config *config;
    struct notifier notifier;
    struct http_server *http;
    struct line_server *line;
    int signal_fd;
    struct watch *signals;
    struct loop_call *deliver, *models_changed, *stop;
    struct timer *drain, *idle, *watchdog;
    bool is_stopping;
    uint64_t stop_by_ns;
    uint64_t busy_ns; /* when something was last seen to go on */
    uint64_t n_accepted_seen;
};

static void say(struct daemon *daemon, enum log_level level, const char *message, const char *what)
{
    server_log(daemon->server.log, level, message, (struct log_field[]){LOG_TEXT("what", what), LOG_FIELDS_END});
}

/* ---- stopping ---- */

static size_t n_under_way(const struct daemon *daemon)
{
    return http_server_n_exchanges(daemon->http) + line_server_n_requests(daemon->line);
}

static void on_drain(void *context)
{
    struct daemon *daemon = context;
    bool is_done = n_under_way(daemon) == 0 && scheduler_drain(daemon->server.scheduler);
    bool is_late = clock_now_ns() >= daemon->stop_by_ns;
    if (is_late && !is_done) say(daemon, LOG_WARNING, "requests under way are ended: stop_timeout_s is over", NULL);
    if (is_done || is_late) loop_stop(daemon->server.loop);
    else loop_timer_set(daemon->drain, DRAIN_CHECK_MS);
}

static void begin_to_stop(struct daemon *daemon, const char *why)
{
    if (daemon->is_stopping) {
        say(daemon, LOG_WARNING, "stopping at once", why);
        loop_stop(daemon->server.loop);
        return;
    }
    daemon->is_stopping = true;
    say(daemon, LOG_INFO, "stopping", why);
    notifier_tell(&daemon->notifier, "STOPPING=1\nSTATUS=Finishing %zu requests", n_under_way(daemon));
    listener_free(daemon->server.listener);
    daemon->server.listener = NULL;
    http_server_drain(daemon->http);
    line_server_drain(daemon->line);
    daemon->stop_by_ns = clock_now_ns() + (uint64_t)(daemon->config->stop_timeout_s * 1e9);
    loop_timer_set(daemon->drain, 0);
}

static void on_stop(void *context)
{
    struct daemon *daemon = context;
    if (!daemon->is_stopping) begin_to_stop(daemon, "hob stop");
}

static void ask_to_stop(struct server *server)
{
    loop_call_post(((struct daemon *)server)->stop);
}

/* ---- idle exit ---- */

/* What systemd started for a client it starts again for the next: it need not stay, unless the configuration says something. */
static double idle_exit_s(const struct daemon *daemon)
{
    const struct config *config = daemon->config;
    bool is_said = config->origins[CONFIG_idle_exit_s].source != CONFIG_FROM_DEFAULT;
    return !is_said && daemon->server.listener && listener_is_activated(daemon->server.listener) ? ACTIVATED_IDLE_S : config->idle_exit_s;
}

static void plan_idle_check(struct daemon *daemon)
{
    double idle_s = idle_exit_s(daemon);
    loop_timer_set(daemon->idle, idle_s > 0 ? (uint64_t)(idle_s * 1000 / IDLE_CHECKS) + 1 : UINT64_MAX);
}

static bool is_busy(struct daemon *daemon)
{
    uint64_t n_accepted = listener_n_accepted(daemon->server.listener);
    bool has_new = n_accepted != daemon->n_accepted_seen;
    daemon->n_accepted_seen = n_accepted;
    return has_new || listener_n_idle(daemon->server.listener) || http_server_n_connections(daemon->http) ||
           line_server_n_connections(daemon->line);
}

static void on_idle_check(void *context)
{
    struct daemon *daemon = context;
    if (daemon->is_stopping) return;
    if (is_busy(daemon)) daemon->busy_ns = clock_now_ns();
    if ((double)(clock_now_ns() - daemon->busy_ns) < idle_exit_s(daemon) * 1e9) plan_idle_check(daemon);
    else begin_to_stop(daemon, "nobody came for idle_exit_s");
}

/* ---- reloading ---- */

static bool is_same_list(struct config_list one, struct config_list other)
{
    bool is_same = one.n_items == other.n_items;
    for (size_t i = 0; is_same && i < one.n_items; i++) is_same = strcmp(one.items[i], other.items[i]) == 0;
    return is_same;
}

static bool is_same_text(const char *one, const char *other)
{
    return one && other ? strcmp(one, other) == 0 : one == other;
}

static void tell_what_stays(struct daemon *daemon, const struct config *old)
{
    const struct config *new = daemon->config;
    if (!is_same_list(old->listen, new->listen) || !is_same_text(old->socket_path, new->socket_path))
        say(daemon, LOG_WARNING, "server.listen and socket_path are read at the start: restart for the new ones", NULL);
    if (old->no_network != new->no_network) say(daemon, LOG_WARNING, "server.no_network is read at the start: restart for the new one", NULL);
}

static hob_status use_config(struct daemon *daemon, struct config *config, hob_error *error)
{
    if (listener_is_reachable(daemon->server.listener) && !config->api_key_file)
        FAIL(error, HOB_BAD_ARGUMENT, "server.api_key_file: found none, expected keys: other machines can ask here");
    daemon->server.config = config;
    hob_status status = http_server_reload(daemon->http, error);
    if (status == HOB_OK) status = model_registry_reload(daemon->server.registry, config, error);
    if (status == HOB_OK) return HOB_OK;
    daemon->server.config = daemon->config;
    if (http_server_reload(daemon->http, NULL) != HOB_OK) say(daemon, LOG_WARNING, "api_key_file cannot be read any more: its keys stay", NULL);
    return status;
}

static void reload(struct daemon *daemon)
{
    struct config *config = NULL;
    hob_error error;
    notifier_tell_reloading(&daemon->notifier);
    hob_status status = config_load(daemon->sources, &config, &error);
    if (status == HOB_OK) status = use_config(daemon, config, &error);
    if (status != HOB_OK) {
        config_free(config);
        say(daemon, LOG_ERROR, "the configuration stays as it was", error.message);
    } else {
        struct config *old = daemon->config;
        daemon->config = config;
        scheduler_reload(daemon->server.scheduler, config);
        if (daemon->server.remote) remote_reload(daemon->server.remote, config);
        server_log_reload(daemon->server.log, config);
        tell_what_stays(daemon, old);
        config_free(old);
        daemon->busy_ns = clock_now_ns();
        plan_idle_check(daemon);
        say(daemon, LOG_INFO, "the configuration was read again", NULL);
    }
    notifier_tell(&daemon->notifier, "READY=1");
}

/* ---- what wakes it ---- */

static void on_signal(void *context, uint32_t events)
{
    struct daemon *daemon = context;
    struct signalfd_siginfo signal;
    (void)events;
    while (read(daemon->signal_fd, &signal, sizeof signal) == sizeof signal) {
        if (signal.ssi_signo == SIGHUP && !daemon->is_stopping) reload(daemon);
        if (signal.ssi_signo != SIGHUP) begin_to_stop(daemon, signal.ssi_signo == SIGINT ? "SIGINT" : "SIGTERM");
    }
}

static void on_deliver(void *context)
{
    scheduler_deliver(((struct daemon *)context)->server.scheduler);
}

static void wake_to_deliver(void *context)
{
    loop_call_post(((struct daemon *)context)->deliver);
}

static void tell_state(struct daemon *daemon)
{
    struct problem problem;
    double progress = 0;
    enum model_state state = model_registry_health(daemon->server.registry, &problem, &progress);
    if (state == MODEL_FAILED) notifier_tell(&daemon->notifier, "STATUS=%s", problem.message);
    else notifier_tell(&daemon->notifier, "STATUS=%s", state == MODEL_READY ? "Ready" : "Loading models");
}

static void on_models_changed(void *context)
{
    struct daemon *daemon = context;
    scheduler_models_changed(daemon->server.scheduler);
    if (!daemon->is_stopping) tell_state(daemon);
}

/* From the loader's thread, which may be faster than this one is with the scheduler. */
static void note_models_changed(void *context)
{
    loop_call_post(((struct daemon *)context)->models_changed);
}

static void on_watchdog(void *context)
{
    struct daemon *daemon = context;
    notifier_tell(&daemon->notifier, "WATCHDOG=1");
    loop_timer_set(daemon->watchdog, daemon->notifier.watchdog_ms);
}

/* ---- remote backends ---- */

static bool hand_over(void *context, struct job *job, const struct problem *problem)
{
    struct server *server = context;
    const char *name = *job->model_name ? model_registry_find(server->registry, job->model_name)
                                        : model_registry_default(server->registry, job->use);
    return remote_take(server->remote, job, name ? name : job->model_name, problem);
}

static void announce_events(void *context, struct job *job)
{
    scheduler_announce(context, job);
}

/* Once; those that a later configuration adds come into use where the first had any. Without the network there are none. */
static hob_status make_remote(struct server *server, hob_error *error)
{
    if (!server->config->n_backends) return HOB_OK;
    if (server->is_network_off) {
        server_log(server->log, LOG_WARNING, "remote backends are not used: the network is off", NULL);
        return HOB_OK;
    }
    TRY(remote_new(server->config, server->log, server->metrics, announce_events, server->scheduler, &server->remote, error));
    scheduler_set_fallback(server->scheduler, hand_over, server);
    return HOB_OK;
}

static void refresh_metrics(struct server *server)
{
    struct daemon *daemon = (struct daemon *)server;
    gauges_refresh(server, (struct connection_counts){.n_http = http_server_n_connections(daemon->http),
                                                      .n_line = line_server_n_connections(daemon->line),
                                                      .n_idle = server->listener ? listener_n_idle(server->listener) : 0});
}

/* ---- life ---- */

/* Before any thread starts, so that all have it. */
static hob_status take_signals(struct daemon *daemon, hob_error *error)
{
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGINT);
    sigaddset(&wanted, SIGHUP);
    signal(SIGPIPE, SIG_IGN);
    pthread_sigmask(SIG_BLOCK, &wanted, NULL);
    daemon->signal_fd = signalfd(-1, &wanted, SFD_NONBLOCK | SFD_CLOEXEC);
    if (daemon->signal_fd < 0) FAIL(error, HOB_IO, "signals cannot be watched: %s", strerror(errno));
    return HOB_OK;
}

static hob_status make_loop(struct daemon *daemon, hob_error *error)
{
    struct loop *loop = NULL;
    TRY(loop_new(&loop, error));
    daemon->server.loop = loop;
    TRY(loop_watch(loop, daemon->signal_fd, EPOLLIN, on_signal, daemon, &daemon->signals, error));
    TRY(loop_call_new(loop, on_deliver, daemon, &daemon->deliver, error));
    TRY(loop_call_new(loop, on_models_changed, daemon, &daemon->models_changed, error));
    TRY(loop_call_new(loop, on_stop, daemon, &daemon->stop, error));
    TRY(loop_timer_new(loop, on_drain, daemon, &daemon->drain, error));
    TRY(loop_timer_new(loop, on_idle_check, daemon, &daemon->idle, error));
    return loop_timer_new(loop, on_watchdog, daemon, &daemon->watchdog, error);
}

static hob_status make_parts(struct daemon *daemon, hob_error *error)
{
    struct server *server = &daemon->server;
    size_t n_passed = listen_fds_count();
    listen_fds_forget();
    TRY(config_load(daemon->sources, &daemon->config, error));
    server->config = daemon->config;
    if (daemon->config->no_network) TRY(no_network_enforce(error)); /* before any thread and any socket */
    server->is_network_off = daemon->config->no_network;
    TRY(server_log_new(daemon->config, STDERR_FILENO, &server->log, error));
    TRY(metrics_new(&server->metrics, error));
    TRY(make_loop(daemon, error));
    TRY(model_registry_new(daemon->config, note_models_changed, daemon, &server->registry, error));
    TRY(scheduler_new(daemon->config, server->registry, server->metrics, wake_to_deliver, daemon, &server->scheduler, error));
    TRY(make_remote(server, error));
    TRY(http_server_new(server, &daemon->http, error));
    TRY(line_server_new(server, &daemon->line, error));
    return listener_new(server, daemon->http, daemon->line, n_passed, &server->listener, error);
}

static void free_parts(struct daemon *daemon)
{
    struct server *server = &daemon->server;
    listener_free(server->listener);
    line_server_free(daemon->line);
    http_server_free(daemon->http);
    remote_stop(server->remote); /* the scheduler's threads may still ask it … */
    scheduler_free(server->scheduler);
    remote_free(server->remote); /* … until here */
    model_registry_free(server->registry);
    loop_unwatch(daemon->signals);
    loop_timer_free(daemon->drain);
    loop_timer_free(daemon->idle);
    loop_timer_free(daemon->watchdog);
    loop_free(server->loop);
    metrics_free(server->metrics);
    server_log_free(server->log);
    config_free(daemon->config);
    notifier_close(&daemon->notifier);
    if (daemon->signal_fd >= 0) close(daemon->signal_fd);
}

static void announce(struct daemon *daemon)
{
    const char *address;
    for (size_t i = 0; (address = listener_address(daemon->server.listener, i)); i++)
        server_log(daemon->server.log, LOG_INFO, "listening", (struct log_field[]){LOG_TEXT("address", address), LOG_FIELDS_END});
    notifier_tell(&daemon->notifier, "READY=1");
    tell_state(daemon);
    if (daemon->notifier.watchdog_ms) on_watchdog(daemon);
    daemon->busy_ns = clock_now_ns();
    plan_idle_check(daemon);
}

hob_status daemon_run(const struct daemon_options *options, hob_error *error)
{
    struct daemon daemon = {.sources = options->sources, .signal_fd = -1};
    daemon.server.started_ns = clock_now_ns();
    daemon.server.started_s = (int64_t)time(NULL);
    daemon.server.ask_to_stop = ask_to_stop;
    daemon.server.refresh_metrics = refresh_metrics;
    notifier_open(&daemon.notifier);
    hob_status status = take_signals(&daemon, error);
    if (status == HOB_OK) status = make_parts(&daemon, error);
    if (status == HOB_OK) {
        announce(&daemon);
        status = loop_run(daemon.server.loop, error);
        say(&daemon, LOG_INFO, "stopped", NULL);
    }
    free_parts(&daemon);
    return status;
}
