/* QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear: 8 and 16 bit integers with a scale and a zero point, for the whole
 * tensor, for each index of an axis, or (opset 21) for each block of an axis. */
#include "ops/axes.h"
#include "ops/numbers.h"

struct quantize_params {
    int64_t axis, block_size; /* block_size 0: none */
    int64_t output_dtype;     /* QuantizeLinear without zero point, opset 21; 0: uint8 */
};

static hob_status quantize_prepare(const struct op_prepare *node, void **ret_params)
{
    struct quantize_params *params = ARENA_NEW(node->arena, struct quantize_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->axis = attributes_int(node->attributes, "axis", 1);
    params->block_size = attributes_int(node->attributes, "block_size", 0);
    params->output_dtype = attributes_int(node->attributes, "output_dtype", 0);
    *ret_params = params;
    return HOB_OK;
}

static const struct tensor *zero_point(const struct op_context *ctx)
{
    return op_input(ctx, 2);
}

/* Integers of 8 and 16 bits, and the 32 bits of a bias. */
static bool is_quantized(enum dtype dtype)
{
    return dtype == DTYPE_U8 || dtype == DTYPE_I8 || dtype == DTYPE_U16 || dtype == DTYPE_I16 || dtype == DTYPE_I32;
}

/* Item i of x reads scale number i / inner / block % n_axis of its row… : the scale's shape seen as [outer, n, inner]. */
struct scale_map {
    int64_t inner, n_axis, block, n_blocks; /* n_axis 0: one scale for all */
};

static int64_t scale_index(const struct scale_map *map, int64_t i)
{
    if (!map->n_axis) return 0;
    int64_t along = i / map->inner % map->n_axis;
    if (map->block == 1 && map->n_blocks == map->n_axis) return along;
    int64_t outer = i / map->inner / map->n_axis;
    return (outer * map->n_blocks + along / map->block) * map->inner + i % map->inner;
}

static hob_status map_blocks(struct op_context *ctx, int axis, struct scale_map *map)
{
    const struct quantize_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0], *scale = ctx->inputs[1];
    bool fits = scale->rank == x->rank && params->block_size > 0;
    for (int i = 0; fits && i < x->rank; i++)
        fits = scale->dims[i] == (i == axis ? (x->dims[i] + params->block_size - 1) / params->block_size : x->dims[i]);
    if (!fits)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "scale: found %s for blocks of %lld along axis %d of %s", OP_SHAPE(scale),
                (long long)params->block_size, axis, OP_SHAPE(x));
    map->block = params->block_size;
    map->n_blocks = scale->dims[axis];
    return HOB_OK;
}

static hob_status map_scales(struct op_context *ctx, struct scale_map *ret_map)
{
    const struct quantize_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0], *scale = ctx->inputs[1], *zero = zero_point(ctx);
    if (zero && !tensor_same_shape(zero, scale))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "zero point: found %s, expected %s as the scale", OP_SHAPE(zero), OP_SHAPE(scale));
    *ret_map = (struct scale_map){0};
    if (tensor_n_items(scale) == 1 && scale->rank <= 1) return HOB_OK;
    int axis;
    TRY(axis_normalize(ctx, params->axis, &axis));
    struct scale_map map = {.inner = 1, .n_axis = x->dims[axis], .block = 1, .n_blocks = x->dims[axis]};
    for (int i = axis + 1; i < x->rank; i++) map.inner *= x->dims[i];
    if (scale->rank != 1) TRY(map_blocks(ctx, axis, &map));
    else if (scale->dims[0] != x->dims[axis])
        OP_FAIL(ctx, HOB_BAD_SHAPE, "scale: found %s, expected one number or [%lld]", OP_SHAPE(scale),
                (long long)x->dims[axis]);
    *ret_map = map;
    return HOB_OK;
}

static double saturate(double number, enum dtype dtype)
{
    bool is_unsigned = dtype == DTYPE_U8 || dtype == DTYPE_U16;
    int bits = (int)dtype_block_bytes(dtype) * 8;
    double least = is_unsigned ? 0 : -ldexp(1, bits - 1);
    double most = ldexp(1, is_unsigned ? bits : bits - 1) - 1;
    return fmin(fmax(number, least), most); /* NaN gives least */
}

struct quantize_job {
    const struct tensor *x, *y, *scale, *zero;
    struct scale_map map;
};

static double scale_at(const struct quantize_job *job, int64_t i)
{
    double scale;
    numbers_load_f64(job->scale, scale_index(&job->map, i), 1, 1, &scale);
    return scale;
}

static double zero_at(const struct quantize_job *job, int64_t i)
{
    double zero = 0;
    if (job->zero) numbers_load_f64(job->zero, scale_index(&job->map, i), 1, 1, &zero);
    return zero;
}

enum { ITEMS_PER_RANGE = 4096 };

static void quantize_range(void *context, size_t begin, size_t end)
{
    const struct quantize_job *job = context;
    for (int64_t i = (int64_t)begin; i < (int64_t)end; i++) {
        float number;
        numbers_load_f32(job->x, i, 1, 1, &number);
        /* Divided in f32, as the reference does: the quotient decides ties. */
        double rounded = (double)rintf(number / (float)scale_at(job, i)) + zero_at(job, i);
        int64_t integer = (int64_t)saturate(rounded, job->y->dtype);
        numbers_store_i64(job->y, i, 1, 1, &integer);
    }
}

