/* One reader for each kind of field, found by the kind; each says what it found and what it expected. */
#include "server/routes/fields.h"

#include <float.h>
#include <math.h>

enum { DEFAULT_MOST_ITEMS = 1 << 20 };

static const char *json_kind(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        return "a text";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "a boolean";
    default:
        return "null";
    }
}

static bool expect(const struct field_def *field, const json_t *found, const char *expected,
                   struct problem *ret_problem)
{
    return problem_set_field(ret_problem, field->name, "%s: found %s, expected %s", field->name, json_kind(found),
                             expected);
}

static bool is_bounded(const struct field_def *field)
{
    return field->least != 0 || field->most != 0;
}

static bool check_bounds(const struct field_def *field, double value, struct problem *ret_problem)
{
    if (!is_bounded(field) || (value >= field->least && value <= field->most)) return true;
    return problem_set_field(ret_problem, field->name, "%s: found %.10g, expected %.10g to %.10g", field->name, value,
                             field->least, field->most);
}

/* ---- one kind each ---- */

static bool read_text(const struct field_def *field, const json_t *value, void *ret, struct problem *ret_problem)
{
    if (!json_is_string(value)) return expect(field, value, "a text", ret_problem);
    if (strlen(json_string_value(value)) != json_string_length(value))
        return problem_set_field(ret_problem, field->name, "%s: found a text with a NUL character, expected none",
                                 field->name);
    *(const char **)ret = json_string_value(value);
    return true;
}

static bool read_bool(const struct field_def *field, const json_t *value, void *ret, struct problem *ret_problem)
{
    if (!json_is_boolean(value)) return expect(field, value, "true or false", ret_problem);
    *(bool *)ret = json_is_true(value);
    return true;
}

/* Python's clients write 3.0 for 3. */
static bool read_whole(const struct field_def *field, const json_t *value, int64_t *ret_whole,
                       struct problem *ret_problem)
{
    double real = json_number_value(value);
    if (!json_is_number(value)) return expect(field, value, "a whole number", ret_problem);
    if (json_is_real(value) && (real != trunc(real) || fabs(real) > 0x1p53))
        return problem_set_field(ret_problem, field->name, "%s: found %.10g, expected a whole number", field->name,
                                 real);
    *ret_whole = json_is_real(value) ? (int64_t)real : json_integer_value(value);
    return check_bounds(field, (double)*ret_whole, ret_problem);
}

static bool read_count(const struct field_def *field, const json_t *value, void *ret, struct problem *ret_problem)
{
    int64_t whole = 0;
    if (!read_whole(field, value, &whole, ret_problem)) return false;
    if (whole < 0)
        return problem_set_field(ret_problem, field->name, "%s: found %lld, expected 0 or more", field->name,
                                 (long long)whole);
    *(size_t *)ret = (size_t)whole;
    return true;
}

static bool read_integer(const struct field_def *field, const json_t *value, void *ret, struct problem *ret_problem)
{
    return read_whole(field, value, ret, ret_problem);
}

static bool read_number(const struct field_def *field, const json_t *value, void *ret, struct problem *ret_problem)
{
    if (!json_is_number(value)) return expect(field, value, "a number", ret_problem);
    if (!check_bounds(field, json_number_value(value), ret_problem)) return false;
    *(double *)ret = json_number_value(value);
    return true;
}

static bool read_choice(const struct field_def *field, const json_t *value, void *ret, struct problem *ret_problem)
{
    if (!json_is_string(value)) return expect(field, value, "a text", ret_problem);
    char words[256] = "";
    size_t n_bytes = 0;
    for (int i = 0; field->choices[i]; i++) {
        if (!strcmp(field->choices[i], json_string_value(value))) {
            *(int *)ret = i;
            return true;
        }
        int n = snprintf(words + n_bytes, sizeof words - n_bytes, "%s\"%s\"", i ? ", " : "", field->choices[i]);
        if (n > 0 && n_bytes + (size_t)n < sizeof words) n_bytes += (size_t)n;
    }
    return problem_set_field(ret_problem, field->name, "%s: found \"%.60s\", expected one of %s", field->name,
                             json_string_value(value), words);
}

static bool check_n_items(const struct field_def *field, const json_t *list, struct problem *ret_problem)
{
    size_t most = field->most_items ? field->most_items : DEFAULT_MOST_ITEMS;
    if (json_array_size(list) <= most) return true;
    return problem_set_field(ret_problem, field->name, "%s: found %zu items, expected at most %zu", field->name,
                             json_array_size(list), most);
}

static bool read_texts(const struct field_def *field, const json_t *value, void *ret, struct problem *ret_problem)
{
    size_t i;
    const json_t *item;
    if (!json_is_string(value) && !json_is_array(value))
        return expect(field, value, "a text or a list of texts", ret_problem);
    if (!check_n_items(field, value, ret_problem)) return false;
    json_array_foreach (value, i, item) {
        if (json_is_string(item)) continue;
        return problem_set_field(ret_problem, field->name, "%s[%zu]: found %s, expected a text", field->name, i,
                                 json_kind(item));
    }
    *(const json_t **)ret = value;
    return true;
}

