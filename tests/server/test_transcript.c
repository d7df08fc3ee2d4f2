/* Events in order, read while they are written, replayed from another transcript, kept as long as somebody reads. */
#include "unit.h"

#include "server/transcript.h"

#include <pthread.h>
#include <string.h>

static void append_text(struct transcript *transcript, const char *text)
{
    struct event *event = transcript_event(transcript, EVENT_DELTA);
    event->text = transcript_copy(transcript, text, strlen(text));
    event->n_text_bytes = strlen(text);
    transcript_append(transcript, event);
}

static void append_done(struct transcript *transcript)
{
    struct event *event = transcript_last_event(transcript, EVENT_DONE);
    event->usage.n_generated_tokens = 7;
    transcript_append(transcript, event);
}

static void test_events_come_in_order(void **state)
{
    (void)state;
    struct transcript *transcript = transcript_new();
    assert_null(transcript_next(transcript, NULL));
    append_text(transcript, "a");
    append_text(transcript, "b");
    const struct event *event = transcript_next(transcript, NULL);
    assert_string_equal(event->text, "a");
    assert_string_equal(event->reasoning, "");
    assert_int_equal(event->id, HOB_NO_TOKEN);
    event = transcript_next(transcript, event);
    assert_string_equal(event->text, "b");
    assert_null(transcript_next(transcript, event));
    assert_false(transcript_is_over(transcript));
    append_done(transcript);
    assert_true(transcript_is_over(transcript));
    assert_int_equal(transcript_next(transcript, event)->usage.n_generated_tokens, 7);
    assert_int_equal(transcript_n_events(transcript), 3);
    transcript_unref(transcript);
}

static void test_texts_may_hold_nul(void **state)
{
    (void)state;
    struct transcript *transcript = transcript_new();
    char *copy = transcript_copy(transcript, "a\0b", 3), *empty = transcript_copy(transcript, NULL, 0);
    assert_memory_equal(copy, "a\0b", 4);
    assert_string_equal(empty, "");
    transcript_unref(transcript);
    transcript_unref(NULL);
}

static void test_a_replay_keeps_its_source(void **state)
{
    (void)state;
    struct transcript *source = transcript_new(), *again = transcript_new();
    struct event *started = transcript_event(source, EVENT_STARTED);
    started->usage.n_prompt_tokens = 3;
    transcript_append(source, started);
    append_text(source, "same");
    append_done(source);
    assert_true(transcript_replay(again, source));
    const char *text = transcript_next(source, started)->text;
    transcript_unref(source);
    const struct event *event = transcript_next(again, NULL);
    assert_int_equal(event->kind, EVENT_STARTED);
    assert_int_equal(event->usage.n_prompt_tokens, 3);
    assert_true(event->usage.is_from_cache);
    event = transcript_next(again, event);
    assert_ptr_equal(event->text, text);
    assert_string_equal(event->text, "same");
    assert_null(transcript_next(again, event)); /* the end is the job's own */
    assert_false(transcript_is_over(again));
    append_done(again);
    transcript_unref(again);
}

static void test_single_tokens_are_small(void **state)
{
    (void)state;
    struct transcript *transcript = transcript_new();
    for (int i = 0; i < 1000; i++) append_text(transcript, "word");
    assert_true(transcript_bytes(transcript) < 300 * 1000);
    transcript_unref(transcript);
}

enum { N_EVENTS = 20000 };

static void *write_events(void *context)
{
    struct transcript *transcript = context;
    for (int i = 0; i < N_EVENTS; i++) {
        struct event *event = transcript_event(transcript, EVENT_DELTA);
        event->id = i;
        event->text = transcript_copy(transcript, "text", 4);
        transcript_append(transcript, event);
    }
    append_done(transcript);
    transcript_unref(transcript);
    return NULL;
}

static void test_read_while_it_is_written(void **state)
{
    (void)state;
    pthread_t writer;
    struct transcript *transcript = transcript_new();
    assert_int_equal(pthread_create(&writer, NULL, write_events, transcript_ref(transcript)), 0);
    const struct event *last = NULL;
    int n_read = 0;
    while (!last || last->kind != EVENT_DONE) {
        const struct event *event = transcript_next(transcript, last);
        if (!event) continue;
        if (event->kind == EVENT_DELTA) {
            assert_int_equal(event->id, n_read++);
            assert_string_equal(event->text, "text");
        }
        last = event;
    }
    assert_int_equal(n_read, N_EVENTS);
    pthread_join(writer, NULL);
    transcript_unref(transcript);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events_come_in_order),    cmocka_unit_test(test_texts_may_hold_nul),
        cmocka_unit_test(test_a_replay_keeps_its_source), cmocka_unit_test(test_single_tokens_are_small),
        cmocka_unit_test(test_read_while_it_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
