/* The strings of a tensor as a flat list, and memory for the bytes of new ones. */
#ifndef OPS_TEXT_STRING_ITEMS_H
#define OPS_TEXT_STRING_ITEMS_H

#include "ops/op.h"

/* In row-major order: where they lie, or a copy of the list (not of the bytes) in the node's scratch. */
HOB_MUST_CHECK hob_status string_items_load(struct op_context *ctx, const struct tensor *x,
                                            const struct tensor_string **ret_items);
/* For run: memory that lives as long as the node's outputs, which is what the bytes of their strings need. */
HOB_MUST_CHECK hob_status string_items_room(struct op_context *ctx, size_t n_bytes, char **ret_bytes);
/* Copies of all the items' bytes, in such memory; ret_copies (may be items) points to them. */
HOB_MUST_CHECK hob_status string_items_copy(struct op_context *ctx, const struct tensor_string *items, size_t n_items,
                                            struct tensor_string *ret_copies);

#endif
