/* Many jobs at once: the same bytes as alone, ends of every kind, parking, known results, who goes first. */
#include "server/serving.h"

#include <stdio.h>

static const char *const prompts[] = {"Once upon a time", "The dog", "Lily and Tom went", "One day", "A big red ball", "The sun was", "Mom said", "In the park"};
enum { N_PROMPTS = sizeof prompts / sizeof prompts[0] };

static struct config quiet_config(void)
{
    struct config config = serving_config();
    config.results_max_entries = 0;
    return config;
}

static void wait_for_all(struct serving *serving, struct job **jobs, size_t n_jobs)
{
    for (size_t i = 0; i < n_jobs; i++) serving_wait_for(serving, jobs[i]);
}

static void unref_all(struct job **jobs, size_t n_jobs)
{
    for (size_t i = 0; i < n_jobs; i++) job_unref(jobs[i]);
}

/* One of many kinds, by its number. */
static struct job *make_job(size_t i)
{
    static const char *const texts[] = {"a first text", "another one that is longer than the first", "x"};
    if (i % 5 == 4) return &serving_embed(texts, 1 + i % 3)->job;
    struct generate_job *generate = serving_complete(prompts[i % N_PROMPTS], 4 + i % 29);
    hob_generate_options *options = &generate->inputs.options;
    generate->job.priority = i % 2 ? PRIORITY_CHAT : PRIORITY_COMPLETION;
    options->has_logprobs = i % 3 == 0;
    options->n_top_logprobs = i % 3 == 0 ? 2 : 0;
    if (i % 4 == 1) {
        options->temperature = 1;
        options->seed = i;
        generate->inputs.has_seed = true;
    }
    if (i % 7 == 3) options->n_samples = 2;
    if (i % 11 == 6) options->beam_width = i % 4 == 1 || i % 7 == 3 ? 0 : 3;
    if (i % 13 == 0) generate->inputs.echoes = true;
    return &generate->job;
}

static void expect_same(const struct job *job, const struct job *expected)
{
    struct buffer a = serving_bytes(job), b = serving_bytes(expected);
    serving_expect_done(job);
    assert_int_equal(a.n_bytes, b.n_bytes);
    assert_memory_equal(a.bytes, b.bytes, a.n_bytes);
    const struct event *x = serving_find(job, EVENT_VECTORS), *y = serving_find(expected, EVENT_VECTORS);
    if (x) assert_memory_equal(x->numbers, y->numbers, x->n_columns * sizeof(float));
    buffer_release(&a);
    buffer_release(&b);
}

enum { N_JOBS = 64 };

static void expect_same_together(const struct config *config, const struct config *together)
{
    struct serving serving;
    struct job *alone[N_JOBS], *jobs[N_JOBS];
    serving_open(&serving, config);
    for (size_t i = 0; i < N_JOBS; i++) {
        alone[i] = make_job(i);
        serving_submit(&serving, alone[i]);
        serving_wait_for(&serving, alone[i]);
    }
    struct serving second;
    serving_open(&second, together);
    for (size_t i = 0; i < N_JOBS; i++) serving_submit(&second, jobs[i] = make_job(i));
    wait_for_all(&second, jobs, N_JOBS);
    for (size_t i = 0; i < N_JOBS; i++) expect_same(jobs[i], alone[i]);
    unref_all(alone, N_JOBS);
    unref_all(jobs, N_JOBS);
    serving_close(&second);
    serving_close(&serving);
}

static void test_the_same_bytes_alone_and_together(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct config config = quiet_config(), together = quiet_config();
    together.chunk_tokens = 3;
    together.threads = 2;
    expect_same_together(&config, &together);
}

static void test_the_same_bytes_with_hardly_any_cache(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct config config = quiet_config(), together = quiet_config();
    config.context_window = together.context_window = 256;
    together.cache_tokens = 320;
    together.prefix_cache_bytes = 0;
    expect_same_together(&config, &together);
}

static void test_drafts_change_no_byte(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct config config = quiet_config(), together = quiet_config();
    together.draft_tokens = 4;
    expect_same_together(&config, &together);
}

