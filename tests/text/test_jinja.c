/* Jinja against Python's jinja2 (tests/data/chat/jinja.jsonl, made by tools/jinja-goldens.py), its messages, and its bounds. */
#include "unit.h"

#include "text/jinja_cases.h"

#include <stdio.h>

static json_t *made_variables(void)
{
    return json_loads("{\"words\": [{\"name\": \"one\", \"n\": 1, \"flag\": true}, {\"name\": \"two\", \"n\": 2},"
                      " {\"name\": \"three\", \"n\": 3, \"flag\": false}], \"text\": \"Hello\", \"d\": {\"a\": 1, \"b\": \"x\", \"items\": 5},"
                      " \"tree\": [{\"v\": 1, \"c\": [{\"v\": 2}, {\"v\": 3, \"c\": [{\"v\": 4}]}]}, {\"v\": 5}]}",
                      0, NULL);
}

static bool is_as_python(const json_t *line, const json_t *variables)
{
    struct buffer out = {0};
    hob_error error = {0};
    const char *text = json_string_value(json_object_get(line, "template"));
    const json_t *wanted = json_object_get(line, "text");
    hob_status status = render_case(text, variables, &new_year, &out, &error);
    bool is_right = wanted ? status == HOB_OK && !strcmp(buffer_text(&out), json_string_value(wanted)) : status != HOB_OK;
    if (!is_right)
        print_message("%s\n  found  %s%s\n  wanted %s\n", text, buffer_text(&out), status ? error.message : "", wanted ? json_string_value(wanted) : "an error");
    buffer_release(&out);
    return is_right;
}

static void test_as_python(void **state)
{
    (void)state;
    char *line = NULL;
    size_t n_reserved = 0, n_wrong = 0, n_lines = 0;
    FILE *file = fopen("tests/data/chat/jinja.jsonl", "r");
    json_t *variables = made_variables();
    assert_non_null(file);
    for (; getline(&line, &n_reserved, file) > 0; n_lines++) {
        json_t *read = json_loads(line, 0, NULL);
        assert_non_null(read);
        n_wrong += !is_as_python(read, variables);
        json_decref(read);
    }
    free(line);
    fclose(file);
    json_decref(variables);
    assert_int_equal(n_wrong, 0);
    assert_true(n_lines > 350);
}

static void expect(const char *text, const char *wanted)
{
    struct buffer out = {0};
    hob_error error = {0};
    json_t *variables = made_variables();
    assert_int_equal(render_case(text, variables, &new_year, &out, &error), HOB_OK);
    assert_string_equal(buffer_text(&out), wanted);
    json_decref(variables);
    buffer_release(&out);
}

/* What Jinja2 has not, but transformers adds. */
static void test_additions(void **state)
{
    (void)state;
    setenv("TZ", "UTC", 1);
    expect("{{ strftime_now('%d %b %Y %H:%M') }}", "01 Jan 2026 12:00");
    expect("a{% generation %}x{{ 1 }}{% endgeneration %}b", "ax1b");
    expect("{% set x = 1 %}{% generation %}{{ x }}{% endgeneration %}", "1");
    expect("{{ 9223372036854775807 | round }} {{ -7 | round(2) }} {{ 1250 | round(-2) }}", "9223372036854775807 -7 1200"); /* whole numbers stay whole, halves go to even */
}

static void expect_error(const char *text, hob_status wanted, const char *message)
{
    struct buffer out = {0};
    hob_error error = {0};
    json_t *variables = made_variables();
    hob_status status = render_case(text, variables, &new_year, &out, &error);
    if (status != wanted || !strstr(error.message, message)) print_message("%.80s: %s\n", text, error.message);
    assert_int_equal(status, wanted);
    assert_non_null(strstr(error.message, message));
    json_decref(variables);
    buffer_release(&out);
}

