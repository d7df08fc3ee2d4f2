/* Bandwidth is measured as a model uses it: every core reads its part of a block that no cache holds, again and again, and the best pass
 * counts, because another program can only take away. */
#include "cli/machine.h"

#include "base/available_memory.h"
#include "base/clock.h"
#include "base/cpu_count.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/thread_pool.h"

#include <stdatomic.h>

enum { MOST_BLOCK_BYTES = 256 << 20, LEAST_BLOCK_BYTES = 16 << 20, PART_BYTES = 1 << 20, MOST_PASSES = 32 };
static const uint64_t measure_ns = 700000000;

struct block {
    const uint64_t *words;
    _Atomic uint64_t sum; /* so that nobody can leave out the reading */
};

enum { PART_WORDS = PART_BYTES / sizeof(uint64_t) };

static void fill(void *context, size_t begin, size_t end)
{
    uint64_t *words = context;
    for (size_t i = begin * PART_WORDS; i < end * PART_WORDS; i++) words[i] = i;
}

static void read_parts(void *context, size_t begin, size_t end)
{
    struct block *block = context;
    uint64_t sums[4] = {0};
    for (size_t i = begin * PART_WORDS; i < end * PART_WORDS; i += 4)
        for (size_t k = 0; k < 4; k++) sums[k] += block->words[i + k];
    atomic_fetch_add(&block->sum, sums[0] + sums[1] + sums[2] + sums[3]);
}

static double best_rate(struct thread_pool *pool, struct block *block, size_t n_parts)
{
    uint64_t begin_ns = clock_now_ns(), best_ns = UINT64_MAX;
    for (int pass = 0; pass < MOST_PASSES && (pass < 2 || clock_now_ns() - begin_ns < measure_ns); pass++) {
        uint64_t pass_ns = clock_now_ns();
        thread_pool_run(pool, n_parts, 1, read_parts, block);
        pass_ns = clock_now_ns() - pass_ns;
        if (pass_ns && pass_ns < best_ns) best_ns = pass_ns;
    }
    return (double)n_parts * PART_BYTES / ((double)best_ns * 1e-9);
}

/* A quarter of what is left at most: the machine is somebody's. */
static size_t block_bytes(uint64_t memory_bytes)
{
    uint64_t n_bytes = memory_bytes / 4 < MOST_BLOCK_BYTES ? memory_bytes / 4 : MOST_BLOCK_BYTES;
    return n_bytes < LEAST_BLOCK_BYTES ? LEAST_BLOCK_BYTES : (size_t)n_bytes;
}

hob_status machine_measure(struct machine *ret_machine, hob_error *error)
{
    struct machine machine = {.n_cores = cpu_count(), .memory_bytes = available_memory("")};
    size_t n_parts = block_bytes(machine.memory_bytes) / PART_BYTES;
    struct thread_pool *pool;
    TRY(thread_pool_new(0, &pool, error));
    uint64_t *words = memory_large(n_parts * PART_BYTES);
    if (words) {
        struct block block = {.words = words};
        thread_pool_run(pool, n_parts, 1, fill, words);
        machine.read_bytes_per_second = best_rate(pool, &block, n_parts);
        *ret_machine = machine;
    }
    memory_free(words);
    thread_pool_free(pool);
    if (!words) FAIL(error, HOB_NO_MEMORY, "no memory to measure memory with: %zu bytes", n_parts * PART_BYTES);
    return HOB_OK;
}
