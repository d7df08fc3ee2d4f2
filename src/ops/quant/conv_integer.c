/* ConvInteger: a convolution of bytes less their zero points, in int32. Inputs: x, w, x_zero, w_zero. */
#include "ops/quant/integer_conv.h"
#include "ops/quant/quantized.h"

#include <string.h>

static struct integer_conv convolution(const struct op_context *ctx)
{
    return (struct integer_conv){
        .x = ctx->inputs[0], .w = ctx->inputs[1], .w_zero = op_input(ctx, 3), .params = ctx->params};
}

static hob_status infer(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0], *zero = op_input(ctx, 2);
    int64_t dims[TENSOR_MAX_RANK];
    struct integer_conv conv = convolution(ctx);
    TRY(integer_conv_infer(ctx, &conv, dims));
    TRY(op_check_dtype(ctx, 2, x->dtype));
    if (zero && tensor_n_items(zero) != 1)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 2: found %s, expected one zero point", OP_SHAPE(zero));
    return op_set_output(ctx, 0, DTYPE_I32, x->rank, dims);
}

static void finish(const void *context, const struct integer_conv_block *block)
{
    const struct tensor *y = context;
    int64_t n_positions = y->strides[1];
    int32_t *out = (int32_t *)y->data + (block->image * y->dims[1] + block->channel) * n_positions + block->position;
    for (int64_t i = 0; i < block->n_channels; i++)
        memcpy(out + i * n_positions, block->sums + i * block->stride, (size_t)block->n_positions * sizeof *out);
}

static hob_status run(struct op_context *ctx)
{
    struct integer_conv conv = convolution(ctx);
    conv.x_zero = (int32_t)quantized_read(ctx, -1, 2).zero;
    return integer_conv_run(ctx, &conv, finish, ctx->outputs[0]);
}

const struct op_def op_conv_integer = {
    .name = "ConvInteger",
    .domain = "",
    .since = 10,
    .min_inputs = 2,
    .max_inputs = 4,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPES_BYTE,
    .prepare = integer_conv_prepare,
    .infer = infer,
    .run = run,
};
