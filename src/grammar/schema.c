#include "grammar/schema.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"

#include <string.h>

hob_status schema_fail(const struct schema_compiler *compiler, const struct schema_item *item, const char *keyword,
                       hob_status status, const char *what)
{
    FAIL(compiler->error, status, "schema: %.200s%s%.60s: %.200s", item->pointer, keyword ? "/" : "",
         keyword ? keyword : "", what);
}

hob_status schema_charge(struct schema_compiler *compiler, const struct schema_item *item, size_t n_steps)
{
    size_t *n_done = &compiler->builder->n_schema_steps;
    *n_done = n_steps > SCHEMA_MAX_STEPS - *n_done ? SCHEMA_MAX_STEPS : *n_done + n_steps;
    if (*n_done < SCHEMA_MAX_STEPS) return HOB_OK;
    return schema_fail(compiler, item, NULL, HOB_LIMIT, "too many alternatives and schemas that must hold at once, for all of them to be compared");
}

static const char *keep_text(struct schema_compiler *compiler, const struct buffer *text)
{
    const char *copy =
        text->is_failed ? NULL : arena_copy_string(&compiler->builder->arena, text->bytes, text->n_bytes);
    if (!copy) grammar_builder_fail(compiler->builder, HOB_NO_MEMORY, "schema: no memory");
    return copy;
}

const char *schema_pointer(struct schema_compiler *compiler, const char *pointer, const char *key, size_t index)
{
    struct buffer text = {0};
    buffer_printf(&text, "%s/", pointer ? pointer : "");
    if (!key) buffer_printf(&text, "%zu", index);
    for (; key && *key; key++) {
        if (*key == '~' || *key == '/') buffer_append_string(&text, *key == '~' ? "~0" : "~1");
        else buffer_append(&text, key, 1);
    }
    const char *copy = keep_text(compiler, &text);
    buffer_release(&text);
    return copy;
}

hob_status schema_rule(struct schema_compiler *compiler, json_t *schema, const char *pointer, uint32_t *ret_rule)
{
    uint64_t known;
    json_t **place = arena_copy(&compiler->builder->arena, &schema, sizeof(json_t *), _Alignof(json_t *));
    if (!place) FAIL(compiler->error, HOB_NO_MEMORY, "schema: no memory");
    if (json_is_object(schema) && string_map_get(&compiler->known, place, sizeof(json_t *), &known)) {
        *ret_rule = (uint32_t)known;
        return HOB_OK;
    }
    if (compiler->n_items == SCHEMA_MAX_ITEMS)
        FAIL(compiler->error, HOB_LIMIT,
             "schema: found more than %d schemas in it, references and combinations written out", SCHEMA_MAX_ITEMS);
    if (compiler->n_items == compiler->items_reserved) {
        size_t n_wanted = compiler->items_reserved ? compiler->items_reserved * 2 : 64;
        struct schema_item *items = memory_resize(compiler->items, n_wanted, sizeof *items);
        if (!items) FAIL(compiler->error, HOB_NO_MEMORY, "schema: no memory");
        compiler->items = items;
        compiler->items_reserved = n_wanted;
    }
    TRY(compiler->builder->status);
    *ret_rule = grammar_builder_rule(compiler->builder, pointer, strlen(pointer));
    compiler->items[compiler->n_items++] =
        (struct schema_item){.schema = schema, .pointer = pointer, .rule = *ret_rule};
    if (json_is_object(schema) && !string_map_put(&compiler->known, place, sizeof(json_t *), *ret_rule))
        FAIL(compiler->error, HOB_NO_MEMORY, "schema: no memory");
    return compiler->builder->status;
}

json_t *schema_keep(struct schema_compiler *compiler, json_t *made)
{
    if (made && json_array_append_new(compiler->made, made) == 0) return made;
    grammar_builder_fail(compiler->builder, HOB_NO_MEMORY, "schema: no memory");
    return NULL;
}

/* ---- types ---- */

static const struct {
    const char *name;
    unsigned type;
} type_names[] = {{"null", TYPE_NULL},     {"boolean", TYPE_BOOLEAN}, {"integer", TYPE_INTEGER},
                  {"number", TYPE_NUMBER}, {"string", TYPE_STRING},   {"array", TYPE_ARRAY},
                  {"object", TYPE_OBJECT}};

static unsigned named_type(const json_t *name)
{
    for (size_t i = 0; json_is_string(name) && i < sizeof type_names / sizeof type_names[0]; i++)
        if (!strcmp(json_string_value(name), type_names[i].name)) return type_names[i].type;
    return 0;
}

hob_status schema_said_types(const struct schema_compiler *compiler, const struct schema_item *item,
                             unsigned *ret_types)
{
    const json_t *type = json_object_get(item->schema, "type");
    unsigned types = json_is_array(type) ? 0 : named_type(type);
    bool is_known = !type || types || (json_is_array(type) && json_array_size(type));
    for (size_t i = 0; i < json_array_size(type); i++) {
        unsigned one = named_type(json_array_get(type, i));
        is_known &= one != 0;
        types |= one;
    }
    if (!is_known)
        return schema_fail(compiler, item, "type", HOB_BAD_FILE,
                           "expected null, boolean, integer, number, string, array, object, or a list of these");
    if (types && json_is_true(json_object_get(item->schema, "nullable"))) types |= TYPE_NULL;
    *ret_types = types;
    return HOB_OK;
}

