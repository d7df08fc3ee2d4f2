/* MatMulInteger: (A - a_zero) x (B - b_zero) of 8 bit integers, exact in int32 (which wraps). The operands are widened to i32 less
 * their zero points, then it is an ordinary product. */
#include "ops/numbers.h"
#include "ops/matrix/product.h"

static const struct tensor *zero_point(const struct op_context *ctx, int i)
{
    return op_input(ctx, i + 2);
}

/* One number, or one for each row of A or column of B. */
static hob_status check_zero_point(struct op_context *ctx, int i)
{
    const struct tensor *x = ctx->inputs[i], *zero = zero_point(ctx, i);
    if (!zero) return HOB_OK;
    TRY(op_check_dtype(ctx, i + 2, x->dtype));
    int64_t n_items = tensor_n_items(zero), expected = x->dims[i == 0 ? x->rank - 2 : x->rank - 1];
    if (n_items != 1 && (zero->rank != 1 || n_items != expected))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input %d: found %s, expected one number or [%lld]", i + 2, OP_SHAPE(zero),
                (long long)expected);
    return HOB_OK;
}

static hob_status output_dims(struct op_context *ctx, int *ret_rank, int64_t *ret_dims)
{
    const struct tensor *a = ctx->inputs[0], *b = ctx->inputs[1];
    for (int i = 0; i < 2; i++)
        if (ctx->inputs[i]->dtype != DTYPE_U8 && ctx->inputs[i]->dtype != DTYPE_I8)
            OP_FAIL(ctx, HOB_BAD_TYPE, "input %d: found %s, expected uint8 or int8", i,
                    dtype_name(ctx->inputs[i]->dtype));
    int rank;
    if (a->rank < 2 || b->rank < 2 || a->dims[a->rank - 1] != b->dims[b->rank - 2] ||
        !shape_broadcast(a->rank - 2, a->dims, b->rank - 2, b->dims, &rank, ret_dims))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "found %s x %s, expected [..,M,K] x [..,K,N] with batches that broadcast",
                OP_SHAPE(a), OP_SHAPE(b));
    ret_dims[rank] = a->dims[a->rank - 2];
    ret_dims[rank + 1] = b->dims[b->rank - 1];
    *ret_rank = rank + 2;
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    int rank;
    int64_t dims[TENSOR_MAX_RANK];
    TRY(output_dims(ctx, &rank, dims));
    for (int i = 0; i < 2; i++) TRY(check_zero_point(ctx, i));
    return op_set_output(ctx, 0, DTYPE_I32, rank, dims);
}

static hob_status widen(struct op_context *ctx, int i, struct tensor *ret_wide)
{
    const struct tensor *x = ctx->inputs[i], *zero = zero_point(ctx, i);
    int64_t n_items = tensor_n_items(x), n_columns = x->dims[x->rank - 1], n_rows = x->dims[x->rank - 2];
    int32_t *items = ARENA_NEW(ctx->scratch, int32_t, (size_t)n_items);
    if (!items) OP_FAIL(ctx, HOB_NO_MEMORY, "no memory for %lld integers", (long long)n_items);
    bool is_single = zero && tensor_n_items(zero) == 1;
    for (int64_t at = 0; at < n_items; at++) {
        int64_t index = is_single ? 0 : i == 0 ? at / n_columns % n_rows : at % n_columns;
        items[at] = (int32_t)(tensor_get_int(x, at) - (zero ? tensor_get_int(zero, index) : 0));
    }
    return tensor_init(ret_wide, DTYPE_I32, x->rank, x->dims, items, ctx->error);
}

static hob_status run(struct op_context *ctx)
{
    struct tensor a, b;
    int rank;
    int64_t dims[TENSOR_MAX_RANK];
    TRY(output_dims(ctx, &rank, dims));
    TRY(widen(ctx, 0, &a));
    TRY(widen(ctx, 1, &b));
    dims[rank - 1] = a.dims[a.rank - 1];
    struct tensor wide_a = tensor_broadcast(&a, rank, dims);
    dims[rank - 1] = b.dims[b.rank - 1];
    dims[rank - 2] = b.dims[b.rank - 2];
    struct tensor wide_b = tensor_broadcast(&b, rank, dims);
    return product_run(ctx, &wide_a, &wide_b, ctx->outputs[0]);
}

const struct op_def op_matmul_integer = {
    .name = "MatMulInteger",
    .domain = "",
    .since = 10,
    .min_inputs = 2,
    .max_inputs = 4,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .run = run,
};
