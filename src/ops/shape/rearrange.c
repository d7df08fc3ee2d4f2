/* Operators that move elements along axes in a fixed pattern: DepthToSpace, SpaceToDepth, ReverseSequence, Trilu. */
#include "ops/axes.h"
#include "ops/moving.h"

/* ---- DepthToSpace, SpaceToDepth: a transpose of a [N,C,H,W] image whose blocks are axes of their own ---- */

struct block_params {
    int64_t block_size;
    bool is_column_row_depth; /* mode CRD */
};

static hob_status prepare_block(const struct op_prepare *node, void **ret_params)
{
    struct block_params *params = ARENA_NEW(node->arena, struct block_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->block_size = attributes_int(node->attributes, "blocksize", 0);
    const char *mode = attributes_string(node->attributes, "mode", "DCR");
    params->is_column_row_depth = !strcmp(mode, "CRD");
    if (!params->is_column_row_depth && strcmp(mode, "DCR") != 0)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: mode: found \"%s\", expected DCR or CRD", node->node_name, mode);
    if (params->block_size < 1 || params->block_size > INT32_MAX)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: blocksize: found %lld, expected 1 or more", node->node_name,
             (long long)params->block_size);
    *ret_params = params;
    return HOB_OK;
}

static hob_status check_image(struct op_context *ctx)
{
    if (ctx->inputs[0]->rank != 4)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found shape %s, expected [N,C,H,W]", OP_SHAPE(ctx->inputs[0]));
    return moving_check(ctx, 0);
}

static hob_status infer_depth_to_space(struct op_context *ctx)
{
    const struct block_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    int64_t block = params->block_size;
    TRY(check_image(ctx));
    if (x->dims[1] % (block * block))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found shape %s, expected a C of a multiple of %lld", OP_SHAPE(x),
                (long long)(block * block));
    int64_t dims[] = {x->dims[0], x->dims[1] / (block * block), 0, 0};
    if (__builtin_mul_overflow(x->dims[2], block, &dims[2]) || __builtin_mul_overflow(x->dims[3], block, &dims[3]))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found shape %s, too large for blocks of %lld", OP_SHAPE(x), (long long)block);
    return op_set_output(ctx, 0, x->dtype, 4, dims);
}

static hob_status infer_space_to_depth(struct op_context *ctx)
{
    const struct block_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    int64_t block = params->block_size;
    TRY(check_image(ctx));
    if (x->dims[2] % block || x->dims[3] % block)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found shape %s, expected H and W of multiples of %lld", OP_SHAPE(x),
                (long long)block);
    int64_t dims[] = {x->dims[0], 0, x->dims[2] / block, x->dims[3] / block};
    if (__builtin_mul_overflow(x->dims[1], block * block, &dims[1]))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found shape %s, too large for blocks of %lld", OP_SHAPE(x), (long long)block);
    return op_set_output(ctx, 0, x->dtype, 4, dims);
}

/* Input 0 as six axes, in another order, into the output. Inputs are contiguous (no OP_STRIDED_INPUTS). */
static void copy_as_six(const struct op_context *ctx, const int64_t dims[6], const int order[6])
{
    struct tensor six = *ctx->inputs[0];
    six.rank = 6;
    memcpy(six.dims, dims, 6 * sizeof *dims);
    tensor_set_contiguous(&six);
    struct tensor view = tensor_transpose(&six, order);
    tensor_copy_contiguous(&view, ctx->outputs[0]->data);
}

static hob_status run_depth_to_space(struct op_context *ctx)
{
    const struct block_params *params = ctx->params;
    const int64_t *in = ctx->inputs[0]->dims, block = params->block_size, depth = in[1] / (block * block);
    if (params->is_column_row_depth)
        copy_as_six(ctx, (const int64_t[]){in[0], depth, block, block, in[2], in[3]}, (const int[]){0, 1, 4, 2, 5, 3});
    else
        copy_as_six(ctx, (const int64_t[]){in[0], block, block, depth, in[2], in[3]}, (const int[]){0, 3, 4, 1, 5, 2});
    return HOB_OK;
}

static hob_status run_space_to_depth(struct op_context *ctx)
{
    const struct block_params *params = ctx->params;
    const int64_t *in = ctx->inputs[0]->dims, block = params->block_size;
    copy_as_six(ctx, (const int64_t[]){in[0], in[1], in[2] / block, block, in[3] / block, block},
                (const int[]){0, 3, 5, 1, 2, 4});
    return HOB_OK;
}

const struct op_def op_depth_to_space = {.name = "DepthToSpace", .domain = "", .since = 1, .min_inputs = 1, .max_inputs = 1,
                                         .min_outputs = 1, .max_outputs = 1, .types = TYPES_WHOLE, .prepare = prepare_block,
                                         .infer = infer_depth_to_space, .run = run_depth_to_space};
const struct op_def op_space_to_depth = {.name = "SpaceToDepth", .domain = "", .since = 1, .min_inputs = 1, .max_inputs = 1,
                                         .min_outputs = 1, .max_outputs = 1, .types = TYPES_WHOLE, .prepare = prepare_block,
                                         .infer = infer_space_to_depth, .run = run_space_to_depth};

/* ---- ReverseSequence: the first length[b] steps of sequence b, turned round ---- */

struct reverse_params {
    int64_t batch_axis, time_axis;
};

