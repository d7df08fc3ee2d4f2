/* A place before and one behind each element up to the last that is told apart; from there on a loop. */
#include "base/error.h"
#include "grammar/schema_container.h"

enum { MAX_ELEMENTS = 4096 };

struct elements {
    struct schema_compiler *compiler;
    const struct schema_item *item;
    const json_t *prefix; /* a list; NULL: none */
    json_t *rest;         /* of all others; NULL: anything */
    const char *prefix_name, *rest_name;
    uint32_t least, most;
};

static hob_status read_elements(struct elements *elements)
{
    json_t *schema = elements->item->schema, *items = json_object_get(schema, "items");
    bool is_old = json_is_array(items);
    elements->prefix_name = is_old ? "items" : "prefixItems";
    elements->rest_name = is_old ? "additionalItems" : "items";
    elements->prefix = json_object_get(schema, elements->prefix_name);
    elements->rest = json_object_get(schema, elements->rest_name);
    if (elements->prefix && !json_is_array(elements->prefix))
        return schema_fail(elements->compiler, elements->item, elements->prefix_name, HOB_BAD_FILE,
                           "expected a list of schemas");
    TRY(schema_count(elements->compiler, elements->item, "minItems", 0, &elements->least));
    TRY(schema_count(elements->compiler, elements->item, "maxItems", GRAMMAR_UNBOUNDED, &elements->most));
    uint32_t n_prefix = (uint32_t)json_array_size(elements->prefix);
    if (json_is_false(elements->rest) && elements->most > n_prefix) elements->most = n_prefix;
    bool is_told = elements->prefix && !elements->rest && elements->least <= n_prefix; /* then no others are made */
    if (is_told && elements->most > n_prefix) elements->most = n_prefix;
    if (elements->most < elements->least)
        return schema_fail(elements->compiler, elements->item, "minItems", HOB_BAD_FILE,
                           "found more than there may be elements");
    bool is_long = elements->least > MAX_ELEMENTS ||
                   (elements->most > MAX_ELEMENTS && elements->most != GRAMMAR_UNBOUNDED) || n_prefix > MAX_ELEMENTS;
    if (is_long)
        return schema_fail(elements->compiler, elements->item, NULL, HOB_LIMIT,
                           "expected at most 4096 elements told one by one");
    const json_t *unique = json_object_get(schema, "uniqueItems");
    if (json_is_true(unique) && elements->most > 1)
        return schema_fail(elements->compiler, elements->item, "uniqueItems", HOB_UNSUPPORTED,
                           "a grammar cannot compare elements");
    return HOB_OK;
}

static hob_status element_rule(struct elements *elements, uint32_t index, uint32_t *ret_rule)
{
    struct schema_compiler *compiler = elements->compiler;
    bool is_prefix = index < json_array_size(elements->prefix);
    json_t *schema = is_prefix ? json_array_get(elements->prefix, index) : elements->rest;
    *ret_rule = compiler->text.value;
    if (!schema) return HOB_OK;
    const char *pointer =
        schema_pointer(compiler, elements->item->pointer, is_prefix ? elements->prefix_name : elements->rest_name, 0);
    if (pointer && is_prefix) pointer = schema_pointer(compiler, pointer, NULL, index);
    TRY(compiler->builder->status);
    return schema_rule(compiler, schema, pointer, ret_rule);
}

static hob_status add_elements(struct elements *elements, uint32_t from, uint32_t close)
{
    struct schema_compiler *compiler = elements->compiler;
    struct grammar_builder *builder = compiler->builder;
    uint32_t n_prefix = (uint32_t)json_array_size(elements->prefix), rest = 0, before = from, n_told = elements->most;
    if (elements->most == GRAMMAR_UNBOUNDED) n_told = elements->least > n_prefix + 1 ? elements->least : n_prefix + 1;
    if (elements->least == 0) grammar_builder_skip(builder, from, close);
    if (n_told > n_prefix) TRY(element_rule(elements, n_prefix, &rest));
    for (uint32_t i = 0; i < n_told; i++) {
        uint32_t rule = rest;
        if (i < n_prefix) TRY(element_rule(elements, i, &rule));
        uint32_t behind = json_text_call(builder, before, rule);
        if (i + 1 >= elements->least)
            grammar_builder_skip(builder, json_text_space(builder, &compiler->text, behind), close);
        bool is_loop = i + 1 == n_told && elements->most == GRAMMAR_UNBOUNDED;
        if (i + 1 == n_told && !is_loop) break;
        uint32_t next = json_text_space(builder, &compiler->text, grammar_builder_literal(builder, behind, ",", 1));
        if (is_loop) grammar_builder_call(builder, next, rest, behind);
        before = next;
        TRY(builder->status);
    }
    return builder->status;
}

hob_status schema_add_array(struct schema_compiler *compiler, const struct schema_item *item, uint32_t from,
                            uint32_t to)
{
    struct elements elements = {.compiler = compiler, .item = item};
    struct grammar_builder *builder = compiler->builder;
    TRY(read_elements(&elements));
    uint32_t open = json_text_space(builder, &compiler->text, grammar_builder_literal(builder, from, "[", 1));
    uint32_t close = grammar_builder_state(builder);
    grammar_builder_skip(builder, grammar_builder_literal(builder, close, "]", 1), to);
    return add_elements(&elements, open, close);
}
