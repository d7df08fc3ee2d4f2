/* Time for measuring, never for results. Thread-safe.
 *
 *     uint64_t start_ns = clock_now_ns();
 *     …
 *     log_write(LOG_INFO, "loaded in %.1f ms", (double)(clock_now_ns() - start_ns) * 1e-6);
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_read_ns(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now); /* cannot fail: the ids below exist on every Linux and the address is ours */
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Nanoseconds since some fixed moment; never goes back. */
static inline uint64_t clock_now_ns(void)
{
    return clock_read_ns(CLOCK_MONOTONIC);
}

/* Processor time of all threads of the process: unlike clock_now_ns, it does not count a core that was taken away. */
static inline uint64_t clock_cpu_ns(void)
{
    return clock_read_ns(CLOCK_PROCESS_CPUTIME_ID);
}

#endif
