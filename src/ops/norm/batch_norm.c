/* BatchNormalization: each channel (axis 1) scaled and shifted by its mean and variance, which are given (inference) or taken from
 * the batch (training). What differs between opsets:
 *   1, 6   training unless is_test; 1 … 9 give Y, running mean, running variance, the batch's mean and its variance
 *   7, 9   training when any output but Y is wanted
 *   14     training when training_mode; gives Y, running mean, running variance. 15: statistics may have types of their own
 *   below 9, spatial = 0: statistics for each [C,D1,…], not for each C.
 *
 * Everything is seen as [n_batch, n_channels, width]; a width of 1 (matrices, spatial = 0) goes row by row. */
#include "kernels/kernels.h"
#include "ops/norm/moments.h"
#include "ops/numbers.h"

struct batch_params {
    double epsilon, momentum;
    bool is_training, is_spatial;
    int max_outputs;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct batch_params *params = ARENA_NEW(node->arena, struct batch_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->epsilon = (double)attributes_float(node->attributes, "epsilon", 1e-5f);
    params->momentum = (double)attributes_float(node->attributes, "momentum", 0.9f);
    params->is_spatial = node->opset >= 9 || attributes_int(node->attributes, "spatial", 1) != 0;
    params->max_outputs = node->opset < 14 ? 5 : 3;
    if (node->opset < 7) params->is_training = !attributes_int(node->attributes, "is_test", 0);
    else if (node->opset < 14) params->is_training = node->n_outputs > 1;
    else params->is_training = attributes_int(node->attributes, "training_mode", 0) != 0;
    if (node->n_outputs > (params->is_training ? params->max_outputs : 1) && node->opset >= 14)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: found %d outputs, expected %d with training_mode %d", node->node_name,
             node->n_outputs, params->is_training ? params->max_outputs : 1, params->is_training);
    *ret_params = params;
    return HOB_OK;
}

struct batch_shape {
    int64_t n_batch, n_channels, width;
};

/* A vector is a batch of one channel. */
static struct batch_shape shape_of(const struct batch_params *params, const struct tensor *x)
{
    struct batch_shape shape = {
        .n_batch = x->rank ? x->dims[0] : 1, .n_channels = x->rank > 1 ? x->dims[1] : 1, .width = 1};
    for (int axis = 2; axis < x->rank; axis++)
        *(params->is_spatial ? &shape.width : &shape.n_channels) *= x->dims[axis];
    return shape;
}

static hob_status infer(struct op_context *ctx)
{
    const struct batch_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    if (x->rank < 1) OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found a scalar, expected [N,C,…]");
    struct batch_shape shape = shape_of(params, x);
    for (int i = 1; i < 5; i++) {
        const struct tensor *row = op_input(ctx, i);
        if (!row || !numbers_is_float(row->dtype) || tensor_n_items(row) != shape.n_channels)
            OP_FAIL(ctx, HOB_BAD_SHAPE, "input %d: found %s %s, expected floats for %lld channels", i,
                    row ? dtype_name(row->dtype) : "nothing", row ? OP_SHAPE(row) : "", (long long)shape.n_channels);
    }
    TRY(op_set_output(ctx, 0, x->dtype, x->rank, x->dims));
    for (int i = 1; i < params->max_outputs; i++) {
        const struct tensor *like = ctx->inputs[i & 1 ? 3 : 4];
        TRY(op_set_output(ctx, i, like->dtype, like->rank, like->dims));
    }
    return HOB_OK;
}

struct batch_job {
    const struct op_context *ctx;
    const struct batch_params *params;
    struct batch_shape shape;
    double *mean, *variance, *factor; /* for each channel */
};

static double item(const struct tensor *row, int64_t i)
{
    double number;
    numbers_load_f64(row, i, 1, 1, &number);
    return number;
}

/* One channel of a batch of rows: items a row apart. */
static void measure_column(const struct batch_job *job, int64_t channel, double *ret_mean, double *ret_variance)
{
    double items[NUMBERS_RUN], sum = 0, squares = 0, mean = 0;
    int64_t n_batch = job->shape.n_batch, stride = job->shape.n_channels;
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t begin = 0; begin < n_batch; begin += NUMBERS_RUN) {
            size_t n = (size_t)(n_batch - begin < NUMBERS_RUN ? n_batch - begin : NUMBERS_RUN);
            numbers_load_f64(job->ctx->inputs[0], begin * stride + channel, stride, n, items);
            for (size_t k = 0; k < n; k++)
                if (pass == 0) sum += items[k];
                else squares += (items[k] - mean) * (items[k] - mean);
        }
        if (pass == 0) mean = sum / (double)n_batch;
    }
    *ret_mean = mean;
    *ret_variance = squares / (double)n_batch;
}

static void measure_planes(const struct batch_job *job, int64_t channel, double *ret_mean, double *ret_variance)
{
    const struct batch_shape *shape = &job->shape;
    struct moments moments;
    int64_t n_batch = shape->width ? shape->n_batch : 0; /* of nothing, there may be more than anyone could walk over */
    moments_init(&moments, job->ctx->kernels, job->ctx->inputs[0]);
    for (int64_t n = 0; n < n_batch; n++)
        moments_add(&moments, (n * shape->n_channels + channel) * shape->width, shape->width);
    for (int64_t n = 0; n < n_batch; n++)
        moments_add_deviations(&moments, (n * shape->n_channels + channel) * shape->width, shape->width);
    *ret_mean = moments_mean(&moments);
    *ret_variance = moments_variance(&moments);
}

