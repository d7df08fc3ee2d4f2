#include "unit.h"

#include "base/cpu_count.h"
#include "base/memory.h"
#include "base/size.h"
#include "base/thread_pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_ITEMS = 10007 };

/* Counts how often each item was covered, and checks what a range promises. */
struct cover {
    atomic_uchar times[MAX_ITEMS];
    size_t n_items, least_items;
    atomic_size_t n_ranges, n_wrong;
};

static void cover_range(void *context, size_t begin, size_t end)
{
    struct cover *cover = context;
    bool is_last = end == cover->n_items;
    if (begin >= end || begin % cover->least_items || (!is_last && end - begin < cover->least_items))
        atomic_fetch_add(&cover->n_wrong, 1);
    for (size_t i = begin; i < end; i++) atomic_fetch_add_explicit(&cover->times[i], 1, memory_order_relaxed);
    atomic_fetch_add(&cover->n_ranges, 1);
}

static void check_cover(struct thread_pool *pool, size_t n_items, size_t least_items)
{
    static struct cover cover;
    memset(&cover, 0, sizeof cover);
    cover.n_items = n_items;
    cover.least_items = least_items;
    thread_pool_run(pool, n_items, least_items, cover_range, &cover);
    assert_int_equal(atomic_load(&cover.n_wrong), 0);
    for (size_t i = 0; i < MAX_ITEMS; i++) assert_int_equal(atomic_load(&cover.times[i]), i < n_items);
}

static void check_many_sizes(struct thread_pool *pool)
{
    static const size_t sizes[] = {0, 1, 2, 3, 15, 16, 17, 100, 1000, 4096, MAX_ITEMS};
    static const size_t leasts[] = {1, 2, 7, 16, 1000, 2 * MAX_ITEMS};
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++)
        for (size_t j = 0; j < ARRAY_LENGTH(leasts); j++) check_cover(pool, sizes[i], leasts[j]);
}

static struct thread_pool *new_pool(size_t n_threads)
{
    struct thread_pool *pool = NULL;
    hob_error error;
    assert_int_equal(thread_pool_new(n_threads, &pool, &error), HOB_OK);
    assert_non_null(pool);
    return pool;
}

static void test_covers_every_item_once(void **state)
{
    (void)state;
    static const size_t n_threads[] = {1, 2, 3, 8};
    for (size_t i = 0; i < ARRAY_LENGTH(n_threads); i++) {
        struct thread_pool *pool = new_pool(n_threads[i]);
        assert_int_equal(thread_pool_n_threads(pool), n_threads[i]);
        check_many_sizes(pool);
        thread_pool_free(pool);
    }
}

static void test_without_a_pool_runs_inline(void **state)
{
    (void)state;
    assert_int_equal(thread_pool_n_threads(NULL), 1);
    check_cover(NULL, 1000, 1);
    thread_pool_free(NULL);
}

static void test_least_of_zero_means_one(void **state)
{
    (void)state;
    struct thread_pool *pool = new_pool(2);
    struct cover *cover = memory_new(1, sizeof *cover);
    assert_non_null(cover);
    cover->n_items = 100;
    cover->least_items = 1;
    thread_pool_run(pool, 100, 0, cover_range, cover);
    for (size_t i = 0; i < 100; i++) assert_int_equal(atomic_load(&cover->times[i]), 1);
    memory_free(cover);
    thread_pool_free(pool);
}

static void test_zero_threads_means_what_the_process_may_use(void **state)
{
    (void)state;
    struct thread_pool *pool = new_pool(0);
    assert_int_equal(thread_pool_n_threads(pool), cpu_count());
    thread_pool_free(pool);
}

static void test_refuses_too_many_threads(void **state)
{
    (void)state;
    struct thread_pool *untouched = (struct thread_pool *)&untouched, *pool = untouched;
    hob_error error;
    assert_int_equal(thread_pool_new(257, &pool, &error), HOB_BAD_ARGUMENT);
    assert_ptr_equal(pool, untouched);
    assert_non_null(strstr(error.message, "257"));
    assert_int_equal(thread_pool_new(SIZE_MAX, &pool, NULL), HOB_BAD_ARGUMENT);
}

