/* Qwen3-Coder: <tool_call><function=name><parameter=key>value</parameter>…</function></tool_call>. What a value is the tool's schema says:
 * of a string it is the text itself; else JSON where it is some, and a text where not. */
#include "base/error.h"
#include "engine/chat/chat_format.h"
#include "engine/chat/json_calls.h"
#include "grammar/json_schema.h"
#include "grammar/until.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PARAMETER "<parameter="
#define PARAMETER_END "</parameter>"

struct span {
    const char *bytes;
    size_t n_bytes;
};

/* What stands between two marks; span is then what is behind the second. */
static bool take_between(struct span *span, const char *begin, const char *end, struct span *ret_between)
{
    const char *from = span->n_bytes ? memmem(span->bytes, span->n_bytes, begin, strlen(begin)) : NULL;
    if (!from) return false;
    from += strlen(begin);
    const char *stop = span->bytes + span->n_bytes;
    const char *to = memmem(from, (size_t)(stop - from), end, strlen(end));
    if (!to) return false;
    *ret_between = (struct span){from, (size_t)(to - from)};
    span->bytes = to + strlen(end);
    span->n_bytes = (size_t)(stop - span->bytes);
    return true;
}

/* ---- reading ---- */

static bool is_string(const json_t *schema)
{
    const json_t *type = json_object_get(schema, "type"), *values = json_object_get(schema, "enum");
    bool is_it = (json_is_string(type) && !strcmp(json_string_value(type), "string")) || (!type && json_array_size(values));
    for (size_t i = 0; i < json_array_size(values); i++) is_it &= json_is_string(json_array_get(values, i));
    return is_it;
}

/* Strings that are written as they are; others that a schema restricts are written as JSON. */
static bool is_free_string(const json_t *schema)
{
    static const char *const limits[] = {"enum", "const", "pattern", "format", "minLength", "maxLength", "$ref", "anyOf", "oneOf", "allOf"};
    bool is_free = is_string(schema);
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) is_free &= !json_object_get(schema, limits[i]);
    return is_free;
}

