/* Counters, gauges and histograms, and how Prometheus reads them. Rows of metrics.def; series appear as their labels are met, a bounded
 * number for each metric, all later ones as label "other". Thread-safe; a call takes a lock for well under a microsecond.
 *
 *     metrics_add(metrics, METRIC_requests, (struct labels){.endpoint = "/v1/completions", .code = "200"}, 1);
 *     metrics_observe(metrics, METRIC_time_to_first_token, (struct labels){.model = name}, seconds);
 *     metrics_write(metrics, is_openmetrics, &text);
 */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include "base/buffer.h"
#include "hob/status.h"

#include <stdint.h>

enum metric {
#define METRIC(field, name, kind, labels, buckets, help) METRIC_##field,
#include "server/metrics.def"
#undef METRIC
    N_METRICS
};

/* Those that a metric's row names are read; NULL is "". Copied. */
struct labels {
    const char *model, *endpoint, *code, *kind;
};

struct metrics;

HOB_MUST_CHECK hob_status metrics_new(struct metrics **ret_metrics, hob_error *error);
void metrics_free(struct metrics *metrics); /* takes NULL */
/* Counters; NULL metrics are allowed in these, for tests. */
void metrics_add(struct metrics *metrics, enum metric metric, struct labels labels, double amount);
void metrics_set(struct metrics *metrics, enum metric metric, struct labels labels, double value); /* gauges, and counters counted elsewhere */
void metrics_observe(struct metrics *metrics, enum metric metric, struct labels labels, double value); /* histograms */
void metrics_forget(struct metrics *metrics, enum metric metric); /* all series of a gauge with labels, before those of now are set */
/* Prometheus' text format 0.0.4, or OpenMetrics 1.0. */
void metrics_write(struct metrics *metrics, bool is_openmetrics, struct buffer *ret_text);

#endif
