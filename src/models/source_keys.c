/* Hyperparameters by role: the table of their spellings, and one small value type in which both kinds of
 * metadata meet. */
#include "models/source.h"

#include "base/error.h"
#include "base/size.h"

#include <inttypes.h>
#include <string.h>

enum { KEY_MAX_ALIASES = 6 };

static const struct {
    double least, most;
    const char *gguf;
    const char *hf[KEY_MAX_ALIASES];
} keys[KEY_COUNT] = {
#define KEY(id, least, most, gguf, ...) [KEY_##id] = {least, most, gguf, {__VA_ARGS__}},
#include "models/keys.def"
#undef KEY
};

enum value_kind { VALUE_ABSENT, VALUE_INT, VALUE_NUMBER, VALUE_FLAG, VALUE_TEXT, VALUE_OTHER };

static const char *const kind_names[] = {"nothing",       "a whole number", "a number",
                                         "true or false", "a text",         "a list or an object"};

struct key_value {
    enum value_kind kind;
    int64_t integer; /* INT, FLAG */
    double number;   /* INT, NUMBER */
    const char *text;
};

static struct key_value value_of_int(int64_t integer)
{
    return (struct key_value){.kind = VALUE_INT, .integer = integer, .number = (double)integer};
}

static struct key_value value_of_json(const json_t *json)
{
    switch (json ? json_typeof(json) : JSON_NULL) {
    case JSON_NULL:
        return (struct key_value){.kind = VALUE_ABSENT}; /* Python's None: as if it were not there */
    case JSON_INTEGER:
        return value_of_int(json_integer_value(json));
    case JSON_REAL:
        return (struct key_value){.kind = VALUE_NUMBER, .number = json_real_value(json)};
    case JSON_TRUE:
    case JSON_FALSE:
        return (struct key_value){.kind = VALUE_FLAG, .integer = json_is_true(json)};
    case JSON_STRING:
        return (struct key_value){.kind = VALUE_TEXT, .text = json_string_value(json)};
    case JSON_OBJECT:
    case JSON_ARRAY:
        break;
    }
    return (struct key_value){.kind = VALUE_OTHER};
}

static struct key_value value_of_metadata(const struct metadata *metadata)
{
    if (!metadata) return (struct key_value){.kind = VALUE_ABSENT};
    switch (metadata->kind) {
    case METADATA_INT:
        return value_of_int(metadata->integer);
    case METADATA_UINT:
        if (metadata->unsigned_integer <= INT64_MAX) return value_of_int((int64_t)metadata->unsigned_integer);
        return (struct key_value){.kind = VALUE_NUMBER, .number = (double)metadata->unsigned_integer};
    case METADATA_FLOAT:
        return (struct key_value){.kind = VALUE_NUMBER, .number = metadata->number};
    case METADATA_BOOL:
        return (struct key_value){.kind = VALUE_FLAG, .integer = metadata->integer};
    case METADATA_STRING:
        return (struct key_value){.kind = VALUE_TEXT, .text = metadata->string.bytes};
    case METADATA_ARRAY:
        break;
    }
    return (struct key_value){.kind = VALUE_OTHER};
}

/* A dot in name goes into a nested object. */
static const json_t *find_json(const json_t *object, const char *name)
{
    const char *dot = strchr(name, '.');
    if (!dot) return json_object_get(object, name);
    char outer[SOURCE_NAME_BYTES];
    snprintf(outer, sizeof outer, "%.*s", (int)(dot - name), name);
    return find_json(json_object_get(object, outer), dot + 1);
}

/* The alias that config.json uses; the first when it uses none. */
static const char *config_name(const struct model_source *source, enum model_key key)
{
    for (size_t i = 0; i < KEY_MAX_ALIASES && keys[key].hf[i]; i++) {
        const json_t *json = find_json(source->config, keys[key].hf[i]);
        if (json && !json_is_null(json)) return keys[key].hf[i];
    }
    return keys[key].hf[0];
}

const char *model_source_key_name(const struct model_source *source, enum model_key key, char name[SOURCE_NAME_BYTES])
{
    if (!model_source_is_gguf(source)) snprintf(name, SOURCE_NAME_BYTES, "%s", config_name(source, key));
    else
        snprintf(name, SOURCE_NAME_BYTES, "%s%s", *keys[key].gguf == '.' ? source->def->gguf_architecture : "",
                 keys[key].gguf);
    return name;
}