static void test_messages(void **state)
{
    (void)state;
    expect_error("a\n  {{ missing.x }}", HOB_BAD_ARGUMENT, "t: line 2, column 14: 'missing' is undefined, so it has no 'x'");
    expect_error("{{ raise_exception('Roles must alternate') }}", HOB_BAD_ARGUMENT, "Roles must alternate");
    expect_error("{{ 'é' ~ (1 / 0) }}", HOB_BAD_ARGUMENT, "line 1, column 13: division by zero");
    expect_error("{{ 1 | nothing }}", HOB_UNSUPPORTED, "there is no filter 'nothing'");
    expect_error("{% if 1 %}", HOB_BAD_FILE, "expected elif");
    expect_error("{% include 'x' %}", HOB_UNSUPPORTED, "include is no statement of chat templates");
    expect_error("{{ 'a }}", HOB_BAD_FILE, "found a string without an end");
    expect_error("{{ text(1) }}", HOB_BAD_ARGUMENT, "found a string, which cannot be called");
    expect_error("{{ 9223372036854775807 + 1 }}", HOB_BAD_ARGUMENT, "no 64-bit integer");
    expect_error("{{ text.replace('a') }}", HOB_BAD_ARGUMENT, "replace: its argument 'new' is missing");
    expect_error("{% macro m(a) %}{% endmacro %}{{ m(b=1) }}", HOB_BAD_ARGUMENT, "macro 'm' takes no argument 'b'");
}

/* A filter that is unknown but never reached is no error, as the parser does not know what will be reached. */
static void test_unreached(void **state)
{
    (void)state;
    expect("{% if false %}{{ 1 | nothing }}{% endif %}x", "x");
}

static void expect_refused(const char *text)
{
    struct buffer out = {0};
    hob_error error = {0};
    struct jinja_options options = {.most_steps = 2000000, .most_bytes = 16 << 20, .most_output_bytes = 1 << 20};
    hob_status status = render_case(text, NULL, &options, &out, &error);
    if (status == HOB_OK) print_message("%.100s\n", text);
    assert_int_not_equal(status, HOB_OK);
    buffer_release(&out);
}

/* Hostile templates end with an error, in bounded time and memory. */
static void test_bounds(void **state)
{
    (void)state;
    expect_refused("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}");
    expect_refused("{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}");
    expect_refused("{{ 'x' * 1000000000000 }}");
    expect_refused("{{ [0] * 1000000000000 }}");
    expect_refused("{{ range(1000000) }}");
    expect_refused("{% set ns = namespace(s='x') %}{% for i in range(100) %}{% set ns.s = ns.s + ns.s %}{% endfor %}");
    expect_refused("{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}");
    expect_refused("{% set a = namespace(l=[1]) %}{% set b = namespace(l=[1]) %}{% for i in range(60) %}{% set a.l = [a.l, a.l] %}"
                   "{% set b.l = [b.l, b.l] %}{% endfor %}{{ a.l == b.l }}");
    expect_refused("{% set ns = namespace() %}{% set ns.me = ns %}{{ ns }}");
    expect_refused("{% set ns = namespace() %}{% set ns.me = [ns] %}{{ ns.me | tojson }}");
    expect_refused("{% for i in range(100000) %}{{ 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' }}{% endfor %}");
    expect_refused("{{ '%999999999d' % 1 ~ 'x' * 100000000 }}");
    expect_refused("{% set s = 'a' * 1000000 %}{{ s.rfind('a' * 500000 + 'b') }}");
}

static void expect_refused_nest(const char *begin, const char *middle, const char *end, size_t n)
{
    struct buffer text = {0};
    for (size_t i = 0; i < n; i++) buffer_append_string(&text, begin);
    buffer_append_string(&text, middle);
    for (size_t i = 0; i < n; i++) buffer_append_string(&text, end);
    expect_refused(buffer_text(&text));
    buffer_release(&text);
}

static void test_depth(void **state)
{
    (void)state;
    expect_refused_nest("{% if 1 %}", "x", "{% endif %}", 5000);
    expect_refused_nest("", "{{ missing.x }}", "", 1);
    struct buffer text = {0};
    for (int kind = 0; kind < 6; kind++) {
        static const char *const units[] = {"(", "[", "not ", "-", "1+", "{1:"};
        buffer_clear(&text);
        buffer_append_string(&text, "{{ ");
        for (int i = 0; i < 5000; i++) buffer_append_string(&text, units[kind]);
        buffer_append_string(&text, "1 }}");
        expect_refused(buffer_text(&text));
    }
    buffer_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_python), cmocka_unit_test(test_additions), cmocka_unit_test(test_messages),
        cmocka_unit_test(test_unreached), cmocka_unit_test(test_bounds),    cmocka_unit_test(test_depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
