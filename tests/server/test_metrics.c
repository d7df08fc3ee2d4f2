/* Series, histograms and both text formats. promtool judges the whole page in serve's tests. */
#include "server/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct buffer page(struct metrics *metrics, bool is_openmetrics)
{
    struct buffer text = {0};
    metrics_write(metrics, is_openmetrics, &text);
    assert_false(text.is_failed);
    return text;
}

static void expect_line(struct metrics *metrics, bool is_openmetrics, const char *line)
{
    struct buffer text = page(metrics, is_openmetrics);
    const char *found = strstr(buffer_text(&text), line);
    if (!found || (found != buffer_text(&text) && found[-1] != '\n') || found[strlen(line)] != '\n')
        fail_msg("no line %s in\n%s", line, buffer_text(&text));
    buffer_release(&text);
}

static void numbers_come_back(void **state)
{
    (void)state;
    struct metrics *metrics;
    assert_int_equal(metrics_new(&metrics, NULL), HOB_OK);
    metrics_add(metrics, METRIC_requests, (struct labels){.endpoint = "/v1/models", .code = "200"}, 1);
    metrics_add(metrics, METRIC_requests, (struct labels){.endpoint = "/v1/models", .code = "200"}, 2);
    metrics_add(metrics, METRIC_requests, (struct labels){.endpoint = "/v1/models", .code = "404"}, 1);
    metrics_set(metrics, METRIC_model_loaded, (struct labels){.model = "a\"b\\c\nd"}, 1);
    metrics_set(metrics, METRIC_running, (struct labels){0}, 7);
    expect_line(metrics, false, "hob_requests_total{endpoint=\"/v1/models\",code=\"200\"} 3");
    expect_line(metrics, false, "hob_requests_total{endpoint=\"/v1/models\",code=\"404\"} 1");
    expect_line(metrics, false, "# TYPE hob_requests_total counter");
    expect_line(metrics, true, "# TYPE hob_requests counter");
    expect_line(metrics, true, "# EOF");
    expect_line(metrics, false, "hob_model_loaded{model=\"a\\\"b\\\\c\\nd\"} 1");
    expect_line(metrics, false, "hob_running_jobs 7");
    metrics_forget(metrics, METRIC_model_loaded);
    metrics_set(metrics, METRIC_model_loaded, (struct labels){.model = "e"}, 0);
    expect_line(metrics, false, "hob_model_loaded{model=\"e\"} 0");
    struct buffer text = page(metrics, false);
    assert_null(strstr(buffer_text(&text), "hob_model_loaded{model=\"a"));
    buffer_release(&text);
    expect_line(metrics, false, "hob_request_bytes_total 0"); /* without labels it is there from the start */
    metrics_free(metrics);
}

static void histograms_are_cumulative(void **state)
{
    (void)state;
    struct metrics *metrics;
    assert_int_equal(metrics_new(&metrics, NULL), HOB_OK);
    const double sizes[] = {1, 2, 3, 1000};
    for (int i = 0; i < 4; i++) metrics_observe(metrics, METRIC_batch_size, (struct labels){.model = "m"}, sizes[i]);
    expect_line(metrics, false, "hob_batch_size_bucket{model=\"m\",le=\"1\"} 1");
    expect_line(metrics, false, "hob_batch_size_bucket{model=\"m\",le=\"2\"} 2");
    expect_line(metrics, false, "hob_batch_size_bucket{model=\"m\",le=\"4\"} 3");
    expect_line(metrics, false, "hob_batch_size_bucket{model=\"m\",le=\"256\"} 3");
    expect_line(metrics, false, "hob_batch_size_bucket{model=\"m\",le=\"+Inf\"} 4");
    expect_line(metrics, false, "hob_batch_size_sum{model=\"m\"} 1006");
    expect_line(metrics, false, "hob_batch_size_count{model=\"m\"} 4");
    metrics_free(metrics);
}

/* Whoever makes up labels cannot fill memory. */
static void series_are_bounded(void **state)
{
    (void)state;
    struct metrics *metrics;
    assert_int_equal(metrics_new(&metrics, NULL), HOB_OK);
    for (int i = 0; i < 1000; i++) {
        char name[32];
        snprintf(name, sizeof name, "model %d", i);
        metrics_set(metrics, METRIC_model_loaded, (struct labels){.model = name}, 1);
    }
    struct buffer text = page(metrics, false);
    size_t n_lines = 0;
    for (const char *at = buffer_text(&text); (at = strstr(at, "\nhob_model_loaded{")); at++) n_lines++;
    assert_int_equal(n_lines, 257);
    buffer_release(&text);
    expect_line(metrics, false, "hob_model_loaded{model=\"other\"} 1");
    metrics_add(NULL, METRIC_requests, (struct labels){0}, 1); /* allowed */
    metrics_free(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_come_back),
        cmocka_unit_test(histograms_are_cumulative),
        cmocka_unit_test(series_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
