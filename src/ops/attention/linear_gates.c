/* What stands around LinearAttention in models of com.microsoft's operators: LinearAttentionGate makes its decay and beta,
 * GatedRMSNorm norms each head of its output and multiplies by an activated gate. */
#include "kernels/kernels.h"
#include "ops/as_f32.h"

/* ---- LinearAttentionGate: decay = decay_scale * softplus(a + dt_bias), beta = sigmoid(b); vectors [H] ---- */

enum { GATE_A, GATE_DT_BIAS, GATE_DECAY_SCALE, GATE_B };

static hob_status gate_infer(struct op_context *ctx)
{
    const struct tensor *a = ctx->inputs[GATE_A], *b = op_input(ctx, GATE_B);
    int64_t width = a->rank ? a->dims[a->rank - 1] : 0;
    for (int i = GATE_DT_BIAS; i <= GATE_DECAY_SCALE; i++) {
        TRY(op_check_dtype(ctx, i, DTYPE_F32));
        if (!a->rank || !tensor_has_shape(ctx->inputs[i], 1, &width))
            OP_FAIL(ctx, HOB_BAD_SHAPE, "input %d: found %s, expected the last dim of a %s", i,
                    OP_SHAPE(ctx->inputs[i]), OP_SHAPE(a));
    }
    TRY(op_check_dtype(ctx, GATE_B, a->dtype));
    if (b && !tensor_same_shape(a, b))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "b: found %s, expected %s as a", OP_SHAPE(b), OP_SHAPE(a));
    if (op_output(ctx, 1) && !b) OP_FAIL(ctx, HOB_BAD_GRAPH, "found output beta without input b, expected both or none");
    TRY(op_set_output(ctx, 0, a->dtype, a->rank, a->dims));
    return op_set_output(ctx, 1, a->dtype, a->rank, a->dims);
}

/* log(1 + e^x) without overflow. */
static float softplus(float x)
{
    return fmaxf(x, 0) + log1pf(expf(-fabsf(x)));
}

static hob_status gate_run(struct op_context *ctx)
{
    const float *a, *dt_bias, *scale, *b;
    float *decay, *beta;
    int64_t n_items = tensor_n_items(ctx->inputs[GATE_A]), width = ctx->inputs[GATE_DT_BIAS]->dims[0];
    TRY(as_f32_vector(ctx, ctx->inputs[GATE_A], &a));
    TRY(as_f32_vector(ctx, ctx->inputs[GATE_DT_BIAS], &dt_bias));
    TRY(as_f32_vector(ctx, ctx->inputs[GATE_DECAY_SCALE], &scale));
    TRY(as_f32_vector(ctx, op_input(ctx, GATE_B), &b));
    TRY(as_f32_output(ctx, op_output(ctx, 0), &decay));
    TRY(as_f32_output(ctx, op_output(ctx, 1), &beta));
    for (int64_t i = 0; decay && i < n_items; i++)
        decay[i] = scale[i % width] * softplus(a[i] + dt_bias[i % width]);
    if (beta) ctx->kernels->sigmoid_f32(n_items, b, beta);
    as_f32_finish(ctx, decay, op_output(ctx, 0));
    as_f32_finish(ctx, beta, op_output(ctx, 1));
    return HOB_OK;
}

const struct op_def op_linear_attention_gate = {
    .name = "LinearAttentionGate",
    .domain = "com.microsoft",
    .since = 1,
    .min_inputs = 3,
    .max_inputs = 4,
    .min_outputs = 1,
    .max_outputs = 2,
    .types = TYPE(F16) | TYPE(BF16) | TYPE(F32),
    .infer = gate_infer,
    .run = gate_run,
};

/* ---- GatedRMSNorm: the RMS norm of each run of scale's width, times silu(gate) or sigmoid(gate) ---- */

enum { NORM_X, NORM_SCALE, NORM_GATE };

struct gated_params {
    float epsilon;
    bool is_sigmoid;
};

static hob_status gated_prepare(const struct op_prepare *node, void **ret_params)
{
    struct gated_params *params = ARENA_NEW(node->arena, struct gated_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    const char *activation = attributes_string(node->attributes, "activation", "silu");
    params->epsilon = attributes_float(node->attributes, "epsilon", 1e-5f);
    params->is_sigmoid = !strcmp(activation, "sigmoid");
    if (!params->is_sigmoid && strcmp(activation, "silu") != 0)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: activation: found \"%s\", expected \"silu\" or \"sigmoid\"",
             node->node_name, activation);
    *ret_params = params;
    return HOB_OK;
}

static hob_status gated_infer(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[NORM_X], *scale = ctx->inputs[NORM_SCALE], *gate = ctx->inputs[NORM_GATE];
    TRY(op_check_dtype(ctx, NORM_SCALE, x->dtype));
    TRY(op_check_dtype(ctx, NORM_GATE, x->dtype));
    bool fits = x->rank >= 1 && scale->rank == 1 && scale->dims[0] > 0 &&
                x->dims[x->rank - 1] % scale->dims[0] == 0 && tensor_same_shape(x, gate);
    if (!fits)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "found X %s, scale %s, gate %s, expected [..,D], [a divisor of D], [..,D]",
                OP_SHAPE(x), OP_SHAPE(scale), OP_SHAPE(gate));
    return op_set_output(ctx, 0, x->dtype, x->rank, x->dims);
}

static hob_status gated_run(struct op_context *ctx)
{
    const struct gated_params *params = ctx->params;
    const float *gate;
    float *activated;
    int64_t n_items = tensor_n_items(ctx->inputs[NORM_X]);
    struct norm_f32_args norm = {.width = ctx->inputs[NORM_SCALE]->dims[0], .epsilon = params->epsilon};
    norm.x_stride = norm.y_stride = norm.width;
    norm.n_rows = n_items / norm.width;
    TRY(as_f32_vector(ctx, ctx->inputs[NORM_X], &norm.x));
    TRY(as_f32_vector(ctx, ctx->inputs[NORM_SCALE], &norm.weight));
    TRY(as_f32_vector(ctx, ctx->inputs[NORM_GATE], &gate));
    TRY(as_f32_output(ctx, ctx->outputs[0], &norm.y));
    TRY(scratch_f32(ctx, n_items, &activated));
    ctx->kernels->rms_norm_f32(&norm);
    if (params->is_sigmoid) ctx->kernels->sigmoid_f32(n_items, gate, activated);
    else ctx->kernels->silu_f32(n_items, gate, activated);
    ctx->kernels->mul_f32(n_items, norm.y, 1, activated, 1, norm.y);
    as_f32_finish(ctx, norm.y, ctx->outputs[0]);
    return HOB_OK;
}

const struct op_def op_gated_rms_norm = {
    .name = "GatedRMSNorm",
    .domain = "com.microsoft",
    .since = 1,
    .min_inputs = 3,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPE(F16) | TYPE(BF16) | TYPE(F32),
    .prepare = gated_prepare,
    .infer = gated_infer,
    .run = gated_run,
};
