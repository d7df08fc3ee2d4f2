/* com.microsoft Attention: the projection to q, k and v, the past, the mask in its six shapes, and attention, in one node. */
#include "kernels/kernels.h"
#include "ops/as_f32.h"
#include "ops/attention/ms_projected.h"
#include "ops/matrix/product.h"

enum { INPUT_X, INPUT_WEIGHT, INPUT_BIAS, INPUT_MASK, INPUT_PAST, INPUT_SCORE_BIAS, INPUT_PAST_LENGTH };

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct projected_inputs inputs = {INPUT_MASK, INPUT_PAST, INPUT_SCORE_BIAS, INPUT_PAST_LENGTH};
    return projected_prepare(node, &inputs, ret_params);
}

static hob_status infer(struct op_context *ctx)
{
    const struct tensor *weight = ctx->inputs[INPUT_WEIGHT], *bias = op_input(ctx, INPUT_BIAS);
    enum dtype dtype = ctx->inputs[INPUT_X]->dtype;
    TRY(op_check_dtype(ctx, INPUT_WEIGHT, dtype));
    TRY(op_check_dtype(ctx, INPUT_BIAS, dtype));
    TRY(projected_infer(ctx, weight, dtype));
    if (bias && !tensor_has_shape(bias, 1, &weight->dims[1]))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "bias: found %s, expected [%lld]", OP_SHAPE(bias), (long long)weight->dims[1]);
    return HOB_OK;
}

/* x times weight plus bias, [B*T, q | k | v] in scratch. */
static hob_status project(struct op_context *ctx, float **ret_projected)
{
    struct tensor x, weight, rows, projected;
    const float *bias;
    float *items;
    TRY(as_f32(ctx, ctx->inputs[INPUT_X], &x));
    TRY(as_f32(ctx, ctx->inputs[INPUT_WEIGHT], &weight));
    TRY(as_f32_vector(ctx, op_input(ctx, INPUT_BIAS), &bias));
    int64_t width = weight.dims[1], n_rows = x.dims[0] * x.dims[1];
    TRY(scratch_f32(ctx, n_rows * width, &items));
    TRY(tensor_init(&rows, DTYPE_F32, 2, (int64_t[]){n_rows, x.dims[2]}, x.data, ctx->error));
    TRY(tensor_init(&projected, DTYPE_F32, 2, (int64_t[]){n_rows, width}, items, ctx->error));
    TRY(product_run(ctx, &rows, &weight, &projected));
    for (int64_t row = 0; bias && row < n_rows; row++)
        ctx->kernels->add_f32(width, items + row * width, 1, bias, 1, items + row * width);
    *ret_projected = items;
    return HOB_OK;
}

static hob_status run(struct op_context *ctx)
{
    float *projected;
    TRY(project(ctx, &projected));
    return projected_run(ctx, ctx->inputs[INPUT_WEIGHT], projected);
}

const struct op_def op_ms_attention = {
    .name = "Attention",
    .domain = "com.microsoft",
    .since = 1,
    .min_inputs = 2,
    .max_inputs = 7,
    .min_outputs = 1,
    .max_outputs = 2,
    .types = TYPE(F16) | TYPE(BF16) | TYPE(F32),
    .prepare = prepare,
    .infer = infer,
    .run = run,
};
