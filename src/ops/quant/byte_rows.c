#include "ops/quant/byte_rows.h"

#include "base/size.h"
#include "kernels/kernels.h"

#include <string.h>

enum { GROUP = 4, WORTHWHILE_BYTES = 1 << 15 };

struct job {
    struct byte_rows rows;
    const uint8_t *source; /* to be copied from; NULL: rows.items lie where they were */
    uint8_t *copy;
    uint8_t flip;
    int32_t *sums; /* NULL: not wanted */
};

static void copy_row(const struct job *job, int64_t row)
{
    const uint8_t *source = job->source + row * job->rows.k;
    uint8_t *copy = job->copy + row * job->rows.stride;
    for (int64_t k = 0; k < job->rows.k; k++) copy[k] = source[k] ^ job->flip;
    memset(copy + job->rows.k, 0, (size_t)(job->rows.stride - job->rows.k));
}

/* Wraps as the products do. */
static int32_t sum_row(const struct job *job, int64_t row)
{
    const uint8_t *items = job->rows.items + row * job->rows.stride;
    uint32_t sum = 0;
    for (int64_t k = 0; k < job->rows.k; k++) sum += items[k];
    return (int32_t)(sum - (uint32_t)job->rows.k * (uint32_t)job->rows.zeros[row]);
}

static void prepare_rows(void *context, size_t begin, size_t end)
{
    const struct job *job = context;
    for (int64_t row = (int64_t)begin; row < (int64_t)end; row++) {
        if (job->source) copy_row(job, row);
        if (job->sums) job->sums[row] = sum_row(job, row);
    }
}

static hob_status new_bytes(struct op_context *ctx, int64_t n, int64_t item_bytes, void **ret_bytes)
{
    size_t n_bytes;
    if (!size_mul((size_t)n, (size_t)item_bytes, &n_bytes) || n_bytes > SIZE_MAX / 2)
        OP_FAIL(ctx, HOB_LIMIT, "found %lld rows of %lld bytes, expected fewer", (long long)n, (long long)item_bytes);
    *ret_bytes = arena_alloc(ctx->scratch, n_bytes + 1, 64);
    if (!*ret_bytes) OP_FAIL(ctx, HOB_NO_MEMORY, "no memory for %zu bytes", n_bytes);
    return HOB_OK;
}

/* Signed bytes become unsigned by 128 more, which their zero points become too. */
static hob_status plan_copy(struct op_context *ctx, const struct tensor *x, int32_t *zeros, struct job *job)
{
    void *copy;
    job->rows.items = x->data;
    job->rows.stride = (job->rows.k + GROUP - 1) / GROUP * GROUP;
    if (x->dtype == DTYPE_U8 && job->rows.k % GROUP == 0) return HOB_OK;
    TRY(new_bytes(ctx, job->rows.n_rows, job->rows.stride, &copy));
    job->source = x->data;
    job->flip = x->dtype == DTYPE_I8 ? 0x80 : 0;
    job->rows.items = job->copy = copy;
    for (int64_t row = 0; row < job->rows.n_rows && job->flip; row++) zeros[row] += 128;
    return HOB_OK;
}

hob_status byte_rows_prepare(struct op_context *ctx, const struct tensor *x, int32_t *zeros, bool wants_sums,
                             struct byte_rows *ret_rows)
{
    struct job job = {.rows = {.n_rows = 1, .k = x->dims[x->rank - 1], .zeros = zeros}};
    void *sums = NULL;
    for (int axis = 0; axis < x->rank - 1; axis++) job.rows.n_rows *= x->dims[axis];
    TRY(plan_copy(ctx, x, zeros, &job));
    if (wants_sums) TRY(new_bytes(ctx, job.rows.n_rows, sizeof(int32_t), &sums));
    job.sums = sums;
    if (job.source || job.sums)
        thread_pool_run(ctx->pool, (size_t)job.rows.n_rows, (size_t)(1 + WORTHWHILE_BYTES / (job.rows.k + 1)),
                        prepare_rows, &job);
    job.rows.sums = sums;
    *ret_rows = job.rows;
    return HOB_OK;
}
