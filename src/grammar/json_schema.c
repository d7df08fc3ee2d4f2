/* The queue of schemas: each is told apart by its keywords and becomes the body of its rule. */
#include "grammar/json_schema.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "grammar/schema_container.h"
#include "grammar/schema_merge.h"
#include "grammar/schema_scalar.h"

#include <string.h>

enum { EXCLUSION_DEPTH = 8 };

/* ---- what is known ---- */

static bool is_known(const char *keyword)
{
    static const char *const names[] = {
        "type",
        "enum",
        "const",
        "properties",
        "required",
        "additionalProperties",
        "patternProperties",
        "items",
        "prefixItems",
        "minItems",
        "maxItems",
        "uniqueItems",
        "additionalItems",
        "propertyNames",
        "minLength",
        "maxLength",
        "pattern",
        "format",
        "minimum",
        "maximum",
        "minProperties",
        "maxProperties",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "anyOf",
        "oneOf",
        "allOf",
        "$ref",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!strcmp(keyword, names[i])) return true;
    return schema_is_annotation(keyword);
}

static hob_status check_keywords(const struct schema_compiler *compiler, const struct schema_item *item)
{
    const char *keyword;
    json_t *value;
    json_object_foreach (item->schema, keyword, value)
        if (!is_known(keyword))
            return schema_fail(compiler, item, keyword, HOB_UNSUPPORTED,
                               "this keyword is not supported, and nothing is left out silently");
    const json_t *multiple = json_object_get(item->schema, "multipleOf");
    if (multiple && json_number_value(multiple) != 1)
        return schema_fail(compiler, item, "multipleOf", HOB_UNSUPPORTED,
                           "a grammar of digits cannot keep multiples (1 is possible)");
    return HOB_OK;
}

/* How many keywords say something, but for one. */
static size_t n_saying(json_t *schema, const char *but)
{
    const char *keyword;
    json_t *value;
    size_t n = 0;
    json_object_foreach (schema, keyword, value) n += strcmp(keyword, but) && !schema_is_annotation(keyword);
    return n;
}

/* ---- values ---- */

static void add_text(struct grammar_builder *builder, uint32_t from, const char *text, size_t n_bytes, uint32_t to)
{
    grammar_builder_skip(builder, grammar_builder_literal(builder, from, text, n_bytes), to);
}

static int append_json(const char *bytes, size_t n_bytes, void *text)
{
    return buffer_append(text, bytes, n_bytes) ? 0 : -1;
}

/* A value as compact JSON; reals with the digits that tell them apart. */
static hob_status add_constant(struct schema_compiler *compiler, const json_t *value, uint32_t from, uint32_t to)
{
    struct grammar_builder *builder = compiler->builder;
    if (json_is_string(value)) {
        grammar_builder_skip(builder,
                             json_text_string(builder, from, json_string_value(value), json_string_length(value)), to);
        return builder->status;
    }
    char number[40] = "";
    struct buffer text = {0};
    for (int digits = 1; json_is_real(value) && digits <= 17; digits++) {
        snprintf(number, sizeof number, "%.*g", digits, json_real_value(value));
        if (strtod(number, NULL) == json_real_value(value)) break;
    }
    bool is_written =
        json_is_real(value) || json_dump_callback(value, append_json, &text, JSON_COMPACT | JSON_ENCODE_ANY) == 0;
    if (json_is_real(value)) buffer_append_string(&text, number);
    if (!is_written || text.is_failed) grammar_builder_fail(builder, HOB_NO_MEMORY, "schema: no memory");
    add_text(builder, from, buffer_text(&text), text.n_bytes, to);
    buffer_release(&text);
    return builder->status;
}

static hob_status add_enum(struct schema_compiler *compiler, const struct schema_item *item, uint32_t from, uint32_t to)
{
    const json_t *values = json_object_get(item->schema, "enum"), *value = json_object_get(item->schema, "const");
    bool is_list = values != NULL;
    unsigned types;
    TRY(schema_said_types(compiler, item, &types));
    if (is_list && (!json_is_array(values) || !json_array_size(values)))
        return schema_fail(compiler, item, "enum", HOB_BAD_FILE, "expected a list of values that can be");
    if (is_list && value)
        return schema_fail(compiler, item, "const", HOB_UNSUPPORTED, "cannot be kept beside \"enum\"");
    size_t n_others =
        n_saying(item->schema, is_list ? "enum" : "const") - (json_object_get(item->schema, "type") != NULL);
    if (n_others)
        return schema_fail(compiler, item, is_list ? "enum" : "const", HOB_UNSUPPORTED,
                           "cannot be kept beside other keywords than \"type\"");
    if (types & TYPE_NUMBER) types |= TYPE_INTEGER;
    for (size_t i = 0; i < (is_list ? json_array_size(values) : 1); i++) {
        const json_t *one = is_list ? json_array_get(values, i) : value;
        if (!types || schema_type_of(one) & types) TRY(add_constant(compiler, one, from, to));
    }
    return HOB_OK;
}