static void test_parking(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    enum { N = 8 };
    struct serving serving;
    struct scheduler_status status;
    struct job *jobs[N];
    struct config config = quiet_config();
    config.context_window = 256;
    config.cache_tokens = 512;
    config.prefix_cache_bytes = 0;
    serving_open(&serving, &config);
    for (size_t i = 0; i < N; i++) {
        struct generate_job *generate = serving_complete(prompts[i], 200);
        generate->inputs.options.ignores_end = true;
        serving_submit(&serving, jobs[i] = &generate->job);
    }
    wait_for_all(&serving, jobs, N);
    for (size_t i = 0; i < N; i++) {
        serving_expect_done(jobs[i]);
        assert_int_equal(serving_last(jobs[i])->usage.n_generated_tokens, 200);
    }
    scheduler_get_status(serving.scheduler, &status);
    assert_true(status.n_parks > 0);
    assert_int_equal(status.n_parked, 0);
    assert_int_equal(status.n_done, N);
    unref_all(jobs, N);
    serving_close(&serving);
}

/* Texts that fill the cache, and prompts that are scored in the session's own. */
static struct job *make_crowded_job(size_t i)
{
    char prompt[1024] = "";
    for (size_t n = 0; i % 2 && n < 50; n++) strcat(prompt, "the dog ran ");
    struct generate_job *generate = serving_complete(i % 2 ? prompt : prompts[i], i % 2 ? 10 * (i / 2) : 400);
    generate->inputs.options.ignores_end = true;
    generate->inputs.echoes = generate->inputs.options.has_logprobs = i % 2;
    return &generate->job;
}

static void test_scored_prompts_in_a_full_cache(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    enum { N = 8 };
    struct serving serving;
    struct job *alone[N], *jobs[N];
    struct config config = quiet_config();
    config.cache_tokens = 512;
    config.prefix_cache_bytes = 0;
    serving_open(&serving, &config);
    for (size_t i = 0; i < N; i++) {
        serving_submit(&serving, alone[i] = make_crowded_job(i));
        serving_wait_for(&serving, alone[i]);
    }
    for (size_t i = 0; i < N; i++) serving_submit(&serving, jobs[i] = make_crowded_job(i));
    wait_for_all(&serving, jobs, N);
    for (size_t i = 0; i < N; i++) expect_same(jobs[i], alone[i]);
    unref_all(alone, N);
    unref_all(jobs, N);
    serving_close(&serving);
}

static void test_cancelled_at_any_moment(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct serving serving;
    struct job *jobs[N_JOBS];
    struct config config = quiet_config();
    serving_open(&serving, &config);
    unsigned draw = 12345;
    for (size_t i = 0; i < N_JOBS; i++) {
        serving_submit(&serving, jobs[i] = make_job(i));
        draw = draw * 1103515245u + 12345u;
        if (draw >> 30 == 0) job_cancel(jobs[(draw >> 8) % (i + 1)]);
        if (draw >> 29 == 7) serving_pump(&serving);
    }
    for (size_t i = 0; i < N_JOBS; i += 3) job_cancel(jobs[i]);
    wait_for_all(&serving, jobs, N_JOBS);
    for (size_t i = 0; i < N_JOBS; i++) {
        const struct event *last = serving_last(jobs[i]);
        if (last->kind == EVENT_FAILED) serving_expect_failed(jobs[i], PROBLEM_CANCELLED);
        else assert_int_equal(last->kind, EVENT_DONE);
    }
    unref_all(jobs, N_JOBS);
    serving_close(&serving);
}

static void test_cancelled_while_it_generates(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct serving serving;
    struct config config = quiet_config();
    serving_open(&serving, &config);
    struct generate_job *generate = serving_complete("Once", 500);
    generate->inputs.options.ignores_end = true;
    serving_submit(&serving, &generate->job);
    while (serving_count(&generate->job, EVENT_DELTA) < 2) serving_pump(&serving);
    job_cancel(&generate->job);
    serving_wait_for(&serving, &generate->job);
    if (serving_count(&generate->job, EVENT_DELTA) < 500) {
        serving_expect_done(&generate->job);
        assert_int_equal(serving_find(&generate->job, EVENT_OUTPUT_END)->finish, HOB_FINISH_CANCELLED);
    }
    job_unref(&generate->job);
    serving_close(&serving);
}

static void test_deadlines(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct serving serving;
    struct config config = quiet_config();
    config.context_window = 512;
    serving_open(&serving, &config);
    struct generate_job *late = serving_complete("Once", 8), *slow = serving_complete("Once", 100000);
    late->job.deadline_ns = clock_now_ns();
    serving_submit(&serving, &late->job);
    serving_wait_for(&serving, &late->job);
    serving_expect_failed(&late->job, PROBLEM_DEADLINE);
    assert_int_equal(serving_count(&late->job, EVENT_STARTED), 0);
    slow->inputs.options.ignores_end = slow->inputs.options.shifts_context = true;
    slow->job.deadline_ns = clock_now_ns() + 50000000;
    serving_submit(&serving, &slow->job);
    serving_wait_for(&serving, &slow->job);
    serving_expect_failed(&slow->job, PROBLEM_DEADLINE);
    job_unref(&late->job);
    job_unref(&slow->job);
    serving_close(&serving);
}

