/* Conv, com.microsoft FusedConv, and hob.Conv, which the pass fuse_conv makes: a convolution with what follows it.
 *
 *     Conv       x, w, bias
 *     FusedConv  x, w, bias, before                 act(conv + bias + before)
 *     hob.Conv   x, w, bias, before, after          act(conv + bias + before) * scale + shift + after
 *
 * f16 and bf16 are computed as f32 and rounded once. f64 (Conv only) has a plain loop. */
#include "ops/as_f32.h"
#include "ops/activation.h"
#include "ops/vision/convolution.h"

#include <string.h>

enum { INPUT_X, INPUT_WEIGHTS, INPUT_BIAS, INPUT_BEFORE, INPUT_AFTER };

struct conv_params {
    struct window_params window;
    struct activation activation;
    int64_t n_groups;
    float scale, shift;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct conv_params *params = ARENA_NEW(node->arena, struct conv_params, 1);
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
    struct conv_params *params = *ret_params;
    params->scale = attributes_float(node->attributes, "scale", 1);
    params->shift = attributes_float(node->attributes, "shift", 0);
    return activation_parse(node, &params->activation);
}

static hob_status check_weights(struct op_context *ctx, const struct tensor *x, const struct tensor *w)
{
    const struct conv_params *params = ctx->params;
    int64_t n_channels;
    if (x->rank < 3 || w->rank != x->rank)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "found x %s and w %s, expected the same rank, at least 3", OP_SHAPE(x),
                OP_SHAPE(w));
    if (!int64_mul(w->dims[1], params->n_groups, &n_channels) || n_channels != x->dims[1] ||
        w->dims[0] % params->n_groups)
        OP_FAIL(ctx, HOB_BAD_SHAPE,
                "found x %s and w %s, expected x [N,C,..] and w [M,C/%lld,..] with M a multiple of %lld", OP_SHAPE(x),
                OP_SHAPE(w), (long long)params->n_groups, (long long)params->n_groups);
    const struct tensor *bias = op_input(ctx, INPUT_BIAS);
    if (bias && (bias->rank != 1 || bias->dims[0] != w->dims[0]))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 2: found %s, expected [%lld]", OP_SHAPE(bias), (long long)w->dims[0]);
    return HOB_OK;
}

static bool broadcasts_to(const struct tensor *x, int rank, const int64_t *dims)
{
    int64_t both[TENSOR_MAX_RANK];
    int both_rank;
    return shape_broadcast(x->rank, x->dims, rank, dims, &both_rank, both) && both_rank == rank &&
           !memcmp(both, dims, (size_t)rank * sizeof *dims);
}

static hob_status infer(struct op_context *ctx)
{
    const struct conv_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[INPUT_X], *w = ctx->inputs[INPUT_WEIGHTS];
    int64_t dims[TENSOR_MAX_RANK];
    struct window window;
    for (int i = 1; i < ctx->n_inputs; i++) TRY(op_check_dtype(ctx, i, x->dtype));
    TRY(check_weights(ctx, x, w));
    TRY(window_resolve(ctx, &params->window, x->rank - 2, x->dims + 2, w->dims + 2, &window));
    dims[0] = x->dims[0];
    dims[1] = w->dims[0];
    for (int axis = 0; axis < window.rank; axis++) dims[axis + 2] = window.outputs[axis];
    for (int i = INPUT_BEFORE; i <= INPUT_AFTER; i++)
        if (op_input(ctx, i) && !broadcasts_to(op_input(ctx, i), x->rank, dims))
            OP_FAIL(ctx, HOB_BAD_SHAPE, "input %d: found %s, expected the output's shape", i,
                    OP_SHAPE(op_input(ctx, i)));
    return op_set_output(ctx, 0, x->dtype, x->rank, dims);
}

static hob_status describe(struct op_context *ctx, struct convolution *ret_convolution)
{
    const struct conv_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[INPUT_X], *w = ctx->inputs[INPUT_WEIGHTS];
    struct window window;
    TRY(window_resolve(ctx, &params->window, x->rank - 2, x->dims + 2, w->dims + 2, &window));
    *ret_convolution = (struct convolution){.n_batches = x->dims[0],
                                            .n_groups = params->n_groups,
                                            .n_channels = w->dims[1],
                                            .n_outputs = w->dims[0] / params->n_groups};
    convolution_set_window(ret_convolution, &window);
    return HOB_OK;
}

/* Something added to every output; NULL when absent. What is smaller than the output is spread out first. */
static hob_status read_addend(struct op_context *ctx, int i, const float **ret_items)
{
    const struct tensor *x = op_input(ctx, i), *y = ctx->outputs[0];
    if (!x || tensor_same_shape(x, y)) return as_f32_vector(ctx, x, ret_items);
    struct tensor view = tensor_broadcast(x, y->rank, y->dims);
    float *items;
    TRY(scratch_f32(ctx, tensor_n_items(y), &items));
    tensor_copy_contiguous(&view, items);
    *ret_items = items;
    return HOB_OK;
}

static hob_status run_f32(struct op_context *ctx, struct convolution *c)
{
    const struct conv_params *params = ctx->params;
    float *y;
    c->finish = (struct finish_f32_args){.activation = params->activation.kind,
                                         .alpha = params->activation.alpha,
                                         .beta = params->activation.beta,
                                         .scale = params->scale,
                                         .shift = params->shift,
                                         .is_scaled = params->scale != 1 || params->shift != 0};
    TRY(as_f32_vector(ctx, ctx->inputs[INPUT_X], &c->x));
    TRY(as_f32_vector(ctx, ctx->inputs[INPUT_WEIGHTS], &c->weights));
    TRY(as_f32_vector(ctx, op_input(ctx, INPUT_BIAS), &c->finish.bias));
    TRY(read_addend(ctx, INPUT_BEFORE, &c->finish.before));
    TRY(read_addend(ctx, INPUT_AFTER, &c->finish.after));
    TRY(as_f32_output(ctx, ctx->outputs[0], &y));
    c->y = y;
    TRY(convolution_run(ctx, c));
    as_f32_finish(ctx, y, ctx->outputs[0]);
    return HOB_OK;
}

static hob_status run(struct op_context *ctx)
{
    struct convolution convolution;
    const struct tensor *bias = op_input(ctx, INPUT_BIAS);
    TRY(describe(ctx, &convolution));
    if (ctx->inputs[INPUT_X]->dtype != DTYPE_F64) return run_f32(ctx, &convolution);
    convolution_run_f64(ctx, &(struct convolution_f64){.shape = convolution,
                                                       .x = ctx->inputs[INPUT_X]->data,
                                                       .weights = ctx->inputs[INPUT_WEIGHTS]->data,
                                                       .bias = bias ? bias->data : NULL,
                                                       .y = ctx->outputs[0]->data});
    return HOB_OK;
}

#define CONV_DEF(symbol, Name, Domain, most_inputs, Types, op_prepare) \
    const struct op_def op_##symbol = {.name = Name,                   \
                                       .domain = Domain,               \
                                       .since = 1,                     \
                                       .min_inputs = 2,                \
                                       .max_inputs = most_inputs,      \
                                       .min_outputs = 1,               \
                                       .max_outputs = 1,               \
                                       .types = Types,                 \
                                       .prepare = op_prepare,          \
                                       .infer = infer,                 \
                                       .run = run}
CONV_DEF(conv, "Conv", "", 3, TYPES_FLOAT, prepare);
CONV_DEF(fused_conv, "FusedConv", "com.microsoft", 4, TYPE(F32), prepare_fused);
CONV_DEF(hob_conv, "Conv", "hob", 5, TYPE(F32), prepare_fused);