static hob_status add_types(struct schema_compiler *compiler, const struct schema_item *item, uint32_t from,
                            uint32_t to)
{
    struct grammar_builder *builder = compiler->builder;
    unsigned types;
    TRY(schema_types(compiler, item, &types));
    bool is_whole = json_object_get(item->schema, "multipleOf") && types & (TYPE_NUMBER | TYPE_INTEGER);
    if (types & TYPE_NULL) add_text(builder, from, "null", 4, to);
    if (types & TYPE_BOOLEAN) {
        add_text(builder, from, "true", 4, to);
        add_text(builder, from, "false", 5, to);
    }
    if (types & TYPE_NUMBER) TRY(schema_add_number(compiler, item, is_whole, from, to));
    else if (types & TYPE_INTEGER) TRY(schema_add_number(compiler, item, true, from, to));
    if (types & TYPE_STRING) TRY(schema_add_string(compiler, item, from, to));
    if (types & TYPE_ARRAY) TRY(schema_add_array(compiler, item, from, to));
    if (types & TYPE_OBJECT) TRY(schema_add_object(compiler, item, from, to));
    return builder->status;
}

/* ---- alternatives ---- */

/* The base and one alternative as one schema. */
static hob_status make_branch(struct schema_compiler *compiler, const struct schema_item *item, json_t *base,
                              json_t *branch, json_t **ret_made)
{
    if (!json_is_object(branch) && !json_is_boolean(branch))
        return schema_fail(compiler, item, NULL, HOB_BAD_FILE, "expected a list of schemas as alternatives");
    *ret_made = branch;
    if (!n_saying(base, "")) return HOB_OK;
    TRY(schema_flatten(compiler, item, branch, ret_made));
    return schema_merge(compiler, item, base, *ret_made, ret_made);
}

static hob_status check_exclusive(struct schema_compiler *compiler, const struct schema_item *item, json_t **branches,
                                  size_t n)
{
    json_t **flat = arena_new(&compiler->builder->arena, n, sizeof *flat, _Alignof(json_t *));
    if (!flat) FAIL(compiler->error, HOB_NO_MEMORY, "schema: no memory");
    for (size_t i = 0; i < n; i++) TRY(schema_flatten(compiler, item, branches[i], &flat[i]));
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++) {
            if (i == k) continue;
            TRY(schema_charge(compiler, item, 1));
            if (!schema_excludes(compiler, flat[i], flat[k], EXCLUSION_DEPTH))
                return schema_fail(compiler, item, "oneOf", HOB_UNSUPPORTED,
                                   "two of the alternatives may hold at once, which a grammar cannot forbid; use "
                                   "\"anyOf\" or a \"const\" that tells them apart");
        }
    return HOB_OK;
}

static hob_status add_alternatives(struct schema_compiler *compiler, const struct schema_item *item,
                                   const char *keyword, uint32_t from, uint32_t to)
{
    json_t *list = json_object_get(item->schema, keyword), *base = schema_keep(compiler, json_copy(item->schema));
    size_t n = json_array_size(list);
    if (!n) return schema_fail(compiler, item, keyword, HOB_BAD_FILE, "expected a list of schemas");
    TRY(schema_charge(compiler, item, n));
    TRY(compiler->builder->status);
    json_object_del(base, keyword);
    json_t **branches = arena_new(&compiler->builder->arena, n, sizeof *branches, _Alignof(json_t *));
    const char *pointer = schema_pointer(compiler, item->pointer, keyword, 0);
    if (!branches || !pointer) FAIL(compiler->error, HOB_NO_MEMORY, "schema: no memory");
    for (size_t i = 0; i < n; i++) {
        const char *place = schema_pointer(compiler, pointer, NULL, i);
        uint32_t rule;
        TRY(compiler->builder->status);
        TRY(make_branch(compiler, item, base, json_array_get(list, i), &branches[i]));
        TRY(schema_rule(compiler, branches[i], place, &rule));
        grammar_builder_call(compiler->builder, from, rule, to);
    }
    return strcmp(keyword, "oneOf") ? compiler->builder->status : check_exclusive(compiler, item, branches, n);
}

