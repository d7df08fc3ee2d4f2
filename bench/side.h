/* What the C sides of a comparison share. A side is one long-lived process that holds one model and answers one line for each
 * line it is asked, so that two sides can take turns within seconds:
 *
 *     prefill N          reads a prompt of N tokens into an empty context      {"ms":…,"cpu_ms":…}
 *     decode N DEPTH     N tokens, greedily, behind DEPTH tokens of context    {"ms":…,"cpu_ms":…}
 *     greedy N DEPTH     the same, unmeasured                                  {"ids":[…]}
 *     logits N FILE      those of the last of N positions, as raw f32          {"n":…}
 *     embed N,N,…        texts of these lengths, as one batch                  {"ms":…,"cpu_ms":…}
 *     pooled N,N,…       each text's mean, first and last hidden state         {"vectors":[[…],[…],[…],…]}
 *     memory                                                                   {"anon_mb":…,"rss_mb":…,"peak_mb":…}
 *
 * Before the first question it says {"load_ms":…}, or it exits with a message. A failure is {"error":"…"}. Token ids are made up:
 * i * 7919 modulo 40,000, for texts 1000 + i * 7919 modulo 20,000, and modulo a smaller vocabulary. Restoring a context is never part
 * of a measurement. */
#ifndef BENCH_SIDE_H
#define BENCH_SIDE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_IDS = 4096, MAX_TEXTS = 64 };

struct watch {
    double wall_ms, cpu_ms;
};

static inline double clock_ms(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

static inline struct watch watch_start(void)
{
    return (struct watch){clock_ms(CLOCK_MONOTONIC), clock_ms(CLOCK_PROCESS_CPUTIME_ID)};
}

/* The time since watch was started, printed as the answer. */
static inline void answer_time(const struct watch *watch)
{
    double cpu_ms = clock_ms(CLOCK_PROCESS_CPUTIME_ID) - watch->cpu_ms,
           wall_ms = clock_ms(CLOCK_MONOTONIC) - watch->wall_ms;
    printf("{\"ms\":%.6f,\"cpu_ms\":%.6f}\n", wall_ms, cpu_ms);
}

static inline double status_mb(const char *key)
{
    char line[256];
    double mb = -1;
    FILE *file = fopen("/proc/self/status", "re");
    size_t n = strlen(key);
    while (file && mb < 0 && fgets(line, sizeof line, file))
        if (!strncmp(line, key, n) && line[n] == ':') mb = strtod(line + n + 1, NULL) / 1024;
    if (file) fclose(file);
    return mb;
}

static inline void answer_memory(void)
{
    printf("{\"anon_mb\":%.2f,\"rss_mb\":%.2f,\"peak_mb\":%.2f}\n", status_mb("RssAnon"), status_mb("VmRSS"),
           status_mb("VmHWM"));
}

static inline void answer_ids(const int32_t *ids, size_t n)
{
    printf("{\"ids\":[");
    for (size_t i = 0; i < n; i++) printf("%s%d", i ? "," : "", ids[i]);
    printf("]}\n");
}

static inline int write_floats(const char *path, const float *values, size_t n)
{
    FILE *file = fopen(path, "wbe");
    int is_written = file && fwrite(values, sizeof *values, n, file) == n;
    if (file && fclose(file) != 0) is_written = 0;
    if (is_written) printf("{\"n\":%zu}\n", n);
    return is_written;
}

static inline int32_t arg_max(const float *values, size_t n)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        if (values[i] > values[best]) best = i;
    return (int32_t)best;
}

static inline void make_prompt(int32_t ids[MAX_IDS], size_t n_vocab)
{
    for (size_t i = 0; i < MAX_IDS; i++) ids[i] = (int32_t)(i * 7919 % 40000 % n_vocab);
}

/* "16,32": how many there were. */
static inline size_t read_lengths(const char *text, size_t lengths[MAX_TEXTS])
{
    size_t n = 0;
    while (n < MAX_TEXTS) {
        char *end;
        unsigned long length = strtoul(text, &end, 10);
        if (end == text || length == 0 || length > MAX_IDS) return 0;
        lengths[n++] = length;
        if (*end != ',') break;
        text = end + 1;
    }
    return n;
}

#endif
