/* CausalConvWithState of ai.onnx (opset 27) and com.microsoft: a depthwise convolution along time that sees the past only; the
 * last k - 1 positions are carried from call to call in place of padding. An output sums its taps from the oldest on. */
#include "base/size.h"
#include "kernels/kernels.h"
#include "ops/as_f32.h"

enum { INPUT_X, INPUT_WEIGHT, INPUT_BIAS, INPUT_PAST };

struct conv_params {
    bool is_silu;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct conv_params *params = ARENA_NEW(node->arena, struct conv_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    const char *activation = attributes_string(node->attributes, "activation", "none");
    params->is_silu = !strcmp(activation, "silu") || !strcmp(activation, "swish");
    if (!params->is_silu && strcmp(activation, "none") != 0)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: activation: found \"%s\", expected \"silu\", \"swish\" or \"none\"",
             node->node_name, activation);
    if (attributes_int(node->attributes, "ndim", 1) != 1)
        FAIL(node->error, HOB_UNSUPPORTED, "%s: ndim: found %lld, expected 1", node->node_name,
             (long long)attributes_int(node->attributes, "ndim", 1));
    *ret_params = params;
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[INPUT_X], *weight = ctx->inputs[INPUT_WEIGHT];
    const struct tensor *bias = op_input(ctx, INPUT_BIAS), *past = op_input(ctx, INPUT_PAST);
    for (int i = INPUT_WEIGHT; i <= INPUT_PAST; i++) TRY(op_check_dtype(ctx, i, x->dtype));
    bool fits = x->rank == 3 && weight->rank == 3 && weight->dims[0] == x->dims[1] && weight->dims[1] == 1 &&
                weight->dims[2] >= 1;
    if (!fits)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "found input %s and weight %s, expected [B,C,T] and [C,1,k]", OP_SHAPE(x),
                OP_SHAPE(weight));
    if (bias && !tensor_has_shape(bias, 1, &x->dims[1]))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "bias: found %s, expected [%lld]", OP_SHAPE(bias), (long long)x->dims[1]);
    int64_t state[3] = {x->dims[0], x->dims[1], weight->dims[2] - 1};
    if (past && !tensor_has_shape(past, 3, state))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "past_state: found %s, expected [%lld,%lld,%lld]", OP_SHAPE(past),
                (long long)state[0], (long long)state[1], (long long)state[2]);
    TRY(op_set_output(ctx, 0, x->dtype, 3, x->dims));
    return op_set_output(ctx, 1, x->dtype, 3, state);
}

struct conv_job {
    const struct kernels *kernels;
    const float *x, *weight, *bias, *past; /* bias and past may be NULL */
    float *padded;                         /* [B*C, k - 1 + T]: what is convolved */
    float *y, *present;                    /* present may be NULL */
    int64_t n_channels, n_positions, n_taps;
    bool is_silu;
};

static void convolve_row(const struct conv_job *job, int64_t row)
{
    int64_t n_state = job->n_taps - 1, n = job->n_positions, channel = row % job->n_channels;
    float *padded = job->padded + row * (n_state + n), *y = job->y + row * n;
    if (job->past) memcpy(padded, job->past + row * n_state, (size_t)n_state * sizeof *padded);
    else memset(padded, 0, (size_t)n_state * sizeof *padded);
    memcpy(padded + n_state, job->x + row * n, (size_t)n * sizeof *padded);
    for (int64_t t = 0; t < n; t++) y[t] = 0;
    for (int64_t tap = 0; tap < job->n_taps; tap++)
        job->kernels->axpy_f32(n, job->weight[channel * job->n_taps + tap], padded + tap, y);
    if (job->bias) job->kernels->add_f32(n, y, 1, job->bias + channel, 0, y);
    if (job->is_silu) job->kernels->silu_f32(n, y, y);
    if (job->present) memcpy(job->present + row * n_state, padded + n, (size_t)n_state * sizeof *padded);
}

static void convolve_rows(void *context, size_t begin, size_t end)
{
    for (size_t row = begin; row < end; row++) convolve_row(context, (int64_t)row);
}

static hob_status run(struct op_context *ctx)
{
    const struct conv_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[INPUT_X];
    struct conv_job job = {.kernels = ctx->kernels,
                           .n_channels = x->dims[1],
                           .n_positions = x->dims[2],
                           .n_taps = ctx->inputs[INPUT_WEIGHT]->dims[2],
                           .is_silu = params->is_silu};
    int64_t n_rows = x->dims[0] * x->dims[1], n_padded;
    if (!op_output(ctx, 0)) OP_FAIL(ctx, HOB_BAD_GRAPH, "output 0 is missing");
    if (!int64_mul(n_rows, job.n_positions + job.n_taps, &n_padded))
        OP_FAIL(ctx, HOB_LIMIT, "found %lld taps, expected fewer", (long long)job.n_taps);
    TRY(as_f32_vector(ctx, x, &job.x));
    TRY(as_f32_vector(ctx, ctx->inputs[INPUT_WEIGHT], &job.weight));
    TRY(as_f32_vector(ctx, op_input(ctx, INPUT_BIAS), &job.bias));
    TRY(as_f32_vector(ctx, op_input(ctx, INPUT_PAST), &job.past));
    TRY(as_f32_output(ctx, ctx->outputs[0], &job.y));
    TRY(as_f32_output(ctx, op_output(ctx, 1), &job.present));
    TRY(scratch_f32(ctx, n_padded, &job.padded));
    thread_pool_run(ctx->pool, (size_t)n_rows, (size_t)(1 + (1 << 12) / (job.n_positions + 1)), convolve_rows, &job);
    as_f32_finish(ctx, job.y, ctx->outputs[0]);
    as_f32_finish(ctx, job.present, op_output(ctx, 1));
    return HOB_OK;
}

#define CAUSAL_CONV(id, op_domain, first_opset)      \
    const struct op_def op_##id = {                  \
        .name = "CausalConvWithState",               \
        .domain = op_domain,                         \
        .since = first_opset,                        \
        .min_inputs = 2,                             \
        .max_inputs = 4,                             \
        .min_outputs = 1,                            \
        .max_outputs = 2,                            \
        .types = TYPE(F16) | TYPE(BF16) | TYPE(F32), \
        .prepare = prepare,                          \
        .infer = infer,                              \
        .run = run,                                  \
    };

CAUSAL_CONV(causal_conv_with_state, "", 27)
CAUSAL_CONV(ms_causal_conv_with_state, "com.microsoft", 1)
