/* SplitToSequence and ConcatFromSequence: between one tensor and the sequence of its parts. */
#include "ops/axes.h"
#include "ops/moving.h"
#include "ops/sequence/elements.h"

/* ---- SplitToSequence ---- */

struct split_params {
    int64_t axis;
    bool keeps_dims;
};

static hob_status prepare_split(const struct op_prepare *node, void **ret_params)
{
    struct split_params *params = ARENA_NEW(node->arena, struct split_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->axis = attributes_int(node->attributes, "axis", 0);
    params->keeps_dims = attributes_int(node->attributes, "keepdims", 1) != 0;
    *ret_params = params;
    return HOB_OK;
}

/* How the axis is cut: a list of sizes, or parts of one size of which the last may be smaller. */
struct cut {
    const struct tensor *sizes; /* NULL: parts of part_size */
    int64_t part_size, n_parts;
    int axis;
};

static hob_status read_part_size(struct op_context *ctx, struct cut *cut)
{
    size_t n_values;
    TRY(op_read_ints(ctx, 1, 1, &cut->part_size, &n_values));
    if (cut->part_size < 1)
        OP_FAIL(ctx, HOB_BAD_ARGUMENT, "split: found %lld, expected 1 or more", (long long)cut->part_size);
    return HOB_OK;
}

static hob_status read_sizes(struct op_context *ctx, int64_t dim, struct cut *cut)
{
    const struct tensor *sizes = ctx->inputs[1];
    int64_t n_parts = sizes->dims[0], left = dim;
    if (sizes->dtype != DTYPE_I64 && sizes->dtype != DTYPE_I32)
        OP_FAIL(ctx, HOB_BAD_TYPE, "input 1: found %s, expected int64 or int32", dtype_name(sizes->dtype));
    if (n_parts && !sizes->data) return op_unknown(ctx, 1);
    for (int64_t i = 0; i < n_parts; i++) {
        int64_t size = tensor_get_int(sizes, i);
        if (size < 0 || size > left)
            OP_FAIL(ctx, HOB_BAD_ARGUMENT, "split: part %lld: found size %lld of the %lld that are left", (long long)i,
                    (long long)size, (long long)left);
        left -= size;
    }
    if (left) OP_FAIL(ctx, HOB_BAD_ARGUMENT, "split: found sizes that leave %lld of %lld over", (long long)left, (long long)dim);
    cut->sizes = sizes;
    cut->n_parts = n_parts;
    return HOB_OK;
}

static hob_status find_cut(struct op_context *ctx, struct cut *ret_cut)
{
    const struct split_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0], *split = op_input(ctx, 1);
    struct cut cut = {.part_size = 1};
    TRY(moving_check(ctx, 0));
    TRY(axis_normalize(ctx, params->axis, &cut.axis));
    int64_t dim = x->dims[cut.axis];
    if (split && split->rank > 1) OP_FAIL(ctx, HOB_BAD_SHAPE, "input 1: found rank %d, expected at most 1", split->rank);
    if (split && split->rank) TRY(read_sizes(ctx, dim, &cut));
    if (split && !split->rank) TRY(read_part_size(ctx, &cut));
    if (!cut.sizes) cut.n_parts = dim / cut.part_size + (dim % cut.part_size != 0);
    *ret_cut = cut;
    return HOB_OK;
}

static hob_status infer_split(struct op_context *ctx)
{
    struct cut cut = {0};
    TRY(find_cut(ctx, &cut));
    return op_set_output(ctx, 0, DTYPE_SEQUENCE, 1, &cut.n_parts);
}

/* The axis, of size 1, goes. */
static void squeeze(struct tensor *tensor, int axis)
{
    for (int d = axis + 1; d < tensor->rank; d++) tensor->dims[d - 1] = tensor->dims[d];
    tensor->rank--;
    tensor_set_contiguous(tensor);
}

static hob_status run_split(struct op_context *ctx)
{
    const struct split_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    struct cut cut = {0};
    struct tensor *elements;
    TRY(find_cut(ctx, &cut));
    TRY(sequence_allocate(ctx, 0, cut.n_parts, &elements));
    bool is_squeezed = !op_input(ctx, 1) && !params->keeps_dims;
    int64_t start = 0;
    for (int64_t i = 0; i < cut.n_parts; i++) {
        int64_t left = x->dims[cut.axis] - start;
        int64_t size = cut.sizes ? tensor_get_int(cut.sizes, i) : cut.part_size < left ? cut.part_size : left;
        struct tensor part = tensor_slice(x, cut.axis, start, size, 1);
        TRY(sequence_keep(ctx, &part, &elements[i]));
        if (is_squeezed) squeeze(&elements[i], cut.axis);
        start += size;
    }
    return HOB_OK;
}

const struct op_def op_split_to_sequence = {
    .name = "SplitToSequence", .domain = "", .since = 11, .min_inputs = 1, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1,
    .types = TYPES_WHOLE, .flags = OP_ALLOCATES | OP_STRIDED_INPUTS, .prepare = prepare_split, .infer = infer_split,
    .run = run_split};

