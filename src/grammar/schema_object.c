/* A place where each named member may come next, and one behind each, for every count of members that matters. Members that are not
 * named come last. Their keys are spelt in one way and are none of the named ones. */
#include "base/error.h"
#include "base/memory.h"
#include "grammar/pattern.h"
#include "grammar/regular.h"
#include "grammar/schema_container.h"
#include "text/unicode.h"

#include <string.h>

enum { MAX_COUNTED = 256, MAX_MEMBERS = 4096, MAX_GRID = 1 << 16 };

struct member {
    const char *key;
    size_t n_key;
    uint32_t rule; /* the whole member: "key": value */
    bool is_required;
};

struct members {
    struct schema_compiler *compiler;
    const struct schema_item *item;
    struct member *named;
    size_t n_named, n_required;
    uint32_t free_rule; /* "any other key": value */
    bool has_free;
    uint32_t least, most, n_counts; /* counts 0 … n_counts-1; the last one stands for more where there is no most */
    uint32_t close;
};

/* ---- members ---- */

static hob_status value_rule(struct members *members, json_t *schema, const char *keyword, const char *key,
                             uint32_t *ret_rule)
{
    struct schema_compiler *compiler = members->compiler;
    *ret_rule = compiler->text.value;
    if (!schema || json_is_true(schema)) return HOB_OK;
    const char *pointer = schema_pointer(compiler, members->item->pointer, keyword, 0);
    if (pointer && key) pointer = schema_pointer(compiler, pointer, key, 0);
    TRY(compiler->builder->status);
    if (!json_is_object(schema) && !json_is_boolean(schema))
        return schema_fail(compiler, members->item, keyword, HOB_BAD_FILE,
                           "expected a schema: an object, true or false");
    return schema_rule(compiler, schema, pointer, ret_rule);
}

/* From behind the key. */
static void add_value(struct members *members, uint32_t from, uint32_t value, uint32_t rule)
{
    struct grammar_builder *builder = members->compiler->builder;
    uint32_t at = json_text_space(builder, &members->compiler->text, grammar_builder_literal(builder, from, ":", 1));
    grammar_builder_call(builder, at, value, builder->rules[rule].end);
}

static hob_status add_named(struct members *members, const char *key, size_t n_key, json_t *schema, const char *keyword)
{
    struct grammar_builder *builder = members->compiler->builder;
    uint32_t value;
    if (members->n_named == MAX_MEMBERS)
        return schema_fail(members->compiler, members->item, keyword, HOB_LIMIT, "expected at most 4096 members");
    TRY(value_rule(members, schema, keyword, keyword[0] == 'p' ? key : NULL, &value));
    uint32_t rule = grammar_builder_rule(builder, key, n_key);
    TRY(builder->status);
    add_value(members, json_text_string(builder, builder->rules[rule].start, key, n_key), value, rule);
    members->named[members->n_named++] = (struct member){.key = key, .n_key = n_key, .rule = rule};
    return builder->status;
}

static struct member *find_member(const struct members *members, const char *key, size_t n_key)
{
    for (size_t i = 0; i < members->n_named; i++)
        if (members->named[i].n_key == n_key && !memcmp(members->named[i].key, key, n_key)) return &members->named[i];
    return NULL;
}

static hob_status read_named(struct members *members)
{
    json_t *schema = members->item->schema, *properties = json_object_get(schema, "properties"), *member;
    const json_t *required = json_object_get(schema, "required");
    const char *key;
    size_t n_key;
    if (properties && !json_is_object(properties))
        return schema_fail(members->compiler, members->item, "properties", HOB_BAD_FILE, "expected an object");
    if (required && !json_is_array(required))
        return schema_fail(members->compiler, members->item, "required", HOB_BAD_FILE, "expected a list of names");
    json_object_keylen_foreach(properties, key, n_key, member)
        TRY(add_named(members, key, n_key, member, "properties"));
    for (size_t i = 0; i < json_array_size(required); i++) {
        const json_t *name = json_array_get(required, i);
        if (!json_is_string(name))
            return schema_fail(members->compiler, members->item, "required", HOB_BAD_FILE, "expected a list of names");
        key = json_string_value(name);
        n_key = json_string_length(name);
        json_t *others = json_object_get(schema, "additionalProperties");
        if (!find_member(members, key, n_key)) TRY(add_named(members, key, n_key, others, "additionalProperties"));
        struct member *found = find_member(members, key, n_key);
        members->n_required += !found->is_required;
        found->is_required = true;
    }
    return HOB_OK;
}

/* ---- keys that are not named ---- */

