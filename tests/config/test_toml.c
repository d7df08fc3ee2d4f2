/* Documents against what Python's tomllib makes of them (tools/toml-goldens.py), values with their types; and messages with their places.
 * HOB_TOML_CASES=FILE takes other cases, mutants for example. */
#include "unit.h"

#include "config/toml.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *tagged(const struct toml_value *value);

static json_t *tagged_table(const struct toml_table *table)
{
    json_t *object = json_object();
    for (const struct toml_entry *entry = toml_first(table); entry; entry = entry->next)
        json_object_setn_new(object, entry->key, entry->n_key_bytes, tagged(&entry->value));
    return json_pack("{s:o}", "table", object);
}

/* As Python's isoformat: microseconds, and only if there are any. */
static json_t *tagged_time(const struct toml_time *time)
{
    char text[96] = "";
    size_t n = 0;
    if (time->has_date) n += (size_t)snprintf(text, sizeof text, "%04d-%02d-%02d", time->year, time->month, time->day);
    if (time->has_date && time->has_time) text[n++] = 'T';
    if (time->has_time)
        n += (size_t)snprintf(text + n, sizeof text - n, "%02d:%02d:%02d", time->hour, time->minute, time->second);
    if (time->nanosecond / 1000) n += (size_t)snprintf(text + n, sizeof text - n, ".%06d", time->nanosecond / 1000);
    int offset = abs(time->offset_minutes);
    if (time->has_offset)
        snprintf(text + n, sizeof text - n, "%c%02d:%02d", time->offset_minutes < 0 ? '-' : '+', offset / 60, offset % 60);
    return json_pack("{s:s}", "t", text);
}

static json_t *tagged_array(const struct toml_array *array)
{
    json_t *items = json_array();
    for (size_t i = 0; i < array->n_items; i++) json_array_append_new(items, tagged(&array->items[i]));
    return items;
}

static json_t *tagged(const struct toml_value *value)
{
    char text[32];
    switch (value->kind) {
    case TOML_STRING: return json_pack("{s:s%}", "s", value->text, value->n_text_bytes);
    case TOML_INTEGER: snprintf(text, sizeof text, "%lld", (long long)value->integer); return json_pack("{s:s}", "i", text);
    case TOML_BOOLEAN: return json_pack("{s:b}", "b", value->boolean);
    case TOML_TIME: return tagged_time(&value->time);
    case TOML_ARRAY: return tagged_array(value->array);
    case TOML_TABLE: return tagged_table(value->table);
    case TOML_FLOAT: break;
    }
    return json_pack("{s:f}", "f", isfinite(value->number) ? value->number : 0.0);
}

/* Floats are repr's texts in the golden: compared as numbers, bit by bit. */
static bool is_equal(const struct toml_value *value, const json_t *expected)
{
    const char *key;
    json_t *item, *table = json_object_get(expected, "table");
    const char *number = json_string_value(json_object_get(expected, "f"));
    if (number) {
        double wanted = strtod(number, NULL);
        return value->kind == TOML_FLOAT && (isnan(wanted) ? isnan(value->number) : !memcmp(&wanted, &value->number, sizeof wanted));
    }
    if (json_is_array(expected)) {
        bool is_good = value->kind == TOML_ARRAY && value->array->n_items == json_array_size(expected);
        for (size_t i = 0; is_good && i < json_array_size(expected); i++)
            is_good = is_equal(&value->array->items[i], json_array_get(expected, i));
        return is_good;
    }
    if (table) {
        if (value->kind != TOML_TABLE) return false;
        size_t n_keys = 0;
        for (const struct toml_entry *entry = toml_first(value->table); entry; entry = entry->next) n_keys++;
        if (n_keys != json_object_size(table)) return false;
        json_object_foreach(table, key, item) {
            const struct toml_value *found = toml_find(value->table, key);
            if (!found || !is_equal(found, item)) return false;
        }
        return true;
    }
    json_t *found = tagged(value);
    bool is_good = json_equal(found, expected);
    json_decref(found);
    return is_good;
}

