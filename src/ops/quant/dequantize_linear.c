/* DequantizeLinear: (x - zero point) * scale, for the whole tensor, each index of an axis or each block of an axis. */
#include "kernels/kernels.h"
#include "ops/numbers.h"
#include "ops/quant/quantized.h"
#include "ops/quant/scale_map.h"
#include "quant/small_float.h"

struct dequantize_params {
    int64_t axis, block_size; /* block_size 0: none */
    enum dtype dtype;         /* output_dtype; NONE: the scale's */
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct dequantize_params *params = ARENA_NEW(node->arena, struct dequantize_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->axis = attributes_int(node->attributes, "axis", 1);
    params->block_size = attributes_int(node->attributes, "block_size", 0);
    int64_t dtype = attributes_int(node->attributes, "output_dtype", 0);
    if (params->block_size < 0)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: block_size: found %lld, expected 0 or more", node->node_name,
             (long long)params->block_size);
    if (dtype && (dtype < 0 || dtype >= DTYPE_END || !numbers_is_float((enum dtype)dtype)))
        FAIL(node->error, HOB_BAD_GRAPH, "%s: output_dtype: found %lld, expected a float type", node->node_name,
             (long long)dtype);
    params->dtype = (enum dtype)dtype;
    *ret_params = params;
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    const struct dequantize_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0], *scale = ctx->inputs[1];
    if (!numbers_is_float(scale->dtype) && scale->dtype != DTYPE_F8E8M0)
        OP_FAIL(ctx, HOB_BAD_TYPE, "scale: found %s, expected a float type", dtype_name(scale->dtype));
    TRY(op_check_dtype(ctx, 2, x->dtype));
    struct scale_map map;
    TRY(scale_map_init(ctx, params->axis, params->block_size, &map));
    enum dtype dtype = params->dtype ? params->dtype : scale->dtype == DTYPE_F8E8M0 ? DTYPE_F32 : scale->dtype;
    return op_set_output(ctx, 0, dtype, x->rank, x->dims);
}

/* Items that are computed at a time: enough for the loops to be long, few enough for the stack. */
enum { RUN_ITEMS = 512 };

struct dequantize_job {
    const struct kernels *kernels;
    const struct tensor *x, *y, *scale, *zero;
    struct scale_map map;
};

/* f32 is computed where it shall lie, other types in a buffer. */
static void dequantize_run(const struct dequantize_job *job, int64_t first, struct scale_run run)
{
    float buffer[RUN_ITEMS], factors[RUN_ITEMS];
    const size_t n_factors = run.step ? (size_t)run.n_items : 1;
    const bool is_in_place = job->y->dtype == DTYPE_F32;
    float *items = is_in_place ? (float *)job->y->data + first : buffer;
    numbers_load_f32(job->x, first, 1, (size_t)run.n_items, items);
    if (job->zero) {
        numbers_load_f32(job->zero, run.index, 1, n_factors, factors);
        job->kernels->sub_f32(run.n_items, items, 1, factors, (int)run.step, items);
    }
    numbers_load_f32(job->scale, run.index, 1, n_factors, factors);
    job->kernels->mul_f32(run.n_items, items, 1, factors, (int)run.step, items);
    if (!is_in_place) numbers_store_f32(job->y, first, 1, (size_t)run.n_items, items);
}

static void dequantize_range(void *context, size_t begin, size_t end)
{
    const struct dequantize_job *job = context;
    for (int64_t i = (int64_t)begin, n; i < (int64_t)end; i += n) {
        n = (int64_t)end - i;
        struct scale_run run = scale_map_run(&job->map, i, n < RUN_ITEMS ? n : RUN_ITEMS);
        n = run.n_items;
        dequantize_run(job, i, run);
    }
}

enum { ITEMS_PER_RANGE = 8192 };

static hob_status run(struct op_context *ctx)
{
    const struct dequantize_params *params = ctx->params;
    struct dequantize_job job = {.kernels = ctx->kernels,
                                 .x = ctx->inputs[0],
                                 .y = ctx->outputs[0],
                                 .scale = ctx->inputs[1],
                                 .zero = op_input(ctx, 2)};
    TRY(scale_map_init(ctx, params->axis, params->block_size, &job.map));
    thread_pool_run(ctx->pool, (size_t)tensor_n_items(job.x), ITEMS_PER_RANGE, dequantize_range, &job);
    return HOB_OK;
}

#define DEQUANTIZE_OP(id, op_domain, first_opset)                                                          \
    const struct op_def op_##id = {                                                                        \
        .name = "DequantizeLinear",                                                                        \
        .domain = op_domain,                                                                               \
        .since = first_opset,                                                                              \
        .min_inputs = 2,                                                                                   \
        .max_inputs = 3,                                                                                   \
        .min_outputs = 1,                                                                                  \
        .max_outputs = 1,                                                                                  \
        .types = TYPES_BYTE | TYPE(I16) | TYPE(U16) | TYPE(I32) | TYPES_F8 | TYPES_SUB_BYTE,               \
        .prepare = prepare,                                                                                \
        .infer = infer,                                                                                    \
        .run = run,                                                                                        \
    };
DEQUANTIZE_OP(dequantize_linear, "", 10)
DEQUANTIZE_OP(ms_dequantize_linear, "com.microsoft", 1)
