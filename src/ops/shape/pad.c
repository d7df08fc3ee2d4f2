/* Pad and Tile: each output axis has a map that says which input position each of its positions shows. Negative pads crop. Pads
 * and value are attributes before opset 11, inputs since; an input of axes since 18; mode wrap since 19. */
#include "base/size.h"
#include "ops/axes.h"
#include "ops/moving.h"
#include "ops/numbers.h"

#include <math.h>

enum pad_mode { PAD_CONSTANT, PAD_EDGE, PAD_REFLECT, PAD_WRAP };

struct pad_params {
    enum pad_mode mode;
    bool are_attributes;
    float value; /* attribute */
    size_t n_pads;
    const int64_t *pads;
};

static hob_status prepare_pad(const struct op_prepare *node, void **ret_params)
{
    static const char *const modes[] = {"constant", "edge", "reflect", "wrap"};
    struct pad_params *params = ARENA_NEW(node->arena, struct pad_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    const char *mode = attributes_string(node->attributes, "mode", "constant");
    int found = -1;
    for (int i = 0; i < 4; i++)
        if (!strcmp(mode, modes[i])) found = i;
    if (found < 0)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: mode: found \"%s\", expected constant, edge, reflect or wrap", node->node_name, mode);
    params->mode = (enum pad_mode)found;
    params->are_attributes = node->opset < 11;
    params->value = attributes_float(node->attributes, "value", 0);
    params->pads = attributes_ints(node->attributes, node->opset < 2 ? "paddings" : "pads", &params->n_pads);
    *ret_params = params;
    return HOB_OK;
}

/* How many positions come before and after each axis. */
struct padding {
    int64_t before[TENSOR_MAX_RANK], after[TENSOR_MAX_RANK];
};

static hob_status read_pads(struct op_context *ctx, int64_t *ret_pads, size_t *ret_n_pads)
{
    const struct pad_params *params = ctx->params;
    if (!params->are_attributes && ctx->n_inputs > 1) return op_read_ints(ctx, 1, 2 * TENSOR_MAX_RANK, ret_pads, ret_n_pads);
    if (params->n_pads > 2 * TENSOR_MAX_RANK)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "pads: found %zu values, expected at most %d", params->n_pads, 2 * TENSOR_MAX_RANK);
    *ret_n_pads = params->n_pads;
    if (params->n_pads) memcpy(ret_pads, params->pads, params->n_pads * sizeof *ret_pads);
    return HOB_OK;
}

static hob_status read_padding(struct op_context *ctx, struct padding *ret_padding)
{
    int64_t pads[2 * TENSOR_MAX_RANK], axes[TENSOR_MAX_RANK];
    size_t n_pads, n_axes = ctx->inputs[0]->rank;
    for (int i = 0; i < TENSOR_MAX_RANK; i++) axes[i] = i;
    TRY(read_pads(ctx, pads, &n_pads));
    if (ctx->n_inputs > 3 && ctx->inputs[3]) TRY(op_read_ints(ctx, 3, TENSOR_MAX_RANK, axes, &n_axes));
    if (n_pads != 2 * n_axes) OP_FAIL(ctx, HOB_BAD_SHAPE, "pads: found %zu values, expected %zu", n_pads, 2 * n_axes);
    memset(ret_padding, 0, sizeof *ret_padding);
    for (size_t i = 0; i < n_axes; i++) {
        int axis;
        TRY(axis_normalize(ctx, axes[i], &axis));
        ret_padding->before[axis] = pads[i];
        ret_padding->after[axis] = pads[n_axes + i];
    }
    return HOB_OK;
}

