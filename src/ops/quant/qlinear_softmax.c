/* com.microsoft's QLinearSoftmax: softmax of what the bytes stand for, along one axis (attribute opset 13 and above) or over all
 * axes from that one on. Inputs: x, x_scale, x_zero, y_scale, y_zero. */
#include "kernels/kernels.h"
#include "ops/axes.h"
#include "ops/numbers.h"
#include "ops/quant/quantized.h"
#include "ops/thread_scratch.h"

struct softmax_params {
    int64_t axis;
    bool is_flattened;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct softmax_params *params = ARENA_NEW(node->arena, struct softmax_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->axis = attributes_int(node->attributes, "axis", -1);
    params->is_flattened = attributes_int(node->attributes, "opset", 13) < 13;
    *ret_params = params;
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    const struct softmax_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    int axis;
    TRY(axis_normalize(ctx, params->axis, &axis));
    TRY(quantized_check(ctx, 1, 2, x->dtype));
    TRY(quantized_check(ctx, 3, 4, x->dtype));
    return op_set_output(ctx, 0, x->dtype, x->rank, x->dims);
}

struct job {
    const struct kernels *kernels;
    const uint8_t *x;
    uint8_t *y;
    enum dtype dtype;
    struct quantized x_numbers, y_numbers;
    int64_t width, inner; /* items of a line, and how far apart they are */
    struct thread_scratch scratch;
};

static void run_lines(void *context, size_t begin, size_t end)
{
    struct job *job = context;
    float *numbers = thread_scratch_take(&job->scratch);
    uint8_t *bytes = (uint8_t *)(numbers + job->width);
    for (int64_t line = (int64_t)begin; line < (int64_t)end; line++) {
        const int64_t first = line / job->inner * job->width * job->inner + line % job->inner;
        for (int64_t i = 0; i < job->width; i++) bytes[i] = job->x[first + i * job->inner];
        quantized_load(job->dtype, job->width, bytes, job->x_numbers, numbers);
        job->kernels->softmax_f32(job->width, numbers, numbers);
        for (int64_t i = 0; i < job->width; i++) numbers[i] /= job->y_numbers.scale;
        quantized_store(job->dtype, job->width, numbers, job->y_numbers.zero, bytes);
        for (int64_t i = 0; i < job->width; i++) job->y[first + i * job->inner] = bytes[i];
    }
    thread_scratch_put(&job->scratch, numbers);
}

static hob_status run(struct op_context *ctx)
{
    const struct softmax_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    struct job job = {.kernels = ctx->kernels, .x = x->data, .y = ctx->outputs[0]->data, .dtype = x->dtype,
                      .x_numbers = quantized_read(ctx, 1, 2), .y_numbers = quantized_read(ctx, 3, 4), .width = 1,
                      .inner = 1};
    int axis;
    TRY(axis_normalize(ctx, params->axis, &axis));
    for (int d = axis; d < x->rank; d++) *(d == axis || params->is_flattened ? &job.width : &job.inner) *= x->dims[d];
    if (!tensor_n_items(x)) return HOB_OK;
    TRY(thread_scratch_init(&job.scratch, ctx, (size_t)job.width + (size_t)job.width / 4 + 1));
    thread_pool_run(ctx->pool, (size_t)(tensor_n_items(x) / job.width), (size_t)(1 + 4096 / job.width), run_lines, &job);
    return HOB_OK;
}

const struct op_def op_qlinear_softmax = {
    .name = "QLinearSoftmax",
    .domain = "com.microsoft",
    .since = 1,
    .min_inputs = 4,
    .max_inputs = 5,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPES_BYTE,
    .prepare = prepare,
    .infer = infer,
    .run = run,
};
