/* Slice and Split: parts of an axis, always views. Slice reads starts, ends, axes and steps from inputs since opset 10 and from
 * attributes before; Split its sizes from an input since 13. */
#include "ops/axes.h"
#include "ops/moving.h"

struct slice_bounds {
    size_t n_axes;
    int64_t starts[TENSOR_MAX_RANK], ends[TENSOR_MAX_RANK], axes[TENSOR_MAX_RANK], steps[TENSOR_MAX_RANK];
};

static void set_default_axes(struct slice_bounds *bounds)
{
    for (int i = 0; i < TENSOR_MAX_RANK; i++) {
        bounds->axes[i] = i;
        bounds->steps[i] = 1;
    }
}

static hob_status prepare_slice_attributes(const struct op_prepare *node, void **ret_params)
{
    struct slice_bounds *bounds = ARENA_NEW(node->arena, struct slice_bounds, 1);
    if (!bounds) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    size_t n_ends, n_axes;
    const int64_t *starts = attributes_ints(node->attributes, "starts", &bounds->n_axes);
    const int64_t *ends = attributes_ints(node->attributes, "ends", &n_ends);
    const int64_t *axes = attributes_ints(node->attributes, "axes", &n_axes);
    if (bounds->n_axes > TENSOR_MAX_RANK || n_ends != bounds->n_axes || (axes && n_axes != n_ends))
        FAIL(node->error, HOB_BAD_GRAPH, "%s: found %zu starts, %zu ends and %zu axes, expected as many of each, at most %d",
             node->node_name, bounds->n_axes, n_ends, n_axes, TENSOR_MAX_RANK);
    set_default_axes(bounds);
    for (size_t i = 0; i < n_ends; i++) {
        bounds->starts[i] = starts[i];
        bounds->ends[i] = ends[i];
        if (axes) bounds->axes[i] = axes[i];
    }
    *ret_params = bounds;
    return HOB_OK;
}

static hob_status read_bounds(struct op_context *ctx, struct slice_bounds *bounds)
{
    int64_t *const lists[] = {NULL, bounds->starts, bounds->ends, bounds->axes, bounds->steps};
    set_default_axes(bounds);
    TRY(op_read_ints(ctx, 1, TENSOR_MAX_RANK, bounds->starts, &bounds->n_axes));
    for (int i = 2; i < ctx->n_inputs; i++) {
        size_t n_read = bounds->n_axes;
        if (ctx->inputs[i]) TRY(op_read_ints(ctx, i, TENSOR_MAX_RANK, lists[i], &n_read));
        if (n_read != bounds->n_axes)
            OP_FAIL(ctx, HOB_BAD_SHAPE, "input %d: found %zu values, expected %zu as starts has", i, n_read, bounds->n_axes);
    }
    return HOB_OK;
}

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* Python's slice.indices. */
static hob_status slice_axis(struct op_context *ctx, const struct slice_bounds *bounds, size_t i, struct tensor *view)
{
    int axis;
    TRY(axis_normalize(ctx, bounds->axes[i], &axis));
    int64_t dim = view->dims[axis], start = bounds->starts[i], end = bounds->ends[i], step = bounds->steps[i];
    if (!step) OP_FAIL(ctx, HOB_BAD_ARGUMENT, "steps: found 0, expected another number");
    if (start < 0) start += dim;
    if (end < 0) end += dim;
    /* A step beyond the axis takes one element whatever its size: clamped, no sum of it overflows. */
    step = clamp(step, -(dim + 1), dim + 1);
    int64_t low = step < 0 ? -1 : 0, high = step < 0 ? dim - 1 : dim;
    start = clamp(start, low, high);
    end = clamp(end, low, high);
    int64_t span = step < 0 ? start - end : end - start, stride = step < 0 ? -step : step;
    *view = tensor_slice(view, axis, start, span > 0 ? (span - 1) / stride + 1 : 0, step);
    return HOB_OK;
}

static hob_status slice_by(struct op_context *ctx, const struct slice_bounds *bounds)
{
    TRY(moving_check(ctx, 0));
    struct tensor view = *ctx->inputs[0];
    bool is_sliced[TENSOR_MAX_RANK] = {0};
    for (size_t i = 0; i < bounds->n_axes; i++) {
        int axis;
        TRY(axis_normalize(ctx, bounds->axes[i], &axis));
        if (is_sliced[axis]) OP_FAIL(ctx, HOB_BAD_ARGUMENT, "axes: found axis %d twice", axis);
        is_sliced[axis] = true;
        TRY(slice_axis(ctx, bounds, i, &view));
    }
    op_set_view(ctx, 0, &view);
    return HOB_OK;
}

static hob_status infer_slice_attributes(struct op_context *ctx)
{
    return slice_by(ctx, ctx->params);
}

