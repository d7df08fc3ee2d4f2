/* Concat: each input, whatever its strides, is copied to its part of the output. A Concat of one is a view. */
#include "ops/axes.h"
#include "ops/moving.h"

struct concat_params {
    int64_t axis;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct concat_params *params = ARENA_NEW(node->arena, struct concat_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    if (node->opset >= 4 && !attributes_find(node->attributes, "axis"))
        FAIL(node->error, HOB_BAD_GRAPH, "%s (Concat): attribute axis: missing, expected a whole number", node->node_name);
    params->axis = attributes_int(node->attributes, "axis", 1);
    *ret_params = params;
    return HOB_OK;
}

static hob_status check_shape(struct op_context *ctx, int i, int axis)
{
    const struct tensor *first = ctx->inputs[0], *x = ctx->inputs[i];
    bool is_fitting = x->rank == first->rank;
    for (int d = 0; is_fitting && d < x->rank; d++) is_fitting = d == axis || x->dims[d] == first->dims[d];
    if (is_fitting) return HOB_OK;
    OP_FAIL(ctx, HOB_BAD_SHAPE, "input %d: found shape %s, expected %s but for axis %d", i, OP_SHAPE(x), OP_SHAPE(first), axis);
}

static hob_status infer(struct op_context *ctx)
{
    const struct concat_params *params = ctx->params;
    const struct tensor *first = ctx->inputs[0];
    int64_t dims[TENSOR_MAX_RANK];
    int axis;
    TRY(axis_normalize(ctx, params->axis, &axis));
    memcpy(dims, first->dims, sizeof dims);
    dims[axis] = 0;
    for (int i = 0; i < ctx->n_inputs; i++) {
        if (!ctx->inputs[i]) OP_FAIL(ctx, HOB_BAD_GRAPH, "input %d is missing", i);
        TRY(moving_check(ctx, i));
        TRY(op_check_dtype(ctx, i, first->dtype));
        TRY(check_shape(ctx, i, axis));
        if (__builtin_add_overflow(dims[axis], ctx->inputs[i]->dims[axis], &dims[axis]))
            OP_FAIL(ctx, HOB_BAD_SHAPE, "the sum of the dims of axis %d overflows", axis);
    }
    if (ctx->n_inputs > 1) return op_set_output(ctx, 0, first->dtype, first->rank, dims);
    op_set_view(ctx, 0, first);
    return HOB_OK;
}

static hob_status run(struct op_context *ctx)
{
    const struct concat_params *params = ctx->params;
    int axis;
    TRY(axis_normalize(ctx, params->axis, &axis));
    int64_t start = 0;
    for (int i = 0; i < ctx->n_inputs; i++) {
        const struct tensor *x = ctx->inputs[i];
        struct tensor part = tensor_slice(ctx->outputs[0], axis, start, x->dims[axis], 1);
        moving_copy_strided(x, &part);
        start += x->dims[axis];
    }
    return HOB_OK;
}

const struct op_def op_concat = {.name = "Concat", .domain = "", .since = 1, .min_inputs = 1, .max_inputs = -1,
                                 .min_outputs = 1, .max_outputs = 1, .types = TYPES_ALL, .flags = OP_STRIDED_INPUTS, .prepare = prepare,
                                 .infer = infer, .run = run};
