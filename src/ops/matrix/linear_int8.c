/* hob.LinearInt8: y = activation((codes - zeros) x (w - w_zeros)T * (scales * w_scales) + bias): a product of bytes, exact in int32, whose
 * sums become numbers while they are near. Rounded step by step as the ONNX operators that it stands for: Cast, Mul, Mul, Add.
 *
 * Inputs: codes uint8 or int8 [..,K], scales f32 (one, or one a row), w in int8 panels [N,K], w_scales f32 (one, or [N]); optional: zeros
 * of codes' type (as scales), w_zeros int8 (as w_scales), bias f32 [N]. */
#include "kernels/kernels.h"
#include "ops/activation.h"
#include "ops/as_f32.h"
#include "ops/quant/byte_rows.h"
#include "ops/quant/int8_product.h"

enum { CODES, SCALES, WEIGHT, W_SCALES, ZEROS, W_ZEROS, BIAS };

struct linear_int8_params {
    struct activation activation;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct linear_int8_params *params = ARENA_NEW(node->arena, struct linear_int8_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    TRY(activation_parse(node, &params->activation));
    *ret_params = params;
    return HOB_OK;
}

static int64_t count_rows(const struct tensor *x)
{
    int64_t n = 1;
    for (int axis = 0; axis < x->rank - 1; axis++) n *= x->dims[axis];
    return n;
}

/* One item, or n of them. */
static hob_status check_items(struct op_context *ctx, int i, enum dtype dtype, int64_t n)
{
    const struct tensor *x = op_input(ctx, i);
    TRY(op_check_dtype(ctx, i, dtype));
    if (x && tensor_n_items(x) != 1 && tensor_n_items(x) != n)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input %d: found %s, expected one item or %lld", i, OP_SHAPE(x), (long long)n);
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    const struct tensor *codes = ctx->inputs[CODES], *w = ctx->inputs[WEIGHT], *bias = op_input(ctx, BIAS);
    if (w->layout != LAYOUT_PANELS || w->dtype != DTYPE_I8 || w->rank != 2)
        OP_FAIL(ctx, HOB_BAD_TYPE, "input 2: found %s %s, expected a weight in panels of int8", dtype_name(w->dtype),
                OP_SHAPE(w));
    if (codes->rank < 1 || codes->dims[codes->rank - 1] != w->dims[1])
        OP_FAIL(ctx, HOB_BAD_SHAPE, "found codes %s and w %s, expected [..,K] and [N,K]", OP_SHAPE(codes), OP_SHAPE(w));
    TRY(check_items(ctx, SCALES, DTYPE_F32, count_rows(codes)));
    TRY(check_items(ctx, ZEROS, codes->dtype, count_rows(codes)));
    TRY(check_items(ctx, W_SCALES, DTYPE_F32, w->dims[0]));
    TRY(check_items(ctx, W_ZEROS, DTYPE_I8, w->dims[0]));
    TRY(op_check_dtype(ctx, BIAS, DTYPE_F32));
    if (bias && !tensor_has_shape(bias, 1, &w->dims[0]))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "bias: found %s, expected [%lld]", OP_SHAPE(bias), (long long)w->dims[0]);
    int64_t dims[TENSOR_MAX_RANK];
    for (int axis = 0; axis < codes->rank; axis++) dims[axis] = codes->dims[axis];
    dims[codes->rank - 1] = w->dims[0];
    return op_set_output(ctx, 0, DTYPE_F32, codes->rank, dims);
}

/* ---- run ---- */

static hob_status spread_numbers(struct op_context *ctx, const struct tensor *x, int64_t n, const float **ret_items)
{
    float *items;
    *ret_items = x->data;
    if (tensor_n_items(x) == n) return HOB_OK;
    TRY(scratch_f32(ctx, n, &items));
    for (int64_t i = 0; i < n; i++) items[i] = *(const float *)x->data;
    *ret_items = items;
    return HOB_OK;
}

/* x NULL: zeros. */
static hob_status spread_zeros(struct op_context *ctx, const struct tensor *x, int64_t n, int32_t **ret_items)
{
    int32_t *items = ARENA_NEW(ctx->scratch, int32_t, (size_t)n + 1);
    if (!items) OP_FAIL(ctx, HOB_NO_MEMORY, "no memory for %lld zero points", (long long)n);
    const bool is_one = x && tensor_n_items(x) != n, is_signed = x && x->dtype == DTYPE_I8;
    const uint8_t *bytes = x ? x->data : NULL;
    for (int64_t i = 0; i < n; i++) {
        uint8_t byte = bytes ? bytes[is_one ? 0 : i] : 0;
        items[i] = is_signed ? (int8_t)byte : byte;
    }
    *ret_items = items;
    return HOB_OK;
}

static hob_status prepare_operands(struct op_context *ctx, struct gemm_u8i8_args *product)
{
    const struct tensor *w = ctx->inputs[WEIGHT], *w_zeros = op_input(ctx, W_ZEROS);
    struct byte_rows rows;
    int32_t *zeros, *column_zeros = NULL;
    TRY(spread_zeros(ctx, op_input(ctx, ZEROS), product->m, &zeros));
    TRY(byte_rows_prepare(ctx, ctx->inputs[CODES], zeros, w_zeros, &rows));
    if (w_zeros) TRY(spread_zeros(ctx, w_zeros, product->n, &column_zeros));
    TRY(spread_numbers(ctx, ctx->inputs[SCALES], product->m, &product->a_scales));
    TRY(spread_numbers(ctx, ctx->inputs[W_SCALES], product->n, &product->w_scales));
    product->a = rows.items;
    product->a_stride = rows.stride;
    product->a_zeros = rows.zeros;
    product->a_sums = rows.sums;
    product->w_zeros = column_zeros;
    product->panels = w->data;
    product->bias = op_input(ctx, BIAS) ? ctx->inputs[BIAS]->data : NULL;
    return HOB_OK;
}

static hob_status run(struct op_context *ctx)
{
    const struct linear_int8_params *params = ctx->params;
    const struct tensor *w = ctx->inputs[WEIGHT];
    struct gemm_u8i8_args product = {.c = ctx->outputs[0]->data,
                                     .c_stride = w->dims[0],
                                     .m = count_rows(ctx->inputs[CODES]),
                                     .n = w->dims[0],
                                     .k = w->dims[1]};
    if (!product.m || !product.n) return HOB_OK;
    TRY(prepare_operands(ctx, &product));
    int8_product_run(ctx, &product, &params->activation);
    return HOB_OK;
}

const struct op_def op_linear_int8 = {
    .name = "LinearInt8",
    .domain = "hob",
    .since = 1,
    .min_inputs = 4,
    .max_inputs = 7,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPE(U8) | TYPE(I8),
    .flags = OP_PACKED_INPUTS,
    .prepare = prepare,
    .infer = infer,
    .run = run,
};
