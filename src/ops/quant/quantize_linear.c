/* QuantizeLinear: numbers to integers of 2 to 16 bits or floats of 4 and 8 bits, with a scale and a zero point for the whole
 * tensor, each index of an axis (opset 13) or each block of an axis (opset 21). */
#include "kernels/kernels.h"
#include "ops/numbers.h"
#include "ops/quant/quantized.h"
#include "ops/quant/scale_map.h"
#include "quant/small_float.h"

struct quantize_params {
    int64_t axis, block_size; /* block_size 0: none */
    enum dtype dtype;         /* output_dtype; NONE: the zero point's, else uint8 */
    enum dtype precision;     /* of the division; NONE: the scale's */
    bool saturates;           /* floats of 8 bits */
};

/* An attribute that is a type, 0 for none. */
static hob_status read_dtype(const struct op_prepare *node, const char *name, enum dtype *ret_dtype)
{
    int64_t dtype = attributes_int(node->attributes, name, 0);
    if (dtype && (dtype < 0 || dtype >= DTYPE_END || !dtype_is_known((int)dtype)))
        FAIL(node->error, HOB_BAD_GRAPH, "%s: %s: found %lld, expected a type", node->node_name, name, (long long)dtype);
    *ret_dtype = (enum dtype)dtype;
    return HOB_OK;
}

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct quantize_params *params = ARENA_NEW(node->arena, struct quantize_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->axis = attributes_int(node->attributes, "axis", 1);
    params->block_size = attributes_int(node->attributes, "block_size", 0);
    params->saturates = attributes_int(node->attributes, "saturate", 1) != 0;
    if (params->block_size < 0)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: block_size: found %lld, expected 0 or more", node->node_name,
             (long long)params->block_size);
    TRY(read_dtype(node, "output_dtype", &params->dtype));
    TRY(read_dtype(node, "precision", &params->precision));
    if (params->precision && !numbers_is_float(params->precision))
        FAIL(node->error, HOB_BAD_GRAPH, "%s: precision: found %s, expected a float type", node->node_name,
             dtype_name(params->precision));
    *ret_params = params;
    return HOB_OK;
}

static bool is_target(enum dtype dtype)
{
    return quantized_is_integer(dtype) || (small_float_is(dtype) && dtype != DTYPE_F8E8M0);
}

static hob_status infer(struct op_context *ctx)
{
    const struct quantize_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0], *scale = ctx->inputs[1], *zero = op_input(ctx, 2);
    if (!numbers_is_float(scale->dtype) && scale->dtype != DTYPE_F8E8M0 && scale->dtype != DTYPE_I32)
        OP_FAIL(ctx, HOB_BAD_TYPE, "scale: found %s, expected a float type", dtype_name(scale->dtype));
    enum dtype dtype = params->dtype ? params->dtype : zero ? zero->dtype : DTYPE_U8;
    if (!is_target(dtype))
        OP_FAIL(ctx, HOB_BAD_TYPE, "output type: found %s, expected integers of 2 to 16 bits or floats of 4 or 8",
                dtype_name(dtype));
    TRY(op_check_dtype(ctx, 2, dtype));
    struct scale_map map;
    TRY(scale_map_init(ctx, params->axis, params->block_size, &map));
    return op_set_output(ctx, 0, dtype, x->rank, x->dims);
}

/* Items that are divided and stored at a time: enough for the loops to be long, few enough for the stack. */
enum { RUN_ITEMS = 512 };

struct quantize_job {
    const struct kernels *kernels;
    const struct tensor *x, *y, *scale, *zero;
    struct scale_map map;
    enum dtype precision; /* f16, bf16, or anything else for f32 */
    bool saturates;
};

static void round_to(enum dtype precision, int64_t n, float *items)
{
    if (precision == DTYPE_F16)
        for (int64_t i = 0; i < n; i++) items[i] = number_from_f16(number_to_f16(items[i]));
    else if (precision == DTYPE_BF16)
        for (int64_t i = 0; i < n; i++) items[i] = number_from_bf16(number_to_bf16(items[i]));
}