static void store_statistics(const struct batch_job *job, int64_t channel)
{
    const struct op_context *ctx = job->ctx;
    double momentum = job->params->momentum, mean = job->mean[channel], variance = job->variance[channel];
    double values[] = {item(ctx->inputs[3], channel) * momentum + mean * (1 - momentum),
                       item(ctx->inputs[4], channel) * momentum + variance * (1 - momentum), mean, variance};
    for (int i = 1; i < job->params->max_outputs; i++)
        if (op_output(ctx, i)) numbers_store_f64(op_output(ctx, i), channel, 1, 1, &values[i - 1]);
}

static void prepare_channels(void *context, size_t begin, size_t end)
{
    const struct batch_job *job = context;
    const struct op_context *ctx = job->ctx;
    for (int64_t c = (int64_t)begin; c < (int64_t)end; c++) {
        if (!job->params->is_training) {
            job->mean[c] = item(ctx->inputs[3], c);
            job->variance[c] = item(ctx->inputs[4], c);
        } else if (job->shape.width == 1) {
            measure_column(job, c, &job->mean[c], &job->variance[c]);
        } else {
            measure_planes(job, c, &job->mean[c], &job->variance[c]);
        }
        job->factor[c] = item(ctx->inputs[1], c) / sqrt(job->variance[c] + job->params->epsilon);
        if (job->params->is_training) store_statistics(job, c);
    }
}

static void normalize_planes(void *context, size_t begin, size_t end)
{
    const struct batch_job *job = context;
    const struct op_context *ctx = job->ctx;
    for (int64_t i = (int64_t)begin; i < (int64_t)end; i++) {
        int64_t c = i % job->shape.n_channels;
        affine_run(ctx->kernels, ctx->inputs[0], ctx->outputs[0], i * job->shape.width, job->shape.width, job->mean[c],
                   job->factor[c], item(ctx->inputs[2], c));
    }
}

static void normalize_rows(void *context, size_t begin, size_t end)
{
    const struct batch_job *job = context;
    const struct tensor *x = job->ctx->inputs[0], *y = job->ctx->outputs[0], *shift = job->ctx->inputs[2];
    int64_t n_channels = job->shape.n_channels;
    double items[NUMBERS_RUN], shifts[NUMBERS_RUN];
    for (int64_t row = (int64_t)begin; row < (int64_t)end; row++) {
        for (int64_t c = 0; c < n_channels; c += NUMBERS_RUN) {
            size_t n = (size_t)(n_channels - c < NUMBERS_RUN ? n_channels - c : NUMBERS_RUN);
            numbers_load_f64(x, row * n_channels + c, 1, n, items);
            numbers_load_f64(shift, c, 1, n, shifts);
            for (size_t k = 0; k < n; k++)
                items[k] = (items[k] - job->mean[c + (int64_t)k]) * job->factor[c + (int64_t)k] + shifts[k];
            numbers_store_f64(y, row * n_channels + c, 1, n, items);
        }
    }
}

static hob_status run(struct op_context *ctx)
{
    struct batch_job job = {.ctx = ctx, .params = ctx->params, .shape = shape_of(ctx->params, ctx->inputs[0])};
    const struct batch_shape *shape = &job.shape;
    double *rows = ARENA_NEW(ctx->scratch, double, 3 * (size_t)shape->n_channels);
    if (!rows)
        OP_FAIL(ctx, HOB_NO_MEMORY, "no memory for the statistics of %lld channels", (long long)shape->n_channels);
    job.mean = rows;
    job.variance = rows + shape->n_channels;
    job.factor = rows + 2 * shape->n_channels;
    size_t channel_items = job.params->is_training ? (size_t)(shape->n_batch * shape->width) : 1;
    thread_pool_run(ctx->pool, (size_t)shape->n_channels, 1 + (1 << 13) / (channel_items + 1), prepare_channels, &job);
    if (!op_output(ctx, 0) || !tensor_n_items(ctx->inputs[0])) return HOB_OK;
    if (shape->width == 1)
        thread_pool_run(ctx->pool, (size_t)shape->n_batch, (size_t)(1 + (1 << 13) / (shape->n_channels + 1)),
                        normalize_rows, &job);
    else
        thread_pool_run(ctx->pool, (size_t)(shape->n_batch * shape->n_channels),
                        (size_t)(1 + (1 << 13) / (shape->width + 1)), normalize_planes, &job);
    return HOB_OK;
}

const struct op_def op_batch_normalization = {
    .name = "BatchNormalization",
    .domain = "",
    .since = 1,
    .min_inputs = 5,
    .max_inputs = 5,
    .min_outputs = 1,
    .max_outputs = 5,
    .types = TYPES_FLOAT,
    .prepare = prepare,
    .infer = infer,
    .run = run,
};
