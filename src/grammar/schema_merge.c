/* Keyword by keyword: the narrower bound, the intersection of lists, and for what both say of a member, element or alternative an
 * "allOf" that is merged when its turn comes. */
#include "grammar/schema_merge.h"
#include "base/error.h"

#include <string.h>

enum { MAX_NESTING = 32, MAX_ALTERNATIVES = 256 };

struct merging {
    struct schema_compiler *compiler;
    const struct schema_item *item;
    json_t *left, *right, *merged;
};

static json_t *both_of(json_t *left, json_t *right)
{
    if (!left || left == right) return json_incref(right);
    if (!right) return json_incref(left);
    if (json_is_true(left)) return json_incref(right);
    if (json_is_true(right)) return json_incref(left);
    if (json_is_false(left) || json_is_false(right)) return json_false();
    return json_pack("{s:[OO]}", "allOf", left, right);
}

static void put(struct merging *merging, const char *keyword, json_t *value)
{
    if (json_object_set_new(merging->merged, keyword, value))
        grammar_builder_fail(merging->compiler->builder, HOB_NO_MEMORY, "schema: no memory");
}

/* Work of functions that cannot fail: schema_charge finds it. */
static void count(struct schema_compiler *compiler, size_t n_steps)
{
    size_t *n_done = &compiler->builder->n_schema_steps;
    *n_done = n_steps > SCHEMA_MAX_STEPS - *n_done ? SCHEMA_MAX_STEPS : *n_done + n_steps;
}

static bool is_spent(const struct schema_compiler *compiler)
{
    return compiler->builder->n_schema_steps == SCHEMA_MAX_STEPS;
}

static bool has_value(struct schema_compiler *compiler, const json_t *list, const json_t *value)
{
    count(compiler, json_array_size(list));
    for (size_t i = 0; i < json_array_size(list) && !is_spent(compiler); i++) {
        const json_t *one = json_array_get(list, i);
        if (json_equal((json_t *)(uintptr_t)one, (json_t *)(uintptr_t)value)) return true;
        if (json_is_number(one) && json_is_number(value) && json_number_value(one) == json_number_value(value))
            return true;
    }
    return false;
}

static json_t *intersect(struct schema_compiler *compiler, json_t *left, json_t *right)
{
    json_t *both = json_array();
    for (size_t i = 0; both && i < json_array_size(left); i++)
        if (has_value(compiler, right, json_array_get(left, i))) json_array_append(both, json_array_get(left, i));
    return both;
}

static json_t *unite(struct schema_compiler *compiler, json_t *left, json_t *right)
{
    json_t *all = json_array();
    for (size_t i = 0; all && i < json_array_size(left); i++) json_array_append(all, json_array_get(left, i));
    for (size_t i = 0; all && i < json_array_size(right); i++)
        if (!has_value(compiler, all, json_array_get(right, i))) json_array_append(all, json_array_get(right, i));
    return all;
}

static hob_status merge_types(struct merging *merging)
{
    struct schema_item left = *merging->item, right = *merging->item;
    static const char *const names[] = {"null", "boolean", "integer", "number", "string", "array", "object"};
    unsigned a, b;
    left.schema = merging->left;
    right.schema = merging->right;
    TRY(schema_said_types(merging->compiler, &left, &a));
    TRY(schema_said_types(merging->compiler, &right, &b));
    if (!a && !b) return HOB_OK;
    if (a & TYPE_NUMBER) a |= TYPE_INTEGER;
    if (b & TYPE_NUMBER) b |= TYPE_INTEGER;
    unsigned both = a && b ? a & b : a | b;
    if (both & TYPE_NUMBER) both &= ~(unsigned)TYPE_INTEGER;
    if (!both)
        return schema_fail(merging->compiler, merging->item, "type", HOB_BAD_FILE,
                           "found types that exclude each other");
    json_t *list = json_array();
    for (size_t i = 0; list && i < 7; i++)
        if (both >> i & 1) json_array_append_new(list, json_string(names[i]));
    put(merging, "type", list);
    return HOB_OK;
}

/* A member that the other side does not name is its "additionalProperties". */
static json_t *member_of(json_t *schema, const char *key)
{
    json_t *member = json_object_get(json_object_get(schema, "properties"), key);
    return member ? member : json_object_get(schema, "additionalProperties");
}

