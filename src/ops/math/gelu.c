/* hob's Gelu and SwiGLU, and com.microsoft's Gelu, BiasGelu, FastGelu, QuickGelu: activations of a feed-forward layer, with
 * the bias that exporters fuse into them. ONNX's own Gelu (opset 20) is with the element-wise operators. */
#include "kernels/kernels.h"
#include "ops/as_f32.h"

enum gelu_kind { GELU_ERF, GELU_TANH, GELU_QUICK };

struct gelu_params {
    enum gelu_kind kind;
    float alpha; /* GELU_QUICK: x * sigmoid(alpha * x) */
};

static hob_status gelu_prepare(const struct op_prepare *node, enum gelu_kind kind, void **ret_params)
{
    struct gelu_params *params = ARENA_NEW(node->arena, struct gelu_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    const char *approximate = attributes_string(node->attributes, "approximate", "none");
    if (strcmp(approximate, "none") != 0 && strcmp(approximate, "tanh") != 0)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: approximate: found \"%s\", expected \"none\" or \"tanh\"",
             node->node_name, approximate);
    params->kind = !strcmp(approximate, "tanh") ? GELU_TANH : kind;
    params->alpha = attributes_float(node->attributes, "alpha", 1.702f);
    *ret_params = params;
    return HOB_OK;
}

static hob_status gelu_infer(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0], *bias = op_input(ctx, 1);
    if (!as_f32_takes(x->dtype))
        OP_FAIL(ctx, HOB_BAD_TYPE, "input 0: found %s, expected float32, float16 or bfloat16", dtype_name(x->dtype));
    TRY(op_check_dtype(ctx, 1, x->dtype));
    if (bias && (bias->rank != 1 || x->rank < 1 || bias->dims[0] != x->dims[x->rank - 1]))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 1: found %s, expected [D], D the last dim of input 0 %s", OP_SHAPE(bias),
                OP_SHAPE(x));
    return op_set_output(ctx, 0, x->dtype, x->rank, x->dims);
}

struct gelu_job {
    const struct kernels *kernels;
    const struct gelu_params *params;
    struct rows_f32 x;
    const float *bias; /* NULL: none */
    float *y;
};

/* y may be x. A piece at a time, so that the gates stay in the cache. */
static void quick_gelu(const struct gelu_job *job, int64_t n, const float *x, float *y)
{
    float gates[256];
    for (int64_t done = 0; done < n; done += 256) {
        int64_t n_piece = n - done < 256 ? n - done : 256;
        job->kernels->scale_f32(n_piece, job->params->alpha, x + done, gates);
        job->kernels->sigmoid_f32(n_piece, gates, gates);
        job->kernels->mul_f32(n_piece, x + done, 1, gates, 1, y + done);
    }
}

static void activate(const struct gelu_job *job, int64_t n, const float *x, float *y)
{
    switch (job->params->kind) {
    case GELU_ERF:
        job->kernels->gelu_f32(n, x, y);
        break;
    case GELU_TANH:
        job->kernels->gelu_tanh_f32(n, x, y);
        break;
    case GELU_QUICK:
        if (job->params->alpha == 1) job->kernels->silu_f32(n, x, y);
        else quick_gelu(job, n, x, y);
        break;
    }
}

static void gelu_range(void *context, size_t begin, size_t end)
{
    const struct gelu_job *job = context;
    for (int64_t row = (int64_t)begin; row < (int64_t)end; row++) {
        const float *x = job->x.data + row * job->x.stride;
        float *y = job->y + row * job->x.width;
        if (job->bias) job->kernels->add_f32(job->x.width, x, 1, job->bias, 1, y);
        activate(job, job->x.width, job->bias ? y : x, y);
    }
}

