/* Metrics of now: looked at when somebody asks for them. The loop's thread only. */
#ifndef SERVER_GAUGES_H
#define SERVER_GAUGES_H

#include "server/server.h"

struct connection_counts {
    size_t n_http, n_line, n_idle;
};

void gauges_refresh(struct server *server, struct connection_counts connections);

#endif
