/* Workers join a loop only while it is open, and the caller waits only for those that joined. So a worker that sleeps, or
 * whose core was taken away, costs the loop nothing: the ranges it would have taken go to the others.
 *
 * Two words carry everything. `generation` counts loops: workers wait for it to change, first spinning, then on a futex.
 * `gate` says whether the present loop may be joined and how many workers are inside; the caller closes it once no range is
 * left and waits until nobody is inside. The loop's own fields are plain memory, written only while the gate is closed and
 * empty: opening it publishes them, joining it acquires them.
 */
#include "base/thread_pool.h"
#include "base/clock.h"
#include "base/cpu_count.h"
#include "base/error.h"
#include "base/memory.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    MAX_THREADS = 256,
    RANGES_PER_THREAD = 8, /* small enough a last range to wait for, few enough trips to the shared counter */
    SPIN_NS = 50 * 1000,   /* longer than the serial work between two loops of a token, and than a futex wake */
    PAUSES_PER_LOOK = 64,  /* about 1 to 3 us between two looks at the clock */
    PREEMPTED_NS = 20 * 1000,
};

/* Bits of the gate. */
enum { GATE_OPEN = 1, GATE_CALLER_SLEEPS = 2, GATE_ONE_INSIDE = 4 };

struct thread_pool {
    /* Each word that many threads write has a cache line of its own. */
    _Alignas(64) atomic_uint generation;
    _Alignas(64) atomic_uint gate;
    _Alignas(64) atomic_size_t next_range;
    _Alignas(64) atomic_uint n_asleep;
    atomic_bool is_stopping;

    /* The present loop. */
    _Alignas(64) thread_pool_body *body;
    void *context;
    size_t n_items, range_items, n_ranges;

    size_t n_threads; /* with the caller */
    uint64_t spin_ns;
    pthread_t workers[MAX_THREADS - 1];
    size_t n_workers; /* started so far */
};

static void futex_wait(atomic_uint *word, unsigned seen)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

static void futex_wake(atomic_uint *word, size_t n_threads)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, n_threads > INT_MAX ? INT_MAX : (int)n_threads, NULL, NULL, 0);
}

static void cpu_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Whether (word & mask) became different from `seen` within spin_ns. Gives up at once when the clock jumps: then this thread
 * had lost its core, so others want it more. */
static bool spin_while(const atomic_uint *word, unsigned mask, unsigned seen, uint64_t spin_ns)
{
    if ((atomic_load_explicit(word, memory_order_acquire) & mask) != seen) return true;
    if (!spin_ns) return false;
    uint64_t start_ns = clock_now_ns(), last_ns = start_ns;
    for (;;) {
        for (int i = 0; i < PAUSES_PER_LOOK; i++) {
            if ((atomic_load_explicit(word, memory_order_acquire) & mask) != seen) return true;
            cpu_pause();
        }
        uint64_t now_ns = clock_now_ns();
        if (now_ns - start_ns > spin_ns || now_ns - last_ns > PREEMPTED_NS) return false;
        last_ns = now_ns;
    }
}

static void run_ranges(struct thread_pool *pool)
{
    for (;;) {
        size_t range = atomic_fetch_add_explicit(&pool->next_range, 1, memory_order_relaxed);
        if (range >= pool->n_ranges) return;
        size_t begin = range * pool->range_items, left = pool->n_items - begin;
        pool->body(pool->context, begin, begin + (left < pool->range_items ? left : pool->range_items));
    }
}

/* Worker side. */

static bool gate_enter(atomic_uint *gate)
{
    unsigned seen = atomic_load_explicit(gate, memory_order_relaxed);
    while (seen & GATE_OPEN)
        if (atomic_compare_exchange_weak_explicit(gate, &seen, seen + GATE_ONE_INSIDE, memory_order_acquire,
                                                  memory_order_relaxed))
            return true;
    return false;
}

static void gate_leave(atomic_uint *gate)
{
    unsigned before = atomic_fetch_sub_explicit(gate, GATE_ONE_INSIDE, memory_order_release);
    if (before == GATE_ONE_INSIDE + GATE_CALLER_SLEEPS) futex_wake(gate, 1);
}

static unsigned await_generation(struct thread_pool *pool, unsigned seen)
{
    if (!spin_while(&pool->generation, UINT_MAX, seen, pool->spin_ns)) {
        /* In one total order with the caller's bump and its read of n_asleep: either it sees us, or the kernel sees the bump. */
        atomic_fetch_add(&pool->n_asleep, 1);
        while (atomic_load(&pool->generation) == seen) futex_wait(&pool->generation, seen);
        atomic_fetch_sub(&pool->n_asleep, 1);
    }
    return atomic_load_explicit(&pool->generation, memory_order_acquire);
}

