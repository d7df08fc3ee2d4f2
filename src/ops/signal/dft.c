/* DFT: Fourier transforms along one axis, in f64 whatever the type. The last axis holds real and imaginary parts; real input has
 * one item there. Onesided: forward gives the first half of the spectrum, inverse takes it and gives real numbers. */
#include "ops/signal/transform.h"

struct dft_params {
    int64_t axis;
    bool is_axis_input, is_inverse, is_onesided;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct dft_params *params = ARENA_NEW(node->arena, struct dft_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->is_axis_input = node->opset >= 20;
    params->axis = params->is_axis_input ? -2 : attributes_int(node->attributes, "axis", 1);
    params->is_inverse = attributes_int(node->attributes, "inverse", 0) != 0;
    params->is_onesided = attributes_int(node->attributes, "onesided", 0) != 0;
    *ret_params = params;
    return HOB_OK;
}

static hob_status read_axis(struct op_context *ctx, int *ret_axis)
{
    const struct dft_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    int64_t axis = params->axis;
    if (x->rank < 2 || x->dims[x->rank - 1] < 1 || x->dims[x->rank - 1] > 2)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found %s, expected a last axis of 1 (real) or 2 (complex) behind the signal's",
                OP_SHAPE(x));
    if (params->is_axis_input) TRY(signal_read_integer(ctx, 2, -2, &axis));
    if (!shape_normalize_axis(axis, x->rank, ret_axis) || *ret_axis == x->rank - 1)
        OP_FAIL(ctx, HOB_BAD_ARGUMENT, "axis: found %lld, expected one of the signal's in %s", (long long)axis, OP_SHAPE(x));
    return HOB_OK;
}

static hob_status read_length(struct op_context *ctx, int64_t dim, int64_t *ret_length)
{
    const struct dft_params *params = ctx->params;
    bool halves = params->is_onesided && params->is_inverse;
    TRY(signal_read_integer(ctx, 1, halves ? 2 * (dim - 1) : dim, ret_length));
    if (*ret_length < 1) OP_FAIL(ctx, HOB_BAD_ARGUMENT, "dft_length: found %lld, expected 1 or more", (long long)*ret_length);
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    const struct dft_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    int axis;
    int64_t length, dims[TENSOR_MAX_RANK];
    TRY(read_axis(ctx, &axis));
    TRY(read_length(ctx, x->dims[axis], &length));
    bool is_real_input = x->dims[x->rank - 1] == 1;
    if (params->is_onesided && !params->is_inverse && !is_real_input)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "onesided: found complex input %s, expected real", OP_SHAPE(x));
    for (int i = 0; i < x->rank; i++) dims[i] = x->dims[i];
    dims[axis] = params->is_onesided && !params->is_inverse ? length / 2 + 1 : length;
    dims[x->rank - 1] = params->is_onesided && params->is_inverse ? 1 : 2;
    return op_set_output(ctx, 0, x->dtype, x->rank, dims);
}

struct lines {
    const struct tensor *x, *y;
    int axis;
    int64_t length, n_given; /* items of a transform; of them, those that x has */
    bool mirrors;            /* x holds half of a spectrum whose other half is its conjugate */
};

/* Where transform `index` starts in a tensor: the transforms are the other axes, but the last, in order. */
static int64_t offset_of(const struct lines *lines, const struct tensor *tensor, int64_t index)
{
    int64_t offset = 0;
    for (int axis = tensor->rank - 2; axis >= 0; axis--) {
        if (axis == lines->axis) continue;
        offset += index % tensor->dims[axis] * tensor->strides[axis];
        index /= tensor->dims[axis];
    }
    return offset;
}

static void load(const void *context, int64_t index, struct complex *ret_items)
{
    const struct lines *lines = context;
    int64_t n = lines->length;
    for (int64_t k = lines->n_given; k < n; k++) ret_items[k] = (struct complex){0, 0};
    transforms_load(lines->x, offset_of(lines, lines->x, index), lines->x->strides[lines->axis], lines->n_given, ret_items);
    for (int64_t k = 1; lines->mirrors && k < (n + 1) / 2; k++)
        ret_items[n - k] = (struct complex){ret_items[k].re, -ret_items[k].im};
}

static void store(const void *context, int64_t index, const struct complex *items)
{
    const struct lines *lines = context;
    transforms_store(lines->y, offset_of(lines, lines->y, index), lines->y->strides[lines->axis],
                     lines->y->dims[lines->axis], items);
}

static hob_status run(struct op_context *ctx)
{
    const struct dft_params *params = ctx->params;
    struct lines lines = {.x = ctx->inputs[0], .y = ctx->outputs[0], .mirrors = params->is_onesided && params->is_inverse};
    TRY(read_axis(ctx, &lines.axis));
    TRY(read_length(ctx, lines.x->dims[lines.axis], &lines.length));
    int64_t n_most = lines.mirrors ? lines.length / 2 + 1 : lines.length, n_items = tensor_n_items(lines.y);
    lines.n_given = lines.x->dims[lines.axis] < n_most ? lines.x->dims[lines.axis] : n_most;
    struct transforms transforms = {.n_items = lines.length, .is_inverse = params->is_inverse, .context = &lines,
                                    .load = load, .store = store};
    transforms.n_transforms = n_items / lines.y->dims[lines.axis] / lines.y->dims[lines.y->rank - 1];
    return transforms_run(ctx, &transforms);
}

const struct op_def op_dft = {
    .name = "DFT",
    .domain = "",
    .since = 17,
    .min_inputs = 1,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPES_FLOAT,
    .flags = OP_STRIDED_INPUTS,
    .prepare = prepare,
    .infer = infer,
    .run = run,
};
