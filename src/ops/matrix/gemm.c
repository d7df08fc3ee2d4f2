/* Gemm: alpha * A' x B' + beta * C, where ' may transpose and C broadcasts to [M,N].
 * com.microsoft's FusedGemm: an activation follows. */
#include "kernels/kernels.h"
#include "ops/as_f32.h"
#include "ops/numbers.h"
#include "ops/matrix/product.h"
#include "ops/activation.h"

struct gemm_params {
    float alpha, beta;
    bool transposes_a, transposes_b;
    struct activation activation; /* FusedGemm */
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct gemm_params *params = ARENA_NEW(node->arena, struct gemm_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->alpha = attributes_float(node->attributes, "alpha", 1);
    params->beta = attributes_float(node->attributes, "beta", 1);
    params->transposes_a = attributes_int(node->attributes, "transA", 0) != 0;
    params->transposes_b = attributes_int(node->attributes, "transB", 0) != 0;
    *ret_params = params;
    return HOB_OK;
}

static hob_status matrix_view(struct op_context *ctx, int i, bool is_transposed, struct tensor *ret_view)
{
    if (ctx->inputs[i]->rank != 2)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input %d: found %s, expected rank 2", i, OP_SHAPE(ctx->inputs[i]));
    *ret_view = is_transposed ? tensor_transpose(ctx->inputs[i], (int[]){1, 0}) : *ctx->inputs[i];
    return HOB_OK;
}

static hob_status check_bias(struct op_context *ctx, const int64_t *dims)
{
    const struct tensor *c = op_input(ctx, 2);
    int64_t broadcast[TENSOR_MAX_RANK];
    int rank;
    if (!c) return HOB_OK;
    if (!shape_broadcast(c->rank, c->dims, 2, dims, &rank, broadcast) || rank != 2 || broadcast[0] != dims[0] ||
        broadcast[1] != dims[1])
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 2: found %s, expected a shape that broadcasts to [%lld,%lld]", OP_SHAPE(c),
                (long long)dims[0], (long long)dims[1]);
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    const struct gemm_params *params = ctx->params;
    enum dtype dtype = ctx->inputs[0]->dtype;
    if (!product_takes(dtype))
        OP_FAIL(ctx, HOB_BAD_TYPE, "input 0: found %s, expected a float or a 32 or 64 bit integer type",
                dtype_name(dtype));
    TRY(op_check_dtype(ctx, 1, dtype));
    TRY(op_check_dtype(ctx, 2, dtype));
    struct tensor a, b;
    TRY(matrix_view(ctx, 0, params->transposes_a, &a));
    TRY(matrix_view(ctx, 1, params->transposes_b, &b));
    if (a.dims[1] != b.dims[0])
        OP_FAIL(ctx, HOB_BAD_SHAPE, "found %s x %s with transA %d transB %d, expected [M,K] x [K,N]",
                OP_SHAPE(ctx->inputs[0]), OP_SHAPE(ctx->inputs[1]), params->transposes_a, params->transposes_b);
    int64_t dims[2] = {a.dims[0], b.dims[1]};
    TRY(check_bias(ctx, dims));
    return op_set_output(ctx, 0, dtype, 2, dims);
}

static void add_row_f32(struct op_context *ctx, const struct tensor *c, int64_t row, int64_t n, float *y)
{
    const struct gemm_params *params = ctx->params;
    const float *bias = (const float *)c->data + row * c->strides[0];
    if (params->alpha != 1) ctx->kernels->scale_f32(n, params->alpha, y, y);
    if (params->beta == 1 && (c->strides[1] == 1 || c->strides[1] == 0))
        ctx->kernels->add_f32(n, y, 1, bias, (int)c->strides[1], y);
    else
        for (int64_t j = 0; j < n; j++) y[j] += params->beta * bias[j * c->strides[1]];
}

static void add_run_float(const struct gemm_params *params, size_t n, double *items, const double *biases)
{
    for (size_t k = 0; k < n; k++) items[k] = (double)params->alpha * items[k] + (double)params->beta * biases[k];
}

/* Integers stay exact where the factor is 1, as it nearly always is. */
static uint64_t multiply_integer(float factor, int64_t number)
{
    return factor == 1 ? (uint64_t)number : (uint64_t)(int64_t)(factor * (float)number);
}

static void add_run_integer(const struct gemm_params *params, size_t n, int64_t *items, const int64_t *biases)
{
    for (size_t k = 0; k < n; k++)
        items[k] = (int64_t)(multiply_integer(params->alpha, items[k]) + multiply_integer(params->beta, biases[k]));
}

