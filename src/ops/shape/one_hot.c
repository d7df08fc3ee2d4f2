/* OneHot: a new axis of depth places, the on value where the index says and the off value elsewhere. Negative indices count
 * from the end; an index outside gives off values only. */
#include "ops/math/cast.h"
#include "ops/moving.h"
#include "ops/numbers.h"

struct one_hot_params {
    int64_t axis;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct one_hot_params *params = ARENA_NEW(node->arena, struct one_hot_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->axis = attributes_int(node->attributes, "axis", -1);
    *ret_params = params;
    return HOB_OK;
}

/* depth may be of any number type, a float too. */
static hob_status read_depth(struct op_context *ctx, int64_t *ret_depth)
{
    const struct tensor *depth = ctx->inputs[1];
    double number;
    if (!cast_is_number(depth->dtype) || tensor_n_items(depth) != 1)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 1: found %s of %s, expected one number", OP_SHAPE(depth), dtype_name(depth->dtype));
    if (!depth->data) return op_unknown(ctx, 1);
    numbers_load_f64(depth, 0, 1, 1, &number);
    if (!(number >= 0 && number < 0x1p53)) OP_FAIL(ctx, HOB_BAD_ARGUMENT, "depth: found %g, expected 0 or more", number);
    *ret_depth = (int64_t)number;
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    const struct one_hot_params *params = ctx->params;
    const struct tensor *indices = ctx->inputs[0], *values = ctx->inputs[2];
    int axis, rank = indices->rank + 1;
    int64_t dims[TENSOR_MAX_RANK], depth = 0;
    TRY(moving_check(ctx, 2));
    if (!cast_is_number(indices->dtype)) OP_FAIL(ctx, HOB_BAD_TYPE, "input 0: found %s, expected numbers", dtype_name(indices->dtype));
    if (values->rank != 1 || values->dims[0] != 2) OP_FAIL(ctx, HOB_BAD_SHAPE, "input 2: found shape %s, expected [2]", OP_SHAPE(values));
    if (rank > TENSOR_MAX_RANK || !shape_normalize_axis(params->axis, rank, &axis))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "axis: found %lld for an output of rank %d", (long long)params->axis, rank);
    TRY(read_depth(ctx, &depth));
    for (int d = 0, from = 0; d < rank; d++) dims[d] = d == axis ? depth : indices->dims[from++];
    return op_set_output(ctx, 0, values->dtype, rank, dims);
}

/* Indices as int64: fractions are dropped, what is too large saturates and so stays outside. */
static hob_status load_indices(struct op_context *ctx, int64_t **ret_indices)
{
    const struct tensor *from = ctx->inputs[0];
    struct tensor to;
    TRY(tensor_init(&to, DTYPE_I64, from->rank, from->dims, NULL, ctx->error));
    to.data = arena_alloc(ctx->scratch, tensor_n_bytes(&to) + 1, 64);
    if (!to.data) OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
    cast_apply(ctx, from, &to);
    *ret_indices = to.data;
    return HOB_OK;
}

static hob_status run(struct op_context *ctx)
{
    const struct one_hot_params *params = ctx->params;
    const struct tensor *out = ctx->outputs[0], *values = ctx->inputs[2];
    int64_t *indices, n_inner = 1;
    int axis;
    if (!shape_normalize_axis(params->axis, out->rank, &axis)) return HOB_INTERNAL;
    TRY(load_indices(ctx, &indices));
    struct tensor off = tensor_slice(values, 0, 0, 1, 1);
    off = tensor_broadcast(&off, out->rank, out->dims);
    tensor_copy_contiguous(&off, out->data);
    const void *on = moving_element_at(values, values->strides[0]);
    for (int d = axis + 1; d < out->rank; d++) n_inner *= out->dims[d];
    int64_t depth = out->dims[axis], n_indices = tensor_n_items(ctx->inputs[0]);
    for (int64_t i = 0; i < n_indices; i++) {
        int64_t index = indices[i] < 0 ? indices[i] + depth : indices[i];
        if (index < 0 || index >= depth) continue;
        int64_t offset = (i / n_inner * depth + index) * n_inner + i % n_inner;
        moving_copy_element(moving_element_at(out, offset), on, dtype_block_bytes(out->dtype));
    }
    return HOB_OK;
}

const struct op_def op_one_hot = {.name = "OneHot", .domain = "", .since = 9, .min_inputs = 3, .max_inputs = 3,
                                  .min_outputs = 1, .max_outputs = 1, .types = TYPES_NUMBER, .flags = OP_STRIDED_INPUTS, .prepare = prepare,
                                  .infer = infer, .run = run};
