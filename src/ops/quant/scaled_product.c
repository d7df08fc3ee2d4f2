#include "ops/quant/scaled_product.h"

#include "ops/as_f32.h"
#include "ops/numbers.h"

hob_status scaled_product_check(struct op_context *ctx, int i, int64_t n_columns)
{
    const struct tensor *scale = op_input(ctx, i);
    if (!scale) OP_FAIL(ctx, HOB_BAD_GRAPH, "input %d, a scale, is missing", i);
    if (!numbers_is_float(scale->dtype))
        OP_FAIL(ctx, HOB_BAD_TYPE, "input %d: found %s, expected a float type", i, dtype_name(scale->dtype));
    if (tensor_n_items(scale) != 1 && (scale->rank != 1 || scale->dims[0] != n_columns))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input %d: found %s, expected one number or [%lld]", i, OP_SHAPE(scale),
                (long long)n_columns);
    return HOB_OK;
}

hob_status scaled_product_factors(struct op_context *ctx, float a_scale, const struct tensor *b_scale,
                                  int64_t n_columns, float **ret_factors)
{
    float *factors;
    TRY(scratch_f32(ctx, n_columns, &factors));
    for (int64_t j = 0; j < n_columns; j++) factors[j] = 1;
    if (b_scale) numbers_load_f32(b_scale, 0, tensor_n_items(b_scale) != 1, (size_t)n_columns, factors);
    for (int64_t j = 0; j < n_columns; j++) factors[j] *= a_scale;
    *ret_factors = factors;
    return HOB_OK;
}

struct store_job {
    const struct scaled_product *product;
    const struct tensor *y;
};

static void store_rows(void *context, size_t begin, size_t end)
{
    const struct store_job *job = context;
    const struct scaled_product *p = job->product;
    float numbers[NUMBERS_RUN];
    for (int64_t row = (int64_t)begin; row < (int64_t)end; row++)
        for (int64_t j = 0, n; j < p->n_columns; j += n) {
            n = p->n_columns - j < NUMBERS_RUN ? p->n_columns - j : NUMBERS_RUN;
            const int32_t *sums = p->sums + row * p->n_columns + j;
            for (int64_t i = 0; i < n; i++) numbers[i] = (float)sums[i] * p->factors[j + i];
            for (int64_t i = 0; p->bias && i < n; i++) numbers[i] += p->bias[j + i];
            numbers_store_f32(job->y, row * p->n_columns + j, 1, (size_t)n, numbers);
        }
}

void scaled_product_store(struct op_context *ctx, const struct scaled_product *product, const struct tensor *y)
{
    struct store_job job = {product, y};
    thread_pool_run(ctx->pool, (size_t)product->n_rows, (size_t)(1 + 8192 / (product->n_columns + 1)), store_rows, &job);
}
