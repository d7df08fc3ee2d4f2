/* ConvTranspose, and hob.ConvTranspose with an activation behind it.
 *
 * Outputs whose place leaves the same rest when divided by the stride see the same taps: each such phase is a plain convolution
 * of stride 1 with those taps, whose outputs lie a stride apart. So nothing is scattered, each output is one chain over
 * channels and taps, and threads share outputs as in any convolution. The taps of a phase are every step-th of an axis, step =
 * stride / gcd(stride, dilation); they run backwards, so a phase's kernel is turned round.
 *
 * f16 and bf16 are computed as f32 and rounded once; f64 has a plain loop. */
#include "ops/as_f32.h"
#include "ops/activation.h"
#include "ops/vision/convolution.h"

#include <string.h>

struct transpose_params {
    struct window_params window;
    struct activation activation;
    int64_t n_groups;
    float scale, shift;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct transpose_params *params = ARENA_NEW(node->arena, struct transpose_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    TRY(window_parse(node, &params->window));
    params->n_groups = attributes_int(node->attributes, "group", 1);
    if (params->n_groups < 1)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: group: found %lld, expected at least 1", node->node_name,
             (long long)params->n_groups);
    params->scale = 1;
    *ret_params = params;
    return HOB_OK;
}

static hob_status prepare_fused(const struct op_prepare *node, void **ret_params)
{
    TRY(prepare(node, ret_params));
    struct transpose_params *params = *ret_params;
    params->scale = attributes_float(node->attributes, "scale", 1);
    params->shift = attributes_float(node->attributes, "shift", 0);
    return activation_parse(node, &params->activation);
}

static hob_status infer(struct op_context *ctx)
{
    const struct transpose_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0], *w = ctx->inputs[1], *bias = op_input(ctx, 2);
    int64_t dims[TENSOR_MAX_RANK];
    struct window window;
    TRY(op_check_dtype(ctx, 1, x->dtype));
    TRY(op_check_dtype(ctx, 2, x->dtype));
    if (x->rank < 3 || w->rank != x->rank || w->dims[0] != x->dims[1] || x->dims[1] % params->n_groups)
        OP_FAIL(ctx, HOB_BAD_SHAPE,
                "found x %s and w %s, expected x [N,C,..] and w [C,M/%lld,..] with C a multiple of %lld", OP_SHAPE(x),
                OP_SHAPE(w), (long long)params->n_groups, (long long)params->n_groups);
    dims[0] = x->dims[0];
    if (!int64_mul(w->dims[1], params->n_groups, &dims[1]))
        OP_FAIL(ctx, HOB_LIMIT, "found %lld groups of %lld outputs, expected fewer", (long long)params->n_groups,
                (long long)w->dims[1]);
    if (bias && (bias->rank != 1 || bias->dims[0] != dims[1]))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 2: found %s, expected [%lld]", OP_SHAPE(bias), (long long)dims[1]);
    TRY(window_resolve_transposed(ctx, &params->window, x->rank - 2, x->dims + 2, w->dims + 2, &window));
    for (int axis = 0; axis < window.rank; axis++) dims[axis + 2] = window.outputs[axis];
    return op_set_output(ctx, 0, x->dtype, x->rank, dims);
}

/* ---- phases ---- */

/* What the outputs of a phase see along one axis. */
struct phase_axis {
    int64_t first_tap, tap_step, n_taps; /* of the kernel, in its own order */
};

