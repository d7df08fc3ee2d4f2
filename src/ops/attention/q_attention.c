/* com.microsoft QAttention: Attention whose input and weight are 8-bit integers. The projection is exact in int32, then scaled;
 * everything behind is Attention's. */
#include "ops/as_f32.h"
#include "ops/attention/ms_projected.h"
#include "ops/quant/quantized.h"
#include "ops/quant/scaled_product.h"

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
    int64_t width = integer_product_columns(ctx->inputs[INPUT_WEIGHT]);
    if (!x || (tensor_n_items(x) == 1 && x->rank <= 1)) return HOB_OK;
    if (!may_be_many || !tensor_has_shape(x, 1, &width))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input %d: found %s, expected one number%s", i, OP_SHAPE(x),
                may_be_many ? " or one for each column of the weight" : "");
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    for (int i = 0; i <= INPUT_WEIGHT_SCALE; i++)
        if (!op_input(ctx, i)) OP_FAIL(ctx, HOB_BAD_GRAPH, "input %d is missing", i);
    const struct tensor *weight = ctx->inputs[INPUT_WEIGHT], *bias = ctx->inputs[INPUT_BIAS];
    const struct tensor matrix = integer_product_matrix(weight);
    enum dtype dtype = ctx->inputs[INPUT_X_SCALE]->dtype;
    if (!quantized_is_byte(weight->dtype) || !as_f32_takes(dtype))
        OP_FAIL(ctx, HOB_BAD_TYPE, "found weight %s and input_scale %s, expected 8-bit integers and a float type",
                dtype_name(weight->dtype), dtype_name(dtype));
    TRY(op_check_dtype(ctx, INPUT_BIAS, dtype));
    TRY(op_check_dtype(ctx, INPUT_WEIGHT_SCALE, dtype));
    TRY(op_check_dtype(ctx, INPUT_X_ZERO, ctx->inputs[INPUT_X]->dtype));
    TRY(op_check_dtype(ctx, INPUT_WEIGHT_ZERO, weight->dtype));
    TRY(projected_infer(ctx, &matrix, dtype));
    if (!tensor_has_shape(bias, 1, &matrix.dims[1]))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "bias: found %s, expected [%lld]", OP_SHAPE(bias), (long long)matrix.dims[1]);
    TRY(check_columns(ctx, INPUT_X_SCALE, false));
    TRY(check_columns(ctx, INPUT_X_ZERO, false));
    TRY(check_columns(ctx, INPUT_WEIGHT_SCALE, true));
    return check_columns(ctx, INPUT_WEIGHT_ZERO, true);
}

static hob_status project(struct op_context *ctx, struct tensor *projected)
{
    const struct tensor *weight = ctx->inputs[INPUT_WEIGHT];
    struct integer_product product = {.a = ctx->inputs[INPUT_X],
                                      .b = weight,
                                      .a_zero = op_input(ctx, INPUT_X_ZERO),
                                      .b_zero = op_input(ctx, INPUT_WEIGHT_ZERO)};
    struct scaled_product scaled = {.n_rows = projected->dims[0], .n_columns = projected->dims[1]};
    float *factors, x_scale = quantized_read(ctx, INPUT_X_SCALE, -1).scale;
    TRY(integer_product_sums(ctx, tensor_n_items(projected), &product.c));
    TRY(integer_product_run(ctx, &product));
    TRY(scaled_product_factors(ctx, x_scale, ctx->inputs[INPUT_WEIGHT_SCALE], scaled.n_columns, &factors));
    TRY(as_f32_vector(ctx, ctx->inputs[INPUT_BIAS], &scaled.bias));
    scaled.factors = factors;
    scaled.sums = product.c;
    scaled_product_store(ctx, &scaled, projected);
    return HOB_OK;
}

static hob_status run(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[INPUT_X], weight = integer_product_matrix(ctx->inputs[INPUT_WEIGHT]);
    const int64_t dims[] = {x->dims[0] * x->dims[1], weight.dims[1]};
    struct tensor projected;
    float *items;
    TRY(scratch_f32(ctx, dims[0] * dims[1], &items));
    TRY(tensor_init(&projected, DTYPE_F32, 2, dims, items, ctx->error));
    TRY(project(ctx, &projected));
    return projected_run(ctx, &weight, items);
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
    .flags = OP_PACKED_INPUTS,
    .prepare = prepare,
    .infer = infer,
    .run = run,
};
