/* com.microsoft QAttention: Attention whose input and weight are 8-bit integers. The projection sums the exact products of
 * (x - zero point) and (weight - zero point) in f32, then scales; everything behind is Attention's. */
#include "kernels/kernels.h"
#include "ops/as_f32.h"
#include "ops/attention/ms_projected.h"
#include "ops/matrix/product.h"

enum {
    INPUT_X,
    INPUT_WEIGHT,
    INPUT_BIAS,
    INPUT_X_SCALE,
    INPUT_WEIGHT_SCALE,
    INPUT_MASK,
    INPUT_X_ZERO,
    INPUT_WEIGHT_ZERO,
    INPUT_PAST
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct projected_inputs inputs = {.mask = INPUT_MASK, .past = INPUT_PAST};
    return projected_prepare(node, &inputs, ret_params);
}

/* One number, or one for each column of the weight; absent only when it may be. */
static hob_status check_columns(struct op_context *ctx, int i, bool may_be_many)
{
    const struct tensor *x = op_input(ctx, i);
    int64_t width = ctx->inputs[INPUT_WEIGHT]->dims[1];
    if (!x || (tensor_n_items(x) == 1 && x->rank <= 1)) return HOB_OK;
    if (!may_be_many || !tensor_has_shape(x, 1, &width))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input %d: found %s, expected one number%s", i, OP_SHAPE(x),
                may_be_many ? " or one for each column of the weight" : "");
    return HOB_OK;
}

static bool is_8_bit(enum dtype dtype)
{
    return dtype == DTYPE_I8 || dtype == DTYPE_U8;
}

static hob_status infer(struct op_context *ctx)
{
    for (int i = 0; i <= INPUT_WEIGHT_SCALE; i++)
        if (!op_input(ctx, i)) OP_FAIL(ctx, HOB_BAD_GRAPH, "input %d is missing", i);
    const struct tensor *weight = ctx->inputs[INPUT_WEIGHT], *bias = ctx->inputs[INPUT_BIAS];
    enum dtype dtype = ctx->inputs[INPUT_X_SCALE]->dtype;
    if (!is_8_bit(weight->dtype) || !as_f32_takes(dtype))
        OP_FAIL(ctx, HOB_BAD_TYPE, "found weight %s and input_scale %s, expected 8-bit integers and a float type",
                dtype_name(weight->dtype), dtype_name(dtype));
    TRY(op_check_dtype(ctx, INPUT_BIAS, dtype));
    TRY(op_check_dtype(ctx, INPUT_WEIGHT_SCALE, dtype));
    TRY(op_check_dtype(ctx, INPUT_X_ZERO, ctx->inputs[INPUT_X]->dtype));
    TRY(op_check_dtype(ctx, INPUT_WEIGHT_ZERO, weight->dtype));
    TRY(projected_infer(ctx, weight, dtype));
    if (!tensor_has_shape(bias, 1, &weight->dims[1]))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "bias: found %s, expected [%lld]", OP_SHAPE(bias), (long long)weight->dims[1]);
    TRY(check_columns(ctx, INPUT_X_SCALE, false));
    TRY(check_columns(ctx, INPUT_X_ZERO, false));
    TRY(check_columns(ctx, INPUT_WEIGHT_SCALE, true));
    return check_columns(ctx, INPUT_WEIGHT_ZERO, true);
}

/* [rows, columns] of x - zero as f32; zeros are one, or one a column. */
static hob_status centre(struct op_context *ctx, const struct tensor *x, const struct tensor *zeros, int64_t n_rows,
                         int64_t n_columns, struct tensor *ret_centred)
{
    float *items;
    TRY(scratch_f32(ctx, n_rows * n_columns, &items));
    bool has_many = zeros && tensor_n_items(zeros) > 1;
    int64_t zero = zeros && !has_many ? tensor_get_int(zeros, 0) : 0;
    const uint8_t *bytes = x->data;
    for (int64_t i = 0; i < n_rows * n_columns; i++) {
        int64_t value = x->dtype == DTYPE_I8 ? (int64_t)(int8_t)bytes[i] : (int64_t)bytes[i];
        items[i] = (float)(value - (has_many ? tensor_get_int(zeros, i % n_columns) : zero));
    }
    return tensor_init(ret_centred, DTYPE_F32, 2, (int64_t[]){n_rows, n_columns}, items, ctx->error);
}

static hob_status scale_rows(struct op_context *ctx, const struct tensor *projected)
{
    const float *bias, *weight_scale, *x_scale;
    float *items = projected->data, *scales;
    int64_t width = projected->dims[1];
    TRY(as_f32_vector(ctx, ctx->inputs[INPUT_BIAS], &bias));
    TRY(as_f32_vector(ctx, ctx->inputs[INPUT_X_SCALE], &x_scale));
    TRY(as_f32_vector(ctx, ctx->inputs[INPUT_WEIGHT_SCALE], &weight_scale));
    TRY(scratch_f32(ctx, width, &scales));
    bool has_many = tensor_n_items(ctx->inputs[INPUT_WEIGHT_SCALE]) > 1;
    for (int64_t i = 0; i < width; i++) scales[i] = x_scale[0] * weight_scale[has_many ? i : 0];
    for (int64_t row = 0; row < projected->dims[0]; row++) {
        ctx->kernels->mul_f32(width, items + row * width, 1, scales, 1, items + row * width);
        ctx->kernels->add_f32(width, items + row * width, 1, bias, 1, items + row * width);
    }
    return HOB_OK;
}

static hob_status run(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[INPUT_X], *weight = ctx->inputs[INPUT_WEIGHT];
    struct tensor rows, columns, projected;
    float *items;
    int64_t n_rows = x->dims[0] * x->dims[1];
    TRY(centre(ctx, x, op_input(ctx, INPUT_X_ZERO), n_rows, x->dims[2], &rows));
    TRY(centre(ctx, weight, op_input(ctx, INPUT_WEIGHT_ZERO), weight->dims[0], weight->dims[1], &columns));
    TRY(scratch_f32(ctx, n_rows * weight->dims[1], &items));
    TRY(tensor_init(&projected, DTYPE_F32, 2, (int64_t[]){n_rows, weight->dims[1]}, items, ctx->error));
    TRY(product_run(ctx, &rows, &columns, &projected));
    TRY(scale_rows(ctx, &projected));
    return projected_run(ctx, weight, items);
}

const struct op_def op_q_attention = {
    .name = "QAttention",
    .domain = "com.microsoft",
    .since = 1,
    .min_inputs = 5,
    .max_inputs = 9,
    .min_outputs = 1,
    .max_outputs = 2,
    .types = TYPE(I8) | TYPE(U8),
    .prepare = prepare,
    .infer = infer,
    .run = run,
};
