/* com.microsoft's QGemm: alpha * a_scale * b_scale * ((A - a_zero) x (B - b_zero) + C), as it is, or quantised where there is an
 * output scale. Inputs: A, a_scale, a_zero, B, b_scale, b_zero, C (int32), y_scale, y_zero. */
#include "ops/numbers.h"
#include "ops/quant/quantized.h"
#include "ops/quant/scaled_product.h"

enum { INPUT_A, A_SCALE, A_ZERO, INPUT_B, B_SCALE, B_ZERO, INPUT_C, Y_SCALE, Y_ZERO };

struct qgemm_params {
    bool transposes_a, transposes_b;
    float alpha;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct qgemm_params *params = ARENA_NEW(node->arena, struct qgemm_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->transposes_a = attributes_int(node->attributes, "transA", 0) != 0;
    params->transposes_b = attributes_int(node->attributes, "transB", 0) != 0;
    params->alpha = attributes_float(node->attributes, "alpha", 1);
    *ret_params = params;
    return HOB_OK;
}

/* Panels are what they are, however the matrix was written. */
static struct tensor operand(const struct tensor *x, bool is_transposed)
{
    return is_transposed && x->rank == 2 && x->layout == LAYOUT_STRIDED ? tensor_transpose(x, (const int[]){1, 0}) : *x;
}

static hob_status infer(struct op_context *ctx)
{
    const struct qgemm_params *params = ctx->params;
    int rank, broadcast_rank;
    int64_t dims[TENSOR_MAX_RANK], broadcast[TENSOR_MAX_RANK];
    struct tensor a = operand(ctx->inputs[INPUT_A], params->transposes_a);
    struct tensor b = operand(ctx->inputs[INPUT_B], params->transposes_b);
    const struct tensor *c = op_input(ctx, INPUT_C), *y_zero = op_input(ctx, Y_ZERO);
    if (a.rank != 2 || b.rank != 2)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "found %s x %s, expected two matrices", OP_SHAPE(&a), OP_SHAPE(&b));
    const struct integer_product product = {
        .a = &a, .b = &b, .a_zero = op_input(ctx, A_ZERO), .b_zero = op_input(ctx, B_ZERO)};
    TRY(integer_product_infer(ctx, &product, &rank, dims));
    TRY(quantized_check(ctx, A_SCALE, A_ZERO, a.dtype));
    TRY(scaled_product_check(ctx, B_SCALE, dims[1]));
    TRY(op_check_dtype(ctx, INPUT_C, DTYPE_I32));
    if (c && (!shape_broadcast(2, dims, c->rank, c->dims, &broadcast_rank, broadcast) ||
              broadcast_rank != 2 || broadcast[0] != dims[0] || broadcast[1] != dims[1]))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 6: found %s, which does not broadcast to [%lld,%lld]", OP_SHAPE(c),
                (long long)dims[0], (long long)dims[1]);
    if (!op_input(ctx, Y_SCALE)) return op_set_output(ctx, 0, DTYPE_F32, rank, dims);
    enum dtype dtype = y_zero ? y_zero->dtype : a.dtype;
    TRY(quantized_check(ctx, Y_SCALE, Y_ZERO, dtype));
    if (!quantized_is_byte(dtype))
        OP_FAIL(ctx, HOB_BAD_TYPE, "input 8: found %s, expected uint8 or int8", dtype_name(dtype));
    return op_set_output(ctx, 0, dtype, rank, dims);
}

/* sums += C, which wraps as the sums do. */
static void add_c(const struct tensor *c, const struct tensor *y, int32_t *sums)
{
    struct tensor view = tensor_broadcast(c, 2, y->dims);
    const int32_t *items = c->data;
    for (int64_t i = 0; i < y->dims[0]; i++)
        for (int64_t j = 0; j < y->dims[1]; j++) {
            int32_t *sum = &sums[i * y->dims[1] + j];
            *sum = (int32_t)((uint32_t)*sum + (uint32_t)items[i * view.strides[0] + j * view.strides[1]]);
        }
}

static void store_quantized(struct op_context *ctx, const struct scaled_product *scaled, float *factors)
{
    const struct tensor *y = ctx->outputs[0];
    const struct quantized q = quantized_read(ctx, Y_SCALE, Y_ZERO);
    for (int64_t j = 0; j < scaled->n_columns; j++) factors[j] /= q.scale;
    for (int64_t row = 0; row < scaled->n_rows; row++)
        requantize(&(struct requantize_args){.acc = scaled->sums + row * scaled->n_columns,
                                             .n = scaled->n_columns,
                                             .multipliers = factors,
                                             .step = 1,
                                             .zero = q.zero,
                                             .dtype = y->dtype,
                                             .ret_integers = (uint8_t *)y->data + row * scaled->n_columns});
}

static hob_status run(struct op_context *ctx)
{
    const struct qgemm_params *params = ctx->params;
    const struct tensor *y = ctx->outputs[0];
    struct tensor a = operand(ctx->inputs[INPUT_A], params->transposes_a);
    struct tensor b = operand(ctx->inputs[INPUT_B], params->transposes_b);
    struct integer_product product = {
        .a = &a, .b = &b, .a_zero = op_input(ctx, A_ZERO), .b_zero = op_input(ctx, B_ZERO)};
    float *factors;
    if (!tensor_n_items(y)) return HOB_OK;
    TRY(integer_product_sums(ctx, tensor_n_items(y), &product.c));
    TRY(integer_product_run(ctx, &product));
    if (op_input(ctx, INPUT_C)) add_c(ctx->inputs[INPUT_C], y, product.c);
    float a_scale = quantized_read(ctx, A_SCALE, -1).scale * params->alpha;
    TRY(scaled_product_factors(ctx, a_scale, ctx->inputs[B_SCALE], y->dims[1], &factors));
    const struct scaled_product scaled = {
        .n_rows = y->dims[0], .n_columns = y->dims[1], .sums = product.c, .factors = factors};
    if (op_input(ctx, Y_SCALE)) store_quantized(ctx, &scaled, factors);
    else scaled_product_store(ctx, &scaled, y);
    return HOB_OK;
}

const struct op_def op_qgemm = {
    .name = "QGemm",
    .domain = "com.microsoft",
    .since = 1,
    .min_inputs = 6,
    .max_inputs = 9,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPES_BYTE,
    .flags = OP_PACKED_INPUTS,
    .prepare = prepare,
    .infer = infer,
    .run = run,
};
