#include "cli/samples.h"

#include "base/clock.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A median of fewer than LEAST_RUNS is a matter of luck; a quick thing needs ENOUGH_MS to see slow moments pass. */
enum { LEAST_RUNS = 5, MOST_RUNS = 400, ENOUGH_MS = 1000 };

struct stopwatch stopwatch_start(void)
{
    return (struct stopwatch){.start_ns = clock_now_ns(), .start_cpu_ns = clock_cpu_ns()};
}

double stopwatch_ms(const struct stopwatch *watch)
{
    return (double)(clock_now_ns() - watch->start_ns) * 1e-6;
}

bool samples_init(struct samples *samples, size_t n_runs)
{
    *samples = (struct samples){.most = n_runs ? n_runs : MOST_RUNS, .is_counted = n_runs > 0};
    samples->wall_ms = memory_new(samples->most, sizeof *samples->wall_ms);
    samples->cpu_ms = memory_new(samples->most, sizeof *samples->cpu_ms);
    if (samples->wall_ms && samples->cpu_ms) return true;
    samples_release(samples);
    return false;
}

void samples_release(struct samples *samples)
{
    memory_free(samples->wall_ms);
    memory_free(samples->cpu_ms);
    *samples = (struct samples){0};
}

bool samples_are_enough(const struct samples *samples)
{
    if (samples->n == samples->most) return true;
    return !samples->is_counted && samples->n >= LEAST_RUNS && samples->total_ms >= ENOUGH_MS;
}

double samples_progress(const struct samples *samples)
{
    if (samples->is_counted) return (double)samples->n / (double)samples->most;
    double runs = (double)samples->n / LEAST_RUNS, time = samples->total_ms / ENOUGH_MS;
    double least = runs < time ? runs : time;
    return least < 1 ? least : 1;
}

void samples_add(struct samples *samples, const struct stopwatch *watch)
{
    if (samples->n == samples->most) return;
    double wall_ms = stopwatch_ms(watch);
    samples->cpu_ms[samples->n] = (double)(clock_cpu_ns() - watch->start_cpu_ns) * 1e-6;
    samples->wall_ms[samples->n++] = wall_ms;
    samples->total_ms += wall_ms;
}

static int compare_numbers(const void *left, const void *right)
{
    const double *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

/* Sorts the numbers: nothing here depends on their order. */
static double median(double *numbers, size_t n)
{
    if (n == 0) return 0;
    qsort(numbers, n, sizeof *numbers, compare_numbers);
    return n % 2 ? numbers[n / 2] : (numbers[n / 2 - 1] + numbers[n / 2]) / 2;
}

double samples_median_ms(const struct samples *samples)
{
    return median(samples->wall_ms, samples->n);
}

double samples_median_cpu_ms(const struct samples *samples)
{
    return median(samples->cpu_ms, samples->n);
}

double samples_best_ms(const struct samples *samples)
{
    double best_ms = samples->n ? samples->wall_ms[0] : 0;
    for (size_t i = 1; i < samples->n; i++)
        if (samples->wall_ms[i] < best_ms) best_ms = samples->wall_ms[i];
    return best_ms;
}

/* A line is "VmHWM:   123456 kB". */
static double read_status_mb(const char *key)
{
    FILE *file = fopen("/proc/self/status", "re");
    if (!file) return -1;
    char line[256];
    size_t n = strlen(key);
    double mb = -1;
    while (mb < 0 && fgets(line, sizeof line, file))
        if (strncmp(line, key, n) == 0 && line[n] == ':') mb = strtod(line + n + 1, NULL) / 1024;
    fclose(file);
    return mb;
}

double memory_peak_mb(void)
{
    return read_status_mb("VmHWM");
}

double memory_anonymous_mb(void)
{
    return read_status_mb("RssAnon");
}
