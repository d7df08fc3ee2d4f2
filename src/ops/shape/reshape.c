/* Reshape, Flatten, Squeeze, Unsqueeze: the same elements under other dims. */
#include "base/size.h"
#include "ops/axes.h"
#include "ops/moving.h"

struct reshape_params {
    bool is_zero_literal; /* allowzero: a 0 is a dim of 0, not "as in the input" */
    bool has_attribute;   /* opset 1: the shape is an attribute */
    int n_dims;
    int64_t dims[TENSOR_MAX_RANK];
};

static hob_status prepare_reshape(const struct op_prepare *node, void **ret_params)
{
    struct reshape_params *params = ARENA_NEW(node->arena, struct reshape_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->is_zero_literal = attributes_int(node->attributes, "allowzero", 0) != 0;
    size_t n_dims;
    const int64_t *dims = attributes_ints(node->attributes, "shape", &n_dims);
    if (n_dims > TENSOR_MAX_RANK)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: shape: found %zu dims, expected at most %d", node->node_name, n_dims,
             TENSOR_MAX_RANK);
    params->has_attribute = node->opset < 5;
    params->n_dims = (int)n_dims;
    if (n_dims) memcpy(params->dims, dims, n_dims * sizeof *dims);
    *ret_params = params;
    return HOB_OK;
}

static hob_status wanted_dims(struct op_context *ctx, size_t *ret_rank, int64_t *ret_dims)
{
    const struct reshape_params *params = ctx->params;
    if (params->has_attribute) {
        *ret_rank = (size_t)params->n_dims;
        memcpy(ret_dims, params->dims, sizeof params->dims);
        return HOB_OK;
    }
    if (ctx->n_inputs < 2 || !ctx->inputs[1]) OP_FAIL(ctx, HOB_BAD_GRAPH, "input 1, the shape, is missing");
    return op_read_ints(ctx, 1, TENSOR_MAX_RANK, ret_dims, ret_rank);
}

static hob_status bad_reshape(struct op_context *ctx, size_t rank, const int64_t *dims)
{
    char text[TENSOR_SHAPE_TEXT_BYTES];
    OP_FAIL(ctx, HOB_BAD_SHAPE, "found shape %s, which does not fit the wanted %s", OP_SHAPE(ctx->inputs[0]),
            tensor_shape_text((int)rank, dims, text));
}

static hob_status infer_reshape(struct op_context *ctx)
{
    const struct reshape_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    int64_t wanted[TENSOR_MAX_RANK], dims[TENSOR_MAX_RANK], n_known = 1;
    size_t rank;
    int guessed = -1;
    TRY(wanted_dims(ctx, &rank, wanted));
    for (size_t i = 0; i < rank; i++) {
        dims[i] = wanted[i];
        if (dims[i] == 0 && !params->is_zero_literal && (int)i < x->rank) dims[i] = x->dims[i];
        bool is_guessed = dims[i] == -1 && guessed < 0;
        if (is_guessed) guessed = (int)i;
        else if (dims[i] < 0 || !int64_mul(n_known, dims[i], &n_known)) return bad_reshape(ctx, rank, wanted);
    }
    int64_t n_items = tensor_n_items(x);
    if (guessed >= 0) {
        if (!n_known || n_items % n_known) return bad_reshape(ctx, rank, wanted);
        dims[guessed] = n_items / n_known;
    } else if (n_known != n_items) {
        return bad_reshape(ctx, rank, wanted);
    }
    struct tensor checked; /* next to a dim of 0 the others may be anything */
    TRY(tensor_init(&checked, x->dtype, (int)rank, dims, NULL, ctx->error));
    return moving_infer_reshaped(ctx, (int)rank, dims);
}

const struct op_def op_reshape = {.name = "Reshape", .domain = "", .since = 1, .min_inputs = 1, .max_inputs = 2,
                                  .min_outputs = 1, .max_outputs = 1, .types = TYPES_ALL, .flags = OP_STRIDED_INPUTS,
                                  .prepare = prepare_reshape, .infer = infer_reshape, .run = moving_run_copy};

/* ---- Flatten ---- */

struct flatten_params {
    int64_t axis;
};

static hob_status prepare_flatten(const struct op_prepare *node, void **ret_params)
{
    struct flatten_params *params = ARENA_NEW(node->arena, struct flatten_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->axis = attributes_int(node->attributes, "axis", 1);
    *ret_params = params;
    return HOB_OK;
}

static hob_status infer_flatten(struct op_context *ctx)
{
    const struct flatten_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    int64_t axis = params->axis < 0 ? params->axis + x->rank : params->axis, dims[2] = {1, 1};
    if (axis < 0 || axis > x->rank)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "axis: found %lld, expected a value in [%d,%d]", (long long)params->axis, -x->rank, x->rank);
    for (int i = 0; i < x->rank; i++)
        if (!int64_mul(dims[i >= axis], x->dims[i], &dims[i >= axis])) return bad_reshape(ctx, 2, dims);
    return moving_infer_reshaped(ctx, 2, dims);
}