/* Any text but a named key: a trie of the names, left by any character that does not go on in it. from: behind the quotation mark. */
static void add_other_keys(struct members *members, const bool *is_open, size_t depth, uint32_t from, uint32_t to,
                           uint32_t any)
{
    struct grammar_builder *builder = members->compiler->builder;
    struct code_points others = {0};
    bool is_name = false, *is_next = memory_new(members->n_named, sizeof *is_next);
    for (size_t i = 0; is_next && i < members->n_named; i++) {
        const struct member *member = &members->named[i];
        if (!is_open[i]) continue;
        is_name |= member->n_key == depth;
        if (member->n_key <= depth) continue;
        size_t n;
        uint32_t c = unicode_next(member->key + depth, member->n_key - depth, &n);
        bool is_done = false;
        for (size_t k = 0; k < i; k++)
            is_done |= is_open[k] && members->named[k].n_key >= depth + n &&
                       !memcmp(members->named[k].key + depth, member->key + depth, n);
        code_points_add(&others, c, c);
        if (is_done) continue;
        for (size_t k = 0; k < members->n_named; k++)
            is_next[k] = is_open[k] && members->named[k].n_key >= depth + n &&
                         !memcmp(members->named[k].key + depth, member->key + depth, n);
        struct code_points one = {0};
        code_points_add(&one, c, c);
        code_points_finish(&one, false);
        add_other_keys(members, is_next, depth + n, json_text_code_points(builder, from, &one), to, any);
        code_points_release(&one);
    }
    code_points_finish(&others, true);
    if (others.is_failed || !is_next) grammar_builder_fail(builder, HOB_NO_MEMORY, "schema: no memory");
    grammar_builder_skip(builder, json_text_code_points(builder, from, &others), any);
    if (!is_name) grammar_builder_skip(builder, from, to);
    code_points_release(&others);
    memory_free(is_next);
}

static struct fragment other_keys(struct members *members)
{
    struct grammar_builder *builder = members->compiler->builder;
    struct fragment keys = {grammar_builder_state(builder), grammar_builder_state(builder)};
    uint32_t any = grammar_builder_state(builder);
    bool *is_open = memory_new(members->n_named, sizeof *is_open);
    if (!is_open) grammar_builder_fail(builder, HOB_NO_MEMORY, "schema: no memory");
    for (size_t i = 0; is_open && i < members->n_named; i++) is_open[i] = true;
    if (is_open) add_other_keys(members, is_open, 0, keys.from, keys.to, any);
    grammar_builder_skip(builder, json_text_plain_character(builder, any), any);
    grammar_builder_skip(builder, any, keys.to);
    memory_free(is_open);
    return keys;
}

/* "propertyNames" knows the keywords of strings that are about a text as a whole. */
static hob_status read_key_pattern(struct members *members, const char *pattern, const char *keyword,
                                   struct fragment *ret_keys)
{
    struct schema_compiler *compiler = members->compiler;
    hob_status status = pattern_parse(compiler->builder, pattern, strlen(pattern), ret_keys, compiler->error);
    return status == HOB_OK
               ? HOB_OK
               : error_prefix(compiler->error, status, "schema: %.200s/%s", members->item->pointer, keyword);
}

static hob_status narrow_keys(struct members *members, struct fragment *keys)
{
    struct schema_compiler *compiler = members->compiler;
    const json_t *names = json_object_get(members->item->schema, "propertyNames"), *value;
    const char *keyword;
    struct fragment pattern;
    if (!names || json_is_true(names)) return HOB_OK;
    json_object_foreach ((json_t *)(uintptr_t)names, keyword, value) {
        bool is_type = !strcmp(keyword, "type") && json_is_string(value) && !strcmp(json_string_value(value), "string");
        if (is_type || schema_is_annotation(keyword)) continue;
        if (strcmp(keyword, "pattern") || !json_is_string(value))
            return schema_fail(compiler, members->item, "propertyNames", HOB_UNSUPPORTED,
                               "only \"pattern\" is supported here");
        TRY(read_key_pattern(members, json_string_value(value), "propertyNames", &pattern));
        *keys = regular_intersect(compiler->builder, *keys, pattern);
    }
    if (!json_is_object(names))
        return schema_fail(compiler, members->item, "propertyNames", HOB_UNSUPPORTED,
                           "only \"pattern\" is supported here");
    return members->n_named ? schema_fail(compiler, members->item, "propertyNames", HOB_UNSUPPORTED,
                                          "cannot be kept beside named members")
                            : HOB_OK;
}

