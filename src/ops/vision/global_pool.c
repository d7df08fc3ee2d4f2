/* GlobalAveragePool, GlobalMaxPool and GlobalLpPool: one number for each channel of each item, whatever its spatial axes. An empty
 * channel averages to NaN, as 0 / 0 is; its maximum is -inf, its norm 0. */
#include "kernels/kernels.h"
#include "ops/norm/moments.h"
#include "ops/numbers.h"

struct global_params {
    double p;
};

static hob_status prepare_lp(const struct op_prepare *node, void **ret_params)
{
    struct global_params *params = ARENA_NEW(node->arena, struct global_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    /* A float in opset 1, a whole number since. */
    const struct attribute *p = attributes_find(node->attributes, "p");
    params->p = p && p->kind == ATTRIBUTE_FLOAT ? (double)p->number : (double)attributes_int(node->attributes, "p", 2);
    if (!(params->p > 0))
        FAIL(node->error, HOB_BAD_GRAPH, "%s: p: found %g, expected a number above 0", node->node_name, params->p);
    *ret_params = params;
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0];
    if (x->rank < 2) OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found %s, expected [N,C,…]", OP_SHAPE(x));
    int64_t dims[TENSOR_MAX_RANK] = {x->dims[0], x->dims[1], 1, 1, 1, 1, 1, 1};
    return op_set_output(ctx, 0, x->dtype, x->rank, dims);
}

typedef double fold_channel(const struct op_context *ctx, int64_t offset, int64_t width);

struct global_job {
    const struct op_context *ctx;
    fold_channel *fold;
    int64_t width;
};

static void fold_channels(void *context, size_t begin, size_t end)
{
    const struct global_job *job = context;
    for (int64_t i = (int64_t)begin; i < (int64_t)end; i++) {
        double folded = job->fold(job->ctx, i * job->width, job->width);
        numbers_store_f64(job->ctx->outputs[0], i, 1, 1, &folded);
    }
}

static hob_status run(struct op_context *ctx, fold_channel *fold)
{
    const struct tensor *x = ctx->inputs[0];
    struct global_job job = {.ctx = ctx, .fold = fold, .width = 1};
    for (int axis = 2; axis < x->rank; axis++) job.width *= x->dims[axis];
    thread_pool_run(ctx->pool, (size_t)(x->dims[0] * x->dims[1]), (size_t)(1 + (1 << 13) / (job.width + 1)),
                    fold_channels, &job);
    return HOB_OK;
}

static double mean_of(const struct op_context *ctx, int64_t offset, int64_t width)
{
    struct moments moments;
    moments_init(&moments, ctx->kernels, ctx->inputs[0]);
    moments_add(&moments, offset, width);
    return moments_mean(&moments);
}

static double largest_of(const struct op_context *ctx, int64_t offset, int64_t width)
{
    const struct tensor *x = ctx->inputs[0];
    if (x->dtype == DTYPE_F32) return (double)ctx->kernels->max_f32(width, (const float *)x->data + offset);
    double items[NUMBERS_RUN], largest = (double)-INFINITY;
    for (int64_t begin = 0; begin < width; begin += NUMBERS_RUN) {
        size_t n = (size_t)(width - begin < NUMBERS_RUN ? width - begin : NUMBERS_RUN);
        numbers_load_f64(x, offset + begin, 1, n, items);
        for (size_t k = 0; k < n; k++)
            if (items[k] > largest) largest = items[k];
    }
    return largest;
}

static double norm_of(const struct op_context *ctx, int64_t offset, int64_t width)
{
    double items[NUMBERS_RUN], sum = 0, p = ((const struct global_params *)ctx->params)->p;
    for (int64_t begin = 0; begin < width; begin += NUMBERS_RUN) {
        size_t n = (size_t)(width - begin < NUMBERS_RUN ? width - begin : NUMBERS_RUN);
        numbers_load_f64(ctx->inputs[0], offset + begin, 1, n, items);
        for (size_t k = 0; k < n; k++)
            sum += p == 2 ? items[k] * items[k] : p == 1 ? fabs(items[k]) : pow(fabs(items[k]), p);
    }
    return p == 2 ? sqrt(sum) : p == 1 ? sum : pow(sum, 1 / p);
}

static hob_status run_average(struct op_context *ctx)
{
    return run(ctx, mean_of);
}

static hob_status run_max(struct op_context *ctx)
{
    return run(ctx, largest_of);
}

static hob_status run_lp(struct op_context *ctx)
{
    return run(ctx, norm_of);
}

#define GLOBAL_POOL(id, onnx_name, prepare_op, run_op) \
    const struct op_def op_##id = {                    \
        .name = onnx_name,                             \
        .domain = "",                                  \
        .since = 1,                                    \
        .min_inputs = 1,                               \
        .max_inputs = 1,                               \
        .min_outputs = 1,                              \
        .max_outputs = 1,                              \
        .types = TYPES_FLOAT,                          \
        .prepare = prepare_op,                         \
        .infer = infer,                                \
        .run = run_op,                                 \
    };

GLOBAL_POOL(global_average_pool, "GlobalAveragePool", NULL, run_average)
GLOBAL_POOL(global_max_pool, "GlobalMaxPool", NULL, run_max)
GLOBAL_POOL(global_lp_pool, "GlobalLpPool", prepare_lp, run_lp)