/* x / scale in the wanted precision: f32 has digits enough to round its quotient once more. */
static void divide(const struct quantize_job *job, int64_t first, struct scale_run run, float *ret_quotients)
{
    float scales[RUN_ITEMS];
    const int64_t n = run.n_items, n_scales = run.step ? n : 1;
    const float *x = ret_quotients;
    if (job->x->dtype == DTYPE_F32 && job->precision != DTYPE_F16 && job->precision != DTYPE_BF16) {
        x = (const float *)job->x->data + first;
    } else {
        numbers_load_f32(job->x, first, 1, (size_t)n, ret_quotients);
        if (job->x->dtype != job->precision) round_to(job->precision, n, ret_quotients);
    }
    numbers_load_f32(job->scale, run.index, 1, (size_t)n_scales, scales);
    if (job->scale->dtype != job->precision) round_to(job->precision, n_scales, scales);
    job->kernels->div_f32(n, x, 1, scales, (int)run.step, ret_quotients);
    round_to(job->precision, n, ret_quotients);
}

static void encode(const struct quantize_job *job, int64_t first, struct scale_run run, const float *quotients,
                   const float *zeros)
{
    uint8_t *bits = (uint8_t *)job->y->data + first;
    for (int64_t i = 0; i < run.n_items; i++)
        bits[i] = small_float_encode(job->y->dtype, (double)quotients[i] + (double)zeros[i * run.step], job->saturates);
}

static void store(const struct quantize_job *job, int64_t first, struct scale_run run, const float *quotients)
{
    float zeros[RUN_ITEMS];
    char *out = (char *)job->y->data + first * (int64_t)dtype_block_bytes(job->y->dtype);
    zeros[0] = 0;
    if (!job->zero) run.step = 0;
    else numbers_load_f32(job->zero, run.index, 1, run.step ? (size_t)run.n_items : 1, zeros);
    if (small_float_is(job->y->dtype)) encode(job, first, run, quotients, zeros);
    else if (run.step) quantized_store_each(job->y->dtype, run.n_items, quotients, zeros, out);
    else quantized_store(job->y->dtype, run.n_items, quotients, zeros[0], out);
}

static void quantize_range(void *context, size_t begin, size_t end)
{
    const struct quantize_job *job = context;
    float quotients[RUN_ITEMS];
    for (int64_t i = (int64_t)begin, n; i < (int64_t)end; i += n) {
        n = (int64_t)end - i;
        struct scale_run run = scale_map_run(&job->map, i, n < RUN_ITEMS ? n : RUN_ITEMS);
        n = run.n_items;
        divide(job, i, run, quotients);
        store(job, i, run, quotients);
    }
}

enum { ITEMS_PER_RANGE = 8192 };

static hob_status run(struct op_context *ctx)
{
    const struct quantize_params *params = ctx->params;
    const struct tensor *scale = ctx->inputs[1];
    struct quantize_job job = {.kernels = ctx->kernels,
                               .x = ctx->inputs[0],
                               .y = ctx->outputs[0],
                               .scale = scale,
                               .zero = op_input(ctx, 2),
                               .precision = params->precision ? params->precision : scale->dtype,
                               .saturates = params->saturates};
    TRY(scale_map_init(ctx, params->axis, params->block_size, &job.map));
    thread_pool_run(ctx->pool, (size_t)tensor_n_items(job.x), ITEMS_PER_RANGE, quantize_range, &job);
    return HOB_OK;
}

#define QUANTIZE_OP(id, op_domain, first_opset)                                                            \
    const struct op_def op_##id = {                                                                        \
        .name = "QuantizeLinear",                                                                          \
        .domain = op_domain,                                                                               \
        .since = first_opset,                                                                              \
        .min_inputs = 2,                                                                                   \
        .max_inputs = 3,                                                                                   \
        .min_outputs = 1,                                                                                  \
        .max_outputs = 1,                                                                                  \
        .types = TYPE(F32) | TYPE(F16) | TYPE(BF16) | TYPE(I32),                                           \
        .prepare = prepare,                                                                                \
        .infer = infer,                                                                                    \
        .run = run,                                                                                        \
    };
QUANTIZE_OP(quantize_linear, "", 10)
QUANTIZE_OP(ms_quantize_linear, "com.microsoft", 1)