const struct op_def op_flatten = {.name = "Flatten", .domain = "", .since = 1, .min_inputs = 1, .max_inputs = 1,
                                  .min_outputs = 1, .max_outputs = 1, .types = TYPES_ALL, .flags = OP_STRIDED_INPUTS,
                                  .prepare = prepare_flatten, .infer = infer_flatten, .run = moving_run_copy};

/* ---- Squeeze, Unsqueeze: axes are an attribute before opset 13 and an input since ---- */

static hob_status prepare_axes(const struct op_prepare *node, void **ret_params)
{
    struct axes *axes = ARENA_NEW(node->arena, struct axes, 1);
    if (!axes) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    TRY(axes_prepare(node, "axes", axes));
    *ret_params = axes;
    return HOB_OK;
}

static hob_status infer_squeeze(struct op_context *ctx)
{
    const struct axes *axes = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    bool is_marked[TENSOR_MAX_RANK], are_given = axes->is_given || (ctx->n_inputs > 1 && ctx->inputs[1]);
    int n_marked, rank = 0;
    int64_t dims[TENSOR_MAX_RANK];
    TRY(axes_mark(ctx, axes, 1, is_marked, &n_marked));
    for (int i = 0; i < x->rank; i++) {
        if (is_marked[i] && x->dims[i] != 1)
            OP_FAIL(ctx, HOB_BAD_SHAPE, "axis %d: found shape %s, expected a dim of 1", i, OP_SHAPE(x));
        bool is_dropped = are_given ? is_marked[i] : x->dims[i] == 1;
        if (!is_dropped) dims[rank++] = x->dims[i];
    }
    return moving_infer_reshaped(ctx, rank, dims);
}

/* The axes count in the output, so that axes_mark, which looks at the input's rank, does not fit. */
static hob_status read_new_axes(struct op_context *ctx, int64_t *ret_axes, size_t *ret_n_axes)
{
    const struct axes *axes = ctx->params;
    if (axes->is_given) {
        *ret_n_axes = (size_t)axes->n_items;
        memcpy(ret_axes, axes->items, sizeof axes->items);
        return HOB_OK;
    }
    if (ctx->n_inputs < 2 || !ctx->inputs[1]) OP_FAIL(ctx, HOB_BAD_GRAPH, "axes are missing");
    return op_read_ints(ctx, 1, TENSOR_MAX_RANK, ret_axes, ret_n_axes);
}

static hob_status infer_unsqueeze(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0];
    int64_t new_axes[TENSOR_MAX_RANK], dims[TENSOR_MAX_RANK];
    size_t n_axes;
    bool is_new[TENSOR_MAX_RANK] = {0};
    TRY(read_new_axes(ctx, new_axes, &n_axes));
    int rank = x->rank + (int)n_axes;
    if (rank > TENSOR_MAX_RANK) OP_FAIL(ctx, HOB_BAD_SHAPE, "found rank %d, expected at most %d", rank, TENSOR_MAX_RANK);
    for (size_t i = 0; i < n_axes; i++) {
        int axis;
        if (!shape_normalize_axis(new_axes[i], rank, &axis) || is_new[axis])
            OP_FAIL(ctx, HOB_BAD_SHAPE, "axes: found %lld, expected different values in [%d,%d]", (long long)new_axes[i], -rank,
                    rank - 1);
        is_new[axis] = true;
    }
    for (int i = 0, from = 0; i < rank; i++) dims[i] = is_new[i] ? 1 : x->dims[from++];
    return moving_infer_reshaped(ctx, rank, dims);
}

const struct op_def op_squeeze = {.name = "Squeeze", .domain = "", .since = 1, .min_inputs = 1, .max_inputs = 2,
                                  .min_outputs = 1, .max_outputs = 1, .types = TYPES_ALL, .flags = OP_STRIDED_INPUTS,
                                  .prepare = prepare_axes, .infer = infer_squeeze, .run = moving_run_copy};
const struct op_def op_unsqueeze = {.name = "Unsqueeze", .domain = "", .since = 1, .min_inputs = 1, .max_inputs = 2,
                                    .min_outputs = 1, .max_outputs = 1, .types = TYPES_ALL, .flags = OP_STRIDED_INPUTS,
                                    .prepare = prepare_axes, .infer = infer_unsqueeze, .run = moving_run_copy};