static bool read_object(const struct field_def *field, const json_t *value, void *ret, struct problem *ret_problem)
{
    if (!json_is_object(value)) return expect(field, value, "an object", ret_problem);
    *(const json_t **)ret = value;
    return true;
}

static bool read_list(const struct field_def *field, const json_t *value, void *ret, struct problem *ret_problem)
{
    if (!json_is_array(value)) return expect(field, value, "a list", ret_problem);
    *(const json_t **)ret = value;
    return check_n_items(field, value, ret_problem);
}

static bool read_any(const struct field_def *field, const json_t *value, void *ret, struct problem *ret_problem)
{
    (void)field, (void)ret_problem;
    *(const json_t **)ret = value;
    return true;
}

static bool read_ignored(const struct field_def *field, const json_t *value, void *ret, struct problem *ret_problem)
{
    (void)field, (void)value, (void)ret, (void)ret_problem;
    return true;
}

static const struct {
    bool (*read)(const struct field_def *field, const json_t *value, void *ret, struct problem *ret_problem);
    const char *type; /* JSON Schema's; NULL: any, or made by add_type */
} kinds[] = {
    [FIELD_TEXT] = {read_text, "string"},     [FIELD_BOOL] = {read_bool, "boolean"},
    [FIELD_COUNT] = {read_count, "integer"},  [FIELD_INTEGER] = {read_integer, "integer"},
    [FIELD_NUMBER] = {read_number, "number"}, [FIELD_CHOICE] = {read_choice, "string"},
    [FIELD_TEXTS] = {read_texts, NULL},       [FIELD_OBJECT] = {read_object, "object"},
    [FIELD_LIST] = {read_list, "array"},      [FIELD_ANY] = {read_any, NULL},
    [FIELD_IGNORED] = {read_ignored, NULL},
};

bool fields_read(const json_t *object, const struct field_def *fields, size_t n_fields, void *ret_inputs,
                 struct problem *ret_problem)
{
    for (size_t i = 0; i < n_fields; i++) {
        const json_t *value = json_object_get(object, fields[i].name);
        if (json_is_null(value)) value = NULL;
        if (!value && fields[i].is_required)
            return problem_set_field(ret_problem, fields[i].name,
                                     "%s: found nothing, expected a value: the field is required", fields[i].name);
        if (value && !kinds[fields[i].kind].read(&fields[i], value, (char *)ret_inputs + fields[i].offset, ret_problem))
            return false;
    }
    return true;
}

/* ---- as JSON Schema ---- */

static json_t *schema_of_texts(void)
{
    return json_pack("[{s:s},{s:s,s:{s:s}}]", "type", "string", "type", "array", "items", "type", "string");
}

static int add_bounds(json_t *schema, const struct field_def *field)
{
    bool is_whole = field->kind == FIELD_COUNT || field->kind == FIELD_INTEGER;
    if (field->kind == FIELD_COUNT && !is_bounded(field))
        return json_object_set_new(schema, "minimum", json_integer(0));
    if (!is_bounded(field) || (!is_whole && field->kind != FIELD_NUMBER)) return 0;
    json_t *least = is_whole ? json_integer((json_int_t)field->least) : json_real(field->least);
    json_t *most = is_whole ? json_integer((json_int_t)field->most) : json_real(field->most);
    return json_object_set_new(schema, "minimum", least) | json_object_set_new(schema, "maximum", most);
}

static json_t *schema_of(const struct field_def *field)
{
    const char *type = kinds[field->kind].type;
    json_t *schema = json_pack("{s:s*,s:s*}", "type", type, "description", field->help);
    int failed = add_bounds(schema, field);
    if (field->kind == FIELD_TEXTS) failed |= json_object_set_new(schema, "anyOf", schema_of_texts());
    if (field->kind == FIELD_LIST) failed |= json_object_set_new(schema, "items", json_object());
    if (field->kind == FIELD_CHOICE) {
        json_t *words = json_array();
        for (size_t i = 0; field->choices[i]; i++)
            failed |= json_array_append_new(words, json_string(field->choices[i]));
        failed |= json_object_set_new(schema, "enum", words);
    }
    if (!failed) return schema;
    json_decref(schema);
    return NULL;
}

json_t *fields_schema(const struct field_def *fields, size_t n_fields)
{
    json_t *properties = json_object(), *required = json_array();
    int failed = 0;
    for (size_t i = 0; i < n_fields; i++) {
        failed |= json_object_set_new(properties, fields[i].name, schema_of(&fields[i]));
        if (fields[i].is_required) failed |= json_array_append_new(required, json_string(fields[i].name));
    }
    json_t *schema = json_pack("{s:s,s:o}", "type", "object", "properties", properties);
    if (json_array_size(required)) failed |= json_object_set(schema, "required", required);
    json_decref(required);
    if (!failed) return schema;
    json_decref(schema);
    return NULL;
}