static hob_status infer_pad(struct op_context *ctx)
{
    const struct pad_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    struct padding padding;
    int64_t dims[TENSOR_MAX_RANK];
    TRY(moving_check(ctx, 0));
    if (!params->are_attributes) TRY(op_check_dtype(ctx, 2, x->dtype));
    TRY(read_padding(ctx, &padding));
    for (int d = 0; d < x->rank; d++) {
        int64_t last; /* what run calls the last position, counted from the input's first */
        if (__builtin_add_overflow(x->dims[d], padding.before[d], &dims[d]) ||
            __builtin_add_overflow(dims[d], padding.after[d], &dims[d]) || dims[d] < 0 ||
            __builtin_sub_overflow(dims[d], padding.before[d], &last))
            OP_FAIL(ctx, HOB_BAD_SHAPE, "axis %d: found pads %lld and %lld for a dim of %lld", d, (long long)padding.before[d],
                    (long long)padding.after[d], (long long)x->dims[d]);
        if (params->mode != PAD_CONSTANT && !x->dims[d] && dims[d])
            OP_FAIL(ctx, HOB_BAD_SHAPE, "axis %d: found a dim of 0, which has nothing to pad with", d);
    }
    return op_set_output(ctx, 0, x->dtype, x->rank, dims);
}

static int64_t modulo(int64_t value, int64_t period)
{
    int64_t rest = value % period;
    return rest < 0 ? rest + period : rest;
}

/* The input position that output position i (counted from the input's first) shows on an axis of n. */
static int64_t padded_index(enum pad_mode mode, int64_t i, int64_t n)
{
    if (i >= 0 && i < n) return i;
    switch (mode) {
    case PAD_CONSTANT: return MAP_FILL;
    case PAD_EDGE: return i < 0 ? 0 : n - 1;
    case PAD_WRAP: return modulo(i, n);
    case PAD_REFLECT: break;
    }
    if (n == 1) return 0;
    int64_t folded = modulo(i, 2 * (n - 1));
    return folded < n ? folded : 2 * (n - 1) - folded;
}

/* Room in scratch for the maps of all axes of output 0. */
static hob_status make_maps(struct op_context *ctx, int64_t **ret_maps)
{
    const struct tensor *out = ctx->outputs[0];
    for (int d = 0; d < out->rank; d++) {
        ret_maps[d] = ARENA_NEW(ctx->scratch, int64_t, (size_t)out->dims[d]);
        if (!ret_maps[d]) OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
    }
    return HOB_OK;
}

/* The element to pad with: input 2, the attribute, or 0 (all bytes 0, an empty string too). */
static const void *find_fill(struct op_context *ctx, unsigned char storage[16])
{
    const struct pad_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    const struct tensor element = {.data = storage, .dtype = x->dtype};
    bool has_input = !params->are_attributes && ctx->n_inputs > 2 && ctx->inputs[2];
    if (has_input && tensor_n_items(ctx->inputs[2])) return ctx->inputs[2]->data;
    if (params->are_attributes && numbers_is_float(x->dtype)) numbers_store_f32(&element, 0, 1, 1, &params->value);
    return storage;
}

static hob_status run_pad(struct op_context *ctx)
{
    const struct pad_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0], *out = ctx->outputs[0];
    struct padding padding;
    int64_t *maps[TENSOR_MAX_RANK];
    _Alignas(16) unsigned char storage[16] = {0};
    if (!tensor_n_items(out)) return HOB_OK; /* its other dims need no maps, which may be huge */
    TRY(read_padding(ctx, &padding));
    TRY(make_maps(ctx, maps));
    for (int d = 0; d < x->rank; d++)
        for (int64_t i = 0; i < out->dims[d]; i++) maps[d][i] = padded_index(params->mode, i - padding.before[d], x->dims[d]);
    moving_copy_mapped(x, (const int64_t *const *)maps, find_fill(ctx, storage), out);
    return HOB_OK;
}

const struct op_def op_pad = {.name = "Pad", .domain = "", .since = 1, .min_inputs = 1, .max_inputs = 4, .min_outputs = 1,
                              .max_outputs = 1, .types = TYPES_ALL, .flags = OP_STRIDED_INPUTS, .prepare = prepare_pad, .infer = infer_pad,
                              .run = run_pad};