static hob_status merge_properties(struct merging *merging)
{
    json_t *all = json_object(), *sides[] = {merging->left, merging->right};
    bool has_patterns =
        json_object_get(merging->left, "patternProperties") || json_object_get(merging->right, "patternProperties");
    for (size_t side = 0; all && side < 2; side++) {
        const char *key;
        json_t *member;
        json_object_foreach (json_object_get(sides[side], "properties"), key, member)
            if (!json_object_get(all, key))
                json_object_set_new(all, key, both_of(member_of(merging->left, key), member_of(merging->right, key)));
    }
    if (has_patterns && json_object_size(all)) {
        json_decref(all);
        return schema_fail(merging->compiler, merging->item, "patternProperties", HOB_UNSUPPORTED,
                           "cannot be combined with another schema's members");
    }
    put(merging, "properties", all);
    return HOB_OK;
}

/* Each of left with each of right. */
static hob_status merge_alternatives(struct merging *merging, const char *keyword)
{
    json_t *left = json_object_get(merging->left, keyword), *right = json_object_get(merging->right, keyword),
           *all = json_array();
    if (json_array_size(left) * json_array_size(right) > MAX_ALTERNATIVES) {
        json_decref(all);
        return schema_fail(merging->compiler, merging->item, keyword, HOB_LIMIT,
                           "found too many combinations of alternatives");
    }
    for (size_t i = 0; all && i < json_array_size(left); i++)
        for (size_t k = 0; k < json_array_size(right); k++)
            json_array_append_new(all, both_of(json_array_get(left, i), json_array_get(right, k)));
    put(merging, keyword, all);
    return HOB_OK;
}

static json_t *list_of(json_t *value)
{
    return json_is_array(value) ? json_incref(value) : json_pack("[O]", value);
}

/* Both sides have the keyword. */
static hob_status merge_keyword(struct merging *merging, const char *keyword, json_t *left, json_t *right)
{
    static const char *const least[] = {"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"};
    static const char *const most[] = {"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"};
    for (size_t i = 0; i < 5; i++) {
        bool is_least = !strcmp(keyword, least[i]), is_most = !strcmp(keyword, most[i]);
        if ((is_least || is_most) && json_is_number(left) && json_is_number(right)) {
            bool is_left = is_least == (json_number_value(left) <= json_number_value(right));
            put(merging, keyword, json_incref(is_left ? left : right));
            return HOB_OK;
        }
    }
    if (!strcmp(keyword, "required")) put(merging, keyword, unite(merging->compiler, left, right));
    else if (!strcmp(keyword, "enum")) put(merging, keyword, intersect(merging->compiler, left, right));
    else if (!strcmp(keyword, "additionalProperties") || !strcmp(keyword, "items") || !strcmp(keyword, "propertyNames"))
        put(merging, keyword, both_of(left, right));
    else if (!strcmp(keyword, "anyOf") || !strcmp(keyword, "oneOf")) return merge_alternatives(merging, keyword);
    else if (!strcmp(keyword, "pattern")) {
        json_t *a = list_of(left), *b = list_of(right);
        put(merging, keyword, unite(merging->compiler, a, b));
        json_decref(a);
        json_decref(b);
    } else if (json_equal(left, right)) put(merging, keyword, json_incref(left));
    else
        return schema_fail(merging->compiler, merging->item, keyword, HOB_UNSUPPORTED,
                           "two schemas that must both hold say different things here");
    return HOB_OK;
}

/* What says one thing in two ways is written in one. */
static json_t *with_enum(struct schema_compiler *compiler, json_t *schema)
{
    json_t *value = json_object_get(schema, "const");
    if (!value) return schema;
    json_t *copy = schema_keep(compiler, json_copy(schema)), *list = json_pack("[O]", value);
    if (!copy || !list) return schema;
    if (json_object_get(copy, "enum")) {
        json_t *both = intersect(compiler, json_object_get(copy, "enum"), list);
        json_decref(list);
        list = both;
    }
    json_object_del(copy, "const");
    json_object_set_new(copy, "enum", list);
    return copy;
}