static void *worker_main(void *argument)
{
    struct thread_pool *pool = argument;
    unsigned generation = 0;
    for (;;) {
        generation = await_generation(pool, generation);
        if (atomic_load_explicit(&pool->is_stopping, memory_order_relaxed)) return NULL;
        if (!gate_enter(&pool->gate)) continue;
        run_ranges(pool);
        gate_leave(&pool->gate);
    }
}

/* Caller side. */

static void call_workers(struct thread_pool *pool, size_t n_wanted)
{
    atomic_fetch_add(&pool->generation, 1);
    size_t n_asleep = atomic_load(&pool->n_asleep);
    if (n_asleep) futex_wake(&pool->generation, n_wanted < n_asleep ? n_wanted : n_asleep);
}

static void close_gate(struct thread_pool *pool)
{
    const unsigned inside = ~(unsigned)(GATE_OPEN | GATE_CALLER_SLEEPS);
    unsigned seen = atomic_fetch_and_explicit(&pool->gate, ~(unsigned)GATE_OPEN, memory_order_acquire);
    for (seen &= inside; seen; seen = atomic_load_explicit(&pool->gate, memory_order_acquire) & inside) {
        if (spin_while(&pool->gate, inside, seen, pool->spin_ns)) continue;
        unsigned gate = atomic_fetch_or_explicit(&pool->gate, GATE_CALLER_SLEEPS, memory_order_acquire);
        if (gate & inside) futex_wait(&pool->gate, gate | GATE_CALLER_SLEEPS);
    }
}

/* The longest range that is a multiple of least_items and still gives every thread its share of ranges. */
static size_t choose_range_items(size_t n_items, size_t least_items, size_t n_threads)
{
    size_t n_least = n_items / least_items, n_shares = n_threads * RANGES_PER_THREAD;
    return (n_least > n_shares ? n_least / n_shares : 1) * least_items;
}

void thread_pool_run(struct thread_pool *pool, size_t n_items, size_t least_items, thread_pool_body *body,
                     void *context)
{
    if (n_items == 0) return;
    if (least_items == 0) least_items = 1;
    if (!pool || pool->n_threads == 1 || n_items <= least_items) {
        body(context, 0, n_items);
        return;
    }
    HOB_ASSERT(atomic_load_explicit(&pool->gate, memory_order_relaxed) < GATE_ONE_INSIDE);
    pool->body = body;
    pool->context = context;
    pool->n_items = n_items;
    pool->range_items = choose_range_items(n_items, least_items, pool->n_threads);
    pool->n_ranges = n_items / pool->range_items + (n_items % pool->range_items != 0);
    atomic_store_explicit(&pool->next_range, 0, memory_order_relaxed);
    atomic_store_explicit(&pool->gate, GATE_OPEN, memory_order_release);
    call_workers(pool, pool->n_ranges - 1);
    run_ranges(pool);
    close_gate(pool);
}

/* Life. */

/* Signals belong to the program's own threads: an interrupt must not land in the middle of a kernel. */
static int start_worker(struct thread_pool *pool)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&pool->workers[pool->n_workers], NULL, worker_main, pool);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code == 0) pthread_setname_np(pool->workers[pool->n_workers++], "hob-worker");
    return code;
}

hob_status thread_pool_new(size_t n_threads, struct thread_pool **ret_pool, hob_error *error)
{
    if (n_threads > MAX_THREADS)
        FAIL(error, HOB_BAD_ARGUMENT, "threads: found %zu, expected 0 to %d", n_threads, MAX_THREADS);
    size_t n_cpus = cpu_count();
    if (n_threads == 0) n_threads = n_cpus < MAX_THREADS ? n_cpus : MAX_THREADS;
    struct thread_pool *pool = memory_aligned(sizeof *pool);
    if (!pool) FAIL(error, HOB_NO_MEMORY, "thread pool: no memory for %zu bytes", sizeof *pool);
    *pool = (struct thread_pool){.n_threads = n_threads};
    /* With more threads than processors a spinning thread keeps a working one off its core. */
    pool->spin_ns = n_threads <= n_cpus ? SPIN_NS : 0;
    while (pool->n_workers < n_threads - 1) {
        int code = start_worker(pool);
        if (code == 0) continue;
        size_t n_started = pool->n_workers;
        thread_pool_free(pool);
        FAIL(error, HOB_NO_MEMORY, "thread pool: started %zu of %zu threads: %s", n_started + 1, n_threads,
             strerror(code));
    }
    *ret_pool = pool;
    return HOB_OK;
}

void thread_pool_free(struct thread_pool *pool)
{
    if (!pool) return;
    atomic_store_explicit(&pool->is_stopping, true, memory_order_relaxed);
    call_workers(pool, pool->n_workers);
    for (size_t i = 0; i < pool->n_workers; i++) pthread_join(pool->workers[i], NULL);
    memory_free(pool);
}

size_t thread_pool_n_threads(const struct thread_pool *pool)
{
    return pool ? pool->n_threads : 1;
}
