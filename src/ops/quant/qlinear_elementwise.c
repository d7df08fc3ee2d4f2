/* com.microsoft's element-wise operators on bytes: QLinearAdd and QLinearMul compute with the numbers that the bytes stand for;
 * QLinearSigmoid, QLinearLeakyRelu and QLinearWhere look results up, one for each of the 256 bytes. */
#include "ops/elementwise.h"
#include "ops/numbers.h"
#include "ops/quant/byte_table.h"
#include "ops/quant/quantized.h"

#include <math.h>

/* ---- QLinearAdd, QLinearMul: a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero ---- */

struct binary_job {
    struct quantized a, b, y;
    enum dtype dtype;
    bool multiplies;
};

static void load_bytes(enum dtype dtype, const void *bytes, int64_t step, int64_t n, struct quantized q, float *ret_numbers)
{
    const struct tensor flat = {.data = (void *)(uintptr_t)bytes, .dtype = dtype};
    numbers_load_f32(&flat, 0, step, (size_t)n, ret_numbers);
    for (int64_t i = 0; i < n; i++) ret_numbers[i] = (ret_numbers[i] - q.zero) * q.scale;
}

static void combine(const struct span *span)
{
    const struct binary_job *job = span->params;
    float a[NUMBERS_RUN], b[NUMBERS_RUN];
    for (int64_t begin = 0, n; begin < span->n; begin += n) {
        n = span->n - begin < NUMBERS_RUN ? span->n - begin : NUMBERS_RUN;
        load_bytes(job->dtype, (const uint8_t *)span->in[0] + begin * span->step[0], span->step[0], n, job->a, a);
        load_bytes(job->dtype, (const uint8_t *)span->in[1] + begin * span->step[1], span->step[1], n, job->b, b);
        if (job->multiplies)
            for (int64_t i = 0; i < n; i++) a[i] = a[i] * b[i] / job->y.scale;
        else
            for (int64_t i = 0; i < n; i++) a[i] = (a[i] + b[i]) / job->y.scale;
        quantized_store(job->dtype, n, a, job->y.zero, (uint8_t *)span->out + begin);
    }
}

static hob_status infer_binary(struct op_context *ctx)
{
    const struct tensor *a = ctx->inputs[0], *b = ctx->inputs[3];
    int64_t dims[TENSOR_MAX_RANK];
    int rank;
    TRY(op_check_dtype(ctx, 3, a->dtype));
    TRY(quantized_check(ctx, 1, 2, a->dtype));
    TRY(quantized_check(ctx, 4, 5, a->dtype));
    TRY(quantized_check(ctx, 6, 7, a->dtype));
    if (!shape_broadcast(a->rank, a->dims, b->rank, b->dims, &rank, dims))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "found %s and %s, which do not broadcast", OP_SHAPE(a), OP_SHAPE(b));
    return op_set_output(ctx, 0, a->dtype, rank, dims);
}

static hob_status run_binary(struct op_context *ctx, bool multiplies)
{
    const struct binary_job job = {.a = quantized_read(ctx, 1, 2),
                                   .b = quantized_read(ctx, 4, 5),
                                   .y = quantized_read(ctx, 6, 7),
                                   .dtype = ctx->inputs[0]->dtype,
                                   .multiplies = multiplies};
    elementwise_apply(ctx, &(struct elementwise_walk){.function = combine,
                                                      .params = &job,
                                                      .n_inputs = 2,
                                                      .inputs = {ctx->inputs[0], ctx->inputs[3]},
                                                      .out = ctx->outputs[0]});
    return HOB_OK;
}

static hob_status run_add(struct op_context *ctx)
{
    return run_binary(ctx, false);
}

static hob_status run_mul(struct op_context *ctx)
{
    return run_binary(ctx, true);
}

#define QLINEAR_BINARY(id, onnx_name, op_run)                                                              \
    const struct op_def op_##id = {                                                                        \
        .name = onnx_name,                                                                                 \
        .domain = "com.microsoft",                                                                         \
        .since = 1,                                                                                        \
        .min_inputs = 7,                                                                                   \
        .max_inputs = 8,                                                                                   \
        .min_outputs = 1,                                                                                  \
        .max_outputs = 1,                                                                                  \
        .types = TYPES_BYTE,                                                                               \
        .flags = OP_STRIDED_INPUTS,                                                                        \
        .infer = infer_binary,                                                                             \
        .run = op_run,                                                                                     \
    };
QLINEAR_BINARY(qlinear_add, "QLinearAdd", run_add)
QLINEAR_BINARY(qlinear_mul, "QLinearMul", run_mul)

/* ---- QLinearSigmoid, QLinearLeakyRelu: x, x_scale, x_zero, y_scale, y_zero ---- */

struct activation_params {
    float alpha;
};

static hob_status prepare_activation(const struct op_prepare *node, void **ret_params)
{
    struct activation_params *params = ARENA_NEW(node->arena, struct activation_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->alpha = attributes_float(node->attributes, "alpha", 0.01f);
    *ret_params = params;
    return HOB_OK;
}

static hob_status infer_activation(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0];
    TRY(quantized_check(ctx, 1, 2, x->dtype));
    TRY(quantized_check(ctx, 3, 4, x->dtype));
    return op_set_output(ctx, 0, x->dtype, x->rank, x->dims);
}

