/* The parts of a running daemon, for those that need several of them: routes, line protocols, operations. Owned by daemon.c; read on the
 * loop's thread. config changes on reload: do not keep it. */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "config/config.h"
#include "server/loop.h"
#include "server/metrics.h"
#include "server/models/model_registry.h"
#include "server/scheduler/scheduler.h"
#include "server/server_log.h"

struct listener;
struct remote;

struct server {
    const struct config *config;
    struct loop *loop;
    struct metrics *metrics;
    struct model_registry *registry;
    struct scheduler *scheduler;
    struct server_log *log;
    struct listener *listener; /* NULL: it does not listen any more */
    struct remote *remote; /* NULL: no backend is configured, or the network is off */
    uint64_t started_ns;
    int64_t started_s;     /* unix time */
    bool is_network_off;   /* enforced by seccomp */
    void (*ask_to_stop)(struct server *server);
    void (*refresh_metrics)(struct server *server); /* gauges, before they are written */
};

#endif
