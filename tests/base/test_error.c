#include "unit.h"

#include "base/error.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_set_fills_the_callers_struct(void **state)
{
    (void)state;
    hob_error error;
    assert_int_equal(error_set(&error, HOB_BAD_SHAPE, "here.c:1", "%s: found %d", "x", 3), HOB_BAD_SHAPE);
    assert_int_equal(error.code, HOB_BAD_SHAPE);
    assert_string_equal(error.message, "x: found 3");
    assert_string_equal(error.where, "here.c:1");
}

static void test_null_is_allowed(void **state)
{
    (void)state;
    assert_int_equal(error_set(NULL, HOB_IO, "here.c:1", "%s", "x"), HOB_IO);
    assert_int_equal(error_prefix(NULL, HOB_IO, "%s", "x"), HOB_IO);
}

static void test_long_texts_are_cut(void **state)
{
    (void)state;
    hob_error error;
    char text[2000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    (void)error_set(&error, HOB_IO, text, "%s", text);
    assert_int_equal(strlen(error.message), sizeof error.message - 1);
    assert_int_equal(strlen(error.where), sizeof error.where - 1);
}

static void test_prefix_goes_before(void **state)
{
    (void)state;
    hob_error error;
    (void)error_set(&error, HOB_IO, "here.c:1", "inner");
    assert_int_equal(error_prefix(&error, HOB_IO, "node %d", 7), HOB_IO);
    assert_string_equal(error.message, "node 7: inner");
    assert_string_equal(error.where, "here.c:1");
}

static void test_prefixes_of_every_length_fit(void **state)
{
    (void)state;
    char prefix[600], text[sizeof((hob_error *)0)->message];
    memset(text, 'm', sizeof text);
    text[sizeof text - 1] = '\0';
    for (size_t n = 0; n < sizeof prefix; n++) {
        memset(prefix, 'p', n);
        prefix[n] = '\0';
        hob_error error;
        (void)error_set(&error, HOB_IO, "here.c:1", "%s", text);
        (void)error_prefix(&error, HOB_IO, "%s", prefix);
        size_t n_kept = n < sizeof text ? n : sizeof text - 1;
        assert_memory_equal(error.message, prefix, n_kept);
        assert_int_equal(strlen(error.message), sizeof error.message - 1);
    }
}

static hob_status refuse(hob_error *error)
{
    FAIL(error, HOB_LIMIT, "found %d, expected %d", 2, 1);
}

static hob_status forward(hob_status inner, int *ret_reached)
{
    TRY(inner);
    *ret_reached = 1;
    return HOB_OK;
}

static hob_status forward_cleanup(hob_status inner, int *ret_reached, int *ret_cleaned)
{
    hob_status status = HOB_OK;
    TRY_CLEANUP(inner);
    *ret_reached = 1;
cleanup:
    *ret_cleaned = 1;
    return status;
}

static hob_status fail_cleanup(hob_error *error, int *ret_cleaned)
{
    hob_status status = HOB_OK;
    FAIL_CLEANUP(error, HOB_BAD_TYPE, "bad");
cleanup:
    *ret_cleaned = 1;
    return status;
}

static void test_macros_forward_and_fail(void **state)
{
    (void)state;
    hob_error error;
    int is_reached = 0, is_cleaned = 0;
    assert_int_equal(refuse(&error), HOB_LIMIT);
    assert_string_equal(error.message, "found 2, expected 1");
    assert_non_null(strstr(error.where, "test_error.c:"));
    assert_int_equal(forward(HOB_IO, &is_reached), HOB_IO);
    assert_false(is_reached);
    assert_int_equal(forward(HOB_OK, &is_reached), HOB_OK);
    assert_true(is_reached);
    is_reached = 0;
    assert_int_equal(forward_cleanup(HOB_IO, &is_reached, &is_cleaned), HOB_IO);
    assert_true(is_cleaned && !is_reached);
    assert_int_equal(forward_cleanup(HOB_OK, &is_reached, &is_cleaned), HOB_OK);
    assert_true(is_reached);
    is_cleaned = 0;
    assert_int_equal(fail_cleanup(&error, &is_cleaned), HOB_BAD_TYPE);
    assert_true(is_cleaned);
}

static void test_every_status_has_a_name_and_a_sentence(void **state)
{
    (void)state;
    static const hob_status all[] = {
#define X(code, name, sentence) HOB_##code,
        HOB_STATUS_MAP(X)
#undef X
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        assert_true(strlen(hob_status_name(all[i])) > 0);
        assert_true(strlen(hob_status_sentence(all[i])) > 0);
        for (size_t j = 0; j < i; j++) assert_string_not_equal(hob_status_name(all[i]), hob_status_name(all[j]));
    }
    assert_string_equal(hob_status_name(HOB_OK), "ok");
    assert_string_equal(hob_status_name((hob_status)999), "internal error");
    assert_string_equal(hob_status_sentence((hob_status)999), hob_status_sentence(HOB_INTERNAL));
}

static void test_an_assertion_names_its_place_and_aborts(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        HOB_ASSERT(1 + 1 == 3);
        _exit(0);
    }
    close(ends[1]);
    char text[200] = "";
    assert_true(read(ends[0], text, sizeof text - 1) > 0);
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(text, "test_error.c:"));
    assert_non_null(strstr(text, "1 + 1 == 3"));
    HOB_ASSERT(1 + 1 == 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_fills_the_callers_struct),
        cmocka_unit_test(test_null_is_allowed),
        cmocka_unit_test(test_long_texts_are_cut),
        cmocka_unit_test(test_prefix_goes_before),
        cmocka_unit_test(test_prefixes_of_every_length_fit),
        cmocka_unit_test(test_macros_forward_and_fail),
        cmocka_unit_test(test_every_status_has_a_name_and_a_sentence),
        cmocka_unit_test(test_an_assertion_names_its_place_and_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