static hob_status merge_side(struct merging *merging, json_t *side, json_t *other)
{
    const char *keyword;
    json_t *value;
    json_object_foreach (side, keyword, value) {
        json_t *second = json_object_get(other, keyword);
        bool is_done = json_object_get(merging->merged, keyword) || schema_is_annotation(keyword) ||
                       !strcmp(keyword, "type") || !strcmp(keyword, "properties");
        if (is_done) continue;
        if (second) TRY(merge_keyword(merging, keyword, value, second));
        else put(merging, keyword, json_incref(value));
    }
    return HOB_OK;
}

static bool is_only(json_t *schema, const char *keyword)
{
    return json_object_get(schema, keyword) != NULL;
}

hob_status schema_merge(struct schema_compiler *compiler, const struct schema_item *item, json_t *left, json_t *right,
                        json_t **ret_merged)
{
    struct merging merging = {.compiler = compiler, .item = item};
    TRY(schema_charge(compiler, item, 4 + json_object_size(left) + json_object_size(right) +
                                          json_object_size(json_object_get(left, "properties")) +
                                          json_object_size(json_object_get(right, "properties"))));
    if (json_is_boolean(left) || json_is_boolean(right)) {
        json_t *narrower = json_is_true(left) || json_is_false(right) ? right : left;
        *ret_merged = narrower;
        return HOB_OK;
    }
    merging.left = with_enum(compiler, left);
    merging.right = with_enum(compiler, right);
    merging.merged = schema_keep(compiler, json_object());
    if (!merging.merged) return compiler->builder->status;
    TRY(merge_types(&merging));
    if (is_only(left, "properties") || is_only(right, "properties")) TRY(merge_properties(&merging));
    bool mixes_items = (is_only(left, "prefixItems") && is_only(right, "items")) ||
                       (is_only(left, "items") && is_only(right, "prefixItems"));
    if (mixes_items)
        return schema_fail(compiler, item, "prefixItems", HOB_UNSUPPORTED,
                           "cannot be combined with another schema's \"items\"");
    TRY(merge_side(&merging, merging.left, merging.right));
    TRY(merge_side(&merging, merging.right, merging.left));
    *ret_merged = merging.merged;
    return compiler->builder->status;
}

static json_t *without(struct schema_compiler *compiler, json_t *schema, const char *keyword)
{
    count(compiler, json_object_size(schema));
    json_t *copy = schema_keep(compiler, json_copy(schema));
    if (copy) json_object_del(copy, keyword);
    return copy;
}

static hob_status flatten(struct schema_compiler *compiler, const struct schema_item *item, json_t *schema,
                          unsigned depth, json_t **ret_flat)
{
    struct schema_item here = *item;
    if (depth == MAX_NESTING)
        return schema_fail(compiler, item, NULL, HOB_BAD_FILE,
                           "found references or \"allOf\" within each other without end");
    TRY(schema_charge(compiler, item, 1));
    while (json_object_get(schema, "$ref")) {
        json_t *target;
        here.schema = schema;
        TRY(schema_resolve(compiler, &here, &target, &here.pointer));
        json_t *rest = without(compiler, schema, "$ref");
        TRY(compiler->builder->status);
        TRY(flatten(compiler, &here, target, depth + 1, &target));
        TRY(schema_merge(compiler, item, rest, target, &schema));
    }
    json_t *all = json_object_get(schema, "allOf");
    if (all) {
        if (!json_array_size(all))
            return schema_fail(compiler, item, "allOf", HOB_BAD_FILE, "expected a list of schemas");
        schema = without(compiler, schema, "allOf");
        TRY(compiler->builder->status);
        for (size_t i = 0; i < json_array_size(all); i++) {
            json_t *one = json_array_get(all, i);
            if (!json_is_object(one) && !json_is_boolean(one))
                return schema_fail(compiler, item, "allOf", HOB_BAD_FILE, "expected a list of schemas");
            TRY(flatten(compiler, item, one, depth + 1, &one));
            TRY(schema_merge(compiler, item, schema, one, &schema));
        }
    }
    *ret_flat = schema;
    return HOB_OK;
}

hob_status schema_flatten(struct schema_compiler *compiler, const struct schema_item *item, json_t *schema,
                          json_t **ret_flat)
{
    return flatten(compiler, item, schema, 0, ret_flat);
}

/* ---- alternatives that exclude each other ---- */