static hob_status gelu_run(struct op_context *ctx)
{
    struct gelu_job job = {.kernels = ctx->kernels, .params = ctx->params};
    TRY(as_f32_rows(ctx, ctx->inputs[0], ctx->inputs[0]->rank ? 1 : 0, &job.x));
    TRY(as_f32_vector(ctx, op_input(ctx, 1), &job.bias));
    TRY(as_f32_output(ctx, ctx->outputs[0], &job.y));
    thread_pool_run(ctx->pool, (size_t)job.x.n_rows, (size_t)(1 + (1 << 12) / (job.x.width + 1)), gelu_range, &job);
    as_f32_finish(ctx, job.y, ctx->outputs[0]);
    return HOB_OK;
}

#define GELU(id, op_name, op_domain, kind, least_inputs, most_inputs)                \
    static hob_status prepare_##id(const struct op_prepare *node, void **ret_params) \
    {                                                                                \
        return gelu_prepare(node, kind, ret_params);                                 \
    }                                                                                \
    const struct op_def op_##id = {                                                  \
        .name = op_name,                                                             \
        .domain = op_domain,                                                         \
        .since = 1,                                                                  \
        .min_inputs = least_inputs,                                                  \
        .max_inputs = most_inputs,                                                   \
        .min_outputs = 1,                                                            \
        .max_outputs = 1,                                                            \
        .flags = OP_STRIDED_INPUTS,                                                  \
        .prepare = prepare_##id,                                                     \
        .infer = gelu_infer,                                                         \
        .run = gelu_run,                                                             \
    };

GELU(hob_gelu, "Gelu", "hob", GELU_ERF, 1, 1)
GELU(ms_gelu, "Gelu", "com.microsoft", GELU_ERF, 1, 1)
GELU(bias_gelu, "BiasGelu", "com.microsoft", GELU_ERF, 2, 2)
GELU(fast_gelu, "FastGelu", "com.microsoft", GELU_TANH, 1, 2)
GELU(quick_gelu, "QuickGelu", "com.microsoft", GELU_QUICK, 1, 1)

/* ---- hob.SwiGLU: silu(gate) * up ---- */

static hob_status swiglu_infer(struct op_context *ctx)
{
    const struct tensor *gate = ctx->inputs[0], *up = ctx->inputs[1];
    TRY(op_check_dtype(ctx, 0, DTYPE_F32));
    TRY(op_check_dtype(ctx, 1, DTYPE_F32));
    if (!tensor_same_shape(gate, up))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 1: found %s, expected %s as input 0", OP_SHAPE(up), OP_SHAPE(gate));
    return op_set_output(ctx, 0, DTYPE_F32, gate->rank, gate->dims);
}

struct swiglu_job {
    const struct kernels *kernels;
    struct rows_f32 gate, up;
    float *y;
};

static void swiglu_range(void *context, size_t begin, size_t end)
{
    const struct swiglu_job *job = context;
    for (int64_t row = (int64_t)begin; row < (int64_t)end; row++)
        job->kernels->swiglu_f32(job->gate.width, job->gate.data + row * job->gate.stride,
                                 job->up.data + row * job->up.stride, job->y + row * job->gate.width);
}

static hob_status swiglu_run(struct op_context *ctx)
{
    struct swiglu_job job = {.kernels = ctx->kernels, .y = ctx->outputs[0]->data};
    TRY(as_f32_rows(ctx, ctx->inputs[0], ctx->inputs[0]->rank ? 1 : 0, &job.gate));
    TRY(as_f32_rows(ctx, ctx->inputs[1], ctx->inputs[1]->rank ? 1 : 0, &job.up));
    thread_pool_run(ctx->pool, (size_t)job.gate.n_rows, (size_t)(1 + (1 << 12) / (job.gate.width + 1)), swiglu_range,
                    &job);
    return HOB_OK;
}

const struct op_def op_swiglu = {
    .name = "SwiGLU",
    .domain = "hob",
    .since = 1,
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .flags = OP_STRIDED_INPUTS,
    .infer = swiglu_infer,
    .run = swiglu_run,
};