static hob_status add_free(struct members *members, struct fragment keys, uint32_t value)
{
    struct grammar_builder *builder = members->compiler->builder;
    uint32_t start = builder->rules[members->free_rule].start;
    grammar_builder_skip(builder, grammar_builder_literal(builder, start, "\"", 1), keys.from);
    add_value(members, grammar_builder_literal(builder, keys.to, "\"", 1), value, members->free_rule);
    members->has_free = true;
    return builder->status;
}

/* The key without its quotation marks, as a fragment. */
static struct fragment key_fragment(struct grammar_builder *builder, const struct member *member)
{
    struct fragment key = {.from = grammar_builder_state(builder)};
    key.to = key.from;
    for (size_t at = 0, n; at < member->n_key; at += n) {
        struct code_points one = {0};
        uint32_t c = unicode_next(member->key + at, member->n_key - at, &n);
        code_points_add(&one, c, c);
        code_points_finish(&one, false);
        key.to = json_text_code_points(builder, key.to, &one);
        code_points_release(&one);
    }
    return key;
}

static hob_status check_named_keys(struct members *members, const char *pattern)
{
    struct grammar_builder *builder = members->compiler->builder;
    for (size_t i = 0; i < members->n_named; i++) {
        struct fragment keys;
        TRY(read_key_pattern(members, pattern, "patternProperties", &keys));
        struct fragment both = regular_intersect(builder, keys, key_fragment(builder, &members->named[i]));
        if (!regular_is_empty(builder, both))
            return schema_fail(members->compiler, members->item, "patternProperties", HOB_UNSUPPORTED,
                               "a pattern that a named member fits cannot be kept");
        TRY(builder->status);
    }
    return HOB_OK;
}

static hob_status check_other_patterns(struct members *members, json_t *patterns, const char *pattern)
{
    const char *other;
    json_t *schema;
    json_object_foreach (patterns, other, schema) {
        struct fragment left, right;
        if (other == pattern) return HOB_OK;
        TRY(read_key_pattern(members, pattern, "patternProperties", &left));
        TRY(read_key_pattern(members, other, "patternProperties", &right));
        if (!regular_is_empty(members->compiler->builder, regular_intersect(members->compiler->builder, left, right)))
            return schema_fail(members->compiler, members->item, "patternProperties", HOB_UNSUPPORTED,
                               "patterns that fit the same key cannot be kept");
    }
    return HOB_OK;
}

static hob_status read_patterns(struct members *members, json_t *patterns)
{
    const char *pattern;
    json_t *schema;
    if (patterns && !json_is_object(patterns))
        return schema_fail(members->compiler, members->item, "patternProperties", HOB_BAD_FILE, "expected an object");
    json_object_foreach (patterns, pattern, schema) {
        struct fragment keys;
        uint32_t value;
        TRY(check_named_keys(members, pattern));
        TRY(check_other_patterns(members, patterns, pattern));
        TRY(read_key_pattern(members, pattern, "patternProperties", &keys));
        TRY(narrow_keys(members, &keys));
        TRY(value_rule(members, schema, "patternProperties", pattern, &value));
        TRY(add_free(members, keys, value));
    }
    return HOB_OK;
}

static hob_status read_free(struct members *members)
{
    json_t *schema = members->item->schema, *others = json_object_get(schema, "additionalProperties");
    json_t *patterns = json_object_get(schema, "patternProperties");
    bool has_others = others ? !json_is_false(others) : !json_object_get(schema, "properties") && !patterns;
    members->free_rule = grammar_builder_rule(members->compiler->builder, "other members", 13);
    TRY(members->compiler->builder->status);
    TRY(read_patterns(members, patterns));
    if (!has_others) return HOB_OK;
    if (patterns) /* other keys would be those that no pattern fits; leaving them out is a choice unless a schema asks for them */
        return json_is_object(others)
                   ? schema_fail(members->compiler, members->item, "additionalProperties", HOB_UNSUPPORTED,
                                 "cannot be kept beside \"patternProperties\"")
                   : HOB_OK;
    uint32_t value;
    struct fragment keys = other_keys(members);
    TRY(narrow_keys(members, &keys));
    TRY(value_rule(members, others, "additionalProperties", NULL, &value));
    return add_free(members, keys, value);
}

/* ---- the order of members ---- */