static hob_status prepare_reverse(const struct op_prepare *node, void **ret_params)
{
    struct reverse_params *params = ARENA_NEW(node->arena, struct reverse_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->batch_axis = attributes_int(node->attributes, "batch_axis", 1);
    params->time_axis = attributes_int(node->attributes, "time_axis", 0);
    *ret_params = params;
    return HOB_OK;
}

static hob_status reverse_axes(struct op_context *ctx, int *ret_batch, int *ret_time)
{
    const struct reverse_params *params = ctx->params;
    TRY(axis_normalize(ctx, params->batch_axis, ret_batch));
    TRY(axis_normalize(ctx, params->time_axis, ret_time));
    if (*ret_batch == *ret_time) OP_FAIL(ctx, HOB_BAD_GRAPH, "found axis %d as batch and as time axis", *ret_batch);
    return HOB_OK;
}

static hob_status infer_reverse(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0], *lengths = ctx->inputs[1];
    int batch, time;
    TRY(moving_check(ctx, 0));
    TRY(reverse_axes(ctx, &batch, &time));
    if (lengths->rank != 1 || lengths->dims[0] != x->dims[batch])
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 1: found shape %s, expected [%lld]", OP_SHAPE(lengths), (long long)x->dims[batch]);
    return op_set_output(ctx, 0, x->dtype, x->rank, x->dims);
}

static hob_status run_reverse(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0];
    int64_t *lengths;
    int batch, time;
    TRY(reverse_axes(ctx, &batch, &time));
    TRY(moving_load_indices(ctx, 1, &lengths));
    for (int64_t b = 0; b < x->dims[batch]; b++) {
        int64_t length = lengths[b], n_steps = x->dims[time];
        if (length < 0 || length > n_steps)
            OP_FAIL(ctx, HOB_BAD_ARGUMENT, "input 1: found length %lld, expected 0 to %lld", (long long)length, (long long)n_steps);
        struct tensor from = tensor_slice(x, batch, b, 1, 1), to = tensor_slice(ctx->outputs[0], batch, b, 1, 1);
        struct tensor turned = tensor_slice(&from, time, length - 1, length, -1);
        struct tensor turned_to = tensor_slice(&to, time, 0, length, 1);
        struct tensor rest = tensor_slice(&from, time, length, n_steps - length, 1);
        struct tensor rest_to = tensor_slice(&to, time, length, n_steps - length, 1);
        moving_copy_strided(&turned, &turned_to);
        moving_copy_strided(&rest, &rest_to);
    }
    return HOB_OK;
}

const struct op_def op_reverse_sequence = {.name = "ReverseSequence", .domain = "", .since = 10, .min_inputs = 2,
                                           .max_inputs = 2, .min_outputs = 1, .max_outputs = 1,
                                           .types = TYPES_ALL, .flags = OP_STRIDED_INPUTS, .prepare = prepare_reverse,
                                           .infer = infer_reverse, .run = run_reverse};

/* ---- Trilu: a triangle of each matrix; the rest becomes 0 ---- */

struct trilu_params {
    bool is_upper;
};

static hob_status prepare_trilu(const struct op_prepare *node, void **ret_params)
{
    struct trilu_params *params = ARENA_NEW(node->arena, struct trilu_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->is_upper = attributes_int(node->attributes, "upper", 1) != 0;
    *ret_params = params;
    return HOB_OK;
}

static hob_status infer_trilu(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0];
    TRY(moving_check(ctx, 0));
    TRY(op_check_dtype(ctx, 1, DTYPE_I64));
    if (x->rank < 2) OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found shape %s, expected matrices", OP_SHAPE(x));
    if (ctx->n_inputs > 1 && ctx->inputs[1] && tensor_n_items(ctx->inputs[1]) != 1)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 1: found shape %s, expected a scalar", OP_SHAPE(ctx->inputs[1]));
    return op_set_output(ctx, 0, x->dtype, x->rank, x->dims);
}

static hob_status run_trilu(struct op_context *ctx)
{
    const struct trilu_params *params = ctx->params;
    const struct tensor *out = ctx->outputs[0];
    int64_t n_columns = out->dims[out->rank - 1], n_rows = out->dims[out->rank - 2];
    int64_t k = ctx->n_inputs > 1 && ctx->inputs[1] ? tensor_get_int(ctx->inputs[1], 0) : 0;
    tensor_copy_contiguous(ctx->inputs[0], out->data);
    for (int64_t row = 0; row < tensor_n_items(out) / (n_columns ? n_columns : 1); row++) {
        /* Column row + k is the diagonal: upper keeps it and what is right of it, lower what is left of it too. */
        int64_t edge;
        if (__builtin_add_overflow(row % n_rows + !params->is_upper, k, &edge)) edge = n_columns;
        edge = edge < 0 ? 0 : edge > n_columns ? n_columns : edge;
        int64_t begin = params->is_upper ? 0 : edge, end = params->is_upper ? edge : n_columns;
        size_t item_bytes = dtype_block_bytes(out->dtype);
        memset(moving_element_at(out, row * n_columns + begin), 0, (size_t)(end - begin) * item_bytes);
    }
    return HOB_OK;
}

const struct op_def op_trilu = {.name = "Trilu", .domain = "", .since = 14, .min_inputs = 1, .max_inputs = 2,
                                .min_outputs = 1, .max_outputs = 1, .types = TYPES_ALL, .flags = OP_STRIDED_INPUTS, .prepare = prepare_trilu,
                                .infer = infer_trilu, .run = run_trilu};
