/* com.microsoft's QLinearConcat: bytes of different scales, laid end to end along an axis and given the output's scale.
 * Inputs: y_scale, y_zero, then x, x_scale, x_zero for each part. */
#include "ops/quant/byte_table.h"

#include <string.h>

struct concat_params {
    int64_t axis;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct concat_params *params = ARENA_NEW(node->arena, struct concat_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    if (node->n_inputs % 3 != 2)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: found %d inputs, expected 2 and three for each part", node->node_name,
             node->n_inputs);
    params->axis = attributes_int(node->attributes, "axis", 0);
    *ret_params = params;
    return HOB_OK;
}

static hob_status check_part(struct op_context *ctx, int i, int axis)
{
    const struct tensor *first = ctx->inputs[2], *x = ctx->inputs[i];
    if (!x) OP_FAIL(ctx, HOB_BAD_GRAPH, "input %d is missing", i);
    TRY(op_check_dtype(ctx, i, first->dtype));
    TRY(quantized_check(ctx, i + 1, i + 2, first->dtype));
    bool is_fitting = x->rank == first->rank;
    for (int d = 0; is_fitting && d < x->rank; d++) is_fitting = d == axis || x->dims[d] == first->dims[d];
    if (!is_fitting)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input %d: found %s, expected %s but for axis %d", i, OP_SHAPE(x), OP_SHAPE(first), axis);
    return HOB_OK;
}

static hob_status find_axis(struct op_context *ctx, int *ret_axis)
{
    const struct concat_params *params = ctx->params;
    const struct tensor *first = ctx->inputs[2];
    if (shape_normalize_axis(params->axis, first->rank, ret_axis)) return HOB_OK;
    OP_FAIL(ctx, HOB_BAD_SHAPE, "axis: found %lld, expected a value in [%d,%d]", (long long)params->axis, -first->rank,
            first->rank - 1);
}

static hob_status infer(struct op_context *ctx)
{
    const struct tensor *first = ctx->inputs[2];
    int64_t dims[TENSOR_MAX_RANK];
    int axis;
    TRY(find_axis(ctx, &axis));
    TRY(quantized_check(ctx, 0, 1, first->dtype));
    memcpy(dims, first->dims, sizeof dims);
    dims[axis] = 0;
    for (int i = 2; i < ctx->n_inputs; i += 3) {
        TRY(check_part(ctx, i, axis));
        if (__builtin_add_overflow(dims[axis], ctx->inputs[i]->dims[axis], &dims[axis]))
            OP_FAIL(ctx, HOB_BAD_SHAPE, "the sum of the dims of axis %d overflows", axis);
    }
    return op_set_output(ctx, 0, first->dtype, first->rank, dims);
}

/* A part of the same scale stays as it is, without a rounding that could only spoil it. */
static void make_table(const struct op_context *ctx, int i, struct quantized y, struct byte_table *ret_table)
{
    const enum dtype dtype = ctx->inputs[i]->dtype;
    const struct quantized x = quantized_read(ctx, i + 1, i + 2);
    float numbers[BYTE_VALUES];
    byte_table_numbers(dtype, x, numbers);
    byte_table_fill(dtype, numbers, y, ret_table);
    if (x.scale != y.scale || x.zero != y.zero) return;
    for (int byte = 0; byte < BYTE_VALUES; byte++) ret_table->bytes[byte] = (uint8_t)byte;
}

static hob_status run(struct op_context *ctx)
{
    const struct tensor *out = ctx->outputs[0];
    const struct quantized y = quantized_read(ctx, 0, 1);
    int axis;
    TRY(find_axis(ctx, &axis));
    int64_t n_outer = 1, inner = 1, begin = 0;
    for (int d = 0; d < axis; d++) n_outer *= out->dims[d];
    for (int d = axis + 1; d < out->rank; d++) inner *= out->dims[d];
    for (int i = 2; i < ctx->n_inputs; i += 3) {
        const int64_t row = ctx->inputs[i]->dims[axis] * inner;
        const uint8_t *from = ctx->inputs[i]->data;
        uint8_t *to = (uint8_t *)out->data + begin;
        struct byte_table table;
        make_table(ctx, i, y, &table);
        for (int64_t outer = 0; outer < n_outer; outer++, from += row, to += out->dims[axis] * inner)
            for (int64_t k = 0; k < row; k++) to[k] = table.bytes[from[k]];
        begin += row;
    }
    return HOB_OK;
}

const struct op_def op_qlinear_concat = {
    .name = "QLinearConcat",
    .domain = "com.microsoft",
    .since = 1,
    .min_inputs = 5,
    .max_inputs = -1,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPES_BYTE,
    .typed_input = 2,
    .prepare = prepare,
    .infer = infer,
    .run = run,
};
