/* MatMul (NumPy's rules: a vector on the left is a row, on the right a column; batches broadcast) and com.microsoft
 * FusedMatMul, which is MatMul on transposed views times alpha. */
#include "kernels/kernels.h"
#include "ops/numbers.h"
#include "ops/matrix/product.h"

struct matmul_params {
    float alpha;
    bool transposes[2];       /* swap the last two dims of a, b */
    bool transposes_batch[2]; /* the first dim of a, b moves next to the last */
};

static hob_status fused_prepare(const struct op_prepare *node, void **ret_params)
{
    struct matmul_params *params = ARENA_NEW(node->arena, struct matmul_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->alpha = attributes_float(node->attributes, "alpha", 1);
    params->transposes[0] = attributes_int(node->attributes, "transA", 0) != 0;
    params->transposes[1] = attributes_int(node->attributes, "transB", 0) != 0;
    params->transposes_batch[0] = attributes_int(node->attributes, "transBatchA", 0) != 0;
    params->transposes_batch[1] = attributes_int(node->attributes, "transBatchB", 0) != 0;
    *ret_params = params;
    return HOB_OK;
}

/* Input i as the matrix (or stack of matrices) that is multiplied. A vector becomes a row or a column. */
static hob_status matrix_view(struct op_context *ctx, int i, struct tensor *ret_view)
{
    const struct matmul_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[i];
    if (x->rank == 0) OP_FAIL(ctx, HOB_BAD_SHAPE, "input %d: found a scalar, expected rank 1 or more", i);
    *ret_view = *x;
    if (x->rank == 1) {
        int vector_axis = i == 0 ? 1 : 0;
        ret_view->rank = 2;
        ret_view->dims[vector_axis] = x->dims[0];
        ret_view->strides[vector_axis] = x->strides[0];
        ret_view->dims[!vector_axis] = 1;
        ret_view->strides[!vector_axis] = 0;
        return HOB_OK;
    }
    if (!params) return HOB_OK;
    int permutation[TENSOR_MAX_RANK], last = x->rank - 1;
    for (int axis = 0; axis <= last; axis++) permutation[axis] = axis;
    if (params->transposes_batch[i]) {
        for (int axis = 0; axis < last - 1; axis++) permutation[axis] = axis + 1;
        permutation[last - 1] = 0;
    }
    if (params->transposes[i]) {
        int row_axis = permutation[last - 1];
        permutation[last - 1] = permutation[last];
        permutation[last] = row_axis;
    }
    *ret_view = tensor_transpose(x, permutation);
    return HOB_OK;
}

/* a and b with a common batch. */
static hob_status matrix_views(struct op_context *ctx, struct tensor *ret_a, struct tensor *ret_b)
{
    struct tensor a, b;
    TRY(matrix_view(ctx, 0, &a));
    TRY(matrix_view(ctx, 1, &b));
    int64_t m = a.dims[a.rank - 2], k = a.dims[a.rank - 1], n = b.dims[b.rank - 1];
    int64_t dims[TENSOR_MAX_RANK];
    int batch_rank;
    if (b.dims[b.rank - 2] != k || !shape_broadcast(a.rank - 2, a.dims, b.rank - 2, b.dims, &batch_rank, dims))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "found %s x %s, expected [..,M,K] x [..,K,N] with batches that broadcast",
                OP_SHAPE(ctx->inputs[0]), OP_SHAPE(ctx->inputs[1]));
    dims[batch_rank] = m;
    dims[batch_rank + 1] = k;
    *ret_a = tensor_broadcast(&a, batch_rank + 2, dims);
    dims[batch_rank] = k;
    dims[batch_rank + 1] = n;
    *ret_b = tensor_broadcast(&b, batch_rank + 2, dims);
    return HOB_OK;
}

static hob_status matmul_infer(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0];
    if (!product_takes(x->dtype))
        OP_FAIL(ctx, HOB_BAD_TYPE, "input 0: found %s, expected a float or a 32 or 64 bit integer type",
                dtype_name(x->dtype));
    TRY(op_check_dtype(ctx, 1, x->dtype));
    struct tensor a, b;
    TRY(matrix_views(ctx, &a, &b));
    int64_t dims[TENSOR_MAX_RANK];
    int rank = 0;
    for (int axis = 0; axis < a.rank - 2; axis++) dims[rank++] = a.dims[axis];
    if (ctx->inputs[0]->rank > 1) dims[rank++] = a.dims[a.rank - 2];
    if (ctx->inputs[1]->rank > 1) dims[rank++] = b.dims[b.rank - 1];
    return op_set_output(ctx, 0, x->dtype, rank, dims);
}

static void scale(struct op_context *ctx, float alpha, const struct tensor *y)
{
    int64_t n_items = tensor_n_items(y);
    if (y->dtype == DTYPE_F32) {
        ctx->kernels->scale_f32(n_items, alpha, y->data, y->data);
        return;
    }
    double items[NUMBERS_RUN];
    for (int64_t begin = 0; begin < n_items; begin += NUMBERS_RUN) {
        size_t n = (size_t)(n_items - begin < NUMBERS_RUN ? n_items - begin : NUMBERS_RUN);
        numbers_load_f64(y, begin, 1, n, items);
        for (size_t k = 0; k < n; k++) items[k] *= (double)alpha;
        numbers_store_f64(y, begin, 1, n, items);
    }
}

static hob_status matmul_run(struct op_context *ctx)
{
    const struct matmul_params *params = ctx->params;
    struct tensor a, b, c;
    TRY(matrix_views(ctx, &a, &b));
    int64_t dims[TENSOR_MAX_RANK];
    for (int axis = 0; axis < a.rank - 1; axis++) dims[axis] = a.dims[axis];
    dims[a.rank - 1] = b.dims[b.rank - 1];
    TRY(tensor_init(&c, ctx->outputs[0]->dtype, a.rank, dims, ctx->outputs[0]->data, ctx->error));
    TRY(product_run(ctx, &a, &b, &c));
    if (params && params->alpha != 1) scale(ctx, params->alpha, &c);
    return HOB_OK;
}

const struct op_def op_matmul = {
    .name = "MatMul",
    .domain = "",
    .since = 1,
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .flags = OP_STRIDED_INPUTS,
    .infer = matmul_infer,
    .run = matmul_run,
};

#define FUSED_MATMUL(id, contrib_name) \
    const struct op_def op_##id = {    \
        .name = contrib_name,          \
        .domain = "com.microsoft",     \
        .since = 1,                    \
        .min_inputs = 2,               \
        .max_inputs = 2,               \
        .min_outputs = 1,              \
        .max_outputs = 1,              \
        .flags = OP_STRIDED_INPUTS,    \
        .prepare = fused_prepare,      \
        .infer = matmul_infer,         \
        .run = matmul_run,             \
    };

FUSED_MATMUL(fused_matmul, "FusedMatMul")
FUSED_MATMUL(transpose_matmul, "TransposeMatMul")
