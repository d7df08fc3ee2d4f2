/* SwiGLU of ai.onnx (opset 28): a * sigmoid(alpha * a) * b, element by element. f64 stays f64. */
#include "kernels/kernels.h"
#include "ops/as_f32.h"

struct swiglu_params {
    float alpha;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct swiglu_params *params = ARENA_NEW(node->arena, struct swiglu_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->alpha = attributes_float(node->attributes, "alpha", 1);
    *ret_params = params;
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    const struct tensor *a = ctx->inputs[0], *b = ctx->inputs[1];
    TRY(op_check_dtype(ctx, 1, a->dtype));
    if (!tensor_same_shape(a, b))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 1: found %s, expected %s as input 0", OP_SHAPE(b), OP_SHAPE(a));
    return op_set_output(ctx, 0, a->dtype, a->rank, a->dims);
}

struct swiglu_job {
    const struct kernels *kernels;
    const float *a, *b;
    float *y;
    float alpha;
};

static void swiglu_range(void *context, size_t begin, size_t end)
{
    const struct swiglu_job *job = context;
    const float *a = job->a + begin, *b = job->b + begin;
    float *y = job->y + begin, gate[64];
    int64_t n_items = (int64_t)(end - begin);
    for (int64_t done = 0; done < n_items; done += 64) {
        int64_t n = n_items - done < 64 ? n_items - done : 64;
        job->kernels->scale_f32(n, job->alpha, a + done, gate);
        job->kernels->sigmoid_f32(n, gate, gate);
        job->kernels->mul_f32(n, a + done, 1, gate, 1, gate);
        job->kernels->mul_f32(n, gate, 1, b + done, 1, y + done);
    }
}

static hob_status run(struct op_context *ctx)
{
    const struct swiglu_params *params = ctx->params;
    const struct tensor *a = ctx->inputs[0], *b = ctx->inputs[1], *y = ctx->outputs[0];
    int64_t n_items = tensor_n_items(a);
    if (a->dtype == DTYPE_F64) {
        for (int64_t i = 0; i < n_items; i++) {
            double x = ((const double *)a->data)[i];
            ((double *)y->data)[i] = x / (1 + exp(-(double)params->alpha * x)) * ((const double *)b->data)[i];
        }
        return HOB_OK;
    }
    struct swiglu_job job = {.kernels = ctx->kernels, .alpha = params->alpha};
    TRY(as_f32_vector(ctx, a, &job.a));
    TRY(as_f32_vector(ctx, b, &job.b));
    TRY(as_f32_output(ctx, y, &job.y));
    thread_pool_run(ctx->pool, (size_t)n_items, 1 << 12, swiglu_range, &job);
    as_f32_finish(ctx, job.y, y);
    return HOB_OK;
}

const struct op_def op_onnx_swiglu = {
    .name = "SwiGLU",
    .domain = "",
    .since = 28,
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPES_FLOAT,
    .prepare = prepare,
    .infer = infer,
    .run = run,
};
