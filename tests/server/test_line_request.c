/* Requests of the line protocols, from whole bytes, piece by piece, and from garbage. */
#include "unit.h"

#include "server/line/line_request.h"

#include <stdio.h>
#include <string.h>

/* A copy that ends where it ends: a byte read too far shows. */
static enum line_result read_in(const char *bytes, size_t n_bytes, enum line_state state, struct line_request *request, size_t *ret_n_used)
{
    struct problem problem = {0};
    enum line_result result = line_request_read(bytes, n_bytes, state, request, ret_n_used, &problem);
    if (result == LINE_BAD) assert_true(problem.message[0]);
    return result;
}

static void check_text(const char *bytes, enum line_state state, enum line_form form, const char *text)
{
    struct line_request request = {0};
    size_t n_used;
    if (read_in(bytes, strlen(bytes), state, &request, &n_used) != LINE_WHOLE) fail_msg("%s: not taken", bytes);
    assert_int_equal(request.form, form);
    assert_string_equal(buffer_text(&request.text), text);
    assert_int_equal(n_used, strlen(bytes));
    line_request_release(&request);
}

static void check_result(const char *bytes, enum line_state state, enum line_result wanted)
{
    struct line_request request = {0};
    size_t n_used;
    enum line_result result = read_in(bytes, strlen(bytes), state, &request, &n_used);
    if (result != wanted) fail_msg("'%s' in state %d: found %d, expected %d", bytes, state, result, wanted);
    line_request_release(&request);
}

static void test_text(void **state)
{
    (void)state;
    check_text("the quick brown", LINE_HAS_ENDED, LINE_TEXT, "the quick brown");
    check_text("the quick brown", LINE_IS_SILENT, LINE_TEXT, "the quick brown");
    check_text("the quick brown\n", LINE_GOES_ON, LINE_TEXT, "the quick brown");
    check_text("the quick brown\r\n", LINE_GOES_ON, LINE_TEXT, "the quick brown");
    check_text("one\ntwo\n", LINE_HAS_ENDED, LINE_TEXT, "one\ntwo");
    check_text("na\xC3\xAFve", LINE_HAS_ENDED, LINE_TEXT, "na\xC3\xAFve");
    check_result("the quick", LINE_GOES_ON, LINE_PARTIAL);
    check_result("one\ntwo\n", LINE_GOES_ON, LINE_PARTIAL); /* a paragraph: more may come */
    check_result("\xff\xfe", LINE_HAS_ENDED, LINE_BAD);
    check_result("a\x01", LINE_HAS_ENDED, LINE_BAD);
}

static void test_lua_tables(void **state)
{
    (void)state;
    check_text("{ text = \"the current line\" }", LINE_GOES_ON, LINE_LUA, "the current line");
    check_text("{\n  text = 'She said \"hi\"'\n}", LINE_GOES_ON, LINE_LUA, "She said \"hi\"");
    check_text("{ text = \"a\\tb\\n\\\\ \\\"q\\\" \\65\\066 \\x43 \\u{20ac} \\z  \n d\" }", LINE_GOES_ON, LINE_LUA,
               "a\tb\n\\ \"q\" AB C \xE2\x82\xAC d");
    check_text("{ [\"text\"] = 'x', }", LINE_GOES_ON, LINE_LUA, "x");
    check_text("{ text = [==[a]]b]==] }", LINE_GOES_ON, LINE_LUA, "a]]b");
    check_text("{ <1>{ text = 'inner' }, text = 'outer', more = { text = 'deeper', f = <function 2> } }", LINE_GOES_ON, LINE_LUA, "outer");
    check_text("{ text = 'x'; <metatable> = { __index = <table 1> } }", LINE_GOES_ON, LINE_LUA, "x");
    check_text("{ true, nil, -1.5e3, [3] = 4, text = 'x' -- the line\n}", LINE_GOES_ON, LINE_LUA, "x");
}

