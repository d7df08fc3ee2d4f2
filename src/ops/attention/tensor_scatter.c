/* TensorScatter: a KV cache with an update written into it from a position of each batch row on, round the end when circular. */
#include "ops/axes.h"
#include "ops/moving.h"

#include <string.h>

enum { INPUT_PAST, INPUT_UPDATE, INPUT_POSITIONS };

struct scatter_params {
    int64_t axis;
    bool is_circular;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct scatter_params *params = ARENA_NEW(node->arena, struct scatter_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    const char *mode = attributes_string(node->attributes, "mode", "linear");
    params->axis = attributes_int(node->attributes, "axis", -2);
    params->is_circular = !strcmp(mode, "circular");
    if (!params->is_circular && strcmp(mode, "linear") != 0)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: mode: found \"%s\", expected \"linear\" or \"circular\"", node->node_name,
             mode);
    *ret_params = params;
    return HOB_OK;
}

static hob_status check(struct op_context *ctx, int *ret_axis)
{
    const struct scatter_params *params = ctx->params;
    const struct tensor *past = ctx->inputs[INPUT_PAST], *update = ctx->inputs[INPUT_UPDATE];
    const struct tensor *positions = op_input(ctx, INPUT_POSITIONS);
    TRY(axis_normalize(ctx, params->axis, ret_axis));
    if (*ret_axis == 0) OP_FAIL(ctx, HOB_BAD_GRAPH, "axis: found the batch's, expected another");
    bool fits = update->rank == past->rank;
    for (int i = 0; fits && i < past->rank; i++)
        fits = i == *ret_axis ? update->dims[i] <= past->dims[i] : update->dims[i] == past->dims[i];
    if (!fits)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "update: found %s, expected past_cache's %s with at most as much of axis %d",
                OP_SHAPE(update), OP_SHAPE(past), *ret_axis);
    if (positions && !tensor_has_shape(positions, 1, &past->dims[0]))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "write_indices: found %s, expected [%lld]", OP_SHAPE(positions),
                (long long)past->dims[0]);
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    const struct tensor *past = ctx->inputs[INPUT_PAST];
    int axis;
    TRY(moving_check(ctx, INPUT_PAST));
    TRY(op_check_dtype(ctx, INPUT_UPDATE, past->dtype));
    TRY(op_check_dtype(ctx, INPUT_POSITIONS, DTYPE_I64));
    TRY(check(ctx, &axis));
    return op_set_output(ctx, 0, past->dtype, past->rank, past->dims);
}

/* Positions begin..begin + n of the update to `at` of batch row b of the cache. */
static void write_run(const struct tensor *cache, const struct tensor *update, int axis, int64_t b, int64_t begin,
                      int64_t n, int64_t at)
{
    struct tensor source = tensor_slice(update, 0, b, 1, 1), target = tensor_slice(cache, 0, b, 1, 1);
    source = tensor_slice(&source, axis, begin, n, 1);
    target = tensor_slice(&target, axis, at, n, 1);
    moving_copy_strided(&source, &target);
}

static hob_status write_row(struct op_context *ctx, int axis, int64_t b)
{
    const struct scatter_params *params = ctx->params;
    const struct tensor *update = ctx->inputs[INPUT_UPDATE], *cache = ctx->outputs[0];
    const struct tensor *positions = op_input(ctx, INPUT_POSITIONS);
    int64_t at = positions ? tensor_get_int(positions, b) : 0, n = update->dims[axis], most = cache->dims[axis];
    if (params->is_circular) at = (at % most + most) % most;
    if (at < 0 || at > most || (!params->is_circular && at > most - n))
        OP_FAIL(ctx, HOB_BAD_ARGUMENT, "write_indices: found %lld for %lld positions, expected them within %lld",
                (long long)at, (long long)n, (long long)most);
    int64_t n_first = n < most - at ? n : most - at;
    write_run(cache, update, axis, b, 0, n_first, at);
    if (n_first < n) write_run(cache, update, axis, b, n_first, n - n_first, 0);
    return HOB_OK;
}

static hob_status run(struct op_context *ctx)
{
    int axis;
    TRY(check(ctx, &axis));
    const struct tensor *past = ctx->inputs[INPUT_PAST], *cache = ctx->outputs[0];
    if (cache->data != past->data) tensor_copy_contiguous(past, cache->data);
    if (!tensor_n_items(ctx->inputs[INPUT_UPDATE])) return HOB_OK;
    for (int64_t b = 0; b < past->dims[0]; b++) TRY(write_row(ctx, axis, b));
    return HOB_OK;
}

const struct op_def op_tensor_scatter = {
    .name = "TensorScatter",
    .domain = "",
    .since = 24,
    .min_inputs = 2,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPES_ALL,
    .flags = OP_STRIDED_INPUTS | OP_INPLACE,
    .prepare = prepare,
    .infer = infer,
    .run = run,
};
