/* Who is next: priorities, clients in turn, a client's own in order. */
#include "unit.h"

#include "server/scheduler/queue.h"

static const int alice, bob;

static struct job make(const void *client, enum job_priority priority)
{
    return (struct job){.fairness = client, .priority = priority, .place.stage = STAGE_READY};
}

static struct job *pop(struct job_queue *queue)
{
    struct job *job = queue_next(queue, NULL, STAGE_READY);
    if (job) queue_remove(queue, job);
    return job;
}

static void test_priorities(void **state)
{
    (void)state;
    struct job_queue queue = {0};
    struct job batch = make(NULL, PRIORITY_BATCH), chat = make(NULL, PRIORITY_CHAT), completion = make(NULL, PRIORITY_COMPLETION);
    queue_add(&queue, &batch);
    queue_add(&queue, &chat);
    queue_add(&queue, &completion);
    assert_int_equal(queue_count(&queue), 3);
    assert_ptr_equal(pop(&queue), &completion);
    assert_ptr_equal(pop(&queue), &chat);
    assert_ptr_equal(pop(&queue), &batch);
    assert_null(pop(&queue));
    assert_int_equal(queue_count(&queue), 0);
}

static void test_clients_take_turns(void **state)
{
    (void)state;
    enum { N = 4 };
    struct job_queue queue = {0};
    struct job many[N], few[2];
    for (size_t i = 0; i < N; i++) {
        many[i] = make(&alice, PRIORITY_CHAT);
        queue_add(&queue, &many[i]);
    }
    for (size_t i = 0; i < 2; i++) {
        few[i] = make(&bob, PRIORITY_CHAT);
        queue_add(&queue, &few[i]);
    }
    struct job *expected[] = {&many[0], &few[0], &many[1], &few[1], &many[2], &many[3]};
    for (size_t i = 0; i < 6; i++) assert_ptr_equal(pop(&queue), expected[i]);
}

static void test_late_clients_are_not_behind_all(void **state)
{
    (void)state;
    enum { N = 6 };
    struct job_queue queue = {0};
    struct job many[N], late;
    for (size_t i = 0; i < N; i++) {
        many[i] = make(&alice, PRIORITY_CHAT);
        queue_add(&queue, &many[i]);
    }
    assert_ptr_equal(pop(&queue), &many[0]);
    assert_ptr_equal(pop(&queue), &many[1]);
    late = make(&bob, PRIORITY_CHAT);
    queue_add(&queue, &late);
    assert_ptr_equal(pop(&queue), &late);
    assert_ptr_equal(pop(&queue), &many[2]);
}

static void test_nobodys_jobs_come_in_order(void **state)
{
    (void)state;
    enum { N = 5 };
    struct job_queue queue = {0};
    struct job jobs[N];
    for (size_t i = 0; i < N; i++) {
        jobs[i] = make(NULL, PRIORITY_BATCH);
        queue_add(&queue, &jobs[i]);
    }
    for (size_t i = 0; i < N; i++) assert_ptr_equal(pop(&queue), &jobs[i]);
}

static void test_stages(void **state)
{
    (void)state;
    struct job_queue queue = {0};
    struct job first = make(NULL, PRIORITY_CHAT), second = make(NULL, PRIORITY_CHAT);
    first.place.stage = STAGE_LOADING;
    queue_add(&queue, &first);
    queue_add(&queue, &second);
    assert_ptr_equal(queue_next(&queue, NULL, STAGE_READY), &second);
    assert_null(queue_next(&queue, &second, STAGE_READY));
    assert_ptr_equal(queue_next(&queue, NULL, STAGE_LOADING), &first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_priorities), cmocka_unit_test(test_clients_take_turns),
                                       cmocka_unit_test(test_late_clients_are_not_behind_all), cmocka_unit_test(test_nobodys_jobs_come_in_order),
                                       cmocka_unit_test(test_stages)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