static hob_status infer_slice(struct op_context *ctx)
{
    struct slice_bounds bounds;
    TRY(read_bounds(ctx, &bounds));
    return slice_by(ctx, &bounds);
}

const struct op_def op_slice_1 = {.name = "Slice", .domain = "", .since = 1, .until = 9, .min_inputs = 1, .max_inputs = 1,
                                  .min_outputs = 1, .max_outputs = 1, .types = TYPES_ALL, .flags = OP_STRIDED_INPUTS,
                                  .prepare = prepare_slice_attributes, .infer = infer_slice_attributes,
                                  .run = moving_run_nothing};
const struct op_def op_slice = {.name = "Slice", .domain = "", .since = 10, .min_inputs = 3, .max_inputs = 5,
                                .min_outputs = 1, .max_outputs = 1, .types = TYPES_ALL, .flags = OP_STRIDED_INPUTS, .infer = infer_slice,
                                .run = moving_run_nothing};

/* ---- Split ---- */

struct split_params {
    int64_t axis;
    bool has_uneven_last; /* num_outputs, opset 18: the last part is what is left */
    size_t n_sizes;       /* attribute before opset 13; 0: equal parts */
    const int64_t *sizes;
};

static hob_status prepare_split(const struct op_prepare *node, void **ret_params)
{
    struct split_params *params = ARENA_NEW(node->arena, struct split_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->axis = attributes_int(node->attributes, "axis", 0);
    params->has_uneven_last = node->opset >= 18;
    params->sizes = attributes_ints(node->attributes, "split", &params->n_sizes);
    *ret_params = params;
    return HOB_OK;
}

/* Where the size of each part comes from. */
struct split_sizes {
    const struct tensor *input;
    const int64_t *attribute;
    int64_t n_sizes;
    int64_t equal, left; /* neither input nor attribute */
};

static hob_status find_sizes(struct op_context *ctx, int64_t dim, struct split_sizes *ret_sizes)
{
    const struct split_params *params = ctx->params;
    struct split_sizes sizes = {.attribute = params->sizes, .n_sizes = (int64_t)params->n_sizes};
    sizes.input = ctx->n_inputs > 1 ? ctx->inputs[1] : NULL;
    if (sizes.input) {
        TRY(op_check_dtype(ctx, 1, DTYPE_I64));
        sizes.n_sizes = tensor_n_items(sizes.input);
        if (sizes.n_sizes && !sizes.input->data) return op_unknown(ctx, 1);
    }
    if (!sizes.input && !sizes.attribute) {
        int64_t n = sizes.n_sizes = ctx->n_outputs;
        if (dim % n && !params->has_uneven_last)
            OP_FAIL(ctx, HOB_BAD_SHAPE, "found a dim of %lld, expected a multiple of %lld", (long long)dim, (long long)n);
        sizes.equal = dim / n + (dim % n != 0);
    }
    if (sizes.n_sizes != ctx->n_outputs)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "found %lld sizes, expected %d as there are outputs", (long long)sizes.n_sizes,
                ctx->n_outputs);
    *ret_sizes = sizes;
    return HOB_OK;
}

static int64_t size_at(const struct split_sizes *sizes, int i, int64_t left)
{
    if (sizes->input) return tensor_get_int(sizes->input, i);
    if (sizes->attribute) return sizes->attribute[i];
    return sizes->equal < left ? sizes->equal : left;
}

static hob_status infer_split(struct op_context *ctx)
{
    const struct split_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    struct split_sizes sizes = {0};
    int axis;
    TRY(moving_check(ctx, 0));
    TRY(axis_normalize(ctx, params->axis, &axis));
    TRY(find_sizes(ctx, x->dims[axis], &sizes));
    int64_t start = 0;
    for (int i = 0; i < ctx->n_outputs; i++) {
        int64_t left = x->dims[axis] - start, size = size_at(&sizes, i, left);
        if (size < 0 || size > left || (i == ctx->n_outputs - 1 && size != left))
            OP_FAIL(ctx, HOB_BAD_SHAPE, "part %d: found size %lld of the %lld that are left of axis %d", i, (long long)size,
                    (long long)left, axis);
        struct tensor view = tensor_slice(x, axis, start, size, 1);
        op_set_view(ctx, i, &view);
        start += size;
    }
    return HOB_OK;
}

const struct op_def op_split = {.name = "Split", .domain = "", .since = 1, .min_inputs = 1, .max_inputs = 2,
                                .min_outputs = 1, .max_outputs = -1, .types = TYPES_ALL, .flags = OP_STRIDED_INPUTS,
                                .prepare = prepare_split, .infer = infer_split, .run = moving_run_nothing};
