/* MatMulInteger: (A - a_zero) x (B - b_zero) of 8-bit integers, exact in int32 (which wraps). */
#include "ops/quant/integer_product.h"
#include "ops/quant/quantized.h"

static hob_status infer(struct op_context *ctx)
{
    int rank;
    int64_t dims[TENSOR_MAX_RANK];
    const struct integer_product product = {
        .a = ctx->inputs[0], .b = ctx->inputs[1], .a_zero = op_input(ctx, 2), .b_zero = op_input(ctx, 3)};
    TRY(integer_product_infer(ctx, &product, &rank, dims));
    return op_set_output(ctx, 0, DTYPE_I32, rank, dims);
}

static hob_status run(struct op_context *ctx)
{
    const struct integer_product product = {.a = ctx->inputs[0],
                                            .b = ctx->inputs[1],
                                            .a_zero = op_input(ctx, 2),
                                            .b_zero = op_input(ctx, 3),
                                            .c = ctx->outputs[0]->data};
    return integer_product_run(ctx, &product);
}

const struct op_def op_matmul_integer = {
    .name = "MatMulInteger",
    .domain = "",
    .since = 10,
    .min_inputs = 2,
    .max_inputs = 4,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPES_BYTE,
    .flags = OP_PACKED_INPUTS,
    .infer = infer,
    .run = run,
};
