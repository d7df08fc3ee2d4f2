/* Reading request bodies by rows, and the JSON Schema made from them. */
#include "server/routes/fields.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct inputs {
    const char *text;
    bool is_on;
    size_t count;
    int64_t integer;
    double number;
    int choice;
    const json_t *texts, *object, *list, *any;
};

static const char *const words[] = {"float", "base64", NULL};
static const struct field_def fields[] = {
    {.name = "text",
     .kind = FIELD_TEXT,
     .is_required = true,
     .offset = offsetof(struct inputs, text),
     .help = "a text"},
    {.name = "on", .kind = FIELD_BOOL, .offset = offsetof(struct inputs, is_on)},
    {.name = "count", .kind = FIELD_COUNT, .offset = offsetof(struct inputs, count)},
    {.name = "integer", .kind = FIELD_INTEGER, .offset = offsetof(struct inputs, integer), .least = -5, .most = 5},
    {.name = "number", .kind = FIELD_NUMBER, .offset = offsetof(struct inputs, number), .least = 0, .most = 2},
    {.name = "choice", .kind = FIELD_CHOICE, .offset = offsetof(struct inputs, choice), .choices = words},
    {.name = "texts", .kind = FIELD_TEXTS, .offset = offsetof(struct inputs, texts), .most_items = 2},
    {.name = "object", .kind = FIELD_OBJECT, .offset = offsetof(struct inputs, object)},
    {.name = "list", .kind = FIELD_LIST, .offset = offsetof(struct inputs, list), .most_items = 3},
    {.name = "any", .kind = FIELD_ANY, .offset = offsetof(struct inputs, any)},
    {.name = "user", .kind = FIELD_IGNORED},
};
enum { N_FIELDS = sizeof fields / sizeof fields[0] };

static void values_are_read(void **state)
{
    (void)state;
    struct inputs inputs = {.number = 1, .count = 7};
    struct problem problem;
    json_t *body = json_loads(
        "{\"text\":\"a\",\"on\":true,\"integer\":-3.0,\"number\":0.5,\"choice\":\"base64\",\"texts\":[\"x\",\"y\"],"
        "\"object\":{},\"list\":[1],\"any\":3,\"user\":[],\"count\":null,\"unknown\":1}",
        0, NULL);
    assert_true(fields_read(body, fields, N_FIELDS, &inputs, &problem));
    assert_string_equal(inputs.text, "a");
    assert_true(inputs.is_on);
    assert_int_equal(inputs.count, 7); /* null leaves the default */
    assert_int_equal(inputs.integer, -3);
    assert_true(inputs.number == 0.5);
    assert_int_equal(inputs.choice, 1);
    assert_int_equal(json_array_size(inputs.texts), 2);
    assert_int_equal(json_integer_value(inputs.any), 3);
    json_decref(body);
}

static void wrong_values_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *body, *field, *message;
    } cases[] = {
        {"{}", "text", "text: found nothing, expected a value: the field is required"},
        {"{\"text\":null}", "text", "text: found nothing, expected a value: the field is required"},
        {"{\"text\":3}", "text", "text: found a number, expected a text"},
        {"{\"text\":\"a\\u0000b\"}", "text", "text: found a text with a NUL character, expected none"},
        {"{\"text\":\"\",\"on\":1}", "on", "on: found a number, expected true or false"},
        {"{\"text\":\"\",\"count\":-1}", "count", "count: found -1, expected 0 or more"},
        {"{\"text\":\"\",\"count\":1.5}", "count", "count: found 1.5, expected a whole number"},
        {"{\"text\":\"\",\"count\":1e300}", "count", "count: found 1e+300, expected a whole number"},
        {"{\"text\":\"\",\"integer\":6}", "integer", "integer: found 6, expected -5 to 5"},
        {"{\"text\":\"\",\"number\":2.5}", "number", "number: found 2.5, expected 0 to 2"},
        {"{\"text\":\"\",\"number\":\"1\"}", "number", "number: found a text, expected a number"},
        {"{\"text\":\"\",\"choice\":\"hex\"}", "choice",
         "choice: found \"hex\", expected one of \"float\", \"base64\""},
        {"{\"text\":\"\",\"texts\":[\"a\",1]}", "texts", "texts[1]: found a number, expected a text"},
        {"{\"text\":\"\",\"texts\":[\"a\",\"b\",\"c\"]}", "texts", "texts: found 3 items, expected at most 2"},
        {"{\"text\":\"\",\"object\":[]}", "object", "object: found a list, expected an object"},
        {"{\"text\":\"\",\"list\":{}}", "list", "list: found an object, expected a list"},
        {"{\"text\":\"\",\"list\":[1,2,3,4]}", "list", "list: found 4 items, expected at most 3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct inputs inputs = {0};
        struct problem problem;
        json_t *body = json_loads(cases[i].body, JSON_ALLOW_NUL, NULL);
        assert_non_null(body);
        assert_false(fields_read(body, fields, N_FIELDS, &inputs, &problem));
        assert_int_equal(problem.kind, PROBLEM_BAD_REQUEST);
        assert_string_equal(problem.field, cases[i].field);
        assert_string_equal(problem.message, cases[i].message);
        json_decref(body);
    }
}

static void schema_shows_the_rows(void **state)
{
    (void)state;
    json_t *schema = fields_schema(fields, N_FIELDS);
    const json_t *properties = json_object_get(schema, "properties");
    assert_int_equal(json_object_size(properties), N_FIELDS);
    assert_string_equal(json_string_value(json_array_get(json_object_get(schema, "required"), 0)), "text");
    assert_int_equal(json_array_size(json_object_get(schema, "required")), 1);
    const json_t *number = json_object_get(properties, "number");
    assert_true(json_real_value(json_object_get(number, "maximum")) == 2);
    assert_int_equal(json_array_size(json_object_get(json_object_get(properties, "choice"), "enum")), 2);
    assert_non_null(json_object_get(json_object_get(properties, "texts"), "anyOf"));
    json_decref(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_read),
        cmocka_unit_test(wrong_values_are_told),
        cmocka_unit_test(schema_shows_the_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
