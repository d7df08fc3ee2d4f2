#include "ops/vision/reals.h"

#include "ops/as_f32.h"
#include "ops/numbers.h"

static bool fits_f32(enum dtype dtype)
{
    return op_types_have(TYPE(I8) | TYPE(U8) | TYPE(I16) | TYPE(U16), dtype);
}

hob_status reals_load(struct op_context *ctx, const struct tensor *x, struct reals *ret_reals)
{
    *ret_reals = (struct reals){0};
    if (!x) return HOB_OK;
    size_t n_items = (size_t)tensor_n_items(x);
    if (as_f32_takes(x->dtype)) {
        TRY(as_f32_vector(ctx, x, &ret_reals->f32));
    } else if (x->dtype == DTYPE_F64) {
        ret_reals->f64 = x->data;
    } else if (fits_f32(x->dtype)) {
        float *items;
        TRY(scratch_f32(ctx, (int64_t)n_items, &items));
        numbers_load_f32(x, 0, 1, n_items, items);
        ret_reals->f32 = items;
    } else {
        double *items = ARENA_NEW(ctx->scratch, double, n_items);
        if (!items) OP_FAIL(ctx, HOB_NO_MEMORY, "no memory for %zu numbers", n_items);
        numbers_load_f64(x, 0, 1, n_items, items);
        ret_reals->f64 = items;
    }
    return HOB_OK;
}

void reals_store(const struct tensor *y, int64_t i, double number)
{
    if (numbers_is_float(y->dtype)) {
        numbers_store_f64(y, i, 1, 1, &number);
        return;
    }
    bool is_signed = op_types_have(TYPES_SIGNED, y->dtype);
    int bits = (int)dtype_block_bytes(y->dtype) * 8;
    double most = ldexp(1, is_signed ? bits - 1 : bits), least = is_signed ? -most : 0;
    int64_t whole;
    if (number >= most) whole = (int64_t)(UINT64_MAX >> (is_signed ? 65 - bits : 64 - bits));
    else if (number <= least) whole = is_signed ? (int64_t)(UINT64_MAX << (bits - 1)) : 0;
    else if (is_signed) whole = isnan(number) ? 0 : (int64_t)number;
    else whole = isnan(number) ? 0 : (int64_t)(uint64_t)number;
    numbers_store_i64(y, i, 1, 1, &whole);
}