static unsigned types_of(const struct schema_compiler *compiler, json_t *schema, bool is_implied)
{
    struct schema_compiler quiet = *compiler;
    struct schema_item item = {.schema = schema, .pointer = ""};
    unsigned types = 0;
    quiet.error = NULL;
    hob_status status = is_implied ? schema_types(&quiet, &item, &types) : schema_said_types(&quiet, &item, &types);
    return status != HOB_OK || !types ? 127 : types & TYPE_NUMBER ? types | TYPE_INTEGER : types;
}

static json_t *values_of(json_t *schema, json_t **ret_made)
{
    json_t *value = json_object_get(schema, "const");
    *ret_made = value ? json_pack("[O]", value) : NULL;
    return value ? *ret_made : json_object_get(schema, "enum");
}

static bool values_exclude(struct schema_compiler *compiler, json_t *left, json_t *right)
{
    json_t *made[2], *values = values_of(left, &made[0]), *others = values_of(right, &made[1]);
    unsigned types = types_of(compiler, right, false);
    bool excludes = json_array_size(values) > 0;
    count(compiler, 1);
    for (size_t i = 0; i < json_array_size(values) && excludes; i++) {
        const json_t *value = json_array_get(values, i);
        bool is_out = (others && !has_value(compiler, others, value)) || !(schema_type_of(value) & types);
        excludes &= is_out;
    }
    json_decref(made[0]);
    json_decref(made[1]);
    return excludes;
}

static bool is_required(struct schema_compiler *compiler, json_t *schema, const char *key)
{
    const json_t *required = json_object_get(schema, "required");
    count(compiler, 1 + json_array_size(required));
    for (size_t i = 0; i < json_array_size(required); i++)
        if (json_is_string(json_array_get(required, i)) && !strcmp(json_string_value(json_array_get(required, i)), key))
            return true;
    return false;
}

/* Whether objects made of the schema have the members that it names and no others. */
static bool is_closed(json_t *schema)
{
    json_t *additional = json_object_get(schema, "additionalProperties");
    bool has_free = additional ? !json_is_false(additional) : !json_object_get(schema, "properties");
    return !has_free && !json_object_get(schema, "patternProperties");
}

static bool members_exclude(struct schema_compiler *compiler, json_t *left, json_t *right, unsigned depth)
{
    json_t *mine = json_object_get(left, "properties"), *theirs = json_object_get(right, "properties"), *member;
    const json_t *required = json_object_get(right, "required");
    const char *key;
    bool refuses_others =
        json_is_false(json_object_get(right, "additionalProperties")) && !json_object_get(right, "patternProperties");
    json_object_foreach (mine, key, member) {
        if (is_spent(compiler)) break;
        json_t *other = json_object_get(theirs, key);
        bool is_needed = is_required(compiler, left, key) || is_required(compiler, right, key);
        if (other && is_needed && schema_excludes(compiler, member, other, depth)) return true;
        if (!other && is_required(compiler, left, key) && refuses_others) return true;
    }
    for (size_t i = 0; i < json_array_size(required) && is_closed(left) && !is_spent(compiler); i++) {
        const char *name = json_string_value(json_array_get(required, i));
        if (name && !json_object_get(mine, name) && !is_required(compiler, left, name)) return true;
    }
    return false;
}

bool schema_excludes(struct schema_compiler *compiler, json_t *left, json_t *right, unsigned depth)
{
    if (json_is_false(left) || json_is_false(right)) return true;
    if (depth == 0 || !json_is_object(left) || !json_is_object(right)) return false;
    for (unsigned i = 0; i < MAX_NESTING && (json_object_get(left, "$ref") || json_object_get(right, "$ref")); i++) {
        struct schema_compiler quiet = *compiler;
        json_t **side = json_object_get(left, "$ref") ? &left : &right;
        struct schema_item item = {.schema = *side, .pointer = ""};
        const char *pointer;
        quiet.error = NULL;
        if (schema_resolve(&quiet, &item, side, &pointer) != HOB_OK) return false;
    }
    if (!json_is_object(left) || !json_is_object(right) || json_object_get(left, "$ref") ||
        json_object_get(right, "$ref"))
        return false;
    unsigned mine = types_of(compiler, left, true), theirs = types_of(compiler, right, false);
    if (!(mine & theirs) || values_exclude(compiler, left, right)) return true;
    bool are_objects = !(mine & theirs & ~(unsigned)TYPE_OBJECT);
    return are_objects && members_exclude(compiler, left, right, depth - 1);
}
