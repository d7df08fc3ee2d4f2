/* The axes an operator works on: given as an attribute in older opsets, as an input in newer ones, negative or not. */
#ifndef OPS_AXES_H
#define OPS_AXES_H

#include "ops/op.h"

struct axes {
    int64_t items[TENSOR_MAX_RANK];
    int n_items;
    bool is_given; /* as an attribute */
};

/* Attribute `name`; not given is fine. */
HOB_MUST_CHECK hob_status axes_prepare(const struct op_prepare *node, const char *name, struct axes *ret_axes);
/* Marks the axes of input 0 that the attribute or, if there is none, input `input` names; returns how many. Axes named
 * twice count once. */
HOB_MUST_CHECK hob_status axes_mark(struct op_context *ctx, const struct axes *axes, int input,
                                    bool ret_is_marked[TENSOR_MAX_RANK], int *ret_n_marked);
/* One axis of input 0 into [0, rank-1]. */
HOB_MUST_CHECK hob_status axis_normalize(struct op_context *ctx, int64_t axis, int *ret_axis);

#endif
