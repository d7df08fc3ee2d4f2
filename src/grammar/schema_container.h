/* Arrays and objects of a schema, between two states of the builder. Their elements and members are rules for later.
 *
 *     TRY(schema_add_object(compiler, item, from, to));
 */
#ifndef GRAMMAR_SCHEMA_CONTAINER_H
#define GRAMMAR_SCHEMA_CONTAINER_H

#include "grammar/schema.h"

/* With "prefixItems", "items" (a list too), "additionalItems", "minItems", "maxItems". */
HOB_MUST_CHECK hob_status schema_add_array(struct schema_compiler *compiler, const struct schema_item *item,
                                           uint32_t from, uint32_t to);
/* With "properties", "required", "additionalProperties", "patternProperties", "propertyNames", "minProperties", "maxProperties". */
HOB_MUST_CHECK hob_status schema_add_object(struct schema_compiler *compiler, const struct schema_item *item,
                                            uint32_t from, uint32_t to);

#endif