hob_status schema_types(const struct schema_compiler *compiler, const struct schema_item *item, unsigned *ret_types)
{
    static const struct {
        const char *keyword;
        unsigned type;
    } implied[] = {
        {"properties", TYPE_OBJECT},
        {"required", TYPE_OBJECT},
        {"additionalProperties", TYPE_OBJECT},
        {"patternProperties", TYPE_OBJECT},
        {"propertyNames", TYPE_OBJECT},
        {"minProperties", TYPE_OBJECT},
        {"maxProperties", TYPE_OBJECT},
        {"items", TYPE_ARRAY},
        {"prefixItems", TYPE_ARRAY},
        {"minItems", TYPE_ARRAY},
        {"maxItems", TYPE_ARRAY},
        {"uniqueItems", TYPE_ARRAY},
        {"pattern", TYPE_STRING},
        {"format", TYPE_STRING},
        {"minLength", TYPE_STRING},
        {"maxLength", TYPE_STRING},
        {"minimum", TYPE_NUMBER},
        {"maximum", TYPE_NUMBER},
        {"exclusiveMinimum", TYPE_NUMBER},
        {"exclusiveMaximum", TYPE_NUMBER},
        {"multipleOf", TYPE_NUMBER},
    };
    unsigned types;
    TRY(schema_said_types(compiler, item, &types));
    for (size_t i = 0, said = types; !said && i < sizeof implied / sizeof implied[0]; i++)
        if (json_object_get(item->schema, implied[i].keyword)) types |= implied[i].type;
    *ret_types = types ? types : TYPE_ANY;
    return HOB_OK;
}

unsigned schema_type_of(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return TYPE_OBJECT;
    case JSON_ARRAY:
        return TYPE_ARRAY;
    case JSON_STRING:
        return TYPE_STRING;
    case JSON_INTEGER:
        return TYPE_INTEGER | TYPE_NUMBER;
    case JSON_REAL:
        return json_real_value(value) == (double)(int64_t)json_real_value(value) ? TYPE_INTEGER | TYPE_NUMBER
                                                                                 : TYPE_NUMBER;
    case JSON_TRUE:
    case JSON_FALSE:
        return TYPE_BOOLEAN;
    default:
        return TYPE_NULL;
    }
}

hob_status schema_count(const struct schema_compiler *compiler, const struct schema_item *item, const char *keyword,
                        uint32_t absent, uint32_t *ret_count)
{
    const json_t *json = json_object_get(item->schema, keyword);
    double count = json ? json_number_value(json) : 0;
    if (json &&
        (!json_is_number(json) || !(count >= 0) || count > (double)UINT32_MAX - 1 || count != (double)(uint32_t)count))
        return schema_fail(compiler, item, keyword, HOB_BAD_FILE, "expected a whole number, 0 or more");
    *ret_count = json ? (uint32_t)count : absent;
    return HOB_OK;
}

bool schema_is_annotation(const char *keyword)
{
    static const char *const names[] = {"title",          "description", "default",  "examples",
                                        "example",        "deprecated",  "readOnly", "writeOnly",
                                        "$schema",        "$id",         "id",       "$comment",
                                        "$defs",          "definitions", "nullable", "contentMediaType",
                                        "contentEncoding"};
    if (keyword[0] == 'x' && keyword[1] == '-') return true;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!strcmp(keyword, names[i])) return true;
    return false;
}

/* ---- references ---- */

static int hex_of(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One step of a pointer in a URI: %XX, ~0 and ~1 undone. */
static const char *read_step(const char *at, struct buffer *step)
{
    buffer_clear(step);
    for (; *at && *at != '/'; at++) {
        bool is_escape = *at == '%' && hex_of(at[1]) >= 0 && hex_of(at[2]) >= 0;
        char c = *at;
        if (is_escape) c = (char)(unsigned char)(hex_of(at[1]) * 16 + hex_of(at[2]));
        at += is_escape ? 2 : 0;
        if (c == '~' && (at[1] == '0' || at[1] == '1')) {
            at++;
            c = *at == '0' ? '~' : '/';
        }
        buffer_append(step, &c, 1);
    }
    return at;
}

static json_t *child_of(json_t *parent, const char *step)
{
    size_t index = 0;
    if (json_is_object(parent)) return json_object_get(parent, step);
    if (!json_is_array(parent) || !*step) return NULL;
    for (; *step; step++) {
        if (*step < '0' || *step > '9' || index > 1u << 24) return NULL;
        index = index * 10 + (size_t)(*step - '0');
    }
    return json_array_get(parent, index);
}

hob_status schema_resolve(const struct schema_compiler *compiler, const struct schema_item *item, json_t **ret_target,
                          const char **ret_pointer)
{
    const char *text = json_string_value(json_object_get(item->schema, "$ref"));
    struct buffer step = {0};
    json_t *target = compiler->root;
    if (!text) return schema_fail(compiler, item, "$ref", HOB_BAD_FILE, "expected a text");
    if (text[0] != '#' || (text[1] && text[1] != '/'))
        return schema_fail(compiler, item, "$ref", HOB_UNSUPPORTED,
                           "only references into this document (#/…) are supported");
    for (const char *at = text + 1; *at && target;) {
        at = read_step(at + 1, &step);
        target = child_of(target, buffer_text(&step));
    }
    bool is_failed = step.is_failed;
    buffer_release(&step);
    if (is_failed) FAIL(compiler->error, HOB_NO_MEMORY, "schema: no memory");
    if (!json_is_object(target) && !json_is_boolean(target))
        return schema_fail(compiler, item, "$ref", HOB_BAD_FILE, "found no schema there");
    *ret_target = target;
    *ret_pointer = text;
    return HOB_OK;
}
