/* What the compilers of a schema's parts share: the rules made so far, the schemas still to do, the JSON they made on the way.
 * Private to json_schema.c and schema_….c.
 *
 * A subschema is a rule of its own, put into a queue: nothing recurses, whatever the schema's depth.
 */
#ifndef GRAMMAR_SCHEMA_H
#define GRAMMAR_SCHEMA_H

#include "base/string_map.h"
#include "grammar/json_text.h"
#include "hob/status.h"

#include <jansson.h>

enum {
    SCHEMA_MAX_ITEMS = 20000,
    SCHEMA_MAX_STEPS = 1 << 20, /* of merging and comparing, in all schemas of a grammar: about a second and 150 MB */
};

/* Types, as bits. */
enum {
    TYPE_NULL = 1,
    TYPE_BOOLEAN = 2,
    TYPE_INTEGER = 4,
    TYPE_NUMBER = 8, /* integers too */
    TYPE_STRING = 16,
    TYPE_ARRAY = 32,
    TYPE_OBJECT = 64,
    TYPE_ANY = 127 - TYPE_INTEGER,
};

struct schema_item {
    json_t *schema;
    const char *pointer; /* in the arena */
    uint32_t rule;
};

struct schema_compiler {
    struct grammar_builder *builder;
    struct json_text text;
    json_t *root;
    json_t *made; /* an array that owns what merging made */
    struct schema_item *items;
    size_t n_items, items_reserved;
    struct string_map known; /* items by the address of their JSON */
    hob_error *error;
};

/* A failure at a schema's keyword: "schema: #/a/b/keyword: what". keyword NULL: the schema itself. */
HOB_MUST_CHECK hob_status schema_fail(const struct schema_compiler *compiler, const struct schema_item *item,
                                      const char *keyword, hob_status status, const char *what);
/* Counts work that does not show in the grammar's size: schemas come from strangers, and merging and comparing multiply. Fails:
 * HOB_LIMIT. */
HOB_MUST_CHECK hob_status schema_charge(struct schema_compiler *compiler, const struct schema_item *item, size_t n_steps);
/* The rule of a subschema, which is compiled later; the same for the same JSON. pointer: path/a/b, ends with NULL. */
HOB_MUST_CHECK hob_status schema_rule(struct schema_compiler *compiler, json_t *schema, const char *pointer,
                                      uint32_t *ret_rule);
/* pointer/key, escaped, in the arena; NULL: memory is out, which the builder knows. */
const char *schema_pointer(struct schema_compiler *compiler, const char *pointer, const char *key, size_t index);
/* Keeps new JSON until the end. NULL in: memory is out. */
json_t *schema_keep(struct schema_compiler *compiler, json_t *made);

/* The types that "type" and "nullable" say; 0: they say nothing. Fails: HOB_BAD_FILE. */
HOB_MUST_CHECK hob_status schema_said_types(const struct schema_compiler *compiler, const struct schema_item *item,
                                            unsigned *ret_types);
/* Those, or what the keywords imply. */
HOB_MUST_CHECK hob_status schema_types(const struct schema_compiler *compiler, const struct schema_item *item,
                                       unsigned *ret_types);
unsigned schema_type_of(const json_t *value);
/* A count that a keyword gives. */
HOB_MUST_CHECK hob_status schema_count(const struct schema_compiler *compiler, const struct schema_item *item,
                                       const char *keyword, uint32_t absent, uint32_t *ret_count);

/* What stands behind "$ref". Fails: HOB_BAD_FILE, HOB_UNSUPPORTED. */
HOB_MUST_CHECK hob_status schema_resolve(const struct schema_compiler *compiler, const struct schema_item *item,
                                         json_t **ret_target, const char **ret_pointer);
/* Whether a keyword only describes. */
bool schema_is_annotation(const char *keyword);

#endif
