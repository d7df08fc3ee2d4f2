/* Texts of any bytes as JSON, and lists and objects that have no holes when memory is out. */
#include "unit.h"

#include "base/json.h"

#include <stdio.h>
#include <string.h>

static void test_what_is_no_text_is_replaced(void **state)
{
    (void)state;
    json_t *cut = json_text("caf\xC3", 4), *whole = json_text("caf\xC3\xA9", 5);
    assert_string_equal(json_string_value(cut), "caf\xEF\xBF\xBD");
    assert_string_equal(json_string_value(whole), "caf\xC3\xA9");
    json_decref(cut);
    json_decref(whole);
}

/* Makers give NULL when memory is out. */
static void test_a_list_without_one_of_its_items_is_none(void **state)
{
    json_t *list = json_array();
    (void)state;
    json_append(&list, json_integer(1));
    assert_int_equal(json_array_size(list), 1);
    json_append(&list, NULL);
    assert_null(list);
    json_append(&list, json_integer(2));
    assert_null(list);
}

static void test_an_object_without_one_of_its_values_is_none(void **state)
{
    json_t *object = json_object();
    (void)state;
    json_put(&object, "a", json_integer(1));
    assert_int_equal(json_integer_value(json_object_get(object, "a")), 1);
    json_put(&object, "b", NULL);
    assert_null(object);
    json_put(&object, "c", json_integer(2));
    assert_null(object);
}

static void test_halves_of_pairs_are_mended(void **state)
{
    static const char *const cases[][2] = {
        {"\"\\ud83d\"", "\"\\ufffd\""},
        {"\"\\uDE00 a\"", "\"\\ufffd a\""},
        {"\"\\ud83d\\ude00\"", "\"\\ud83d\\ude00\""},
        {"\"\\ud83d\\ud83d\\ude00\"", "\"\\ufffd\\ud83d\\ude00\""},
        {"\"\\\\ud83d\"", "\"\\\\ud83d\""}, /* a backslash, then letters */
        {"\"\\ud83\"", "\"\\ud83\""},
        {"\"\\ud83d\\", "\"\\ufffd\\"},
        {"\\u", "\\u"},
        {"", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[64];
        snprintf(text, sizeof text, "%s", cases[i][0]);
        json_mend_surrogates(text, strlen(text));
        assert_string_equal(text, cases[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_no_text_is_replaced),
        cmocka_unit_test(test_a_list_without_one_of_its_items_is_none),
        cmocka_unit_test(test_an_object_without_one_of_its_values_is_none),
        cmocka_unit_test(test_halves_of_pairs_are_mended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
