/* com.microsoft's averages of bytes: QLinearAveragePool (windows of any number of axes) and QLinearGlobalAveragePool (one
 * window). The bytes of a window are summed exactly. channels_last: [N,D1,…,C]. Inputs: x, x_scale, x_zero, y_scale, y_zero. */
#include "ops/numbers.h"
#include "ops/quant/quantized.h"
#include "ops/vision/window.h"

struct pool_params {
    struct window_params window;
    bool is_channels_last, counts_pads;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct pool_params *params = ARENA_NEW(node->arena, struct pool_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    TRY(window_parse(node, &params->window));
    params->is_channels_last = attributes_int(node->attributes, "channels_last", 0) != 0;
    params->counts_pads = attributes_int(node->attributes, "count_include_pad", 0) != 0;
    *ret_params = params;
    return HOB_OK;
}

/* x or y as [N,C,D1,…]. */
static struct tensor channels_first(const struct op_context *ctx, const struct tensor *x)
{
    const struct pool_params *params = ctx->params;
    int axes[TENSOR_MAX_RANK] = {0, x->rank - 1};
    if (!params->is_channels_last) return *x;
    for (int i = 2; i < x->rank; i++) axes[i] = i - 1;
    return tensor_transpose(x, axes);
}

static hob_status resolve_window(struct op_context *ctx, struct window *ret_window)
{
    const struct pool_params *params = ctx->params;
    struct tensor x = channels_first(ctx, ctx->inputs[0]);
    return window_resolve(ctx, &params->window, x.rank - 2, x.dims + 2, NULL, ret_window);
}

/* All of the input is one window. */
static hob_status resolve_global(struct op_context *ctx, struct window *ret_window)
{
    struct tensor x = channels_first(ctx, ctx->inputs[0]);
    *ret_window = (struct window){.rank = x.rank - 2};
    for (int axis = 0; axis < x.rank - 2; axis++) {
        ret_window->inputs[axis] = ret_window->kernel[axis] = x.dims[axis + 2];
        ret_window->outputs[axis] = ret_window->strides[axis] = ret_window->dilations[axis] = 1;
    }
    return HOB_OK;
}

typedef hob_status resolve_function(struct op_context *ctx, struct window *ret_window);

static hob_status infer(struct op_context *ctx, resolve_function *resolve)
{
    const struct pool_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    struct window window;
    if (x->rank < 3) OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found %s, expected a batch, channels and more", OP_SHAPE(x));
    TRY(quantized_check(ctx, 1, 2, x->dtype));
    TRY(quantized_check(ctx, 3, 4, x->dtype));
    TRY(resolve(ctx, &window));
    int64_t dims[TENSOR_MAX_RANK];
    const int first = params->is_channels_last ? 1 : 2;
    for (int i = 0; i < x->rank; i++) dims[i] = x->dims[i];
    for (int axis = 0; axis < window.rank; axis++) dims[first + axis] = window.outputs[axis];
    return op_set_output(ctx, 0, x->dtype, x->rank, dims);
}

static hob_status infer_window(struct op_context *ctx)
{
    return infer(ctx, resolve_window);
}

static hob_status infer_global(struct op_context *ctx)
{
    return infer(ctx, resolve_global);
}

/* ---- windows ---- */

struct job {
    struct tensor x, y; /* channels first */
    struct window window;
    struct quantized x_numbers, y_numbers;
    bool counts_pads;
};

struct range {
    int64_t begin, end, step; /* inputs of an axis under a window */
    int64_t n_counted;        /* and how many the average divides by */
};

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static struct range range_at(const struct job *job, int axis, int64_t output)
{
    const struct window *window = &job->window;
    const int64_t step = window->dilations[axis], start = output * window->strides[axis] - window->pads_begin[axis];
    const int64_t end = start + window->kernel[axis] * step;
    int64_t begin = start < 0 ? start + (-start + step - 1) / step * step : start;
    struct range range = {begin, least(end, window->inputs[axis]), step, 0};
    int64_t last = job->counts_pads ? least(end, window->inputs[axis] + window->pads_end[axis]) : range.end;
    int64_t first = job->counts_pads ? start : begin;
    range.n_counted = last > first ? (last - first + step - 1) / step : 0;
    return range;
}

/* The sum of the bytes under all ranges from `axis` on. */
static int64_t sum_bytes(const struct job *job, const struct range *ranges, int axis, int64_t offset)
{
    const int64_t stride = job->x.strides[axis + 2];
    const uint8_t *bytes = job->x.data;
    const bool is_last = axis == job->window.rank - 1, is_signed = job->x.dtype == DTYPE_I8;
    int64_t sum = 0;
    for (int64_t i = ranges[axis].begin; i < ranges[axis].end; i += ranges[axis].step) {
        const int64_t at = offset + i * stride;
        if (!is_last) sum += sum_bytes(job, ranges, axis + 1, at);
        else sum += is_signed ? (int8_t)bytes[at] : bytes[at];
    }
    return sum;
}

static void average_one(const struct job *job, int64_t channel_x, int64_t channel_y, int64_t output)
{
    struct range ranges[WINDOW_MAX_RANK];
    int64_t n_read = 1, n_counted = 1, offset = channel_y;
    HOB_ASSERT(job->window.rank > 0); /* infer lets no other input through */
    for (int axis = job->window.rank - 1; axis >= 0; axis--) {
        int64_t at = output % job->window.outputs[axis];
        output /= job->window.outputs[axis];
        ranges[axis] = range_at(job, axis, at);
        const struct range *r = &ranges[axis];
        n_read *= r->end > r->begin ? (r->end - r->begin + r->step - 1) / r->step : 0;
        n_counted *= r->n_counted;
        offset += at * job->y.strides[axis + 2];
    }
    /* Nothing is read where one axis is empty, however long the others are. */
    double total = n_read ? (double)sum_bytes(job, ranges, 0, channel_x) - (double)n_read * (double)job->x_numbers.zero : 0;
    float mean = n_counted ? (float)(total * (double)job->x_numbers.scale / (double)n_counted) : 0;
    float quotient = mean / job->y_numbers.scale;
    quantized_store(job->y.dtype, 1, &quotient, job->y_numbers.zero, (uint8_t *)job->y.data + offset);
}

static void average_channels(void *context, size_t begin, size_t end)
{
    const struct job *job = context;
    const int64_t n_channels = job->x.dims[1];
    int64_t n_outputs = 1;
    for (int axis = 0; axis < job->window.rank; axis++) n_outputs *= job->window.outputs[axis];
    for (int64_t i = (int64_t)begin; i < (int64_t)end; i++) {
        int64_t image = i / n_channels, channel = i % n_channels;
        for (int64_t output = 0; output < n_outputs; output++)
            average_one(job, image * job->x.strides[0] + channel * job->x.strides[1],
                        image * job->y.strides[0] + channel * job->y.strides[1], output);
    }
}

static hob_status run(struct op_context *ctx, resolve_function *resolve)
{
    const struct pool_params *params = ctx->params;
    struct job job = {.x = channels_first(ctx, ctx->inputs[0]),
                      .y = channels_first(ctx, ctx->outputs[0]),
                      .x_numbers = quantized_read(ctx, 1, 2),
                      .y_numbers = quantized_read(ctx, 3, 4),
                      .counts_pads = params->counts_pads};
    TRY(resolve(ctx, &job.window));
    if (!tensor_n_items(&job.y)) return HOB_OK;
    thread_pool_run(ctx->pool, (size_t)(job.x.dims[0] * job.x.dims[1]), 4, average_channels, &job);
    return HOB_OK;
}

static hob_status run_window(struct op_context *ctx)
{
    return run(ctx, resolve_window);
}

static hob_status run_global(struct op_context *ctx)
{
    return run(ctx, resolve_global);
}

#define QLINEAR_POOL(id, onnx_name, op_infer, op_run)                                                      \
    const struct op_def op_##id = {                                                                        \
        .name = onnx_name,                                                                                 \
        .domain = "com.microsoft",                                                                         \
        .since = 1,                                                                                        \
        .min_inputs = 4,                                                                                   \
        .max_inputs = 5,                                                                                   \
        .min_outputs = 1,                                                                                  \
        .max_outputs = 1,                                                                                  \
        .types = TYPES_BYTE,                                                                               \
        .prepare = prepare,                                                                                \
        .infer = op_infer,                                                                                 \
        .run = op_run,                                                                                     \
    };
QLINEAR_POOL(qlinear_average_pool, "QLinearAveragePool", infer_window, run_window)
QLINEAR_POOL(qlinear_global_average_pool, "QLinearGlobalAveragePool", infer_global, run_global)
