/* Schemas that must hold at once, as one schema.
 *
 *     TRY(schema_merge(compiler, item, left, right, &merged));
 */
#ifndef GRAMMAR_SCHEMA_MERGE_H
#define GRAMMAR_SCHEMA_MERGE_H

#include "grammar/schema.h"

/* item: for messages. Neither has "$ref" or "allOf". Fails: HOB_UNSUPPORTED (keywords that cannot be one), HOB_BAD_FILE. */
HOB_MUST_CHECK hob_status schema_merge(struct schema_compiler *compiler, const struct schema_item *item, json_t *left,
                                       json_t *right, json_t **ret_merged);
/* The schema with "$ref" and "allOf" worked into it; itself where it has neither. */
HOB_MUST_CHECK hob_status schema_flatten(struct schema_compiler *compiler, const struct schema_item *item,
                                         json_t *schema, json_t **ret_flat);
/* Whether no document that is made of left holds for right: false where that is not plain. The work is counted; whether it was too much
 * schema_charge tells afterwards. */
bool schema_excludes(struct schema_compiler *compiler, json_t *left, json_t *right, unsigned depth);

#endif
