/* Workers join a loop only while it is open, and the caller waits only for those that joined. So a worker that sleeps, or
 * whose core was taken away, costs the loop nothing: the ranges it would have taken go to the others. Ranges shrink with what is
 * left, so that the last ones, which somebody waits for, are short.
 *
 * Other programs may have the cores that this one was made for. Then a worker is woken on the caller's own core, where it could
 * only take turns with it: it steps back and says so. Or it loses its core in the middle of a range, which nobody can finish for
 * it: a wait that is longer than the loop itself is taken for this. After either the caller goes on alone for PATIENCE times as
 * long as it was held up, before it asks for help again. So a core that is kept busy costs a small share of one thread's speed.
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
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    MAX_THREADS = 256,
    SHARE_PARTS = 2,     /* a range is this part of a thread's share of what is left: few trips to the shared counter */
    SPIN_NS = 50 * 1000, /* longer than the serial work between two loops of a token, and than a futex wake */
    PAUSES_PER_LOOK = 64, /* about 1 to 3 us between two looks at the clock */
    PREEMPTED_NS = 20 * 1000,
    PATIENCE = 12,         /* held up for s, then 12 s alone: at most 1/13 of the time is lost */
    SWITCH_NS = 20 * 1000, /* two changes of threads on a core, with what they do to its caches */
    STEP_BACK_NS = 1000 * 1000,
    MOST_STEPS_BACK = 3,
};

/* Bits of the gate. */
enum { GATE_OPEN = 1, GATE_CALLER_SLEEPS = 2, GATE_ONE_INSIDE = 4 };

struct thread_pool {
    /* Each word that many threads write has a cache line of its own. */
    _Alignas(64) atomic_uint generation;
    _Alignas(64) atomic_uint gate;
    _Alignas(64) atomic_size_t next_item;
    _Alignas(64) atomic_uint n_asleep;
    atomic_bool is_stopping, is_crowded; /* is_crowded: a worker stepped back */
    atomic_int caller_core;

    /* The present loop. */
    _Alignas(64) thread_pool_body *body;
    void *context;
    size_t n_items, least_items;

    /* The caller's own. */
    size_t n_threads;       /* with the caller */
    atomic_bool is_running; /* a loop: atomic only so that a misuse is seen and no race */
    uint64_t alone_until_ns;
    uint64_t spin_ns;
    pthread_t workers[MAX_THREADS - 1];
    size_t n_workers; /* started so far */
};

/* most_ns 0: as long as it takes. */
static void futex_wait(atomic_uint *word, unsigned seen, long most_ns)
{
    struct timespec most = {.tv_nsec = most_ns};
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, most_ns ? &most : NULL, NULL, 0);
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

/* How many of the items left the next range takes: a multiple of least_items, or all. */
static size_t choose_range(const struct thread_pool *pool, size_t n_left)
{
    size_t n_least = n_left / pool->least_items / (pool->n_threads * SHARE_PARTS);
    size_t n = (n_least ? n_least : 1) * pool->least_items;
    return n < n_left ? n : n_left;
}