static void add_sum(void *context, size_t begin, size_t end)
{
    atomic_fetch_add((atomic_size_t *)context, end - begin);
}

/* Plain memory written by the bodies must be visible to the caller afterwards, and the caller's writes to the bodies: the
 * thread sanitizer proves it here. */
struct increment {
    unsigned values[64];
    unsigned step;
};

static void increment_range(void *context, size_t begin, size_t end)
{
    struct increment *job = context;
    for (size_t i = begin; i < end; i++) job->values[i] += job->step;
}

static void test_many_short_loops(void **state)
{
    (void)state;
    struct thread_pool *pool = new_pool(4);
    struct increment job = {.step = 0};
    unsigned expected = 0;
    for (unsigned round = 0; round < 20000; round++) {
        job.step = round % 5;
        expected += job.step;
        thread_pool_run(pool, 64, 1, increment_range, &job);
    }
    for (size_t i = 0; i < 64; i++) assert_int_equal(job.values[i], expected);
    thread_pool_free(pool);
}

static void test_wakes_sleeping_workers(void **state)
{
    (void)state;
    struct thread_pool *pool = new_pool(2);
    atomic_size_t n_items = 0;
    for (int round = 0; round < 20; round++) {
        usleep(2000); /* much longer than the spin: the worker sleeps */
        thread_pool_run(pool, 1000, 1, add_sum, &n_items);
    }
    assert_int_equal(atomic_load(&n_items), 20 * 1000);
    thread_pool_free(pool);
}

/* Far more threads than processors, two pools at once. */
static void *run_busy_pool(void *context)
{
    struct thread_pool *pool = new_pool(32);
    for (int round = 0; round < 300; round++) thread_pool_run(pool, 500, 1, add_sum, context);
    thread_pool_free(pool);
    return NULL;
}

static void test_is_right_when_oversubscribed(void **state)
{
    (void)state;
    atomic_size_t n_first = 0, n_second = 0;
    pthread_t second;
    assert_int_equal(pthread_create(&second, NULL, run_busy_pool, &n_second), 0);
    run_busy_pool(&n_first);
    pthread_join(second, NULL);
    assert_int_equal(atomic_load(&n_first), 300 * 500);
    assert_int_equal(atomic_load(&n_second), 300 * 500);
}

static void test_is_right_on_one_processor(void **state)
{
    (void)state;
    cpu_set_t before, one;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(cpu_count(), 1);
    atomic_size_t n_items = 0;
    run_busy_pool(&n_items);
    sched_setaffinity(0, sizeof before, &before);
    assert_int_equal(atomic_load(&n_items), 300 * 500);
}

static void test_runs_allocate_nothing(void **state)
{
    (void)state;
    struct thread_pool *pool = new_pool(2);
    atomic_size_t n_items = 0;
    uint64_t before = memory_n_allocations();
    for (int round = 0; round < 100; round++) thread_pool_run(pool, 100, 1, add_sum, &n_items);
    assert_int_equal(memory_n_allocations(), before);
    thread_pool_free(pool);
}

/* A body that waits for a second thread to take part proves that workers really join. */
static void meet(void *context, size_t begin, size_t end)
{
    atomic_size_t *n_present = context;
    (void)begin;
    (void)end;
    atomic_fetch_add(n_present, 1);
    for (int i = 0; i < 20000 && atomic_load(n_present) < 2; i++) usleep(500);
}

static void test_workers_take_part(void **state)
{
    (void)state;
    struct thread_pool *pool = new_pool(2);
    atomic_size_t n_present = 0;
    thread_pool_run(pool, 2, 1, meet, &n_present);
    assert_int_equal(atomic_load(&n_present), 2);
    thread_pool_free(pool);
}