static struct key_value find_value(const struct model_source *source, enum model_key key)
{
    char name[SOURCE_NAME_BYTES];
    model_source_key_name(source, key, name);
    if (model_source_is_gguf(source)) return value_of_metadata(tensor_file_get(source->file, name));
    return value_of_json(find_json(source->config, name));
}

bool model_source_has(const struct model_source *source, enum model_key key)
{
    return find_value(source, key).kind != VALUE_ABSENT;
}

bool model_source_says(const struct model_source *source, enum model_key key, const char *text)
{
    struct key_value value = find_value(source, key);
    return value.kind == VALUE_TEXT && !strcmp(value.text, text);
}

bool model_source_is_null(const struct model_source *source, enum model_key key)
{
    for (size_t i = 0; !model_source_is_gguf(source) && i < KEY_MAX_ALIASES && keys[key].hf[i]; i++)
        if (json_is_null(find_json(source->config, keys[key].hf[i]))) return !model_source_has(source, key);
    return false;
}

static hob_status fail_missing(const struct model_source *source, enum model_key key, hob_error *error)
{
    char name[SOURCE_NAME_BYTES];
    FAIL(error, HOB_BAD_FILE, "%s: %s: missing", source->where, model_source_key_name(source, key, name));
}

static hob_status fail_kind(const struct model_source *source, enum model_key key, enum value_kind found,
                            enum value_kind expected, hob_error *error)
{
    char name[SOURCE_NAME_BYTES];
    FAIL(error, HOB_BAD_FILE, "%s: %s: found %s, expected %s", source->where, model_source_key_name(source, key, name),
         kind_names[found], kind_names[expected]);
}

static bool is_in_bounds(enum model_key key, double number)
{
    return number >= keys[key].least && number <= keys[key].most; /* false for NaN */
}

static hob_status check_bounds(const struct model_source *source, enum model_key key, double number, hob_error *error)
{
    char name[SOURCE_NAME_BYTES];
    if (is_in_bounds(key, number)) return HOB_OK;
    FAIL(error, HOB_BAD_FILE, "%s: %s: found %.15g, expected %.15g to %.15g", source->where,
         model_source_key_name(source, key, name), number, keys[key].least, keys[key].most);
}

hob_status model_source_int(const struct model_source *source, enum model_key key, int64_t fallback,
                            int64_t *ret_integer, hob_error *error)
{
    struct key_value value = find_value(source, key);
    if (value.kind == VALUE_ABSENT && fallback == KEY_REQUIRED) return fail_missing(source, key, error);
    if (value.kind == VALUE_ABSENT) {
        *ret_integer = fallback;
        return HOB_OK;
    }
    if (value.kind != VALUE_INT) return fail_kind(source, key, value.kind, VALUE_INT, error);
    TRY(check_bounds(source, key, value.number, error));
    *ret_integer = value.integer;
    return HOB_OK;
}

hob_status model_source_float(const struct model_source *source, enum model_key key, double fallback,
                              double *ret_number, hob_error *error)
{
    struct key_value value = find_value(source, key);
    if (value.kind == VALUE_ABSENT && fallback == (double)KEY_REQUIRED) return fail_missing(source, key, error);
    if (value.kind == VALUE_ABSENT) {
        *ret_number = fallback;
        return HOB_OK;
    }
    if (value.kind != VALUE_INT && value.kind != VALUE_NUMBER)
        return fail_kind(source, key, value.kind, VALUE_NUMBER, error);
    TRY(check_bounds(source, key, value.number, error));
    *ret_number = value.number;
    return HOB_OK;
}

hob_status model_source_bool(const struct model_source *source, enum model_key key, bool fallback, bool *ret_flag,
                             hob_error *error)
{
    struct key_value value = find_value(source, key);
    if (value.kind != VALUE_ABSENT && value.kind != VALUE_FLAG)
        return fail_kind(source, key, value.kind, VALUE_FLAG, error);
    *ret_flag = value.kind == VALUE_ABSENT ? fallback : value.integer != 0;
    return HOB_OK;
}

hob_status model_source_text(const struct model_source *source, enum model_key key, const char *fallback,
                             const char **ret_text, hob_error *error)
{
    struct key_value value = find_value(source, key);
    if (value.kind != VALUE_ABSENT && value.kind != VALUE_TEXT)
        return fail_kind(source, key, value.kind, VALUE_TEXT, error);
    *ret_text = value.kind == VALUE_ABSENT ? fallback : value.text;
    return HOB_OK;
}

