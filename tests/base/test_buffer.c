#include "unit.h"

#include "base/buffer.h"

#include <string.h>

static void test_an_empty_buffer_is_an_empty_text(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    assert_string_equal(buffer_text(&buffer), "");
    buffer_clear(&buffer);
    buffer_release(&buffer);
    assert_true(buffer_append(&buffer, NULL, 0));
    assert_string_equal(buffer_text(&buffer), "");
    buffer_release(&buffer);
}

static void test_grows_and_stays_terminated(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    for (size_t i = 0; i < 5000; i++) {
        assert_true(buffer_append_byte(&buffer, (unsigned char)('a' + i % 26)));
        assert_int_equal(buffer.n_bytes, i + 1);
        assert_int_equal(buffer.bytes[i + 1], '\0');
    }
    for (size_t i = 0; i < 5000; i++) assert_int_equal(buffer.bytes[i], 'a' + (int)(i % 26));
    buffer_release(&buffer);
}

static void test_appends_of_every_kind(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    assert_true(buffer_append(&buffer, "a\0b", 3));
    assert_true(buffer_append_string(&buffer, " c"));
    assert_true(buffer_printf(&buffer, " %d %s", 7, "seven"));
    assert_int_equal(buffer.n_bytes, 13);
    assert_memory_equal(buffer.bytes, "a\0b c 7 seven", 14);
    buffer_release(&buffer);
}

static void test_printf_longer_than_what_is_reserved(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    assert_true(buffer_printf(&buffer, "%0500d", 1));
    assert_int_equal(buffer.n_bytes, 500);
    assert_int_equal(buffer.bytes[499], '1');
    buffer_release(&buffer);
}

static void test_the_cap_is_exact(void **state)
{
    (void)state;
    struct buffer buffer = {.cap_bytes = 4};
    assert_true(buffer_append_string(&buffer, "abcd"));
    assert_false(buffer_append_byte(&buffer, 'e'));
    assert_true(buffer.is_failed);
    assert_string_equal(buffer_text(&buffer), "abcd");
    buffer_release(&buffer);
    assert_int_equal(buffer.cap_bytes, 4);
}

static void test_after_a_failure_every_append_fails_until_cleared(void **state)
{
    (void)state;
    struct buffer buffer = {.cap_bytes = 4};
    assert_false(buffer_append_string(&buffer, "abcde"));
    assert_false(buffer_append_string(&buffer, "a"));
    assert_false(buffer_printf(&buffer, "%d", 1));
    assert_false(buffer_reserve(&buffer, 0));
    assert_string_equal(buffer_text(&buffer), "");
    buffer_clear(&buffer);
    assert_false(buffer.is_failed);
    assert_true(buffer_append_string(&buffer, "a"));
    assert_string_equal(buffer_text(&buffer), "a");
    buffer_release(&buffer);
}

static void test_clear_keeps_the_memory(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    assert_true(buffer_append_string(&buffer, "abc"));
    const char *bytes = buffer.bytes;
    buffer_clear(&buffer);
    assert_string_equal(buffer_text(&buffer), "");
    assert_true(buffer_append_string(&buffer, "xyz"));
    assert_ptr_equal(buffer.bytes, bytes);
    buffer_release(&buffer);
}

static void test_sizes_that_overflow_fail(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    assert_true(buffer_append_string(&buffer, "ab"));
    assert_false(buffer_reserve(&buffer, SIZE_MAX - 1));
    buffer_clear(&buffer);
    assert_false(buffer_reserve(&buffer, SIZE_MAX));
    buffer_clear(&buffer);
    assert_false(buffer_reserve(&buffer, SIZE_MAX / 2)); /* more than any machine has */
    buffer_release(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_buffer_is_an_empty_text),
        cmocka_unit_test(test_grows_and_stays_terminated),
        cmocka_unit_test(test_appends_of_every_kind),
        cmocka_unit_test(test_printf_longer_than_what_is_reserved),
        cmocka_unit_test(test_the_cap_is_exact),
        cmocka_unit_test(test_after_a_failure_every_append_fails_until_cleared),
        cmocka_unit_test(test_clear_keeps_the_memory),
        cmocka_unit_test(test_sizes_that_overflow_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
