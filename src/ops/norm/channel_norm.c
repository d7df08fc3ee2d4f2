/* BatchNormalization (inference) and InstanceNormalization: each channel (axis 1) scaled and shifted, by statistics that are
 * given or taken from the item itself. Computed in f64, a channel of an item at a time. */
#include "ops/numbers.h"
#include "ops/op.h"

struct channel_params {
    float epsilon;
};

static hob_status channel_prepare(const struct op_prepare *node, void **ret_params)
{
    struct channel_params *params = ARENA_NEW(node->arena, struct channel_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->epsilon = attributes_float(node->attributes, "epsilon", 1e-5f);
    *ret_params = params;
    return HOB_OK;
}

static hob_status batch_prepare(const struct op_prepare *node, void **ret_params)
{
    if (attributes_int(node->attributes, "training_mode", 0))
        FAIL(node->error, HOB_UNSUPPORTED, "%s: training_mode: found 1, expected 0", node->node_name);
    return channel_prepare(node, ret_params);
}

static int64_t n_channels(const struct tensor *x)
{
    return x->rank > 1 ? x->dims[1] : 1;
}

static hob_status channel_infer(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0];
    if (!numbers_is_float(x->dtype))
        OP_FAIL(ctx, HOB_BAD_TYPE, "input 0: found %s, expected a float type", dtype_name(x->dtype));
    if (x->rank < 1) OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found a scalar, expected [N,C,...]");
    for (int i = 1; i < ctx->n_inputs; i++) {
        const struct tensor *row = ctx->inputs[i];
        if (!row || !numbers_is_float(row->dtype) || row->rank != 1 || row->dims[0] != n_channels(x))
            OP_FAIL(ctx, HOB_BAD_SHAPE, "input %d: found %s %s, expected a float [%lld]", i,
                    row ? dtype_name(row->dtype) : "nothing", row ? OP_SHAPE(row) : "", (long long)n_channels(x));
    }
    return op_set_output(ctx, 0, x->dtype, x->rank, x->dims);
}

static double item(const struct tensor *row, int64_t i)
{
    double number;
    numbers_load_f64(row, i, 1, 1, &number);
    return number;
}

struct channel_job {
    const struct tensor *x, *y, *scale, *shift;
    const struct tensor *mean, *variance; /* NULL: of the item itself */
    int64_t n_channels, width;            /* width: items of a channel */
    double epsilon;
};

static void measure(const struct channel_job *job, int64_t offset, double *ret_mean, double *ret_variance)
{
    double items[NUMBERS_RUN], sum = 0, squares = 0, mean = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t begin = 0; begin < job->width; begin += NUMBERS_RUN) {
            size_t n = (size_t)(job->width - begin < NUMBERS_RUN ? job->width - begin : NUMBERS_RUN);
            numbers_load_f64(job->x, offset + begin, 1, n, items);
            for (size_t k = 0; k < n; k++)
                if (pass == 0) sum += items[k];
                else squares += (items[k] - mean) * (items[k] - mean);
        }
        if (pass == 0) mean = sum / (double)job->width;
    }
    *ret_mean = mean;
    *ret_variance = squares / (double)job->width;
}

static void normalize_channels(void *context, size_t first, size_t last)
{
    const struct channel_job *job = context;
    for (int64_t i = (int64_t)first; i < (int64_t)last; i++) {
        int64_t channel = i % job->n_channels, offset = i * job->width;
        double mean, variance, items[NUMBERS_RUN];
        if (job->mean) {
            mean = item(job->mean, channel);
            variance = item(job->variance, channel);
        } else {
            measure(job, offset, &mean, &variance);
        }
        double factor = item(job->scale, channel) / sqrt(variance + job->epsilon), shift = item(job->shift, channel);
        for (int64_t begin = 0; begin < job->width; begin += NUMBERS_RUN) {
            size_t n = (size_t)(job->width - begin < NUMBERS_RUN ? job->width - begin : NUMBERS_RUN);
            numbers_load_f64(job->x, offset + begin, 1, n, items);
            for (size_t k = 0; k < n; k++) items[k] = (items[k] - mean) * factor + shift;
            numbers_store_f64(job->y, offset + begin, 1, n, items);
        }
    }
}

static hob_status channel_run(struct op_context *ctx)
{
    const struct channel_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    struct channel_job job = {.x = x,
                              .y = ctx->outputs[0],
                              .scale = ctx->inputs[1],
                              .shift = ctx->inputs[2],
                              .mean = op_input(ctx, 3),
                              .variance = op_input(ctx, 4),
                              .n_channels = n_channels(x),
                              .width = 1,
                              .epsilon = (double)params->epsilon};
    for (int axis = 2; axis < x->rank; axis++) job.width *= x->dims[axis];
    int64_t n_items = x->dims[0] * job.n_channels;
    thread_pool_run(ctx->pool, (size_t)n_items, (size_t)(1 + (1 << 13) / (job.width + 1)), normalize_channels, &job);
    return HOB_OK;
}

/* Below opset 14 training was told by extra outputs; those are refused by the count. */
const struct op_def op_batch_normalization = {
    .name = "BatchNormalization",
    .domain = "",
    .since = 7,
    .min_inputs = 5,
    .max_inputs = 5,
    .min_outputs = 1,
    .max_outputs = 1,
    .prepare = batch_prepare,
    .infer = channel_infer,
    .run = channel_run,
};

const struct op_def op_instance_normalization = {
    .name = "InstanceNormalization",
    .domain = "",
    .since = 1,
    .min_inputs = 3,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .prepare = channel_prepare,
    .infer = channel_infer,
    .run = channel_run,
};