static hob_status read_counts(struct members *members)
{
    TRY(schema_count(members->compiler, members->item, "minProperties", 0, &members->least));
    TRY(schema_count(members->compiler, members->item, "maxProperties", GRAMMAR_UNBOUNDED, &members->most));
    if (members->least <= members->n_required) members->least = 0;
    if (members->most < members->least || members->most < members->n_required)
        return schema_fail(members->compiler, members->item, "maxProperties", HOB_BAD_FILE,
                           "found fewer than there must be members");
    if (members->has_free && members->least > members->n_required + 1)
        return schema_fail(members->compiler, members->item, "minProperties", HOB_UNSUPPORTED,
                           "a grammar cannot tell whether other members' names differ");
    if (!members->has_free && members->most >= members->n_named) members->most = GRAMMAR_UNBOUNDED;
    uint32_t counted = members->most != GRAMMAR_UNBOUNDED ? members->most : members->least;
    members->n_counts = counted + 1;
    if (counted > MAX_COUNTED || members->n_counts * (members->n_named + 1) > MAX_GRID)
        return schema_fail(members->compiler, members->item, members->least ? "minProperties" : "maxProperties",
                           HOB_LIMIT, "expected at most 256");
    return HOB_OK;
}

/* The count after one more; BUILDER_NONE: there may be no more. */
static uint32_t one_more(const struct members *members, uint32_t count)
{
    if (members->most != GRAMMAR_UNBOUNDED) return count < members->most ? count + 1 : BUILDER_NONE;
    return count < members->least ? count + 1 : count;
}

/* Joins the places of one member, or of the others (index n_named), for one count. next: where a member may come; behind: where one
 * has come; both [n_named + 1][n_counts]. */
static void join_place(struct members *members, const uint32_t *next, const uint32_t *behind, size_t index,
                       uint32_t count)
{
    struct schema_compiler *compiler = members->compiler;
    struct grammar_builder *builder = compiler->builder;
    size_t place = index * members->n_counts + count, after = index < members->n_named ? index + 1 : index;
    uint32_t more = one_more(members, count),
             rule = index < members->n_named ? members->named[index].rule : members->free_rule;
    bool has_rule = index < members->n_named || members->has_free;
    if (has_rule && more != BUILDER_NONE)
        grammar_builder_call(builder, next[place], rule, behind[after * members->n_counts + more]);
    bool is_optional = index < members->n_named && !members->named[index].is_required;
    if (is_optional) grammar_builder_skip(builder, next[place], next[place + members->n_counts]);
    grammar_builder_skip(
        builder, json_text_space(builder, &compiler->text, grammar_builder_literal(builder, behind[place], ",", 1)),
        next[place]);
    bool may_end = count >= members->least;
    for (size_t i = index; i < members->n_named; i++) may_end &= !members->named[i].is_required;
    if (may_end)
        grammar_builder_skip(builder, json_text_space(builder, &compiler->text, behind[place]), members->close);
}

static hob_status add_places(struct members *members, uint32_t open)
{
    struct grammar_builder *builder = members->compiler->builder;
    size_t n = (members->n_named + 1) * members->n_counts;
    uint32_t *next = memory_new(n, sizeof *next), *behind = memory_new(n, sizeof *behind);
    bool has_memory = next && behind;
    if (!has_memory) grammar_builder_fail(builder, HOB_NO_MEMORY, "schema: no memory");
    for (size_t i = 0; has_memory && builder->status == HOB_OK && i < n; i++) {
        next[i] = grammar_builder_state(builder);
        behind[i] = grammar_builder_state(builder);
    }
    for (size_t i = 0; builder->status == HOB_OK && i < n; i++)
        join_place(members, next, behind, i / members->n_counts, (uint32_t)(i % members->n_counts));
    if (has_memory && builder->status == HOB_OK) grammar_builder_skip(builder, open, next[0]);
    memory_free(next);
    memory_free(behind);
    if (!members->n_required && !members->least) grammar_builder_skip(builder, open, members->close);
    return builder->status;
}

static hob_status add_members(struct members *members, uint32_t from, uint32_t to)
{
    struct schema_compiler *compiler = members->compiler;
    struct grammar_builder *builder = compiler->builder;
    TRY(read_named(members));
    builder->is_flat = true; /* keys may be intersected */
    hob_status status = read_free(members);
    builder->is_flat = false;
    TRY(status);
    TRY(read_counts(members));
    uint32_t open = json_text_space(builder, &compiler->text, grammar_builder_literal(builder, from, "{", 1));
    members->close = grammar_builder_state(builder);
    grammar_builder_skip(builder, grammar_builder_literal(builder, members->close, "}", 1), to);
    return add_places(members, open);
}

hob_status schema_add_object(struct schema_compiler *compiler, const struct schema_item *item, uint32_t from,
                             uint32_t to)
{
    struct members members = {.compiler = compiler, .item = item};
    members.named = memory_new(MAX_MEMBERS, sizeof *members.named);
    if (!members.named) FAIL(compiler->error, HOB_NO_MEMORY, "schema: no memory");
    hob_status status = add_members(&members, from, to);
    memory_free(members.named);
    return status;
}
