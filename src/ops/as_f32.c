#include "ops/as_f32.h"

#include "base/size.h"
#include "kernels/kernels.h"

bool as_f32_takes(enum dtype dtype)
{
    return dtype == DTYPE_F32 || dtype == DTYPE_F16 || dtype == DTYPE_BF16;
}

hob_status scratch_f32(struct op_context *ctx, int64_t n_items, float **ret_items)
{
    size_t n_bytes;
    if (n_items < 0 || !size_mul((size_t)n_items, sizeof(float), &n_bytes))
        OP_FAIL(ctx, HOB_LIMIT, "scratch: found %lld floats, expected fewer", (long long)n_items);
    float *items = arena_alloc(ctx->scratch, n_bytes ? n_bytes : sizeof(float), 64);
    if (!items) OP_FAIL(ctx, HOB_NO_MEMORY, "no memory for %zu bytes of scratch", n_bytes);
    *ret_items = items;
    return HOB_OK;
}

static void convert(const struct kernels *kernels, enum dtype dtype, const void *source, int64_t n_items, float *target)
{
    if (dtype == DTYPE_F16) kernels->f32_from_f16(n_items, source, target);
    else kernels->f32_from_bf16(n_items, source, target);
}

/* x as contiguous f32 in scratch. */
static hob_status copy_f32(struct op_context *ctx, const struct tensor *x, float **ret_items)
{
    float *items;
    TRY(scratch_f32(ctx, tensor_n_items(x), &items));
    *ret_items = items;
    if (x->dtype == DTYPE_F32) {
        tensor_copy_contiguous(x, items);
        return HOB_OK;
    }
    const void *source = x->data;
    if (!tensor_is_contiguous(x)) {
        float *halves; /* half of it is used */
        TRY(scratch_f32(ctx, tensor_n_items(x), &halves));
        tensor_copy_contiguous(x, halves);
        source = halves;
    }
    convert(ctx->kernels, x->dtype, source, tensor_n_items(x), items);
    return HOB_OK;
}

hob_status as_f32(struct op_context *ctx, const struct tensor *x, struct tensor *ret_x)
{
    if (!x || x->dtype == DTYPE_F32) {
        *ret_x = x ? *x : (struct tensor){0};
        return HOB_OK;
    }
    float *items;
    TRY(copy_f32(ctx, x, &items));
    return tensor_init(ret_x, DTYPE_F32, x->rank, x->dims, items, ctx->error);
}

hob_status as_f32_rows(struct op_context *ctx, const struct tensor *x, int row_axes, struct rows_f32 *ret_rows)
{
    struct rows_f32 rows = {.n_rows = 1, .width = 1};
    for (int axis = 0; axis < x->rank; axis++)
        *(axis < x->rank - row_axes ? &rows.n_rows : &rows.width) *= x->dims[axis];
    rows.stride = rows.width;
    struct tensor view;
    if (x->dtype == DTYPE_F32 && tensor_reshape(x, 2, (int64_t[]){rows.n_rows, rows.width}, &view) &&
        (view.strides[1] == 1 || rows.width <= 1)) {
        rows.data = view.data;
        rows.stride = view.strides[0];
    } else {
        float *items;
        TRY(copy_f32(ctx, x, &items));
        rows.data = items;
    }
    *ret_rows = rows;
    return HOB_OK;
}

hob_status as_f32_vector(struct op_context *ctx, const struct tensor *x, const float **ret_vector)
{
    *ret_vector = NULL;
    if (!x) return HOB_OK;
    struct rows_f32 rows;
    TRY(as_f32_rows(ctx, x, x->rank, &rows));
    *ret_vector = rows.data;
    return HOB_OK;
}

hob_status as_f32_output(struct op_context *ctx, const struct tensor *y, float **ret_items)
{
    *ret_items = NULL;
    if (!y) return HOB_OK;
    if (y->dtype != DTYPE_F32) return scratch_f32(ctx, tensor_n_items(y), ret_items);
    *ret_items = y->data;
    return HOB_OK;
}

void as_f32_finish(struct op_context *ctx, const float *items, const struct tensor *y)
{
    if (!y || y->dtype == DTYPE_F32) return;
    if (y->dtype == DTYPE_F16) ctx->kernels->f16_from_f32(tensor_n_items(y), items, y->data);
    else ctx->kernels->bf16_from_f32(tensor_n_items(y), items, y->data);
}
