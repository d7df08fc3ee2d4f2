/* A list of series for each metric, found by their labels as text: there are few, and those met last stand first. */
#include "server/metrics.h"

#include "base/error.h"
#include "base/memory.h"

#include <pthread.h>

enum { MOST_SERIES = 256, MOST_LABEL_BYTES = 512, MOST_BUCKETS = 20 };

enum kind { COUNTER, GAUGE, HISTOGRAM };

/* Upper bounds; a row of zeros ends them. */
enum buckets { NONE, SECONDS, COUNTS };
static const double bounds[][MOST_BUCKETS] = {
    [NONE] = {0},
    [SECONDS] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
                 60, 300},
    [COUNTS] = {1, 2, 4, 8, 16, 32, 64, 128, 256},
};

static const struct metric_row {
    const char *name, *labels, *help;
    enum kind kind;
    enum buckets buckets;
} rows[] = {
#define METRIC(field, name_, kind_, labels_, buckets_, help_) \
    [METRIC_##field] = {.name = name_, .labels = labels_, .help = help_, .kind = kind_, .buckets = buckets_},
#include "server/metrics.def"
#undef METRIC
};

static const char *const kind_names[] = {"counter", "gauge", "histogram"};

struct series {
    struct series *next;
    char *labels; /* model="a",code="200" */
    double value; /* of a histogram: the sum */
    uint64_t n_observed, counts[MOST_BUCKETS];
};

struct metrics {
    pthread_mutex_t mutex;
    struct series *series[N_METRICS];
    size_t n_series[N_METRICS];
};

/* ---- series ---- */

static struct series *add_series(struct metrics *metrics, enum metric metric, const char *labels)
{
    struct series *series = memory_new(1, sizeof *series);
    if (!series) return NULL;
    series->labels = memory_copy_string(labels);
    if (!series->labels) {
        memory_free(series);
        return NULL;
    }
    series->next = metrics->series[metric];
    metrics->series[metric] = series;
    metrics->n_series[metric]++;
    return series;
}

hob_status metrics_new(struct metrics **ret_metrics, hob_error *error)
{
    struct metrics *metrics = memory_new(1, sizeof *metrics);
    if (!metrics) FAIL(error, HOB_NO_MEMORY, "metrics: out of memory");
    pthread_mutex_init(&metrics->mutex, NULL);
    for (int i = 0; i < N_METRICS; i++) {
        if (*rows[i].labels || add_series(metrics, (enum metric)i, ""))
            continue; /* without labels it is there from the start, as 0 */
        metrics_free(metrics);
        FAIL(error, HOB_NO_MEMORY, "metrics: out of memory");
    }
    *ret_metrics = metrics;
    return HOB_OK;
}

static void free_series(struct metrics *metrics, enum metric metric)
{
    for (struct series *next, *series = metrics->series[metric]; series; series = next) {
        next = series->next;
        memory_free(series->labels);
        memory_free(series);
    }
    metrics->series[metric] = NULL;
    metrics->n_series[metric] = 0;
}

void metrics_free(struct metrics *metrics)
{
    if (!metrics) return;
    for (int i = 0; i < N_METRICS; i++) free_series(metrics, (enum metric)i);
    pthread_mutex_destroy(&metrics->mutex);
    memory_free(metrics);
}

/* Prometheus wants backslashes, quotation marks and line ends escaped. */
static void put_label(char *text, size_t *n_bytes, const char *name, const char *value)
{
    size_t n = *n_bytes;
    int n_name = snprintf(text + n, MOST_LABEL_BYTES - n, "%s%s=\"", n ? "," : "", name);
    n += n_name > 0 ? (size_t)n_name : 0;
    for (; *value && n < MOST_LABEL_BYTES - 8; value++) {
        if (*value == '\\' || *value == '"' || *value == '\n') text[n++] = '\\';
        text[n++] = *value == '\n' ? 'n' : *value;
    }
    text[n++] = '"';
    text[n] = 0;
    *n_bytes = n;
}

static void write_labels(const char *letters, struct labels labels, bool is_other, char text[2 * MOST_LABEL_BYTES])
{
    size_t n_bytes = 0;
    *text = 0;
    for (; *letters && n_bytes < MOST_LABEL_BYTES - 64; letters++) {
        const char *name = "kind", *value = labels.kind;
        switch (*letters) {
        case 'm':
            name = "model", value = labels.model;
            break;
        case 'e':
            name = "endpoint", value = labels.endpoint;
            break;
        case 'c':
            name = "code", value = labels.code;
            break;
        case 'v':
            name = "version";
            break;
        default:
            break;
        }
        put_label(text, &n_bytes, name, is_other ? "other" : value ? value : "");
    }
}

static struct series *look_up(struct metrics *metrics, enum metric metric, const char *labels)
{
    for (struct series **link = &metrics->series[metric], *series; (series = *link); link = &series->next) {
        if (strcmp(series->labels, labels)) continue;
        *link = series->next; /* to the front */
        series->next = metrics->series[metric];
        metrics->series[metric] = series;
        return series;
    }
    return NULL;
}

/* NULL: memory is out. */
static struct series *find(struct metrics *metrics, enum metric metric, struct labels labels)
{
    char text[2 * MOST_LABEL_BYTES];
    write_labels(rows[metric].labels, labels, false, text);
    struct series *series = look_up(metrics, metric, text);
    if (series || metrics->n_series[metric] < MOST_SERIES) return series ? series : add_series(metrics, metric, text);
    write_labels(rows[metric].labels, labels, true, text);
    series = look_up(metrics, metric, text);
    return series ? series : add_series(metrics, metric, text);
}

/* ---- numbers in ---- */

void metrics_add(struct metrics *metrics, enum metric metric, struct labels labels, double amount)
{
    if (!metrics) return;
    pthread_mutex_lock(&metrics->mutex);
    struct series *series = find(metrics, metric, labels);
    if (series) series->value += amount;
    pthread_mutex_unlock(&metrics->mutex);
}

void metrics_set(struct metrics *metrics, enum metric metric, struct labels labels, double value)
{
    if (!metrics) return;
    pthread_mutex_lock(&metrics->mutex);
    struct series *series = find(metrics, metric, labels);
    if (series) series->value = value;
    pthread_mutex_unlock(&metrics->mutex);
}

void metrics_forget(struct metrics *metrics, enum metric metric)
{
    if (!metrics) return;
    pthread_mutex_lock(&metrics->mutex);
    free_series(metrics, metric);
    pthread_mutex_unlock(&metrics->mutex);
}

void metrics_observe(struct metrics *metrics, enum metric metric, struct labels labels, double value)
{
    if (!metrics) return;
    pthread_mutex_lock(&metrics->mutex);
    struct series *series = find(metrics, metric, labels);
    const double *bound = bounds[rows[metric].buckets];
    if (series) {
        series->value += value;
        series->n_observed++;
        for (int i = 0; bound[i] > 0; i++) series->counts[i] += value <= bound[i];
    }
    pthread_mutex_unlock(&metrics->mutex);
}

/* ---- text out ---- */

/* Whole numbers as such, others as the shortest decimal that says the same. */
static void put_number(struct buffer *text, double number)
{
    char written[32];
    if (number == trunc(number) && fabs(number) < 0x1p53) {
        buffer_printf(text, "%.0f", number);
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(written, sizeof written, "%.*g", digits, number);
        if (strtod(written, NULL) == number) break;
    }
    buffer_append_string(text, written);
}

static void put_sample(struct buffer *text, const char *name, const char *suffix, const char *labels, const char *bound,
                       double value)
{
    bool has_labels = *labels || bound;
    buffer_printf(text, "%s%s%s%s", name, suffix, has_labels ? "{" : "", labels);
    if (bound) buffer_printf(text, "%sle=\"%s\"", *labels ? "," : "", bound);
    buffer_append_string(text, has_labels ? "} " : " ");
    put_number(text, value);
    buffer_append_byte(text, '\n');
}

static void put_histogram(struct buffer *text, const struct metric_row *row, const struct series *series)
{
    const double *bound = bounds[row->buckets];
    for (int i = 0; bound[i] > 0; i++) {
        char written[32];
        snprintf(written, sizeof written, "%g", bound[i]);
        put_sample(text, row->name, "_bucket", series->labels, written, (double)series->counts[i]);
    }
    put_sample(text, row->name, "_bucket", series->labels, "+Inf", (double)series->n_observed);
    put_sample(text, row->name, "_sum", series->labels, NULL, series->value);
    put_sample(text, row->name, "_count", series->labels, NULL, (double)series->n_observed);
}

/* OpenMetrics names a counter's family without "_total". */
static void put_metric(struct metrics *metrics, enum metric metric, bool is_openmetrics, struct buffer *text)
{
    const struct metric_row *row = &rows[metric];
    if (!metrics->series[metric]) return;
    size_t n_name = strlen(row->name);
    if (is_openmetrics && row->kind == COUNTER) n_name -= strlen("_total");
    buffer_printf(text, "# HELP %.*s %s\n# TYPE %.*s %s\n", (int)n_name, row->name, row->help, (int)n_name, row->name,
                  kind_names[row->kind]);
    for (const struct series *series = metrics->series[metric]; series; series = series->next) {
        if (row->kind == HISTOGRAM) put_histogram(text, row, series);
        else put_sample(text, row->name, "", series->labels, NULL, series->value);
    }
}

void metrics_write(struct metrics *metrics, bool is_openmetrics, struct buffer *ret_text)
{
    pthread_mutex_lock(&metrics->mutex);
    for (int i = 0; i < N_METRICS; i++) put_metric(metrics, (enum metric)i, is_openmetrics, ret_text);
    pthread_mutex_unlock(&metrics->mutex);
    if (is_openmetrics) buffer_append_string(ret_text, "# EOF\n");
}
