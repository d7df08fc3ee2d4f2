/* Strings and numbers of a schema, between two states of the builder.
 *
 *     TRY(schema_add_string(compiler, item, from, to));
 */
#ifndef GRAMMAR_SCHEMA_SCALAR_H
#define GRAMMAR_SCHEMA_SCALAR_H

#include "grammar/schema.h"

/* With "pattern", "format", "minLength" and "maxLength", together too. */
HOB_MUST_CHECK hob_status schema_add_string(struct schema_compiler *compiler, const struct schema_item *item,
                                            uint32_t from, uint32_t to);
/* With "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum". */
HOB_MUST_CHECK hob_status schema_add_number(struct schema_compiler *compiler, const struct schema_item *item,
                                            bool is_integer, uint32_t from, uint32_t to);

#endif