/* How many threads came by, and how many of the workers among them would take an interrupt. */
struct watch {
    atomic_size_t n_present, n_interruptible;
    pthread_t caller;
};

static void watch_signals(void *context, size_t begin, size_t end)
{
    struct watch *watch = context;
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    if (!pthread_equal(pthread_self(), watch->caller) && !sigismember(&mask, SIGINT))
        atomic_fetch_add(&watch->n_interruptible, 1);
    meet(&watch->n_present, begin, end);
}

static void test_only_the_caller_takes_signals(void **state)
{
    (void)state;
    struct thread_pool *pool = new_pool(2);
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    assert_false(sigismember(&mask, SIGINT));
    struct watch watch = {.caller = pthread_self()};
    thread_pool_run(pool, 2, 1, watch_signals, &watch);
    assert_int_equal(atomic_load(&watch.n_present), 2);
    assert_int_equal(atomic_load(&watch.n_interruptible), 0);
    thread_pool_free(pool);
}

/* One worker, on a loop that lasts while the caller sleeps inside it: every item must be done by somebody even when the worker was
 * woken on the caller's core and stepped back. */
static void nap(void *context, size_t begin, size_t end)
{
    usleep(200);
    add_sum(context, begin, end);
}

static void test_long_loops_end(void **state)
{
    (void)state;
    struct thread_pool *pool = new_pool(2);
    atomic_size_t n_items = 0;
    for (int round = 0; round < 5; round++) thread_pool_run(pool, 40, 1, nap, &n_items);
    assert_int_equal(atomic_load(&n_items), 5 * 40);
    thread_pool_free(pool);
}

/* Ranges shrink towards the end of a loop: the last one is the shortest there can be, and no thread takes half of the loop. */
struct sizes {
    size_t n_items;
    atomic_size_t n_halves, last;
};

static void note_size(void *context, size_t begin, size_t end)
{
    struct sizes *sizes = context;
    if (end - begin >= sizes->n_items / 2) atomic_fetch_add(&sizes->n_halves, 1);
    if (end == sizes->n_items) atomic_store(&sizes->last, end - begin);
}

static void test_ranges_shrink(void **state)
{
    (void)state;
    struct thread_pool *pool = new_pool(2); /* a new one, which never was held up */
    struct sizes sizes = {.n_items = 1000};
    thread_pool_run(pool, sizes.n_items, 10, note_size, &sizes);
    assert_int_equal(atomic_load(&sizes.n_halves), 0);
    assert_int_equal(atomic_load(&sizes.last), 10);
    thread_pool_free(pool);
}

/* A body that runs a loop on its own pool would write over the loop it is part of. */
static void run_nested(void *context, size_t begin, size_t end)
{
    (void)begin;
    (void)end;
    atomic_size_t n_items = 0;
    thread_pool_run(context, 10, 1, add_sum, &n_items);
}

static void test_nested_loops_are_refused(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct thread_pool *pool;
        if (!freopen("/dev/null", "w", stderr) || thread_pool_new(2, &pool, NULL) != HOB_OK) _exit(3);
        thread_pool_run(pool, 10, 1, run_nested, pool);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_covers_every_item_once),
        cmocka_unit_test(test_without_a_pool_runs_inline),
        cmocka_unit_test(test_least_of_zero_means_one),
        cmocka_unit_test(test_zero_threads_means_what_the_process_may_use),
        cmocka_unit_test(test_refuses_too_many_threads),
        cmocka_unit_test(test_many_short_loops),
        cmocka_unit_test(test_wakes_sleeping_workers),
        cmocka_unit_test(test_is_right_when_oversubscribed),
        cmocka_unit_test(test_is_right_on_one_processor),
        cmocka_unit_test(test_runs_allocate_nothing),
        cmocka_unit_test(test_workers_take_part),
        cmocka_unit_test(test_only_the_caller_takes_signals),
        cmocka_unit_test(test_long_loops_end),
        cmocka_unit_test(test_ranges_shrink),
        cmocka_unit_test(test_nested_loops_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