size_t model_source_ints(const struct model_source *source, enum model_key key, size_t max_items, int64_t *ret_integers)
{
    char name[SOURCE_NAME_BYTES];
    const json_t *list = find_json(source->config, model_source_key_name(source, key, name));
    size_t n_values = json_is_array(list) ? json_array_size(list) : 1, n_integers = 0;
    for (size_t i = 0; i < n_values && n_integers < max_items; i++) {
        struct key_value value = json_is_array(list) ? value_of_json(json_array_get(list, i)) : find_value(source, key);
        if (value.kind == VALUE_INT && is_in_bounds(key, value.number)) ret_integers[n_integers++] = value.integer;
    }
    return n_integers;
}

/* ---- lists ---- */

size_t model_source_n_items(const struct model_source *source, enum model_key key)
{
    char name[SOURCE_NAME_BYTES];
    model_source_key_name(source, key, name);
    if (!model_source_is_gguf(source)) return json_array_size(find_json(source->config, name)); /* 0 for other kinds */
    const struct metadata *metadata = tensor_file_get(source->file, name);
    return metadata && metadata->kind == METADATA_ARRAY ? metadata->n_items : 0;
}

/* Texts of GGUF arrays do not end in NUL and are none of ours. */
static struct key_value value_of_element(const struct metadata *array, size_t i)
{
    if (array->element_kind == METADATA_FLOAT)
        return (struct key_value){.kind = VALUE_NUMBER, .number = array->numbers[i]};
    bool is_integer = array->element_kind == METADATA_INT || array->element_kind == METADATA_UINT;
    if (is_integer || array->element_kind == METADATA_BOOL) return value_of_int(array->integers[i]);
    return (struct key_value){.kind = VALUE_OTHER};
}

static struct key_value find_item(const struct model_source *source, enum model_key key, size_t i)
{
    char name[SOURCE_NAME_BYTES];
    model_source_key_name(source, key, name);
    if (i >= model_source_n_items(source, key)) return (struct key_value){.kind = VALUE_ABSENT};
    if (model_source_is_gguf(source)) return value_of_element(tensor_file_get(source->file, name), i);
    struct key_value value = value_of_json(json_array_get(find_json(source->config, name), i));
    return value.kind == VALUE_FLAG ? value_of_int(value.integer) : value;
}

hob_status model_source_item_float(const struct model_source *source, enum model_key key, size_t i, double *ret_number,
                                   hob_error *error)
{
    struct key_value value = find_item(source, key, i);
    if (value.kind != VALUE_INT && value.kind != VALUE_NUMBER) return fail_kind(source, key, value.kind, VALUE_NUMBER, error);
    TRY(check_bounds(source, key, value.number, error));
    *ret_number = value.number;
    return HOB_OK;
}

hob_status model_source_item_text(const struct model_source *source, enum model_key key, size_t i, const char **ret_text,
                                  hob_error *error)
{
    struct key_value value = find_item(source, key, i);
    if (value.kind != VALUE_TEXT) return fail_kind(source, key, value.kind, VALUE_TEXT, error);
    *ret_text = value.text;
    return HOB_OK;
}

static void describe(struct key_value value, char text[SOURCE_NAME_BYTES])
{
    switch (value.kind) {
    case VALUE_INT:
        snprintf(text, SOURCE_NAME_BYTES, "%" PRId64, value.integer);
        break;
    case VALUE_NUMBER:
        snprintf(text, SOURCE_NAME_BYTES, "%.9g", value.number);
        break;
    case VALUE_FLAG:
        snprintf(text, SOURCE_NAME_BYTES, "%s", value.integer ? "true" : "false");
        break;
    case VALUE_TEXT:
        snprintf(text, SOURCE_NAME_BYTES, "\"%.64s\"", value.text);
        break;
    case VALUE_ABSENT:
    case VALUE_OTHER:
        snprintf(text, SOURCE_NAME_BYTES, "%s", kind_names[value.kind]);
        break;
    }
}

hob_status model_source_refuse(const struct model_source *source, enum model_key key, const char *expected,
                               hob_error *error)
{
    char name[SOURCE_NAME_BYTES], found[SOURCE_NAME_BYTES];
    describe(find_value(source, key), found);
    FAIL(error, HOB_UNSUPPORTED, "%s: %s: found %s, expected %s", source->where,
         model_source_key_name(source, key, name), found, expected);
}