/* ---- Tile ---- */

static hob_status infer_tile(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0];
    int64_t repeats[TENSOR_MAX_RANK], dims[TENSOR_MAX_RANK];
    size_t n_repeats;
    TRY(moving_check(ctx, 0));
    TRY(op_read_ints(ctx, 1, TENSOR_MAX_RANK, repeats, &n_repeats));
    if (n_repeats != x->rank) OP_FAIL(ctx, HOB_BAD_SHAPE, "input 1: found %zu values, expected %d", n_repeats, x->rank);
    for (int d = 0; d < x->rank; d++)
        if (repeats[d] < 0 || !int64_mul(x->dims[d], repeats[d], &dims[d]))
            OP_FAIL(ctx, HOB_BAD_SHAPE, "axis %d: found %lld repeats of a dim of %lld", d, (long long)repeats[d],
                    (long long)x->dims[d]);
    return op_set_output(ctx, 0, x->dtype, x->rank, dims);
}

static hob_status run_tile(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0], *out = ctx->outputs[0];
    int64_t *maps[TENSOR_MAX_RANK];
    if (!tensor_n_items(out)) return HOB_OK;
    TRY(make_maps(ctx, maps));
    for (int d = 0; d < x->rank; d++)
        for (int64_t i = 0; i < out->dims[d]; i++) maps[d][i] = i % x->dims[d];
    moving_copy_mapped(x, (const int64_t *const *)maps, NULL, out);
    return HOB_OK;
}

const struct op_def op_tile = {.name = "Tile", .domain = "", .since = 6, .min_inputs = 2, .max_inputs = 2, .min_outputs = 1,
                               .max_outputs = 1, .types = TYPES_ALL, .flags = OP_STRIDED_INPUTS, .infer = infer_tile, .run = run_tile};

/* ---- Tile-1: one axis; both numbers come in the type of the data ---- */

static hob_status read_whole(struct op_context *ctx, int i, int64_t *ret_number)
{
    const struct tensor *x = ctx->inputs[i];
    double number = 0;
    if (tensor_n_items(x) != 1 || (!numbers_is_float(x->dtype) && !numbers_is_integer(x->dtype)))
        OP_FAIL(ctx, HOB_BAD_TYPE, "input %d: found %s %s, expected one number", i, dtype_name(x->dtype), OP_SHAPE(x));
    if (!x->data) return op_unknown(ctx, i);
    numbers_load_f64(x, 0, 1, 1, &number);
    if (!(fabs(number) < 0x1p53) || number != floor(number))
        OP_FAIL(ctx, HOB_BAD_ARGUMENT, "input %d: found %g, expected a whole number", i, number);
    *ret_number = (int64_t)number;
    return HOB_OK;
}

static hob_status infer_tile_1(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0];
    int64_t n_tiles, named, dims[TENSOR_MAX_RANK];
    int axis;
    TRY(moving_check(ctx, 0));
    TRY(read_whole(ctx, 1, &n_tiles));
    TRY(read_whole(ctx, 2, &named));
    TRY(axis_normalize(ctx, named, &axis));
    memcpy(dims, x->dims, sizeof dims);
    if (n_tiles < 0 || !int64_mul(x->dims[axis], n_tiles, &dims[axis]))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "axis %d: found %lld repeats of a dim of %lld", axis, (long long)n_tiles,
                (long long)x->dims[axis]);
    return op_set_output(ctx, 0, x->dtype, x->rank, dims);
}

const struct op_def op_tile_1 = {.name = "Tile", .domain = "", .since = 1, .until = 5, .min_inputs = 3, .max_inputs = 3,
                                 .min_outputs = 1, .max_outputs = 1, .types = TYPES_WHOLE, .flags = OP_STRIDED_INPUTS,
                                 .infer = infer_tile_1, .run = run_tile};
