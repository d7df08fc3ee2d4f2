/* Repeated measurements of one thing: wall clock and processor time of each, and when there are enough of them.
 *
 * Processor time is the steadier one on a machine that others use too: it does not count a core that was taken away. Owns its
 * numbers. Not thread-safe.
 *
 *     struct samples samples;
 *     if (!samples_init(&samples, n_runs)) …                 out of memory
 *     while (!samples_are_enough(&samples)) {
 *         struct stopwatch watch = stopwatch_start();
 *         …
 *         samples_add(&samples, &watch);
 *     }
 *     printf("%f ms\n", samples_median_ms(&samples));
 *     samples_release(&samples);
 */
#ifndef CLI_SAMPLES_H
#define CLI_SAMPLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stopwatch {
    uint64_t start_ns, start_cpu_ns;
};

struct samples {
    double *wall_ms, *cpu_ms;
    double total_ms;
    size_t n, most;  /* most: the room there is */
    bool is_counted; /* the number of runs is the caller's wish: no fewer, no more */
};

struct stopwatch stopwatch_start(void);
double stopwatch_ms(const struct stopwatch *watch);

/* n_runs 0: as many as give a steady median within about a second. false: no memory. */
bool samples_init(struct samples *samples, size_t n_runs);
void samples_release(struct samples *samples); /* takes a zeroed one */
bool samples_are_enough(const struct samples *samples);
/* 0..1, for a progress line. */
double samples_progress(const struct samples *samples);
/* Without room left it changes nothing. */
void samples_add(struct samples *samples, const struct stopwatch *watch);

/* 0 of no samples. */
double samples_median_ms(const struct samples *samples);
double samples_median_cpu_ms(const struct samples *samples);
double samples_best_ms(const struct samples *samples);

/* Of this process, in units of 2^20 bytes; -1 where the system does not say. */
double memory_peak_mb(void);      /* most that was ever resident, mapped files included */
double memory_anonymous_mb(void); /* resident now and shared with nobody: mapped files do not count */

#endif