static json_t *value_of(struct span text, const json_t *schema)
{
    if (text.n_bytes && text.bytes[0] == '\n') text = (struct span){text.bytes + 1, text.n_bytes - 1};
    if (text.n_bytes && text.bytes[text.n_bytes - 1] == '\n') text.n_bytes--;
    json_t *value = is_free_string(schema) ? NULL : json_loadb(text.bytes, text.n_bytes, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (value && is_string(schema) && !json_is_string(value)) {
        json_decref(value);
        value = NULL;
    }
    return value ? value : json_stringn(text.bytes, text.n_bytes);
}

static bool add_parameter(struct span parameter, const json_t *properties, json_t *arguments)
{
    char key[256];
    const char *key_end = memchr(parameter.bytes, '>', parameter.n_bytes);
    size_t n_key = key_end ? (size_t)(key_end - parameter.bytes) : 0;
    if (!key_end || n_key >= sizeof key || memchr(parameter.bytes, 0, n_key)) return false;
    memcpy(key, parameter.bytes, n_key);
    key[n_key] = '\0';
    struct span value = {key_end + 1, parameter.n_bytes - n_key - 1};
    return json_object_set_new(arguments, key, value_of(value, json_object_get(properties, key))) == 0;
}

static bool parse(const char *text, size_t n_bytes, const json_t *tools, json_t *calls)
{
    struct span rest = {text, n_bytes}, name, parameter;
    if (!take_between(&rest, "<function=", ">", &name) || !name.n_bytes) return false;
    json_t *arguments = json_object();
    const json_t *properties = json_object_get(chat_tool_parameters(tools, name.bytes, name.n_bytes), "properties");
    bool is_right = arguments != NULL;
    while (is_right && take_between(&rest, PARAMETER, PARAMETER_END, &parameter)) is_right = add_parameter(parameter, properties, arguments);
    is_right = is_right && rest.n_bytes && memmem(rest.bytes, rest.n_bytes, "</function>", 11) &&
               json_calls_add(calls, name.bytes, name.n_bytes, arguments, NULL);
    json_decref(arguments);
    return is_right;
}

/* Values may spell any mark but their own end. */
static size_t find_end(const char *text, size_t n_bytes, const char *end)
{
    struct span rest = {text, n_bytes}, value;
    for (;;) {
        const char *found = rest.n_bytes ? memmem(rest.bytes, rest.n_bytes, end, strlen(end)) : NULL;
        const char *parameter = rest.n_bytes ? memmem(rest.bytes, rest.n_bytes, PARAMETER, strlen(PARAMETER)) : NULL;
        if (found && (!parameter || found < parameter)) return (size_t)(found - text);
        if (!found || !take_between(&rest, PARAMETER, PARAMETER_END, &value)) return SIZE_MAX;
    }
}

/* ---- writing ---- */

/* The schema of one parameter, with what its references may point to. */
static json_t *schema_alone(const json_t *parameters, json_t *schema)
{
    static const char *const shared[] = {"$defs", "definitions"};
    json_t *alone = json_copy(schema);
    for (size_t i = 0; i < 2 && json_is_object(alone); i++) {
        json_t *definitions = json_object_get(parameters, shared[i]);
        if (definitions && !json_object_get(alone, shared[i])) json_object_set(alone, shared[i], definitions);
    }
    return alone;
}

static hob_status add_json_value(struct grammar_builder *builder, const json_t *parameters, json_t *schema, uint32_t from, uint32_t *ret_to,
                                 hob_error *error)
{
    uint32_t rule;
    json_t *alone = schema_alone(parameters, schema);
    if (!alone) FAIL(error, HOB_NO_MEMORY, "no memory for a parameter's schema");
    hob_status status = json_schema_compile_json(builder, alone, &rule, error);
    json_decref(alone);
    TRY(status);
    uint32_t behind = grammar_builder_state(builder);
    grammar_builder_call(builder, from, rule, behind);
    *ret_to = grammar_builder_literal(builder, behind, "\n" PARAMETER_END, strlen("\n" PARAMETER_END));
    return builder->status;
}

static hob_status add_value(struct grammar_builder *builder, const json_t *parameters, json_t *schema, uint32_t from, uint32_t *ret_to,
                            hob_error *error)
{
    static const char end[] = "\n" PARAMETER_END;
    const json_t *values = json_object_get(schema, "enum");
    if (is_free_string(schema)) {
        *ret_to = grammar_builder_until(builder, from, end, strlen(end));
        return builder->status;
    }
    if (!is_string(schema) || !values || json_object_get(schema, "const"))
        return add_json_value(builder, parameters, schema, from, ret_to, error);
    uint32_t behind = grammar_builder_state(builder);
    for (size_t i = 0; i < json_array_size(values); i++) {
        const json_t *value = json_array_get(values, i);
        grammar_builder_skip(builder, grammar_builder_literal(builder, from, json_string_value(value), json_string_length(value)), behind);
    }
    *ret_to = grammar_builder_literal(builder, behind, end, strlen(end));
    return builder->status;
}

static bool is_required(const json_t *parameters, const char *key)
{
    const json_t *required = json_object_get(parameters, "required");
    for (size_t i = 0; i < json_array_size(required); i++) {
        const char *name = json_string_value(json_array_get(required, i));
        if (name && !strcmp(name, key)) return true;
    }
    return false;
}

/* Parameters in the schema's order; those that are not required may be left out. */
static hob_status add_arguments(struct grammar_builder *builder, const json_t *parameters, uint32_t from, uint32_t *ret_to, hob_error *error)
{
    const char *key;
    json_t *schema;
    json_object_foreach (json_object_get(parameters, "properties"), key, schema) {
        if (strpbrk(key, "<>\n")) FAIL(error, HOB_UNSUPPORTED, "parameter '%.60s': found a name with <, > or a line end", key);
        uint32_t at = grammar_builder_literal(builder, from, PARAMETER, strlen(PARAMETER));
        at = grammar_builder_literal(builder, at, key, strlen(key));
        at = grammar_builder_literal(builder, at, ">\n", 2);
        TRY(add_value(builder, parameters, schema, at, &at, error));
        uint32_t behind = grammar_builder_literal(builder, at, "\n", 1);
        if (!is_required(parameters, key)) grammar_builder_skip(builder, from, behind);
        from = behind;
    }
    *ret_to = from;
    return builder->status;
}

const struct chat_format_def chat_format_qwen3_coder = {.name = "qwen3_coder",
                                                        .told_by = {"<function="},
                                                        .begin = "<tool_call>",
                                                        .end = "</tool_call>",
                                                        .layouts = {{.between = "\n",
                                                                     .before_name = "<tool_call>\n<function=",
                                                                     .before_arguments = ">\n",
                                                                     .behind_arguments = "</function>\n</tool_call>"}},
                                                        .parse = parse,
                                                        .find_end = find_end,
                                                        .add_arguments = add_arguments};
