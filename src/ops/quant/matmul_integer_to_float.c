/* com.microsoft's products of bytes that give numbers: MatMulIntegerToFloat scales the sums; DynamicQuantizeMatMul quantises
 * its first operand, a float tensor, as DynamicQuantizeLinear does, before that. */
#include "ops/as_f32.h"
#include "ops/quant/dynamic_range.h"
#include "ops/quant/scaled_product.h"

static hob_status check_bias(struct op_context *ctx, int i, enum dtype dtype)
{
    const struct tensor *bias = op_input(ctx, i);
    TRY(op_check_dtype(ctx, i, dtype));
    if (bias && (bias->rank != 1 || bias->dims[0] != integer_product_columns(ctx->inputs[1])))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "bias: found %s, expected [%lld]", OP_SHAPE(bias),
                (long long)integer_product_columns(ctx->inputs[1]));
    return HOB_OK;
}

/* Runs the product into scratch, scales it and adds the bias. */
static hob_status multiply(struct op_context *ctx, struct integer_product *product, float a_scale,
                           const struct tensor *b_scale, const struct tensor *bias)
{
    const struct tensor *y = ctx->outputs[0];
    int64_t n_columns = integer_product_columns(product->b);
    struct scaled_product scaled = {.n_rows = n_columns ? tensor_n_items(y) / n_columns : 0, .n_columns = n_columns};
    float *factors;
    TRY(integer_product_sums(ctx, tensor_n_items(y), &product->c));
    TRY(integer_product_run(ctx, product));
    TRY(scaled_product_factors(ctx, a_scale, b_scale, n_columns, &factors));
    TRY(as_f32_vector(ctx, bias, &scaled.bias));
    scaled.factors = factors;
    scaled.sums = product->c;
    scaled_product_store(ctx, &scaled, y);
    return HOB_OK;
}

static hob_status check_matrix(struct op_context *ctx)
{
    if (ctx->inputs[1]->rank >= 2) return HOB_OK;
    OP_FAIL(ctx, HOB_BAD_SHAPE, "input 1: found %s, expected [..,K,N]", OP_SHAPE(ctx->inputs[1]));
}

/* ---- MatMulIntegerToFloat: A, B, a_scale, b_scale, a_zero, b_zero, bias ---- */

static struct integer_product to_float_product(const struct op_context *ctx)
{
    return (struct integer_product){
        .a = ctx->inputs[0], .b = ctx->inputs[1], .a_zero = op_input(ctx, 4), .b_zero = op_input(ctx, 5)};
}

static hob_status infer_to_float(struct op_context *ctx)
{
    int rank;
    int64_t dims[TENSOR_MAX_RANK];
    struct integer_product product = to_float_product(ctx);
    TRY(check_matrix(ctx));
    TRY(integer_product_infer(ctx, &product, &rank, dims));
    TRY(quantized_check(ctx, 2, 4, ctx->inputs[0]->dtype));
    TRY(scaled_product_check(ctx, 3, integer_product_columns(ctx->inputs[1])));
    TRY(check_bias(ctx, 6, ctx->inputs[2]->dtype));
    if (!as_f32_takes(ctx->inputs[2]->dtype))
        OP_FAIL(ctx, HOB_BAD_TYPE, "input 2: found %s, expected float32 or a 16-bit float",
                dtype_name(ctx->inputs[2]->dtype));
    return op_set_output(ctx, 0, ctx->inputs[2]->dtype, rank, dims);
}

static hob_status run_to_float(struct op_context *ctx)
{
    struct integer_product product = to_float_product(ctx);
    return multiply(ctx, &product, quantized_read(ctx, 2, -1).scale, ctx->inputs[3], op_input(ctx, 6));
}

const struct op_def op_matmul_integer_to_float = {
    .name = "MatMulIntegerToFloat",
    .domain = "com.microsoft",
    .since = 1,
    .min_inputs = 4,
    .max_inputs = 7,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPES_BYTE,
    .flags = OP_PACKED_INPUTS,
    .infer = infer_to_float,
    .run = run_to_float,
};

/* ---- DynamicQuantizeMatMul: A, B, b_scale, b_zero, bias ---- */

static hob_status infer_dynamic(struct op_context *ctx)
{
    int rank;
    int64_t dims[TENSOR_MAX_RANK];
    struct tensor a = *ctx->inputs[0];
    a.dtype = DTYPE_U8; /* what it will be */
    TRY(check_matrix(ctx));
    const struct integer_product product = {.a = &a, .b = ctx->inputs[1], .b_zero = op_input(ctx, 3)};
    TRY(integer_product_infer(ctx, &product, &rank, dims));
    TRY(scaled_product_check(ctx, 2, integer_product_columns(ctx->inputs[1])));
    TRY(check_bias(ctx, 4, DTYPE_F32));
    return op_set_output(ctx, 0, DTYPE_F32, rank, dims);
}

static hob_status run_dynamic(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0];
    const int64_t n_items = tensor_n_items(x);
    struct tensor a = *x, zero = {.dtype = DTYPE_U8};
    uint8_t zero_byte;
    a.dtype = DTYPE_U8;
    a.data = arena_alloc(ctx->scratch, (size_t)n_items + 1, 64);
    if (!a.data) OP_FAIL(ctx, HOB_NO_MEMORY, "no memory for %lld bytes", (long long)n_items);
    const struct quantized q = dynamic_range_quantize(ctx, n_items, x->data, a.data);
    zero_byte = (uint8_t)q.zero;
    zero.data = &zero_byte;
    struct integer_product product = {.a = &a, .b = ctx->inputs[1], .a_zero = &zero, .b_zero = op_input(ctx, 3)};
    return multiply(ctx, &product, q.scale, ctx->inputs[2], op_input(ctx, 4));
}

const struct op_def op_dynamic_quantize_matmul = {
    .name = "DynamicQuantizeMatMul",
    .domain = "com.microsoft",
    .since = 1,
    .min_inputs = 3,
    .max_inputs = 5,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPE(F32),
    .flags = OP_PACKED_INPUTS,
    .infer = infer_dynamic,
    .run = run_dynamic,
};