static void test_a_time_limit_is_the_texts_own(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct serving serving;
    struct config config = serving_config();
    config.results_max_entries = 10;
    config.results_max_bytes = 1 << 20;
    serving_open(&serving, &config);
    struct generate_job *generate = serving_complete("Once", 100000);
    generate->inputs.options.ignores_end = generate->inputs.options.shifts_context = true;
    generate->inputs.options.max_ms = 20;
    serving_submit(&serving, &generate->job);
    serving_wait_for(&serving, &generate->job);
    serving_expect_done(&generate->job);
    assert_int_equal(serving_find(&generate->job, EVENT_OUTPUT_END)->finish, HOB_FINISH_TIME);
    struct scheduler_status status;
    scheduler_get_status(serving.scheduler, &status);
    assert_int_equal(status.n_cache_entries, 0); /* what a clock decided is not kept */
    job_unref(&generate->job);
    serving_close(&serving);
}

static void test_a_full_queue(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    enum { N = 12, N_TAKEN = 5 };
    struct serving serving;
    struct job *jobs[N];
    struct config config = quiet_config();
    config.max_running = 2;
    config.max_queue = 3;
    config.context_window = 256;
    serving_open(&serving, &config);
    for (size_t i = 0; i < N; i++) {
        struct generate_job *generate = serving_complete(prompts[i % N_PROMPTS], 10000000); /* until it is cancelled */
        generate->inputs.options.ignores_end = generate->inputs.options.shifts_context = true;
        serving_submit(&serving, jobs[i] = &generate->job);
    }
    for (size_t i = N_TAKEN; i < N; i++) {
        serving_wait_for(&serving, jobs[i]);
        serving_expect_failed(jobs[i], PROBLEM_BUSY);
        assert_in_range(serving_last(jobs[i])->problem.retry_after_s, 1, 60);
    }
    for (size_t i = 0; i < N_TAKEN; i++) job_cancel(jobs[i]);
    wait_for_all(&serving, jobs, N);
    unref_all(jobs, N);
    serving_close(&serving);
}

static void test_draining(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct serving serving;
    struct config config = quiet_config();
    serving_open(&serving, &config);
    struct generate_job *before = serving_complete("Once", 50), *after = serving_complete("Once", 2);
    serving_submit(&serving, &before->job);
    scheduler_drain(serving.scheduler);
    serving_submit(&serving, &after->job);
    serving_wait_for(&serving, &after->job);
    serving_expect_failed(&after->job, PROBLEM_LOADING);
    serving_wait_for(&serving, &before->job);
    serving_expect_done(&before->job);
    while (!scheduler_drain(serving.scheduler)) usleep(100);
    job_unref(&before->job);
    job_unref(&after->job);
    serving_close(&serving);
}

static void test_stopped_with_work_left(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct serving serving;
    struct job *jobs[N_JOBS];
    struct config config = quiet_config();
    serving_open(&serving, &config);
    for (size_t i = 0; i < N_JOBS; i++) serving_submit(&serving, jobs[i] = make_job(i));
    scheduler_free(serving.scheduler);
    pthread_mutex_lock(&serving.lock);
    serving.scheduler = NULL;
    pthread_mutex_unlock(&serving.lock);
    for (size_t i = 0; i < N_JOBS; i++) assert_true(serving_is_over(jobs[i]));
    unref_all(jobs, N_JOBS);
    serving_close(&serving);
}

/* ---- known results ---- */

static void test_known_results_are_the_same_events(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct serving serving;
    struct scheduler_status status;
    struct config config = serving_config();
    config.results_max_entries = 100;
    config.results_max_bytes = 1 << 20;
    serving_open(&serving, &config);
    for (size_t i = 0; i < 8; i++) {
        struct job *first = make_job(i), *again = make_job(i);
        serving_submit(&serving, first);
        serving_wait_for(&serving, first);
        serving_submit(&serving, again);
        serving_wait_for(&serving, again);
        expect_same(again, first);
        assert_false(serving_last(first)->usage.is_from_cache);
        assert_true(serving_last(again)->usage.is_from_cache);
        assert_int_equal(serving_last(again)->usage.n_generated_tokens, serving_last(first)->usage.n_generated_tokens);
        job_unref(first);
        job_unref(again);
    }
    scheduler_get_status(serving.scheduler, &status);
    assert_int_equal(status.n_cache_hits, 8);
    assert_int_equal(status.n_cache_entries, 8);
    serving_close(&serving);
}

