/* CenterCropPad: cuts an axis to a length around its middle, or puts zeros on both sides. Odd rests: one less is cut at the beginning,
 * one more is added at the end. */
#include "ops/axes.h"
#include "ops/moving.h"

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct axes *params = ARENA_NEW(node->arena, struct axes, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    TRY(axes_prepare(node, "axes", params));
    *ret_params = params;
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    const struct axes *axes = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    int64_t lengths[TENSOR_MAX_RANK], dims[TENSOR_MAX_RANK];
    size_t n_lengths, n_axes = axes->is_given ? (size_t)axes->n_items : x->rank;
    TRY(moving_check(ctx, 0));
    TRY(op_read_ints(ctx, 1, TENSOR_MAX_RANK, lengths, &n_lengths));
    if (n_lengths != n_axes) OP_FAIL(ctx, HOB_BAD_SHAPE, "input 1: found %zu values, expected %zu", n_lengths, n_axes);
    memcpy(dims, x->dims, sizeof dims);
    for (size_t i = 0; i < n_axes; i++) {
        int axis = (int)i;
        if (axes->is_given) TRY(axis_normalize(ctx, axes->items[i], &axis));
        dims[axis] = lengths[i];
    }
    return op_set_output(ctx, 0, x->dtype, x->rank, dims);
}

static hob_status run(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0], *y = ctx->outputs[0];
    const unsigned char zero[16] = {0};
    int64_t *maps[TENSOR_MAX_RANK] = {0};
    for (int axis = 0; axis < y->rank; axis++) {
        int64_t cut = x->dims[axis] - y->dims[axis], shift = cut > 0 ? cut / 2 : -(-cut / 2);
        maps[axis] = ARENA_NEW(ctx->scratch, int64_t, (size_t)y->dims[axis]);
        if (!maps[axis])
            OP_FAIL(ctx, HOB_NO_MEMORY, "no memory for a table of %lld positions", (long long)y->dims[axis]);
        for (int64_t i = 0; i < y->dims[axis]; i++) {
            int64_t from = i + shift;
            maps[axis][i] = from >= 0 && from < x->dims[axis] ? from : MAP_FILL;
        }
    }
    moving_copy_mapped(x, (const int64_t *const *)maps, zero, y);
    return HOB_OK;
}

const struct op_def op_center_crop_pad = {
    .name = "CenterCropPad",
    .domain = "",
    .since = 18,
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPES_WHOLE,
    .flags = OP_STRIDED_INPUTS,
    .prepare = prepare,
    .infer = infer,
    .run = run,
};
