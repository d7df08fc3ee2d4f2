#include "ops/attention/heads.h"

#include "ops/as_f32.h"
#include "ops/moving.h"
#include "ops/numbers.h"

struct tensor heads_split(const struct tensor *x, int64_t n_heads)
{
    struct tensor heads = *x;
    int64_t width = x->dims[2] / n_heads;
    int64_t dims[4] = {x->dims[0], n_heads, x->dims[1], width};
    int64_t strides[4] = {x->strides[0], width * x->strides[2], x->strides[1], x->strides[2]};
    heads.rank = 4;
    memcpy(heads.dims, dims, sizeof dims);
    memcpy(heads.strides, strides, sizeof strides);
    return heads;
}

struct tensor heads_over(void *items, enum dtype dtype, const int64_t dims[4], bool is_packed)
{
    struct tensor heads = {.data = items, .dtype = dtype, .rank = 4};
    memcpy(heads.dims, dims, 4 * sizeof dims[0]);
    tensor_set_contiguous(&heads);
    if (!is_packed) return heads;
    heads.strides[1] = dims[3];
    heads.strides[2] = dims[1] * dims[3];
    return heads;
}

static hob_status scratch_bytes(struct op_context *ctx, const struct tensor *x, void **ret_bytes)
{
    *ret_bytes = arena_alloc(ctx->scratch, tensor_n_bytes(x) + 1, 64);
    if (!*ret_bytes) OP_FAIL(ctx, HOB_NO_MEMORY, "no memory for a copy of %s", OP_SHAPE(x));
    return HOB_OK;
}

hob_status heads_join(struct op_context *ctx, const struct tensor *past, const struct tensor *fresh,
                      const struct tensor *present, struct tensor *ret_joined)
{
    int64_t n_past = past ? past->dims[2] : 0;
    struct tensor joined;
    if (!present && !n_past) {
        *ret_joined = *fresh;
        return HOB_OK;
    }
    int64_t dims[4] = {fresh->dims[0], fresh->dims[1], n_past + fresh->dims[2], fresh->dims[3]};
    TRY(tensor_init(&joined, fresh->dtype, 4, dims, present ? present->data : NULL, ctx->error));
    if (!present) TRY(scratch_bytes(ctx, &joined, &joined.data));
    struct tensor behind = tensor_slice(&joined, 2, n_past, fresh->dims[2], 1);
    moving_copy_strided(fresh, &behind);
    if (n_past) {
        struct tensor before = tensor_slice(&joined, 2, 0, n_past, 1);
        moving_copy_strided(past, &before);
    }
    *ret_joined = joined;
    return HOB_OK;
}

/* Items begin..begin + n, contiguous, of one type as another; one of the two is f32 or f64. */
static void convert_run(const struct tensor *source, const struct tensor *target, int64_t begin, size_t n)
{
    double numbers[NUMBERS_RUN];
    numbers_load_f64(source, begin, 1, n, numbers);
    numbers_store_f64(target, begin, 1, n, numbers);
}

static void convert_all(const struct tensor *source, const struct tensor *target)
{
    int64_t n_items = tensor_n_items(source);
    for (int64_t i = 0; i < n_items; i += NUMBERS_RUN)
        convert_run(source, target, i, (size_t)(n_items - i < NUMBERS_RUN ? n_items - i : NUMBERS_RUN));
}

hob_status heads_convert(struct op_context *ctx, const struct tensor *x, enum dtype dtype, struct tensor *ret_x)
{
    *ret_x = x ? *x : (struct tensor){0};
    if (!x || x->dtype == dtype) return HOB_OK;
    if (dtype == DTYPE_F32 && as_f32_takes(x->dtype)) return as_f32(ctx, x, ret_x);
    struct tensor source = *x, target;
    if (!tensor_is_contiguous(x)) {
        TRY(scratch_bytes(ctx, x, &source.data));
        tensor_copy_contiguous(x, source.data);
        tensor_set_contiguous(&source);
    }
    TRY(tensor_init(&target, dtype, x->rank, x->dims, NULL, ctx->error));
    TRY(scratch_bytes(ctx, &target, &target.data));
    convert_all(&source, &target);
    *ret_x = target;
    return HOB_OK;
}

hob_status heads_output(struct op_context *ctx, const struct tensor *y, enum dtype dtype, void **ret_items)
{
    *ret_items = NULL;
    if (!y) return HOB_OK;
    struct tensor items = *y;
    items.dtype = dtype;
    if (y->dtype == dtype) *ret_items = y->data;
    else TRY(scratch_bytes(ctx, &items, ret_items));
    return HOB_OK;
}

void heads_finish(struct op_context *ctx, const void *items, enum dtype dtype, const struct tensor *y)
{
    if (!y || y->dtype == dtype) return;
    if (dtype == DTYPE_F32 && as_f32_takes(y->dtype)) {
        as_f32_finish(ctx, items, y);
        return;
    }
    struct tensor source = *y;
    source.dtype = dtype;
    source.data = (void *)(uintptr_t)items;
    convert_all(&source, y);
}