static void test_the_same_at_once_is_computed_once(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    enum { N = 12 };
    struct serving serving;
    struct scheduler_status status;
    struct job *jobs[N];
    struct config config = serving_config();
    config.results_max_entries = 100;
    config.results_max_bytes = 1 << 20;
    serving_open(&serving, &config);
    for (size_t i = 0; i < N; i++) serving_submit(&serving, jobs[i] = &serving_complete("Once upon a time", 100)->job);
    job_cancel(jobs[0]); /* whoever waits for it goes on */
    job_cancel(jobs[5]);
    wait_for_all(&serving, jobs, N);
    for (size_t i = 1; i < N; i++)
        if (i != 5) expect_same(jobs[i], jobs[1]);
    scheduler_get_status(serving.scheduler, &status);
    assert_true(status.n_generated_tokens < 6 * 100);
    unref_all(jobs, N);
    serving_close(&serving);
}

/* As a generation whose texts cannot be kept, and then not be told either. */
static bool fail_to_finish(struct job *job, struct usage *usage, struct problem *ret_problem)
{
    (void)usage;
    job->has_key = false;
    return problem_set(ret_problem, PROBLEM_INTERNAL, "broken");
}

static void test_those_who_wait_for_one_that_fails_go_on(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    enum { N = 6 };
    struct serving serving;
    struct job *jobs[N];
    struct job_def broken = job_generate;
    broken.finish = fail_to_finish;
    struct config config = serving_config();
    config.results_max_entries = 100;
    config.results_max_bytes = 1 << 20;
    serving_open(&serving, &config);
    for (size_t i = 0; i < N; i++) {
        jobs[i] = &serving_complete("Once upon a time", 60)->job;
        jobs[i]->def = &broken;
        serving_submit(&serving, jobs[i]);
    }
    wait_for_all(&serving, jobs, N);
    for (size_t i = 0; i < N; i++) serving_expect_failed(jobs[i], PROBLEM_INTERNAL);
    unref_all(jobs, N);
    serving_close(&serving);
}

static void test_draws_without_a_seed_are_not_kept(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct serving serving;
    struct scheduler_status status;
    struct config config = serving_config();
    config.results_max_entries = 100;
    config.results_max_bytes = 1 << 20;
    serving_open(&serving, &config);
    struct generate_job *generate = serving_complete("Once", 4);
    generate->inputs.options.temperature = 1;
    serving_submit(&serving, &generate->job);
    serving_wait_for(&serving, &generate->job);
    scheduler_get_status(serving.scheduler, &status);
    assert_int_equal(status.n_cache_entries, 0);
    job_unref(&generate->job);
    serving_close(&serving);
}

/* ---- who goes first ---- */

static size_t count_between(const struct job *job, enum event_kind kind, uint64_t from_ns, uint64_t to_ns)
{
    size_t n = 0;
    for (const struct event *event = transcript_next(job->transcript, NULL); event; event = transcript_next(job->transcript, event))
        n += event->kind == kind && event->at_ns >= from_ns && event->at_ns <= to_ns;
    return n;
}

/* Whenever the completion came: while it ran, the batch had no step but those that keep it from waiting for ever. */
#if defined(__SANITIZE_THREAD__)
enum { MANY_TEXTS = 30 }; /* a hundred times as slow */
#else
enum { MANY_TEXTS = 1000 };
#endif

static void test_completions_go_before_batches(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    enum { N_TEXTS = MANY_TEXTS, N_TOKENS = 40 };
    struct serving serving;
    struct config config = quiet_config();
    static const char *texts[N_TEXTS];
    for (size_t i = 0; i < N_TEXTS; i++) texts[i] = "a few words";
    serving_open(&serving, &config);
    struct embed_job *embed = serving_embed(texts, N_TEXTS);
    struct generate_job *warm = serving_complete("The", 1), *generate = serving_complete("Once", N_TOKENS);
    serving_submit(&serving, &warm->job);
    serving_wait_for(&serving, &warm->job);
    serving_submit(&serving, &embed->job);
    while (!serving_find(&embed->job, EVENT_VECTORS)) serving_pump(&serving);
    serving_submit(&serving, &generate->job);
    serving_wait_for(&serving, &generate->job);
    serving_wait_for(&serving, &embed->job);
    serving_expect_done(&embed->job);
    size_t n_pieces = count_between(&embed->job, EVENT_VECTORS, generate->job.begun_ns, serving_last(&generate->job)->at_ns);
    assert_true(n_pieces <= 1 + (N_TOKENS + 2) / 8);
    job_unref(&warm->job);
    job_unref(&embed->job);
    job_unref(&generate->job);
    serving_close(&serving);
}

