#include "ops/axes.h"

#include <string.h>

hob_status axes_prepare(const struct op_prepare *node, const char *name, struct axes *ret_axes)
{
    size_t n_items;
    const int64_t *items = attributes_ints(node->attributes, name, &n_items);
    if (n_items > TENSOR_MAX_RANK)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: attribute %s: found %zu axes, expected at most %d", node->node_name, name,
             n_items, TENSOR_MAX_RANK);
    *ret_axes = (struct axes){.n_items = (int)n_items, .is_given = attributes_find(node->attributes, name) != NULL};
    if (n_items) memcpy(ret_axes->items, items, n_items * sizeof items[0]);
    return HOB_OK;
}

hob_status axes_mark(struct op_context *ctx, const struct axes *axes, int input, bool ret_is_marked[TENSOR_MAX_RANK],
                     int *ret_n_marked)
{
    struct axes wanted = *axes;
    if (!axes->is_given && input < ctx->n_inputs && ctx->inputs[input]) {
        size_t n_items;
        TRY(op_read_ints(ctx, input, TENSOR_MAX_RANK, wanted.items, &n_items));
        wanted.n_items = (int)n_items;
    }
    memset(ret_is_marked, 0, TENSOR_MAX_RANK * sizeof ret_is_marked[0]);
    *ret_n_marked = 0;
    for (int i = 0; i < wanted.n_items; i++) {
        int axis;
        TRY(axis_normalize(ctx, wanted.items[i], &axis));
        if (!ret_is_marked[axis]) ++*ret_n_marked;
        ret_is_marked[axis] = true;
    }
    return HOB_OK;
}

hob_status axis_normalize(struct op_context *ctx, int64_t axis, int *ret_axis)
{
    int rank = ctx->inputs[0]->rank;
    if (!shape_normalize_axis(axis, rank, ret_axis))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "axis: found %lld, expected a value in [%d,%d]", (long long)axis, -rank, rank - 1);
    return HOB_OK;
}