/* ---- the queue ---- */

static hob_status add_schema(struct schema_compiler *compiler, struct schema_item *item, uint32_t from, uint32_t to)
{
    if (json_is_false(item->schema)) return HOB_OK; /* no way through: what needs it cannot be */
    if (json_is_true(item->schema)) {
        grammar_builder_call(compiler->builder, from, compiler->text.value, to);
        return compiler->builder->status;
    }
    if (!json_is_object(item->schema))
        return schema_fail(compiler, item, NULL, HOB_BAD_FILE, "expected a schema: an object, true or false");
    TRY(check_keywords(compiler, item));
    if (json_object_get(item->schema, "$ref") && !n_saying(item->schema, "$ref")) {
        json_t *target;
        const char *pointer;
        uint32_t rule;
        TRY(schema_resolve(compiler, item, &target, &pointer));
        TRY(schema_rule(compiler, target, pointer, &rule));
        grammar_builder_call(compiler->builder, from, rule, to);
        return compiler->builder->status;
    }
    TRY(schema_flatten(compiler, item, item->schema, &item->schema));
    if (!json_is_object(item->schema)) return add_schema(compiler, item, from, to);
    TRY(check_keywords(compiler, item));
    if (json_object_get(item->schema, "anyOf")) return add_alternatives(compiler, item, "anyOf", from, to);
    if (json_object_get(item->schema, "oneOf")) return add_alternatives(compiler, item, "oneOf", from, to);
    if (json_object_get(item->schema, "enum") || json_object_get(item->schema, "const"))
        return add_enum(compiler, item, from, to);
    unsigned types;
    TRY(schema_types(compiler, item, &types));
    if (types == TYPE_ANY && !n_saying(item->schema, ""))
        return add_schema(compiler, &(struct schema_item){.schema = json_true()}, from, to);
    return add_types(compiler, item, from, to);
}

static hob_status compile_all(struct schema_compiler *compiler, uint32_t *ret_root)
{
    TRY(schema_rule(compiler, compiler->root, "#", ret_root));
    for (size_t i = 0; i < compiler->n_items; i++) {
        struct schema_item item = compiler->items[i];
        struct builder_rule rule = compiler->builder->rules[item.rule];
        TRY(add_schema(compiler, &item, rule.start, rule.end));
    }
    return HOB_OK;
}

hob_status json_schema_compile_json(struct grammar_builder *builder, json_t *schema, uint32_t *ret_root, hob_error *error)
{
    struct schema_compiler compiler = {.builder = builder, .root = schema, .error = error};
    hob_status status = HOB_OK;
    compiler.made = json_array();
    if (!compiler.made) FAIL(error, HOB_NO_MEMORY, "schema: no memory");
    json_text_init(&compiler.text, builder);
    TRY_CLEANUP(builder->status);
    TRY_CLEANUP(compile_all(&compiler, ret_root));
    status = builder->status;
cleanup:
    memory_free(compiler.items);
    string_map_release(&compiler.known);
    json_decref(compiler.made);
    return status;
}

hob_status json_schema_compile(struct grammar_builder *builder, const char *text, size_t n_bytes, uint32_t *ret_root,
                               hob_error *error)
{
    json_error_t json_error;
    json_t *schema = json_loadb(text, n_bytes, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &json_error);
    if (!schema) FAIL(error, HOB_BAD_FILE, "schema: %d:%d: %s", json_error.line, json_error.column, json_error.text);
    hob_status status = json_schema_compile_json(builder, schema, ret_root, error);
    json_decref(schema);
    return status;
}

hob_status json_schema_any(struct grammar_builder *builder, uint32_t *ret_root)
{
    struct json_text text;
    TRY(builder->status);
    json_text_init(&text, builder);
    uint32_t root = grammar_builder_rule(builder, "document", 8);
    TRY(builder->status);
    grammar_builder_call(builder, builder->rules[root].start, text.object, builder->rules[root].end);
    grammar_builder_call(builder, builder->rules[root].start, text.array, builder->rules[root].end);
    *ret_root = root;
    return builder->status;
}