static hob_status quantize_infer(struct op_context *ctx)
{
    const struct quantize_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0], *scale = ctx->inputs[1], *zero = zero_point(ctx);
    if (!numbers_is_float(x->dtype) && x->dtype != DTYPE_I32)
        OP_FAIL(ctx, HOB_BAD_TYPE, "input 0: found %s, expected a float type or int32", dtype_name(x->dtype));
    if (!numbers_is_float(scale->dtype))
        OP_FAIL(ctx, HOB_BAD_TYPE, "scale: found %s, expected a float type", dtype_name(scale->dtype));
    enum dtype dtype = zero ? zero->dtype : params->output_dtype ? (enum dtype)params->output_dtype : DTYPE_U8;
    if (!is_quantized(dtype) || dtype == DTYPE_I32)
        OP_FAIL(ctx, HOB_UNSUPPORTED, "output type: found %s, expected 8 or 16 bit integers", dtype_name(dtype));
    struct scale_map map;
    TRY(map_scales(ctx, &map));
    return op_set_output(ctx, 0, dtype, x->rank, x->dims);
}

static hob_status run_ranges(struct op_context *ctx, thread_pool_body *body)
{
    struct quantize_job job = {
        .x = ctx->inputs[0], .y = ctx->outputs[0], .scale = ctx->inputs[1], .zero = zero_point(ctx)};
    TRY(map_scales(ctx, &job.map));
    thread_pool_run(ctx->pool, (size_t)tensor_n_items(job.x), ITEMS_PER_RANGE, body, &job);
    return HOB_OK;
}

static hob_status quantize_run(struct op_context *ctx)
{
    return run_ranges(ctx, quantize_range);
}

static void dequantize_range(void *context, size_t begin, size_t end)
{
    const struct quantize_job *job = context;
    for (int64_t i = (int64_t)begin; i < (int64_t)end; i++) {
        double number;
        numbers_load_f64(job->x, i, 1, 1, &number);
        float result = (float)(number - zero_at(job, i)) * (float)scale_at(job, i);
        numbers_store_f32(job->y, i, 1, 1, &result);
    }
}

static hob_status dequantize_infer(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0], *scale = ctx->inputs[1];
    if (!is_quantized(x->dtype))
        OP_FAIL(ctx, HOB_UNSUPPORTED, "input 0: found %s, expected 8, 16 or 32 bit integers", dtype_name(x->dtype));
    if (!numbers_is_float(scale->dtype))
        OP_FAIL(ctx, HOB_BAD_TYPE, "scale: found %s, expected a float type", dtype_name(scale->dtype));
    TRY(op_check_dtype(ctx, 2, x->dtype));
    struct scale_map map;
    TRY(map_scales(ctx, &map));
    return op_set_output(ctx, 0, scale->dtype, x->rank, x->dims);
}

static hob_status dequantize_run(struct op_context *ctx)
{
    return run_ranges(ctx, dequantize_range);
}

/* ---- DynamicQuantizeLinear: uint8, the range of the tensor widened to hold 0 ---- */

static hob_status dynamic_infer(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0];
    TRY(op_check_dtype(ctx, 0, DTYPE_F32));
    TRY(op_set_output(ctx, 0, DTYPE_U8, x->rank, x->dims));
    TRY(op_set_output(ctx, 1, DTYPE_F32, 0, NULL));
    return op_set_output(ctx, 2, DTYPE_U8, 0, NULL);
}

static hob_status dynamic_run(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0];
    const float *items = x->data;
    int64_t n_items = tensor_n_items(x);
    float least = 0, most = 0;
    for (int64_t i = 0; i < n_items; i++) {
        if (items[i] < least) least = items[i];
        if (items[i] > most) most = items[i];
    }
    float scale = (most - least) / 255;
    if (scale == 0) scale = 1; /* all zeros: any scale is right, none may divide by zero */
    float zero = fminf(fmaxf(rintf(-least / scale), 0), 255);
    for (int64_t i = 0; ctx->outputs[0] && i < n_items; i++)
        ((uint8_t *)ctx->outputs[0]->data)[i] = (uint8_t)fminf(fmaxf(rintf(items[i] / scale) + zero, 0), 255);
    if (ctx->outputs[1]) *(float *)ctx->outputs[1]->data = scale;
    if (ctx->outputs[2]) *(uint8_t *)ctx->outputs[2]->data = (uint8_t)zero;
    return HOB_OK;
}

#define QUANTIZE_OP(id, onnx_name, op_domain, op_prepare, op_infer, op_run, least_inputs, most_inputs, most_outputs) \
    const struct op_def op_##id = {                                                                                  \
        .name = onnx_name,                                                                                           \
        .domain = op_domain,                                                                                         \
        .since = 1,                                                                                                  \
        .min_inputs = least_inputs,                                                                                  \
        .max_inputs = most_inputs,                                                                                   \
        .min_outputs = most_outputs,                                                                                 \
        .max_outputs = most_outputs,                                                                                 \
        .prepare = op_prepare,                                                                                       \
        .infer = op_infer,                                                                                           \
        .run = op_run,                                                                                               \
    };

QUANTIZE_OP(quantize_linear, "QuantizeLinear", "", quantize_prepare, quantize_infer, quantize_run, 2, 3, 1)
QUANTIZE_OP(dequantize_linear, "DequantizeLinear", "", quantize_prepare, dequantize_infer, dequantize_run, 2, 3, 1)
QUANTIZE_OP(ms_quantize_linear, "QuantizeLinear", "com.microsoft", quantize_prepare, quantize_infer, quantize_run, 2, 3,
            1)
QUANTIZE_OP(ms_dequantize_linear, "DequantizeLinear", "com.microsoft", quantize_prepare, dequantize_infer,
            dequantize_run, 2, 3, 1)
QUANTIZE_OP(dynamic_quantize_linear, "DynamicQuantizeLinear", "", NULL, dynamic_infer, dynamic_run, 1, 1, 3)
