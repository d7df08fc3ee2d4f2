/* Operators that are nothing but another look at their input: Identity, Expand, Transpose. */
#include "ops/moving.h"

static hob_status infer_identity(struct op_context *ctx)
{
    op_set_view(ctx, 0, ctx->inputs[0]);
    return HOB_OK;
}

const struct op_def op_identity = {.name = "Identity", .domain = "", .since = 1, .min_inputs = 1, .max_inputs = 1,
                                   .min_outputs = 1, .max_outputs = 1,
                                   .flags = OP_STRIDED_INPUTS | OP_EMPTY_OPTIONALS, .infer = infer_identity, .run = moving_run_nothing};

/* ---- Expand ---- */

static hob_status infer_expand(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0];
    int64_t wanted[TENSOR_MAX_RANK], dims[TENSOR_MAX_RANK];
    size_t wanted_rank;
    int rank;
    char text[TENSOR_SHAPE_TEXT_BYTES];
    TRY(moving_check(ctx, 0));
    TRY(op_read_ints(ctx, 1, TENSOR_MAX_RANK, wanted, &wanted_rank));
    if (!shape_broadcast(x->rank, x->dims, (int)wanted_rank, wanted, &rank, dims))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "found shape %s, which does not broadcast with %s", OP_SHAPE(x),
                tensor_shape_text((int)wanted_rank, wanted, text));
    struct tensor checked;
    TRY(tensor_init(&checked, x->dtype, rank, dims, NULL, ctx->error));
    struct tensor view = tensor_broadcast(x, rank, dims);
    op_set_view(ctx, 0, &view);
    return HOB_OK;
}

const struct op_def op_expand = {.name = "Expand", .domain = "", .since = 8, .min_inputs = 2, .max_inputs = 2,
                                 .min_outputs = 1, .max_outputs = 1, .types = TYPES_ALL, .flags = OP_STRIDED_INPUTS,
                                 .infer = infer_expand, .run = moving_run_nothing};

/* ---- Transpose ---- */

struct transpose_params {
    int n_axes; /* 0: reverse them */
    int axes[TENSOR_MAX_RANK];
};

static hob_status prepare_transpose(const struct op_prepare *node, void **ret_params)
{
    struct transpose_params *params = ARENA_NEW(node->arena, struct transpose_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    size_t n_axes;
    const int64_t *axes = attributes_ints(node->attributes, "perm", &n_axes);
    bool is_used[TENSOR_MAX_RANK] = {0};
    if (n_axes > TENSOR_MAX_RANK)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: perm: found %zu axes, expected at most %d", node->node_name, n_axes,
             TENSOR_MAX_RANK);
    for (size_t i = 0; i < n_axes; i++) {
        if (!shape_normalize_axis(axes[i], (int)n_axes, &params->axes[i]) || is_used[params->axes[i]])
            FAIL(node->error, HOB_BAD_GRAPH, "%s: perm: found %lld, expected a permutation of 0 to %zu", node->node_name,
                 (long long)axes[i], n_axes - 1);
        is_used[params->axes[i]] = true;
    }
    params->n_axes = (int)n_axes;
    *ret_params = params;
    return HOB_OK;
}

static hob_status infer_transpose(struct op_context *ctx)
{
    const struct transpose_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    TRY(moving_check(ctx, 0));
    if (params->n_axes && params->n_axes != x->rank)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found shape %s, expected rank %d as perm has", OP_SHAPE(x), params->n_axes);
    int axes[TENSOR_MAX_RANK];
    for (int i = 0; i < x->rank; i++) axes[i] = params->n_axes ? params->axes[i] : x->rank - 1 - i;
    struct tensor view = tensor_transpose(x, axes);
    op_set_view(ctx, 0, &view);
    return HOB_OK;
}

const struct op_def op_transpose = {.name = "Transpose", .domain = "", .since = 1, .min_inputs = 1, .max_inputs = 1,
                                    .min_outputs = 1, .max_outputs = 1, .types = TYPES_ALL, .flags = OP_STRIDED_INPUTS,
                                    .prepare = prepare_transpose, .infer = infer_transpose, .run = moving_run_nothing};
