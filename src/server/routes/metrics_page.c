/* GET /metrics: for Prometheus, in its text format or as OpenMetrics. */
#include "server/routes/route.h"

#include <string.h>

static bool handle(struct exchange *exchange, struct problem *ret_problem)
{
    struct server *server = exchange_server(exchange);
    const char *accept = exchange_header(exchange, "Accept");
    bool is_openmetrics = accept && strstr(accept, "application/openmetrics-text");
    struct buffer text = {0};
    if (server->refresh_metrics) server->refresh_metrics(server);
    metrics_write(server->metrics, is_openmetrics, &text);
    bool is_whole = !text.is_failed;
    if (is_whole)
        exchange_reply_text(exchange, 200,
                            is_openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                           : "text/plain; version=0.0.4; charset=utf-8",
                            buffer_text(&text), text.n_bytes);
    buffer_release(&text);
    return is_whole || problem_set(ret_problem, PROBLEM_NO_MEMORY, "no memory for the metrics");
}

const struct route_def route_metrics_page = {
    .method = "GET",
    .path = "/metrics",
    .api = &api_hob,
    .summary = "Counters, gauges and histograms for Prometheus",
    .reply = "Prometheus' text format 0.0.4, or OpenMetrics 1.0 where that is accepted",
    .handle = handle,
};