static void apply_table(struct op_context *ctx, const struct byte_table *table)
{
    elementwise_apply(ctx, &(struct elementwise_walk){.function = byte_table_span,
                                                      .params = table,
                                                      .n_inputs = 1,
                                                      .inputs = {ctx->inputs[0]},
                                                      .out = ctx->outputs[0]});
}

static hob_status run_sigmoid(struct op_context *ctx)
{
    const enum dtype dtype = ctx->inputs[0]->dtype;
    struct byte_table table;
    float numbers[BYTE_VALUES];
    byte_table_numbers(dtype, quantized_read(ctx, 1, 2), numbers);
    ctx->kernels->sigmoid_f32(BYTE_VALUES, numbers, numbers);
    byte_table_fill(dtype, numbers, quantized_read(ctx, 3, 4), &table);
    apply_table(ctx, &table);
    return HOB_OK;
}

static hob_status run_leaky_relu(struct op_context *ctx)
{
    const struct activation_params *params = ctx->params;
    const enum dtype dtype = ctx->inputs[0]->dtype;
    struct byte_table table;
    float numbers[BYTE_VALUES];
    byte_table_numbers(dtype, quantized_read(ctx, 1, 2), numbers);
    for (int i = 0; i < BYTE_VALUES; i++) numbers[i] = numbers[i] < 0 ? params->alpha * numbers[i] : numbers[i];
    byte_table_fill(dtype, numbers, quantized_read(ctx, 3, 4), &table);
    apply_table(ctx, &table);
    return HOB_OK;
}

#define QLINEAR_ACTIVATION(id, onnx_name, op_run)                                                          \
    const struct op_def op_##id = {                                                                        \
        .name = onnx_name,                                                                                 \
        .domain = "com.microsoft",                                                                         \
        .since = 1,                                                                                        \
        .min_inputs = 4,                                                                                   \
        .max_inputs = 5,                                                                                   \
        .min_outputs = 1,                                                                                  \
        .max_outputs = 1,                                                                                  \
        .types = TYPES_BYTE,                                                                               \
        .flags = OP_STRIDED_INPUTS,                                                                        \
        .prepare = prepare_activation,                                                                     \
        .infer = infer_activation,                                                                         \
        .run = op_run,                                                                                     \
    };
QLINEAR_ACTIVATION(qlinear_sigmoid, "QLinearSigmoid", run_sigmoid)
QLINEAR_ACTIVATION(qlinear_leaky_relu, "QLinearLeakyRelu", run_leaky_relu)

/* ---- QLinearWhere: condition, x, x_scale, x_zero, y, y_scale, y_zero, z_scale, z_zero ---- */

struct where_job {
    struct byte_table tables[2]; /* of x and of y */
};

static void pick(const struct span *span)
{
    const struct where_job *job = span->params;
    const uint8_t *is_first = span->in[0], *xs = span->in[1], *ys = span->in[2];
    uint8_t *out = span->out;
    for (int64_t i = 0; i < span->n; i++)
        out[i] = is_first[i * span->step[0]] ? job->tables[0].bytes[xs[i * span->step[1]]]
                                             : job->tables[1].bytes[ys[i * span->step[2]]];
}

static hob_status infer_where(struct op_context *ctx)
{
    const struct tensor *operands[] = {ctx->inputs[0], ctx->inputs[1], ctx->inputs[4]};
    const enum dtype dtype = operands[1]->dtype;
    int64_t dims[TENSOR_MAX_RANK];
    int rank = 0;
    TRY(op_check_dtype(ctx, 0, DTYPE_BOOL));
    TRY(op_check_dtype(ctx, 4, dtype));
    TRY(quantized_check(ctx, 2, 3, dtype));
    TRY(quantized_check(ctx, 5, 6, dtype));
    TRY(quantized_check(ctx, 7, 8, dtype));
    for (int i = 0; i < 3; i++)
        if (!shape_broadcast(rank, dims, operands[i]->rank, operands[i]->dims, &rank, dims))
            OP_FAIL(ctx, HOB_BAD_SHAPE, "found %s, %s and %s, which do not broadcast", OP_SHAPE(operands[0]),
                    OP_SHAPE(operands[1]), OP_SHAPE(operands[2]));
    return op_set_output(ctx, 0, dtype, rank, dims);
}

static hob_status run_where(struct op_context *ctx)
{
    const enum dtype dtype = ctx->outputs[0]->dtype;
    struct where_job job;
    float numbers[BYTE_VALUES];
    for (int i = 0; i < 2; i++) {
        byte_table_numbers(dtype, quantized_read(ctx, 2 + 3 * i, 3 + 3 * i), numbers);
        byte_table_fill(dtype, numbers, quantized_read(ctx, 7, 8), &job.tables[i]);
    }
    elementwise_apply(ctx, &(struct elementwise_walk){.function = pick,
                                                      .params = &job,
                                                      .n_inputs = 3,
                                                      .inputs = {ctx->inputs[0], ctx->inputs[1], ctx->inputs[4]},
                                                      .out = ctx->outputs[0]});
    return HOB_OK;
}

const struct op_def op_qlinear_where = {
    .name = "QLinearWhere",
    .domain = "com.microsoft",
    .since = 1,
    .min_inputs = 9,
    .max_inputs = 9,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPES_BYTE,
    .typed_input = 1,
    .flags = OP_STRIDED_INPUTS,
    .infer = infer_where,
    .run = run_where,
};
