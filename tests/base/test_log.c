#include "unit.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

struct heard {
    int n_messages;
    enum log_level level;
    char message[1024];
};

static void hear(void *context, enum log_level level, const char *message)
{
    struct heard *heard = context;
    heard->n_messages++;
    heard->level = level;
    snprintf(heard->message, sizeof heard->message, "%s", message);
}

static void test_is_silent_without_a_sink(void **state)
{
    (void)state;
    log_set_sink(NULL, NULL, LOG_DEBUG);
    log_write(LOG_ERROR, "nobody hears %d", 1);
}

static void test_reaches_the_sink(void **state)
{
    (void)state;
    struct heard heard = {0};
    log_set_sink(hear, &heard, LOG_DEBUG);
    log_write(LOG_WARNING, "%s took %d ms", "it", 7);
    assert_int_equal(heard.n_messages, 1);
    assert_int_equal(heard.level, LOG_WARNING);
    assert_string_equal(heard.message, "it took 7 ms");
    log_set_sink(NULL, NULL, LOG_DEBUG);
}

static void test_less_important_messages_are_dropped(void **state)
{
    (void)state;
    struct heard heard = {0};
    log_set_sink(hear, &heard, LOG_WARNING);
    log_write(LOG_INFO, "a");
    log_write(LOG_DEBUG, "b");
    assert_int_equal(heard.n_messages, 0);
    log_write(LOG_WARNING, "c");
    log_write(LOG_ERROR, "d");
    assert_int_equal(heard.n_messages, 2);
    log_set_sink(NULL, NULL, LOG_DEBUG);
}

static void test_long_messages_are_cut(void **state)
{
    (void)state;
    struct heard heard = {0};
    log_set_sink(hear, &heard, LOG_DEBUG);
    log_write(LOG_INFO, "%01000d", 1);
    assert_int_equal(strlen(heard.message), 511);
    log_set_sink(NULL, NULL, LOG_DEBUG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is_silent_without_a_sink),
        cmocka_unit_test(test_reaches_the_sink),
        cmocka_unit_test(test_less_important_messages_are_dropped),
        cmocka_unit_test(test_long_messages_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