#define ADD_ROW(name, type, load, store, add_run)                                                                   \
    static void name(const struct gemm_params *params, const struct tensor *c, int64_t row, const struct tensor *y) \
    {                                                                                                               \
        type items[NUMBERS_RUN], biases[NUMBERS_RUN];                                                               \
        for (int64_t begin = 0; begin < y->dims[1]; begin += NUMBERS_RUN) {                                         \
            size_t n = (size_t)(y->dims[1] - begin < NUMBERS_RUN ? y->dims[1] - begin : NUMBERS_RUN);               \
            load(y, row * y->dims[1] + begin, 1, n, items);                                                         \
            load(c, row * c->strides[0] + begin * c->strides[1], c->strides[1], n, biases);                         \
            add_run(params, n, items, biases);                                                                      \
            store(y, row * y->dims[1] + begin, 1, n, items);                                                        \
        }                                                                                                           \
    }
ADD_ROW(add_row_float, double, numbers_load_f64, numbers_store_f64, add_run_float)
ADD_ROW(add_row_integer, int64_t, numbers_load_i64, numbers_store_i64, add_run_integer)

/* No C is the same as a C of zeros. */
static struct tensor bias_view(const struct tensor *c, const struct tensor *y)
{
    static const uint64_t zero = 0;
    struct tensor none = {.data = (void *)(uintptr_t)&zero, .dtype = y->dtype};
    return tensor_broadcast(c ? c : &none, 2, y->dims);
}

/* c NULL: none. */
static hob_status multiply_and_add(struct op_context *ctx, const struct tensor *a, const struct tensor *b,
                                   const struct tensor *c, const struct tensor *y)
{
    const struct gemm_params *params = ctx->params;
    TRY(product_run(ctx, a, b, y));
    if ((!c || params->beta == 0) && params->alpha == 1) return HOB_OK;
    struct tensor bias = bias_view(params->beta == 0 ? NULL : c, y);
    for (int64_t row = 0; row < y->dims[0]; row++) {
        if (y->dtype == DTYPE_F32) add_row_f32(ctx, &bias, row, y->dims[1], (float *)y->data + row * y->dims[1]);
        else if (numbers_is_float(y->dtype)) add_row_float(params, &bias, row, y);
        else add_row_integer(params, &bias, row, y);
    }
    return HOB_OK;
}

static hob_status run(struct op_context *ctx)
{
    const struct gemm_params *params = ctx->params;
    const struct tensor *y = ctx->outputs[0], *c = op_input(ctx, 2);
    struct tensor a, b, wide_a, wide_b, wide_c, wide_y;
    float *items;
    TRY(matrix_view(ctx, 0, params->transposes_a, &a));
    TRY(matrix_view(ctx, 1, params->transposes_b, &b));
    if (y->dtype == DTYPE_F32 || !as_f32_takes(y->dtype)) return multiply_and_add(ctx, &a, &b, c, y);
    /* Halves are wide until the end, so that they are rounded once. */
    TRY(as_f32(ctx, &a, &wide_a));
    TRY(as_f32(ctx, &b, &wide_b));
    TRY(as_f32(ctx, c, &wide_c));
    TRY(as_f32_output(ctx, y, &items));
    TRY(tensor_init(&wide_y, DTYPE_F32, 2, y->dims, items, ctx->error));
    TRY(multiply_and_add(ctx, &wide_a, &wide_b, c ? &wide_c : NULL, &wide_y));
    as_f32_finish(ctx, items, y);
    return HOB_OK;
}

const struct op_def op_gemm = {
    .name = "Gemm",
    .domain = "",
    .since = 1,
    .min_inputs = 2,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .flags = OP_STRIDED_INPUTS,
    .prepare = prepare,
    .infer = infer,
    .run = run,
};

/* ---- FusedGemm ---- */

static hob_status prepare_fused(const struct op_prepare *node, void **ret_params)
{
    void *made;
    TRY(prepare(node, &made));
    struct gemm_params *params = made;
    TRY(activation_parse(node, &params->activation));
    params->activation.alpha = attributes_float(node->attributes, "activation_alpha", params->activation.alpha);
    params->activation.beta = attributes_float(node->attributes, "activation_beta", params->activation.beta);
    *ret_params = params;
    return HOB_OK;
}

static hob_status infer_fused(struct op_context *ctx)
{
    TRY(op_check_dtype(ctx, 0, DTYPE_F32));
    return infer(ctx);
}

static hob_status run_fused(struct op_context *ctx)
{
    const struct gemm_params *params = ctx->params;
    const struct tensor *y = ctx->outputs[0];
    TRY(run(ctx));
    ctx->kernels->finish_f32(&(struct finish_f32_args){.y = y->data,
                                                       .y_stride = y->dims[1],
                                                       .n_rows = y->dims[0],
                                                       .n_columns = y->dims[1],
                                                       .activation = params->activation.kind,
                                                       .alpha = params->activation.alpha,
                                                       .beta = params->activation.beta});
    return HOB_OK;
}

const struct op_def op_fused_gemm = {
    .name = "FusedGemm",
    .domain = "com.microsoft",
    .since = 1,
    .min_inputs = 2,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPE(F32),
    .flags = OP_STRIDED_INPUTS,
    .prepare = prepare_fused,
    .infer = infer_fused,
    .run = run_fused,
};