static bool agrees(const json_t *one)
{
    struct toml *document = NULL;
    hob_error error = {0};
    const json_t *text = json_object_get(one, "toml"), *expected = json_object_get(one, "value");
    hob_status status = toml_parse(json_string_value(text), json_string_length(text), "t.toml", &document, &error);
    struct toml_value root = {.kind = TOML_TABLE};
    if (document) root.table = (struct toml_table *)(uintptr_t)toml_root(document);
    bool is_good = json_is_null(expected) ? status != HOB_OK : status == HOB_OK && is_equal(&root, expected);
    if (!is_good)
        print_message("%s\n-- %s; tomllib %s it\n", json_string_value(text), status == HOB_OK ? "taken" : error.message,
                      json_is_null(expected) ? "refuses" : "takes");
    toml_free(document);
    return is_good;
}

static void test_documents_as_tomllib_reads_them(void **state)
{
    (void)state;
    const char *path = getenv("HOB_TOML_CASES");
    json_t *cases = json_load_file(path ? path : "tests/data/toml.json", JSON_ALLOW_NUL, NULL);
    assert_non_null(cases);
    size_t n_wrong = 0;
    for (size_t i = 0; i < json_array_size(cases); i++) n_wrong += !agrees(json_array_get(cases, i));
    json_decref(cases);
    assert_int_equal(n_wrong, 0);
}

static void expect_message(const char *text, const char *message)
{
    struct toml *document = NULL;
    hob_error error;
    assert_int_not_equal(toml_parse(text, strlen(text), "t.toml", &document, &error), HOB_OK);
    assert_null(document);
    assert_string_equal(error.message, message);
}

static void test_messages_say_where_and_what(void **state)
{
    (void)state;
    expect_message("a = 1\nb = \"x\n", "t.toml:2:7: found the end of the line in a string, expected \"");
    expect_message("a = 1\n\n  a = 2", "t.toml:3:3: found a again, after line 1");
    expect_message("[a]\nb = [1 2]", "t.toml:2:8: found '2' in an array, expected , or ]");
    expect_message("a = tru", "t.toml:1:5: found \"tru\", expected a string in quotes, a 64-bit integer, a number, true, false, a date or a time");
    expect_message("a = 1 b", "t.toml:1:7: found 'b', expected the end of the line");
    expect_message("a = \"\\q\"", "t.toml:1:7: found 'q' behind a backslash, expected one of b t n f r \" \\ u U");
    expect_message("x\xFF = 1", "t.toml:1:2: found byte 0xFF, expected UTF-8");
    expect_message("[a.b]\n[a]\nb.c = 1", "t.toml:3:1: found a key for the table b, which line 1 has defined and closed");
}

static void test_limits(void **state)
{
    (void)state;
    struct toml *document = NULL;
    hob_error error;
    char text[256] = "a = ";
    memset(text + 4, '[', TOML_MAX_DEPTH + 1);
    assert_int_equal(toml_parse(text, strlen(text), "t.toml", &document, &error), HOB_LIMIT);
    char *large = calloc(1, TOML_MAX_BYTES + 1);
    memset(large, '\n', TOML_MAX_BYTES + 1);
    assert_int_equal(toml_parse(large, TOML_MAX_BYTES + 1, "t.toml", &document, &error), HOB_LIMIT);
    assert_int_equal(toml_parse(large, TOML_MAX_BYTES, "t.toml", &document, &error), HOB_OK);
    toml_free(document);
    free(large);
}

static void test_values_know_their_place(void **state)
{
    (void)state;
    static const char text[] = "[server]\n\n  port = 80 # web\n";
    struct toml *document;
    assert_int_equal(toml_parse(text, sizeof text - 1, "t.toml", &document, NULL), HOB_OK);
    const struct toml_value *server = toml_find(toml_root(document), "server");
    const struct toml_value *port = toml_find(server->table, "port");
    assert_int_equal(port->integer, 80);
    assert_int_equal(port->line, 3);
    assert_int_equal(port->column, 10);
    assert_int_equal(toml_first(server->table)->column, 3);
    assert_null(toml_find(server->table, "por"));
    toml_free(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_documents_as_tomllib_reads_them),
        cmocka_unit_test(test_messages_say_where_and_what),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_values_know_their_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
