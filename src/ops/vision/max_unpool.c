/* MaxUnpool: puts each item back where MaxPool's second output says it came from; the rest is 0. Indices count in the shape that undoes
 * the pooling; a larger output_shape is filled from its beginning. */
#include "ops/moving.h"
#include "ops/vision/window.h"

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct window_params *params = ARENA_NEW(node->arena, struct window_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    TRY(window_parse(node, params));
    *ret_params = params;
    return HOB_OK;
}

/* The shape that indices count in. */
static hob_status find_unpooled(struct op_context *ctx, int64_t ret_dims[TENSOR_MAX_RANK])
{
    const struct tensor *x = ctx->inputs[0];
    struct window window;
    if (x->rank < 3) OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found %s, expected [N,C,D1,…]", OP_SHAPE(x));
    TRY(window_resolve_transposed(ctx, ctx->params, x->rank - 2, x->dims + 2, NULL, &window));
    memcpy(ret_dims, x->dims, 2 * sizeof *ret_dims);
    memcpy(ret_dims + 2, window.outputs, (size_t)window.rank * sizeof *ret_dims);
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0], *indices = ctx->inputs[1];
    int64_t unpooled[TENSOR_MAX_RANK], dims[TENSOR_MAX_RANK];
    TRY(op_check_dtype(ctx, 1, DTYPE_I64));
    TRY(find_unpooled(ctx, unpooled));
    memcpy(dims, unpooled, (size_t)x->rank * sizeof *dims);
    if (!tensor_same_shape(x, indices))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 1: found %s, expected the shape of input 0 %s", OP_SHAPE(indices),
                OP_SHAPE(x));
    if (op_input(ctx, 2)) {
        size_t n_dims;
        TRY(op_read_ints(ctx, 2, TENSOR_MAX_RANK, dims, &n_dims));
        bool fits = n_dims == x->rank;
        for (int axis = 0; fits && axis < x->rank; axis++)
            fits = axis < 2 ? dims[axis] == unpooled[axis] : dims[axis] >= unpooled[axis];
        if (!fits)
            OP_FAIL(ctx, HOB_BAD_SHAPE, "input 2: found %zu dims, expected %s or larger spatial axes", n_dims,
                    tensor_shape_text(x->rank, unpooled, (char[TENSOR_SHAPE_TEXT_BYTES]){0}));
    }
    return op_set_output(ctx, 0, x->dtype, x->rank, dims);
}

static hob_status run(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0], *y = ctx->outputs[0];
    const int64_t *indices = ctx->inputs[1]->data;
    int64_t unpooled[TENSOR_MAX_RANK], n_unpooled = 1;
    TRY(find_unpooled(ctx, unpooled));
    for (int axis = 0; axis < x->rank; axis++) n_unpooled *= unpooled[axis];
    memset(y->data, 0, tensor_n_bytes(y));
    for (int64_t i = 0; i < tensor_n_items(x); i++) {
        int64_t rest = indices[i], to = 0;
        if (rest < 0 || rest >= n_unpooled)
            OP_FAIL(ctx, HOB_BAD_ARGUMENT, "input 1: found index %lld, expected 0 … %lld", (long long)rest,
                    (long long)n_unpooled - 1);
        for (int axis = x->rank - 1; axis >= 0; axis--) {
            to += rest % unpooled[axis] * y->strides[axis];
            rest /= unpooled[axis];
        }
        moving_copy_element(moving_element_at(y, to), moving_element_at(x, i), dtype_block_bytes(x->dtype));
    }
    return HOB_OK;
}

const struct op_def op_max_unpool = {
    .name = "MaxUnpool",
    .domain = "",
    .since = 9,
    .min_inputs = 2,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPES_FLOAT,
    .prepare = prepare,
    .infer = infer,
    .run = run,
};