static void test_lua_tables_that_are_none(void **state)
{
    (void)state;
    static const char *const texts[] = {"{ text = }", "{ text : 'x' }", "{ = 1 }", "{ text = 'a' text }", "{ text = '\\q' }", "{ text = '\\300' }",
                                        "{ text = 'a\nb' }", "{ [text] = 'x' }", "{}x", "{ text = '\\u{110000}' }", "{ n = 5 }", "{ text = 1x }"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) check_result(texts[i], LINE_HAS_ENDED, LINE_BAD);
    char deep[200];
    memset(deep, '{', sizeof deep);
    deep[sizeof deep - 1] = 0;
    check_result(deep, LINE_GOES_ON, LINE_BAD);
}

static void test_every_beginning_of_a_table_is_partial(void **state)
{
    (void)state;
    static const char table[] = "{ <1>{ [1] = -1.5, f = <function 2> }, [\"n\"] = 3, text = 'a\\x41\\u{41}' , [ [==[k]==] ] = [[x]], max_tokens = 4 }";
    struct line_request request = {0};
    size_t n_used;
    for (size_t n_bytes = 1; n_bytes < sizeof table - 1; n_bytes++) {
        char piece[sizeof table];
        memcpy(piece, table, n_bytes);
        piece[n_bytes] = 0;
        if (read_in(piece, n_bytes, LINE_GOES_ON, &request, &n_used) != LINE_PARTIAL) fail_msg("'%s' is not the beginning of a table", piece);
    }
    assert_int_equal(read_in(table, sizeof table - 1, LINE_GOES_ON, &request, &n_used), LINE_WHOLE);
    assert_string_equal(buffer_text(&request.text), "aAA");
    assert_true(request.n == 3 && request.max_tokens == 4);
    line_request_release(&request);
}

static void test_lines_of_json(void **state)
{
    (void)state;
    static const char lines[] = "{\"text\": \"a\", \"n\": 5, \"max_tokens\": 16, \"model\": \"m\"}\n\n {\"text\": \"b\"}";
    struct line_request request = {0};
    size_t n_used;
    assert_int_equal(read_in(lines, sizeof lines - 1, LINE_GOES_ON, &request, &n_used), LINE_WHOLE);
    assert_int_equal(request.form, LINE_JSON);
    assert_string_equal(buffer_text(&request.text), "a");
    assert_string_equal(buffer_text(&request.model), "m");
    assert_true(request.n == 5 && request.max_tokens == 16);
    size_t n_first = n_used;
    assert_int_equal(read_in(lines + n_first, sizeof lines - 1 - n_first, LINE_GOES_ON, &request, &n_used), LINE_PARTIAL);
    assert_int_equal(read_in(lines + n_first, sizeof lines - 1 - n_first, LINE_IS_SILENT, &request, &n_used), LINE_WHOLE);
    assert_string_equal(buffer_text(&request.text), "b");
    assert_int_equal(n_first + n_used, sizeof lines - 1);
    line_request_release(&request);
    check_result("{\"text\": \"a", LINE_IS_SILENT, LINE_PARTIAL); /* a slow sender */
    check_result("{\"text\": \"a", LINE_HAS_ENDED, LINE_BAD);
    check_result("{\"text\": garbage}\n", LINE_GOES_ON, LINE_BAD);
    check_result("{", LINE_GOES_ON, LINE_PARTIAL);
}

static void test_json_that_lacks_something_leaves_the_next_line(void **state)
{
    (void)state;
    static const char *const texts[] = {"{}\n", "{\"n\": 3}\n", "{\"text\": 5}\n", "{\"text\": \"a\", \"n\": \"3\"}\n", "{\"text\": \"a\", \"max_tokens\": []}\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct line_request request = {0};
        size_t n_used;
        assert_int_equal(read_in(texts[i], strlen(texts[i]), LINE_GOES_ON, &request, &n_used), LINE_BAD);
        assert_int_equal(n_used, strlen(texts[i]));
        line_request_release(&request);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_lua_tables),
        cmocka_unit_test(test_lua_tables_that_are_none),
        cmocka_unit_test(test_every_beginning_of_a_table_is_partial),
        cmocka_unit_test(test_lines_of_json),
        cmocka_unit_test(test_json_that_lacks_something_leaves_the_next_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
