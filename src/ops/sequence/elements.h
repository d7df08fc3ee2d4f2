/* What the operators on sequences share.
 *
 * A sequence is a tensor of DTYPE_SEQUENCE and rank 1 whose elements are struct tensor. Elements never change once they are in a
 * sequence, so sequences share them: inserting copies the list of elements and the bytes of the new one only. The bytes of an
 * element lie in memory that lasts for the run (the overflow arena, a constant, the caller's), never in the plan's block, which
 * is why a tensor that enters a sequence is copied: sequence_keep. A view of an element is then safe for the rest of the run.
 *
 * Thread-safe for different contexts.
 *
 *     struct tensor *elements;
 *     TRY(sequence_allocate(ctx, 0, n, &elements));
 *     for (int i = 0; i < n; i++) TRY(sequence_keep(ctx, ctx->inputs[i], &elements[i]));
 */
#ifndef OPS_SEQUENCE_ELEMENTS_H
#define OPS_SEQUENCE_ELEMENTS_H

#include "ops/op.h"

/* Input i is a sequence. Fails: HOB_BAD_TYPE; HOB_UNKNOWN when its elements are not there yet. */
HOB_MUST_CHECK hob_status sequence_check(struct op_context *ctx, int i);
static inline const struct tensor *sequence_elements(const struct tensor *sequence)
{
    return sequence->data;
}

/* Input i as a place in a sequence of n_places, [-n_elements, n_places - 1], negative ones from the back of the n_elements; the
 * fallback when input i is absent. Fails: HOB_BAD_TYPE, HOB_BAD_SHAPE, HOB_BAD_ARGUMENT, HOB_UNKNOWN. */
HOB_MUST_CHECK hob_status sequence_place(struct op_context *ctx, int i, int64_t n_elements, int64_t n_places, int64_t fallback,
                                         int64_t *ret_place);

/* ---- for run of OP_ALLOCATES ---- */
/* Output i becomes a sequence of n_elements, to be filled; ret_elements is scratch when the output is not wanted. */
HOB_MUST_CHECK hob_status sequence_allocate(struct op_context *ctx, int i, int64_t n_elements, struct tensor **ret_elements);
/* A contiguous copy of tensor (any strides) that lasts for the run. */
HOB_MUST_CHECK hob_status sequence_keep(struct op_context *ctx, const struct tensor *tensor, struct tensor *ret_element);

#endif