static int64_t greatest_divisor(int64_t a, int64_t b)
{
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Of the outputs phase, phase + stride, …; and the axis of the convolution that makes them. */
static struct phase_axis describe_axis(const struct window *window, int axis, int64_t phase, struct convolution *c)
{
    int64_t stride = window->strides[axis], dilation = window->dilations[axis], kernel = window->kernel[axis];
    int64_t divisor = greatest_divisor(stride, dilation), at = phase + window->pads_begin[axis];
    struct phase_axis taps = {.tap_step = stride / divisor};
    while (taps.first_tap < kernel && taps.first_tap < taps.tap_step && (at - taps.first_tap * dilation) % stride)
        taps.first_tap++;
    if (taps.first_tap < kernel && taps.first_tap < taps.tap_step)
        taps.n_taps = (kernel - taps.first_tap + taps.tap_step - 1) / taps.tap_step;
    c->taps[axis] = taps.n_taps;
    c->dilations[axis] = dilation / divisor;
    c->strides[axis] = 1;
    c->origins[axis] =
        taps.n_taps ? (at - taps.first_tap * dilation) / stride - (taps.n_taps - 1) * c->dilations[axis] : 0;
    c->inputs[axis] = window->inputs[axis];
    c->outputs[axis] = (window->outputs[axis] - phase + stride - 1) / stride;
    return taps;
}

/* The place in the kernel of tap `index` (row-major) of a phase. */
static int64_t kernel_place(const struct window *window, const struct phase_axis *axes, int64_t index)
{
    int64_t place = 0, step = 1;
    for (int axis = window->rank - 1; axis >= 0; axis--) {
        int64_t tap = axes[axis].n_taps - 1 - index % axes[axis].n_taps;
        index /= axes[axis].n_taps;
        place += (axes[axis].first_tap + tap * axes[axis].tap_step) * step;
        step *= window->kernel[axis];
    }
    return place;
}

struct turning {
    const struct window *window;
    const struct phase_axis *axes;
    const struct convolution *convolution;
    const char *from; /* [group, channel, output, kernel…] */
    char *to;         /* [group, output, channel, taps…] */
    size_t item_bytes;
    int64_t n_taps;
};

/* The phase's weights of some outputs, in the order a convolution wants. */
static void turn_outputs(void *context, size_t begin, size_t end)
{
    const struct turning *t = context;
    const struct convolution *c = t->convolution;
    int64_t kernel = window_n_taps(t->window);
    for (int64_t tap = 0; tap < t->n_taps; tap++) {
        int64_t place = kernel_place(t->window, t->axes, tap);
        for (int64_t output = (int64_t)begin; output < (int64_t)end; output++)
            for (int64_t channel = 0; channel < c->n_channels; channel++) {
                int64_t group = output / c->n_outputs;
                int64_t from =
                    ((group * c->n_channels + channel) * c->n_outputs + output % c->n_outputs) * kernel + place;
                int64_t to = (output * c->n_channels + channel) * t->n_taps + tap;
                memcpy(t->to + (size_t)to * t->item_bytes, t->from + (size_t)from * t->item_bytes, t->item_bytes);
            }
    }
}

struct transpose {
    struct window window;
    struct convolution convolution; /* all but what a phase says */
    const void *weights;            /* as the operator has them */
    void *turned, *y;               /* weights of one phase; the output */
    size_t item_bytes;
    const double *x_f64, *bias_f64; /* f64 only */
    bool is_f64;
};

static hob_status run_phase(struct op_context *ctx, struct transpose *t, const int64_t *phase)
{
    struct phase_axis axes[WINDOW_MAX_RANK];
    struct convolution *c = &t->convolution;
    int64_t offset = 0, step = 1;
    struct turning turning = {.window = &t->window,
                              .axes = axes,
                              .convolution = c,
                              .from = t->weights,
                              .to = t->turned,
                              .item_bytes = t->item_bytes,
                              .n_taps = 1};
    for (int axis = t->window.rank - 1; axis >= 0; axis--) {
        axes[axis] = describe_axis(&t->window, axis, phase[axis], c);
        turning.n_taps *= axes[axis].n_taps;
        offset += phase[axis] * step;
        c->spread_steps[axis] = t->window.strides[axis] * step;
        step *= t->window.outputs[axis];
    }
    c->spread_plane = step;
    thread_pool_run(ctx->pool, (size_t)(c->n_groups * c->n_outputs),
                    (size_t)(1 + 4096 / (1 + c->n_channels * turning.n_taps)), turn_outputs, &turning);
    if (t->is_f64) {
        convolution_run_f64(
            ctx,
            &(struct convolution_f64){
                .shape = *c, .x = t->x_f64, .weights = t->turned, .bias = t->bias_f64, .y = (double *)t->y + offset});
        return HOB_OK;
    }
    c->weights = t->turned;
    c->y = (float *)t->y + offset;
    return convolution_run(ctx, c);
}

static hob_status run_phases(struct op_context *ctx, struct transpose *t)
{
    int64_t phase[WINDOW_MAX_RANK] = {0};
    int axis;
    t->convolution.rank = t->window.rank;
    for (axis = 0; axis < t->window.rank; axis++) {
        if (!t->window.outputs[axis]) return HOB_OK;
        if (t->window.strides[axis] > 1) t->convolution.is_spread = true;
    }
    do {
        TRY(run_phase(ctx, t, phase));
        for (axis = t->window.rank - 1; axis >= 0; axis--) {
            if (++phase[axis] < t->window.strides[axis] && phase[axis] < t->window.outputs[axis]) break;
            phase[axis] = 0;
        }
    } while (axis >= 0);
    return HOB_OK;
}

/* ---- run ---- */

static hob_status describe(struct op_context *ctx, struct transpose *t)
{
    const struct transpose_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0], *w = ctx->inputs[1];
    TRY(window_resolve_transposed(ctx, &params->window, x->rank - 2, x->dims + 2, w->dims + 2, &t->window));
    t->is_f64 = x->dtype == DTYPE_F64;
    t->item_bytes = t->is_f64 ? sizeof(double) : sizeof(float);
    t->convolution = (struct convolution){.n_batches = x->dims[0],
                                          .n_groups = params->n_groups,
                                          .n_channels = x->dims[1] / params->n_groups,
                                          .n_outputs = w->dims[1],
                                          .finish = {.activation = params->activation.kind,
                                                     .alpha = params->activation.alpha,
                                                     .beta = params->activation.beta,
                                                     .scale = params->scale,
                                                     .shift = params->shift,
                                                     .is_scaled = params->scale != 1 || params->shift != 0}};
    if (!t->convolution.n_channels) /* nothing to sum; the kernel's dims, which no weight bears out, may be any */
        for (int axis = 0; axis < t->window.rank; axis++) t->window.kernel[axis] = 1;
    size_t n_bytes = (size_t)tensor_n_items(w) * t->item_bytes;
    t->turned = arena_alloc(ctx->scratch, n_bytes + 1, 64);
    if (!t->turned) OP_FAIL(ctx, HOB_NO_MEMORY, "no memory for %zu bytes of weights", n_bytes);
    return HOB_OK;
}

