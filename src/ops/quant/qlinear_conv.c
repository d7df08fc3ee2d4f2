/* QLinearConv: a convolution of bytes, the weight scaled as a whole or for each output channel, an int32 bias of scale
 * x_scale * w_scale, quantised again. Inputs: x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, bias. */
#include "ops/quant/integer_conv.h"
#include "ops/quant/quantized.h"
#include "ops/quant/scaled_product.h"

enum { INPUT_X, X_SCALE, X_ZERO, INPUT_W, W_SCALE, W_ZERO, Y_SCALE, Y_ZERO, BIAS };

static struct integer_conv convolution(const struct op_context *ctx)
{
    return (struct integer_conv){
        .x = ctx->inputs[INPUT_X], .w = ctx->inputs[INPUT_W], .w_zero = op_input(ctx, W_ZERO), .params = ctx->params};
}

static hob_status infer(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[INPUT_X], *bias = op_input(ctx, BIAS), *y_zero = op_input(ctx, Y_ZERO);
    const enum dtype dtype = y_zero ? y_zero->dtype : x->dtype;
    int64_t dims[TENSOR_MAX_RANK];
    struct integer_conv conv = convolution(ctx);
    TRY(integer_conv_infer(ctx, &conv, dims));
    TRY(quantized_check(ctx, X_SCALE, X_ZERO, x->dtype));
    TRY(quantized_check(ctx, Y_SCALE, Y_ZERO, dtype));
    TRY(scaled_product_check(ctx, W_SCALE, dims[1]));
    TRY(op_check_dtype(ctx, BIAS, DTYPE_I32));
    if (!quantized_is_byte(dtype))
        OP_FAIL(ctx, HOB_BAD_TYPE, "input 7: found %s, expected uint8 or int8", dtype_name(dtype));
    if (bias && (bias->rank != 1 || bias->dims[0] != dims[1]))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 8: found %s, expected [%lld]", OP_SHAPE(bias), (long long)dims[1]);
    return op_set_output(ctx, 0, dtype, x->rank, dims);
}

struct job {
    const struct tensor *y;
    const float *factors; /* an output channel each */
    const int32_t *bias;  /* NULL: none */
    float zero;
};

static void add_bias(int32_t *sums, int64_t n, int32_t bias)
{
    for (int64_t i = 0; i < n; i++) sums[i] = (int32_t)((uint32_t)sums[i] + (uint32_t)bias);
}

static void finish(const void *context, const struct integer_conv_block *block)
{
    const struct job *job = context;
    const struct tensor *y = job->y;
    const int64_t n_positions = y->strides[1];
    for (int64_t i = 0; i < block->n_channels; i++) {
        const int64_t channel = block->channel + i;
        int32_t *sums = block->sums + i * block->stride;
        if (job->bias) add_bias(sums, block->n_positions, job->bias[channel]);
        requantize(&(struct requantize_args){
            .acc = sums,
            .n = block->n_positions,
            .multipliers = &job->factors[channel],
            .zero = job->zero,
            .dtype = y->dtype,
            .ret_integers = (uint8_t *)y->data + (block->image * y->dims[1] + channel) * n_positions + block->position});
    }
}

static hob_status run(struct op_context *ctx)
{
    const struct tensor *bias = op_input(ctx, BIAS);
    const struct quantized x = quantized_read(ctx, X_SCALE, X_ZERO), y = quantized_read(ctx, Y_SCALE, Y_ZERO);
    struct integer_conv conv = convolution(ctx);
    float *factors;
    TRY(scaled_product_factors(ctx, x.scale, ctx->inputs[W_SCALE], conv.w->dims[0], &factors));
    for (int64_t m = 0; m < conv.w->dims[0]; m++) factors[m] /= y.scale;
    conv.x_zero = (int32_t)x.zero;
    const struct job job = {.y = ctx->outputs[0], .factors = factors, .bias = bias ? bias->data : NULL, .zero = y.zero};
    return integer_conv_run(ctx, &conv, finish, &job);
}

const struct op_def op_qlinear_conv = {
    .name = "QLinearConv",
    .domain = "",
    .since = 10,
    .min_inputs = 8,
    .max_inputs = 9,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPES_BYTE,
    .prepare = integer_conv_prepare,
    .infer = infer,
    .run = run,
};
