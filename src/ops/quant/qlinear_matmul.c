/* QLinearMatMul: a product of quantised matrices, quantised again. Bytes are multiplied exactly; floats of 8 bits (opset 21) are
 * decoded, multiplied as f32 and encoded. Inputs: a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero. */
#include "ops/as_f32.h"
#include "ops/matrix/product.h"
#include "ops/numbers.h"
#include "ops/quant/integer_product.h"
#include "ops/quant/quantized.h"
#include "quant/small_float.h"

enum { INPUT_A, A_SCALE, A_ZERO, INPUT_B, B_SCALE, B_ZERO, Y_SCALE, Y_ZERO };

static bool is_f8(enum dtype dtype)
{
    return op_types_have(TYPES_F8, dtype);
}

static bool is_product_of_floats(const struct op_context *ctx)
{
    return is_f8(ctx->inputs[INPUT_A]->dtype) || is_f8(ctx->inputs[INPUT_B]->dtype) || is_f8(ctx->inputs[Y_ZERO]->dtype);
}

/* Floats of 8 bits are checked as the bytes that they are. */
static struct tensor as_bytes(const struct tensor *x)
{
    struct tensor bytes = *x;
    if (is_f8(x->dtype)) bytes.dtype = DTYPE_U8;
    return bytes;
}

static hob_status check_scale(struct op_context *ctx, int i, const struct tensor *x, bool is_row)
{
    const struct tensor *scale = ctx->inputs[i];
    if (!numbers_is_float(scale->dtype))
        OP_FAIL(ctx, HOB_BAD_TYPE, "input %d: found %s, expected a float type", i, dtype_name(scale->dtype));
    if (!integer_product_fits(scale, x, is_row))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input %d: found %s, expected one scale or one for each %s of %s", i, OP_SHAPE(scale),
                is_row ? "row" : "column", OP_SHAPE(x));
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    struct tensor a = as_bytes(ctx->inputs[INPUT_A]), b = as_bytes(ctx->inputs[INPUT_B]);
    struct tensor a_zero = as_bytes(ctx->inputs[A_ZERO]), b_zero = as_bytes(ctx->inputs[B_ZERO]);
    const struct integer_product product = {.a = &a, .b = &b, .a_zero = &a_zero, .b_zero = &b_zero};
    const struct tensor *y_zero = ctx->inputs[Y_ZERO];
    int rank;
    int64_t dims[TENSOR_MAX_RANK];
    TRY(integer_product_infer(ctx, &product, &rank, dims));
    TRY(op_check_dtype(ctx, A_ZERO, ctx->inputs[INPUT_A]->dtype));
    TRY(op_check_dtype(ctx, B_ZERO, ctx->inputs[INPUT_B]->dtype));
    TRY(check_scale(ctx, A_SCALE, &a, true));
    TRY(check_scale(ctx, B_SCALE, &b, false));
    TRY(quantized_check(ctx, Y_SCALE, Y_ZERO, y_zero->dtype));
    if (!quantized_is_byte(y_zero->dtype) && !is_f8(y_zero->dtype))
        OP_FAIL(ctx, HOB_BAD_TYPE, "input 7: found %s, expected uint8, int8 or an 8-bit float", dtype_name(y_zero->dtype));
    return op_set_output(ctx, 0, y_zero->dtype, rank, dims);
}

/* ---- scales over the output ---- */

/* The output as a stack of matrices, whether or not a or b were vectors. */
static struct tensor output_matrices(const struct op_context *ctx)
{
    const struct tensor *a = ctx->inputs[INPUT_A], *b = ctx->inputs[INPUT_B];
    struct tensor y = *ctx->outputs[0];
    if (a->rank > 1 && b->rank > 1) return y;
    int64_t n_columns = b->rank > 1 ? integer_product_columns(b) : 1, dims[TENSOR_MAX_RANK];
    int n_batch = y.rank - (a->rank > 1) - (b->rank > 1);
    for (int i = 0; i < n_batch; i++) dims[i] = y.dims[i];
    dims[n_batch] = a->rank > 1 ? a->dims[a->rank - 2] : 1;
    dims[n_batch + 1] = n_columns;
    struct tensor matrices = y;
    matrices.rank = (uint8_t)(n_batch + 2);
    for (int i = 0; i < n_batch + 2; i++) matrices.dims[i] = dims[i];
    tensor_set_contiguous(&matrices);
    return matrices;
}

/* A scale of rows or columns seen with y's dims. */
static struct tensor spread(const struct tensor *scale, bool is_row, const struct tensor *y)
{
    struct tensor view = *scale;
    if (tensor_n_items(scale) == 1) view.rank = 0;
    if (view.rank == 1) {
        view.rank = 2;
        view.dims[is_row] = 1;
        view.dims[!is_row] = scale->dims[0];
        tensor_set_contiguous(&view);
    }
    return tensor_broadcast(&view, y->rank, y->dims);
}

struct rescaling {
    struct tensor y, a_scale, b_scale; /* the scales with y's dims */
    struct quantized q;
    const int32_t *sums;
};

/* Where row `row` of all of y's matrices begins in a view of y's dims. */
static int64_t row_offset(const struct tensor *view, int64_t row)
{
    int64_t offset = 0;
    for (int axis = view->rank - 2; axis >= 0; axis--) {
        offset += row % view->dims[axis] * view->strides[axis];
        row /= view->dims[axis];
    }
    return offset;
}

