/* Lines of the daemon's log: text and JSON, what may not be in them, what cannot be forged. */
#include "server/server_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

static char text[4096];

/* What one call writes. */
static const char *written(const struct config *config, enum log_level level, const char *message,
                           const struct log_field *fields)
{
    struct server_log *log;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    unsetenv("JOURNAL_STREAM");
    assert_int_equal(server_log_new(config, ends[1], &log, NULL), HOB_OK);
    server_log(log, level, message, fields);
    server_log_free(log);
    close(ends[1]);
    ssize_t n = read(ends[0], text, sizeof text - 1);
    text[n > 0 ? n : 0] = 0;
    close(ends[0]);
    return text;
}

static const struct log_field fields[] = {LOG_TEXT("id", "a b"),           LOG_COUNT("status", 200),
                                          LOG_NUMBER("ms", 1.5),           LOG_TEXT("none", NULL),
                                          LOG_PRIVATE("prompt", "secret"), LOG_FIELDS_END};

static void text_lines_have_fields(void **state)
{
    (void)state;
    struct config config = {.log_level = CONFIG_LOG_INFO};
    assert_non_null(
        strstr(written(&config, LOG_INFO, "request", fields), " info request id=\"a b\" status=200 ms=1.5\n"));
    config.log_texts = true;
    assert_non_null(strstr(written(&config, LOG_INFO, "request", fields), " prompt=secret\n"));
}

static void nothing_forges_lines(void **state)
{
    (void)state;
    struct config config = {.log_level = CONFIG_LOG_INFO};
    const struct log_field hostile[] = {LOG_TEXT("id", "x\nerror \"y\" a=\x1b[31m"), LOG_FIELDS_END};
    written(&config, LOG_INFO, "request\nforged", hostile);
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    assert_non_null(strstr(text, "id=\"x\\x0aerror \\\"y\\\" a=\\x1b[31m\""));
}

static void levels_are_kept(void **state)
{
    (void)state;
    struct config config = {.log_level = CONFIG_LOG_WARNING};
    assert_string_equal(written(&config, LOG_INFO, "request", NULL), "");
    assert_string_not_equal(written(&config, LOG_WARNING, "request", NULL), "");
}

static void json_lines_are_objects(void **state)
{
    (void)state;
    struct config config = {.log_level = CONFIG_LOG_INFO, .log_format = CONFIG_LOG_JSON};
    json_t *object = json_loads(written(&config, LOG_INFO, "request", fields), 0, NULL);
    assert_string_equal(json_string_value(json_object_get(object, "message")), "request");
    assert_int_equal(json_integer_value(json_object_get(object, "status")), 200);
    assert_null(json_object_get(object, "prompt"));
    json_decref(object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_lines_have_fields),
        cmocka_unit_test(nothing_forges_lines),
        cmocka_unit_test(levels_are_kept),
        cmocka_unit_test(json_lines_are_objects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
