/* The loop: descriptors, timers in their order, calls from other threads and from callbacks. */
#include "unit.h"

#include "server/loop.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

struct fixture {
    struct loop *loop;
    struct watch *watches[2];
    struct timer *timers[8];
    struct loop_call *call;
    int pipe[2];
    char order[16];
    size_t n_order;
    int n_calls;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){0};
    *state = &fixture;
    return loop_new(&fixture.loop, NULL) == HOB_OK && pipe(fixture.pipe) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < 2; i++) loop_unwatch(fixture->watches[i]);
    for (size_t i = 0; i < 8; i++) loop_timer_free(fixture->timers[i]);
    loop_call_free(fixture->call);
    loop_free(fixture->loop);
    close(fixture->pipe[0]);
    close(fixture->pipe[1]);
    return 0;
}

static void stop(void *context)
{
    struct fixture *fixture = context;
    loop_stop(fixture->loop);
}

static void note(struct fixture *fixture, char what)
{
    if (fixture->n_order < sizeof fixture->order - 1) fixture->order[fixture->n_order++] = what;
}

static void note_a(void *context)
{
    note(context, 'a');
}

static void note_b(void *context)
{
    note(context, 'b');
}

static void note_c(void *context)
{
    note(context, 'c');
}

static void test_timers_run_in_the_order_of_their_times(void **state)
{
    struct fixture *fixture = *state;
    loop_on_time *const whats[] = {note_c, note_a, note_b, note_a, stop};
    const uint64_t after_ms[] = {9, 1, 5, UINT64_MAX, 15};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(loop_timer_new(fixture->loop, whats[i], fixture, &fixture->timers[i], NULL), HOB_OK);
        loop_timer_set(fixture->timers[i], after_ms[i]);
    }
    loop_timer_set(fixture->timers[1], 3); /* later than first said, still the first */
    assert_int_equal(loop_run(fixture->loop, NULL), HOB_OK);
    assert_string_equal(fixture->order, "abc");
}

static void test_a_timer_that_is_freed_does_not_run(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(loop_timer_new(fixture->loop, note_a, fixture, &fixture->timers[0], NULL), HOB_OK);
    assert_int_equal(loop_timer_new(fixture->loop, stop, fixture, &fixture->timers[1], NULL), HOB_OK);
    loop_timer_set(fixture->timers[0], 1);
    loop_timer_set(fixture->timers[1], 3);
    loop_timer_free(fixture->timers[0]);
    fixture->timers[0] = NULL;
    assert_int_equal(loop_run(fixture->loop, NULL), HOB_OK);
    assert_string_equal(fixture->order, "");
}

static void unwatch_both(void *context, uint32_t events)
{
    struct fixture *fixture = context;
    (void)events;
    note(fixture, 'w');
    loop_unwatch(fixture->watches[0]);
    loop_unwatch(fixture->watches[1]);
    fixture->watches[0] = fixture->watches[1] = NULL;
    loop_stop(fixture->loop);
}

static void test_a_callback_may_unwatch_what_has_an_event_too(void **state)
{
    struct fixture *fixture = *state;
    int copy = dup(fixture->pipe[0]);
    assert_int_equal(loop_watch(fixture->loop, fixture->pipe[0], EPOLLIN, unwatch_both, fixture, &fixture->watches[0], NULL), HOB_OK);
    assert_int_equal(loop_watch(fixture->loop, copy, EPOLLIN, unwatch_both, fixture, &fixture->watches[1], NULL), HOB_OK);
    assert_int_equal(write(fixture->pipe[1], "x", 1), 1);
    assert_int_equal(loop_run(fixture->loop, NULL), HOB_OK);
    assert_string_equal(fixture->order, "w");
    close(copy);
}

static void count_to_1000(void *context)
{
    struct fixture *fixture = context;
    if (++fixture->n_calls < 1000) loop_call_post(fixture->call);
    else loop_stop(fixture->loop);
}

static void test_a_call_may_post_itself(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(loop_call_new(fixture->loop, count_to_1000, fixture, &fixture->call, NULL), HOB_OK);
    loop_call_post(fixture->call); /* before the loop runs */
    assert_int_equal(loop_run(fixture->loop, NULL), HOB_OK);
    assert_int_equal(fixture->n_calls, 1000);
}

enum { N_THREADS = 4, N_POSTS = 5000 };

struct posting {
    struct fixture *fixture;
    atomic_int n_done;
};

static void *post_often(void *context)
{
    struct posting *posting = context;
    for (int i = 0; i < N_POSTS; i++) loop_call_post(posting->fixture->call);
    atomic_fetch_add(&posting->n_done, 1);
    loop_call_post(posting->fixture->call);
    return NULL;
}

static void stop_when_done(void *context)
{
    struct posting *posting = context;
    posting->fixture->n_calls++;
    if (atomic_load(&posting->n_done) == N_THREADS) loop_stop(posting->fixture->loop);
}

static void test_no_post_of_other_threads_is_lost(void **state)
{
    struct fixture *fixture = *state;
    struct posting posting = {.fixture = fixture};
    pthread_t threads[N_THREADS];
    assert_int_equal(loop_call_new(fixture->loop, stop_when_done, &posting, &fixture->call, NULL), HOB_OK);
    for (size_t i = 0; i < N_THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, post_often, &posting), 0);
    assert_int_equal(loop_run(fixture->loop, NULL), HOB_OK); /* the last post of the last thread ends it */
    for (size_t i = 0; i < N_THREADS; i++) pthread_join(threads[i], NULL);
    assert_true(fixture->n_calls >= 1 && fixture->n_calls <= N_THREADS * (N_POSTS + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_timers_run_in_the_order_of_their_times, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_timer_that_is_freed_does_not_run, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_callback_may_unwatch_what_has_an_event_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_call_may_post_itself, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_post_of_other_threads_is_lost, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