static void test_a_completion_takes_a_chats_place(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct serving serving;
    struct config config = quiet_config();
    config.max_running = 1;
    config.context_window = 512;
    serving_open(&serving, &config);
    struct generate_job *chat = serving_complete("Once upon a time", 400), *completion = serving_complete("The dog", 4);
    chat->job.priority = PRIORITY_CHAT;
    chat->inputs.options.ignores_end = true;
    serving_submit(&serving, &chat->job);
    while (!serving_find(&chat->job, EVENT_DELTA)) serving_pump(&serving);
    serving_submit(&serving, &completion->job);
    serving_wait_for(&serving, &completion->job);
    serving_wait_for(&serving, &chat->job);
    uint64_t chat_ns = serving_last(&chat->job)->at_ns;
    if (completion->job.begun_ns < chat_ns) assert_true(serving_last(&completion->job)->at_ns < chat_ns);
    serving_expect_done(&chat->job);
    assert_int_equal(serving_last(&chat->job)->usage.n_generated_tokens, 400);
    job_unref(&chat->job);
    job_unref(&completion->job);
    serving_close(&serving);
}

static void test_more_texts_than_may_run(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct serving serving;
    struct config config = quiet_config();
    config.max_running = 2;
    serving_open(&serving, &config);
    struct generate_job *many = serving_complete("Once", 6), *one = serving_complete("Once", 6);
    many->inputs.options.n_samples = 5;
    many->inputs.options.temperature = 1;
    serving_submit(&serving, &many->job);
    serving_submit(&serving, &one->job);
    serving_wait_for(&serving, &many->job);
    serving_wait_for(&serving, &one->job);
    serving_expect_done(&many->job);
    serving_expect_done(&one->job);
    assert_int_equal(serving_count(&many->job, EVENT_OUTPUT_END), 5);
    job_unref(&many->job);
    job_unref(&one->job);
    serving_close(&serving);
}

static void count_call(void *context, struct job *job)
{
    (void)job;
    ++*(size_t *)context;
}

static void test_clients_are_told(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct serving serving;
    struct config config = quiet_config();
    size_t n_calls = 0;
    struct slot_status slots[4];
    serving_open(&serving, &config);
    struct generate_job *generate = serving_complete("Once", 50);
    generate->job.on_change = count_call;
    generate->job.context = &n_calls;
    generate->job.request_id = "req-1";
    serving_submit(&serving, &generate->job);
    while (!serving_find(&generate->job, EVENT_DELTA)) serving_pump(&serving);
    if (scheduler_get_slots(serving.scheduler, slots, 4) == 1) assert_string_equal(slots[0].request_id, "req-1");
    serving_wait_for(&serving, &generate->job);
    scheduler_deliver(serving.scheduler);
    assert_true(n_calls >= 1);
    job_unref(&generate->job);
    serving_close(&serving);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_same_bytes_alone_and_together),
                                       cmocka_unit_test(test_the_same_bytes_with_hardly_any_cache),
                                       cmocka_unit_test(test_drafts_change_no_byte),
                                       cmocka_unit_test(test_parking),
                                       cmocka_unit_test(test_scored_prompts_in_a_full_cache),
                                       cmocka_unit_test(test_cancelled_at_any_moment),
                                       cmocka_unit_test(test_cancelled_while_it_generates),
                                       cmocka_unit_test(test_deadlines),
                                       cmocka_unit_test(test_a_time_limit_is_the_texts_own),
                                       cmocka_unit_test(test_a_full_queue),
                                       cmocka_unit_test(test_draining),
                                       cmocka_unit_test(test_stopped_with_work_left),
                                       cmocka_unit_test(test_known_results_are_the_same_events),
                                       cmocka_unit_test(test_the_same_at_once_is_computed_once),
                                       cmocka_unit_test(test_those_who_wait_for_one_that_fails_go_on),
                                       cmocka_unit_test(test_draws_without_a_seed_are_not_kept),
                                       cmocka_unit_test(test_completions_go_before_batches),
                                       cmocka_unit_test(test_a_completion_takes_a_chats_place),
                                       cmocka_unit_test(test_more_texts_than_may_run),
                                       cmocka_unit_test(test_clients_are_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