static hob_status run(struct op_context *ctx)
{
    struct transpose t = {0};
    const struct tensor *bias = op_input(ctx, 2);
    if (!tensor_n_items(ctx->outputs[0])) return HOB_OK;
    TRY(describe(ctx, &t));
    if (t.is_f64) {
        t.x_f64 = ctx->inputs[0]->data;
        t.weights = ctx->inputs[1]->data;
        t.bias_f64 = bias ? bias->data : NULL;
        t.y = ctx->outputs[0]->data;
        return run_phases(ctx, &t);
    }
    const float *weights;
    float *y;
    TRY(as_f32_vector(ctx, ctx->inputs[0], &t.convolution.x));
    TRY(as_f32_vector(ctx, ctx->inputs[1], &weights));
    TRY(as_f32_vector(ctx, bias, &t.convolution.finish.bias));
    TRY(as_f32_output(ctx, ctx->outputs[0], &y));
    t.weights = weights;
    t.y = y;
    TRY(run_phases(ctx, &t));
    as_f32_finish(ctx, y, ctx->outputs[0]);
    return HOB_OK;
}

const struct op_def op_conv_transpose = {
    .name = "ConvTranspose",
    .domain = "",
    .since = 1,
    .min_inputs = 2,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPES_FLOAT,
    .prepare = prepare,
    .infer = infer,
    .run = run,
};
const struct op_def op_hob_conv_transpose = {
    .name = "ConvTranspose",
    .domain = "hob",
    .since = 1,
    .min_inputs = 2,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPE(F32),
    .prepare = prepare_fused,
    .infer = infer,
    .run = run,
};