/* ---- ConcatFromSequence ---- */

struct concat_params {
    int64_t axis;
    bool is_new_axis;
};

static hob_status prepare_concat(const struct op_prepare *node, void **ret_params)
{
    struct concat_params *params = ARENA_NEW(node->arena, struct concat_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    if (!attributes_find(node->attributes, "axis"))
        FAIL(node->error, HOB_BAD_GRAPH, "%s: attribute axis: missing, expected a whole number", node->node_name);
    params->axis = attributes_int(node->attributes, "axis", 0);
    params->is_new_axis = attributes_int(node->attributes, "new_axis", 0) != 0;
    *ret_params = params;
    return HOB_OK;
}

static hob_status check_part(struct op_context *ctx, int64_t i, int axis)
{
    const struct concat_params *params = ctx->params;
    const struct tensor *first = sequence_elements(ctx->inputs[0]), *part = first + i;
    if (part->dtype != first->dtype)
        OP_FAIL(ctx, HOB_BAD_TYPE, "element %lld: found %s, expected %s as the first has", (long long)i, dtype_name(part->dtype),
                dtype_name(first->dtype));
    bool is_fitting = part->rank == first->rank;
    for (int d = 0; is_fitting && d < part->rank; d++)
        is_fitting = part->dims[d] == first->dims[d] || (!params->is_new_axis && d == axis);
    if (is_fitting) return HOB_OK;
    OP_FAIL(ctx, HOB_BAD_SHAPE, "element %lld: found shape %s, which does not fit the first element's %s", (long long)i,
            OP_SHAPE(part), OP_SHAPE(first));
}

static hob_status find_axis(struct op_context *ctx, int *ret_axis)
{
    const struct concat_params *params = ctx->params;
    TRY(sequence_check(ctx, 0));
    if (!ctx->inputs[0]->dims[0]) OP_FAIL(ctx, HOB_BAD_ARGUMENT, "input 0: found an empty sequence, expected an element");
    int rank = sequence_elements(ctx->inputs[0])->rank + params->is_new_axis;
    if (!shape_normalize_axis(params->axis, rank, ret_axis))
        OP_FAIL(ctx, HOB_BAD_ARGUMENT, "axis: found %lld, expected %d to %d", (long long)params->axis, -rank, rank - 1);
    return HOB_OK;
}

static hob_status infer_concat(struct op_context *ctx)
{
    const struct concat_params *params = ctx->params;
    int axis;
    TRY(find_axis(ctx, &axis));
    const struct tensor *parts = sequence_elements(ctx->inputs[0]);
    if (!op_types_have(TYPES_WHOLE, parts->dtype))
        OP_FAIL(ctx, HOB_BAD_TYPE, "element 0: found %s, expected a tensor", dtype_name(parts->dtype));
    int64_t n_parts = ctx->inputs[0]->dims[0], dims[TENSOR_MAX_RANK + 1], size = 0;
    int rank = parts->rank + params->is_new_axis;
    for (int64_t i = 0; i < n_parts; i++) {
        TRY(check_part(ctx, i, axis));
        if (__builtin_add_overflow(size, params->is_new_axis ? 1 : parts[i].dims[axis], &size))
            OP_FAIL(ctx, HOB_BAD_SHAPE, "the sum of the dims of axis %d overflows", axis);
    }
    for (int d = 0, own = 0; d < rank; d++) dims[d] = d == axis && params->is_new_axis ? size : parts->dims[own++];
    dims[axis] = size;
    return op_set_output(ctx, 0, parts->dtype, rank, dims);
}

/* The part as it lies in the output: with the new axis, of size 1, if there is one. */
static struct tensor widened(const struct tensor *part, int axis, bool is_new_axis)
{
    struct tensor view = *part;
    if (!is_new_axis) return view;
    for (int d = part->rank; d > axis; d--) {
        view.dims[d] = part->dims[d - 1];
        view.strides[d] = part->strides[d - 1];
    }
    view.rank++;
    view.dims[axis] = view.strides[axis] = 1;
    return view;
}

static hob_status run_concat(struct op_context *ctx)
{
    const struct concat_params *params = ctx->params;
    const struct tensor *parts = sequence_elements(ctx->inputs[0]);
    int axis;
    TRY(find_axis(ctx, &axis));
    int64_t start = 0;
    for (int64_t i = 0; i < ctx->inputs[0]->dims[0]; i++) {
        struct tensor part = widened(&parts[i], axis, params->is_new_axis);
        struct tensor place = tensor_slice(ctx->outputs[0], axis, start, part.dims[axis], 1);
        moving_copy_strided(&part, &place);
        start += part.dims[axis];
    }
    return HOB_OK;
}

const struct op_def op_concat_from_sequence = {
    .name = "ConcatFromSequence", .domain = "", .since = 11, .min_inputs = 1, .max_inputs = 1, .min_outputs = 1,
    .max_outputs = 1, .types = TYPE_SEQUENCE, .flags = OP_STRIDED_INPUTS, .prepare = prepare_concat, .infer = infer_concat,
    .run = run_concat};