static void run_ranges(struct thread_pool *pool)
{
    size_t begin = atomic_load_explicit(&pool->next_item, memory_order_relaxed);
    while (begin < pool->n_items) {
        size_t end = begin + choose_range(pool, pool->n_items - begin);
        if (!atomic_compare_exchange_weak_explicit(&pool->next_item, &begin, end, memory_order_relaxed,
                                                   memory_order_relaxed))
            continue;
        pool->body(pool->context, begin, end);
        begin = atomic_load_explicit(&pool->next_item, memory_order_relaxed);
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

static bool is_beside_caller(const struct thread_pool *pool)
{
    return sched_getcpu() == atomic_load_explicit(&pool->caller_core, memory_order_relaxed);
}

/* In one total order with the caller's bump and its read of n_asleep: either it sees us, or the kernel sees the bump. */
static void sleep_while(struct thread_pool *pool, unsigned generation, long most_ns)
{
    atomic_fetch_add(&pool->n_asleep, 1);
    if (atomic_load(&pool->generation) == generation) futex_wait(&pool->generation, generation, most_ns);
    atomic_fetch_sub(&pool->n_asleep, 1);
}

/* On the caller's core a spinning worker would keep away the one it waits for. */
static unsigned await_generation(struct thread_pool *pool, unsigned seen)
{
    uint64_t spin_ns = is_beside_caller(pool) ? 0 : pool->spin_ns;
    if (!spin_while(&pool->generation, UINT_MAX, seen, spin_ns))
        while (atomic_load(&pool->generation) == seen) sleep_while(pool, seen, 0);
    return atomic_load_explicit(&pool->generation, memory_order_acquire);
}

/* The system wakes a thread on the core of the one that wakes it, even where another is idle, and leaves it there for longer than a short
 * run takes. Forbidding that core for a moment moves this thread now. */
static void leave_callers_core(const struct thread_pool *pool)
{
    cpu_set_t allowed, others;
    int core = atomic_load_explicit(&pool->caller_core, memory_order_relaxed);
    if (core < 0 || core >= CPU_SETSIZE || sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
    others = allowed;
    CPU_CLR((size_t)core, &others);
    if (CPU_COUNT(&others) == 0 || sched_setaffinity(0, sizeof others, &others) != 0) return;
    (void)!sched_setaffinity(0, sizeof allowed, &allowed);
}

/* Leaves the core to the caller. A loop that lasts is joined in the end: where the threads are is then the system's choice. */
static void step_back(struct thread_pool *pool, unsigned generation)
{
    if (is_beside_caller(pool)) leave_callers_core(pool);
    for (int i = 0; i < MOST_STEPS_BACK && is_beside_caller(pool); i++) {
        atomic_store_explicit(&pool->is_crowded, true, memory_order_relaxed);
        if (atomic_load(&pool->generation) != generation || !(atomic_load(&pool->gate) & GATE_OPEN)) return;
        sleep_while(pool, generation, STEP_BACK_NS);
    }
}

static void *worker_main(void *argument)
{
    struct thread_pool *pool = argument;
    unsigned generation = 0;
    for (;;) {
        generation = await_generation(pool, generation);
        if (atomic_load_explicit(&pool->is_stopping, memory_order_relaxed)) return NULL;
        step_back(pool, generation);
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

/* Waits until the workers that joined are done. */
static void await_workers(struct thread_pool *pool)
{
    const unsigned inside = ~(unsigned)(GATE_OPEN | GATE_CALLER_SLEEPS);
    unsigned seen = atomic_load_explicit(&pool->gate, memory_order_acquire) & inside;
    for (; seen; seen = atomic_load_explicit(&pool->gate, memory_order_acquire) & inside) {
        if (spin_while(&pool->gate, inside, seen, pool->spin_ns)) continue;
        unsigned gate = atomic_fetch_or_explicit(&pool->gate, GATE_CALLER_SLEEPS, memory_order_acquire);
        if (gate & inside) futex_wait(&pool->gate, gate | GATE_CALLER_SLEEPS, 0);
    }
}

/* How long the workers held the caller up. One that keeps its core is done about when the caller is: it takes no longer range
 * than the caller could have. */
static uint64_t close_gate(struct thread_pool *pool, uint64_t start_ns)
{
    unsigned before = atomic_fetch_and_explicit(&pool->gate, ~(unsigned)GATE_OPEN, memory_order_acquire);
    if (before == GATE_OPEN) return 0;
    uint64_t closed_ns = clock_now_ns();
    await_workers(pool);
    uint64_t waited_ns = clock_now_ns() - closed_ns;
    return waited_ns > closed_ns - start_ns + PREEMPTED_NS ? waited_ns : 0;
}

static void run_together(struct thread_pool *pool, uint64_t start_ns)
{
    atomic_store_explicit(&pool->caller_core, sched_getcpu(), memory_order_relaxed);
    atomic_store_explicit(&pool->next_item, 0, memory_order_relaxed);
    atomic_store_explicit(&pool->gate, GATE_OPEN, memory_order_release);
    call_workers(pool, (pool->n_items - 1) / pool->least_items);
    run_ranges(pool);
    uint64_t held_up_ns = close_gate(pool, start_ns);
    if (atomic_load_explicit(&pool->is_crowded, memory_order_relaxed)) {
        atomic_store_explicit(&pool->is_crowded, false, memory_order_relaxed);
        held_up_ns += SWITCH_NS;
    }
    if (held_up_ns) pool->alone_until_ns = clock_now_ns() + PATIENCE * held_up_ns;
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
    HOB_ASSERT(!atomic_exchange_explicit(&pool->is_running, true, memory_order_relaxed));
    uint64_t start_ns = clock_now_ns();
    if (start_ns < pool->alone_until_ns) {
        body(context, 0, n_items);
    } else {
        pool->body = body;
        pool->context = context;
        pool->n_items = n_items;
        pool->least_items = least_items;
        run_together(pool, start_ns);
    }
    atomic_store_explicit(&pool->is_running, false, memory_order_relaxed);
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
    *pool = (struct thread_pool){.n_threads = n_threads, .caller_core = -1};
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