static void rescale_rows(void *context, size_t begin, size_t end)
{
    const struct rescaling *job = context;
    const int last = job->y.rank - 1;
    const int64_t width = job->y.dims[last];
    float a_scale, factors[NUMBERS_RUN];
    for (int64_t row = (int64_t)begin; row < (int64_t)end; row++)
        for (int64_t j = 0, n; j < width; j += n) {
            n = width - j < NUMBERS_RUN ? width - j : NUMBERS_RUN;
            numbers_load_f32(&job->a_scale, row_offset(&job->a_scale, row), 0, 1, &a_scale);
            numbers_load_f32(&job->b_scale, row_offset(&job->b_scale, row) + j * job->b_scale.strides[last],
                             job->b_scale.strides[last], (size_t)n, factors);
            for (int64_t i = 0; i < n; i++) factors[i] = a_scale * factors[i] / job->q.scale;
            requantize(&(struct requantize_args){.acc = job->sums + row * width + j,
                                                 .n = n,
                                                 .multipliers = factors,
                                                 .step = 1,
                                                 .zero = job->q.zero,
                                                 .dtype = job->y.dtype,
                                                 .ret_integers = (uint8_t *)job->y.data + row * width + j});
        }
}

static hob_status run_bytes(struct op_context *ctx)
{
    struct integer_product product = {.a = ctx->inputs[INPUT_A],
                                      .b = ctx->inputs[INPUT_B],
                                      .a_zero = ctx->inputs[A_ZERO],
                                      .b_zero = ctx->inputs[B_ZERO]};
    struct rescaling job = {.y = output_matrices(ctx), .q = quantized_read(ctx, Y_SCALE, Y_ZERO)};
    const int64_t width = job.y.dims[job.y.rank - 1];
    TRY(integer_product_sums(ctx, tensor_n_items(&job.y), &product.c));
    TRY(integer_product_run(ctx, &product));
    job.sums = product.c;
    job.a_scale = spread(ctx->inputs[A_SCALE], true, &job.y);
    job.b_scale = spread(ctx->inputs[B_SCALE], false, &job.y);
    if (!width) return HOB_OK;
    thread_pool_run(ctx->pool, (size_t)(tensor_n_items(&job.y) / width), (size_t)(1 + 8192 / width), rescale_rows, &job);
    return HOB_OK;
}

/* ---- floats of 8 bits ---- */

/* (x - zero) * scale as f32, with two axes at least. */
static hob_status decode(struct op_context *ctx, int input, bool is_row, struct tensor *ret_numbers)
{
    const struct tensor *x = ctx->inputs[input];
    struct tensor dense = *x;
    if (x->rank == 1) {
        dense.rank = 2;
        dense.dims[!is_row] = 1;
        dense.dims[is_row] = x->dims[0];
        tensor_set_contiguous(&dense);
    }
    struct tensor scale = spread(ctx->inputs[input + 1], is_row, &dense), zero = spread(ctx->inputs[input + 2], is_row, &dense);
    const int64_t width = dense.dims[dense.rank - 1], n_rows = width ? tensor_n_items(&dense) / width : 0;
    float *items, s, z;
    TRY(scratch_f32(ctx, tensor_n_items(&dense), &items));
    for (int64_t row = 0; row < n_rows; row++) {
        numbers_load_f32(&dense, row * width, 1, (size_t)width, items + row * width);
        for (int64_t j = 0; j < width; j++) {
            numbers_load_f32(&scale, row_offset(&scale, row) + j * scale.strides[dense.rank - 1], 0, 1, &s);
            numbers_load_f32(&zero, row_offset(&zero, row) + j * zero.strides[dense.rank - 1], 0, 1, &z);
            items[row * width + j] = (items[row * width + j] - z) * s;
        }
    }
    return tensor_init(ret_numbers, DTYPE_F32, dense.rank, dense.dims, items, ctx->error);
}

static void encode(enum dtype dtype, int64_t n, const float *numbers, struct quantized q, uint8_t *ret_bits)
{
    for (int64_t i = 0; i < n; i++) {
        float quotient = numbers[i] / q.scale;
        if (is_f8(dtype)) ret_bits[i] = small_float_encode(dtype, (double)quotient + (double)q.zero, true);
        else quantized_store(dtype, 1, &quotient, q.zero, ret_bits + i);
    }
}

static struct tensor with_batch_of(const struct tensor *x, const struct tensor *y)
{
    int64_t dims[TENSOR_MAX_RANK];
    for (int i = 0; i < y->rank - 2; i++) dims[i] = y->dims[i];
    for (int i = 1; i <= 2; i++) dims[y->rank - i] = x->dims[x->rank - i];
    return tensor_broadcast(x, y->rank, dims);
}

static hob_status run_floats(struct op_context *ctx)
{
    struct tensor a, b, y = output_matrices(ctx), product = y;
    float *items;
    TRY(decode(ctx, INPUT_A, true, &a));
    TRY(decode(ctx, INPUT_B, false, &b));
    TRY(scratch_f32(ctx, tensor_n_items(&y), &items));
    product.data = items;
    product.dtype = DTYPE_F32;
    a = with_batch_of(&a, &y);
    b = with_batch_of(&b, &y);
    TRY(product_run(ctx, &a, &b, &product));
    encode(y.dtype, tensor_n_items(&y), items, quantized_read(ctx, Y_SCALE, Y_ZERO), y.data);
    return HOB_OK;
}

static hob_status run(struct op_context *ctx)
{
    return is_product_of_floats(ctx) ? run_floats(ctx) : run_bytes(ctx);
}

const struct op_def op_qlinear_matmul = {
    .name = "QLinearMatMul",
    .domain = "",
    .since = 10,
    .min_inputs = 8,
    .max_inputs = 8,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPES_BYTE | TYPES_F8,
    .flags = OP_PACKED_INPUTS,
    .infer = infer,
    .run = run,
};
