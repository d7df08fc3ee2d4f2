#include "ops/quant/integer_product.h"

#include "base/size.h"
#include "kernels/kernels.h"
#include "ops/quant/byte_rows.h"
#include "ops/quant/int8_product.h"
#include "ops/quant/quantized.h"

#include <string.h>

/* A unit of parallel work: a block of rows and columns of one product. */
enum { BLOCK_ROWS = 64, BLOCK_COLUMNS = 256, WORTHWHILE_PRODUCTS = 1 << 17 };

/* ---- shapes ---- */

/* A vector as a matrix of one row or one column; panels of [N,K] as the [K,N] that they stand for. */
static struct tensor as_matrix(const struct tensor *x, bool is_row)
{
    struct tensor matrix = *x;
    if (x->layout == LAYOUT_PANELS && x->rank == 2) {
        matrix.dims[0] = x->dims[1];
        matrix.dims[1] = x->dims[0];
    }
    if (x->rank != 1) return matrix;
    matrix.rank = 2;
    matrix.dims[!is_row] = 1;
    matrix.dims[is_row] = x->dims[0];
    matrix.strides[!is_row] = 0;
    matrix.strides[is_row] = x->strides[0];
    return matrix;
}

static int64_t lines(const struct tensor *matrix, bool is_row)
{
    return matrix->dims[matrix->rank - (is_row ? 2 : 1)];
}

static int64_t n_matrices(const struct tensor *matrix)
{
    int64_t n = 1;
    for (int axis = 0; axis < matrix->rank - 2; axis++) n *= matrix->dims[axis];
    return n;
}

struct tensor integer_product_matrix(const struct tensor *b)
{
    return as_matrix(b, false);
}

int64_t integer_product_columns(const struct tensor *b)
{
    if (!b->rank) return 0;
    struct tensor matrix = as_matrix(b, false);
    return lines(&matrix, false);
}

bool integer_product_fits(const struct tensor *x, const struct tensor *y, bool is_row)
{
    if (!x || tensor_n_items(x) == 1) return true;
    struct tensor matrix = as_matrix(y, is_row);
    if (x->rank == 1) return x->dims[0] == lines(&matrix, is_row);
    if (x->rank != matrix.rank) return false;
    matrix.dims[matrix.rank - (is_row ? 1 : 2)] = 1;
    return tensor_same_shape(x, &matrix);
}

int64_t integer_product_index(const struct tensor *x, const struct tensor *y, bool is_row, int64_t batch, int64_t at)
{
    if (tensor_n_items(x) == 1) return 0;
    struct tensor matrix = as_matrix(y, is_row);
    return x->rank == 1 ? at : batch * lines(&matrix, is_row) + at;
}

static hob_status check_operand(struct op_context *ctx, const struct tensor *x, const struct tensor *zero, bool is_row)
{
    const char *name = is_row ? "a" : "b";
    if (!quantized_is_byte(x->dtype))
        OP_FAIL(ctx, HOB_BAD_TYPE, "%s: found %s, expected uint8 or int8", name, dtype_name(x->dtype));
    if (!x->rank) OP_FAIL(ctx, HOB_BAD_SHAPE, "%s: found a scalar, expected a matrix", name);
    if (x->layout == LAYOUT_PANELS && (is_row || x->rank != 2 || x->dtype != DTYPE_I8))
        OP_FAIL(ctx, HOB_BAD_TYPE, "%s: found panels of %s %s, expected a matrix, or panels of int8 for b", name,
                dtype_name(x->dtype), OP_SHAPE(x));
    if (zero && zero->dtype != x->dtype)
        OP_FAIL(ctx, HOB_BAD_TYPE, "zero point of %s: found %s, expected %s", name, dtype_name(zero->dtype),
                dtype_name(x->dtype));
    if (!integer_product_fits(zero, x, is_row))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "zero point of %s: found %s, expected one number or one for each %s of %s", name,
                OP_SHAPE(zero), is_row ? "row" : "column", OP_SHAPE(x));
    return HOB_OK;
}

hob_status integer_product_infer(struct op_context *ctx, const struct integer_product *product, int *ret_rank,
                                 int64_t *ret_dims)
{
    TRY(check_operand(ctx, product->a, product->a_zero, true));
    TRY(check_operand(ctx, product->b, product->b_zero, false));
    struct tensor a = as_matrix(product->a, true), b = as_matrix(product->b, false);
    int rank;
    int64_t dims[TENSOR_MAX_RANK];
    if (lines(&a, false) != lines(&b, true) ||
        !shape_broadcast(a.rank - 2, a.dims, b.rank - 2, b.dims, &rank, dims))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "found %s x %s, expected [..,M,K] x [..,K,N] with batches that broadcast",
                OP_SHAPE(product->a), OP_SHAPE(product->b));
    if (product->a->rank > 1) dims[rank++] = lines(&a, true);
    if (product->b->rank > 1) dims[rank++] = lines(&b, false);
    for (int axis = 0; axis < rank; axis++) ret_dims[axis] = dims[axis];
    *ret_rank = rank;
    return HOB_OK;
}

/* ---- operands ---- */

static hob_status new_items(struct op_context *ctx, int64_t a, int64_t b, size_t item_bytes, void **ret_items)
{
    size_t n_items, n_bytes;
    if (!size_mul((size_t)a, (size_t)b, &n_items) || !size_mul(n_items, item_bytes, &n_bytes))
        OP_FAIL(ctx, HOB_LIMIT, "found a product of %lld x %lld items, expected fewer", (long long)a, (long long)b);
    void *items = arena_alloc(ctx->scratch, n_bytes + 64, 64);
    if (!items) OP_FAIL(ctx, HOB_NO_MEMORY, "no memory for %zu bytes", n_bytes);
    *ret_items = items;
    return HOB_OK;
}

hob_status integer_product_sums(struct op_context *ctx, int64_t n_items, int32_t **ret_sums)
{
    void *items;
    TRY(new_items(ctx, n_items, 1, sizeof(int32_t), &items));
    *ret_sums = items;
    return HOB_OK;
}

static hob_status pack_bytes(struct op_context *ctx, const struct tensor *x, struct tensor *ret_packed)
{
    void *items;
    TRY(new_items(ctx, tensor_n_items(x), 1, 1, &items));
    tensor_copy_contiguous(x, items);
    return tensor_init(ret_packed, x->dtype, x->rank, x->dims, items, ctx->error);
}

struct widened {
    int16_t *items;
    int64_t row_items; /* K, one more where K is odd */
};

static void widen_row(const uint8_t *bytes, bool is_signed, int64_t n, int32_t zero, int16_t *ret_items)
{
    const int8_t *signed_bytes = (const int8_t *)bytes;
    if (is_signed)
        for (int64_t i = 0; i < n; i++) ret_items[i] = (int16_t)(signed_bytes[i] - zero);
    else
        for (int64_t i = 0; i < n; i++) ret_items[i] = (int16_t)(bytes[i] - zero);
}

static int32_t zero_at(const struct tensor *zero, const struct tensor *x, bool is_row, int64_t batch, int64_t at)
{
    return zero ? (int32_t)tensor_get_int(zero, integer_product_index(zero, x, is_row, batch, at)) : 0;
}

struct widening {
    const struct tensor *a, *zero;
    struct widened wide;
};

static void widen_rows(void *context, size_t begin, size_t end)
{
    const struct widening *job = context;
    const int64_t n_rows = lines(job->a, true), k = lines(job->a, false);
    for (int64_t row = (int64_t)begin; row < (int64_t)end; row++) {
        int16_t *items = job->wide.items + row * job->wide.row_items;
        widen_row((const uint8_t *)job->a->data + row * k, job->a->dtype == DTYPE_I8, k,
                  zero_at(job->zero, job->a, true, row / n_rows, row % n_rows), items);
        if (job->wide.row_items > k) items[k] = 0;
    }
}

/* a is contiguous. */
static hob_status widen(struct op_context *ctx, const struct tensor *a, const struct tensor *zero,
                        struct widened *ret_wide)
{
    const int64_t k = lines(a, false), n_rows = n_matrices(a) * lines(a, true);
    struct widening job = {.a = a, .zero = zero, .wide.row_items = k + (k & 1)};
    void *items;
    TRY(new_items(ctx, n_rows, job.wide.row_items, sizeof(int16_t), &items));
    job.wide.items = items;
    thread_pool_run(ctx->pool, (size_t)n_rows, (size_t)(1 + (1 << 15) / (k + 1)), widen_rows, &job);
    *ret_wide = job.wide;
    return HOB_OK;
}

/* A row of zero points for each matrix of b. */
static hob_status load_zeros(struct op_context *ctx, const struct tensor *b, const struct tensor *zero,
                             int16_t **ret_zeros)
{
    const int64_t n = lines(b, false), n_batches = n_matrices(b);
    void *items;
    TRY(new_items(ctx, n_batches, n, sizeof(int16_t), &items));
    int16_t *zeros = items;
    for (int64_t batch = 0; batch < n_batches; batch++)
        for (int64_t j = 0; j < n; j++) zeros[batch * n + j] = (int16_t)zero_at(zero, b, false, batch, j);
    *ret_zeros = zeros;
    return HOB_OK;
}

/* ---- blocks ---- */

struct job {
    const struct kernels *kernels;
    const struct tensor *a, *b; /* matrices; b's rows lie next to each other */
    struct widened wide;
    const int16_t *zeros;
    int32_t *c;
    int rank; /* of the batch */
    int64_t dims[TENSOR_MAX_RANK];
    int64_t m, n, k, row_blocks, column_blocks;
};

/* Which matrix of x is the one for this batch index. */
static int64_t matrix_index(const struct job *job, const struct tensor *x, int64_t batch)
{
    int64_t index = 0, step = 1;
    for (int axis = job->rank - 1; axis >= 0; axis--) {
        int own = axis - (job->rank - (x->rank - 2));
        int64_t at = batch % job->dims[axis];
        batch /= job->dims[axis];
        if (own < 0) continue;
        index += x->dims[own] == 1 ? 0 : at * step;
        step *= x->dims[own];
    }
    return index;
}

static void multiply_block(const struct job *job, int64_t batch, int64_t row, int64_t column)
{
    const int64_t matrix_a = matrix_index(job, job->a, batch), matrix_b = matrix_index(job, job->b, batch);
    job->kernels->gemm_i8(&(struct gemm_i8_args){
        .a = job->wide.items + (matrix_a * job->m + row) * job->wide.row_items,
        .a_stride = job->wide.row_items,
        .b = (const uint8_t *)job->b->data + matrix_b * job->k * job->n + column,
        .b_stride = job->n,
        .b_zero = job->zeros + matrix_b * job->n + column,
        .c = job->c + (batch * job->m + row) * job->n + column,
        .c_stride = job->n,
        .m = job->m - row < BLOCK_ROWS ? job->m - row : BLOCK_ROWS,
        .n = job->n - column < BLOCK_COLUMNS ? job->n - column : BLOCK_COLUMNS,
        .k = job->k,
        .is_b_signed = job->b->dtype == DTYPE_I8});
}

static void multiply_blocks(void *context, size_t begin, size_t end)
{
    const struct job *job = context;
    for (int64_t i = (int64_t)begin; i < (int64_t)end; i++) {
        int64_t rest = i / job->column_blocks;
        multiply_block(job, rest / job->row_blocks, rest % job->row_blocks * BLOCK_ROWS,
                       i % job->column_blocks * BLOCK_COLUMNS);
    }
}

static void multiply(struct op_context *ctx, struct job *job)
{
    int64_t n_batches = 1;
    for (int axis = 0; axis < job->rank; axis++) n_batches *= job->dims[axis];
    job->row_blocks = (job->m + BLOCK_ROWS - 1) / BLOCK_ROWS;
    job->column_blocks = (job->n + BLOCK_COLUMNS - 1) / BLOCK_COLUMNS;
    int64_t rows = job->m < BLOCK_ROWS ? job->m : BLOCK_ROWS, columns = job->n < BLOCK_COLUMNS ? job->n : BLOCK_COLUMNS;
    int64_t least_blocks = 1 + WORTHWHILE_PRODUCTS / (rows * columns * (job->k + 1));
    thread_pool_run(ctx->pool, (size_t)(n_batches * job->row_blocks * job->column_blocks), (size_t)least_blocks,
                    multiply_blocks, job);
}

/* ---- weights in panels ---- */

/* All zero points that there are, as int32: of a's rows or b's columns. */
static hob_status spread_zeros(struct op_context *ctx, const struct tensor *x, const struct tensor *zero, bool is_row,
                               int64_t n, int32_t **ret_zeros)
{
    const int64_t n_lines = lines(x, is_row);
    void *items;
    TRY(new_items(ctx, n, 1, sizeof(int32_t), &items));
    int32_t *zeros = items;
    for (int64_t i = 0; i < n; i++) zeros[i] = zero_at(zero, x, is_row, i / n_lines, i % n_lines);
    *ret_zeros = zeros;
    return HOB_OK;
}

/* a is contiguous; b is [K,N] by its dims. All rows of all of a are one tall matrix. */
static hob_status multiply_panels(struct op_context *ctx, const struct integer_product *product, const struct tensor *a,
                                  const struct tensor *b)
{
    struct byte_rows rows;
    int32_t *a_zeros, *w_zeros = NULL;
    const int64_t n = lines(b, false);
    TRY(spread_zeros(ctx, a, product->a_zero, true, n_matrices(a) * lines(a, true), &a_zeros));
    TRY(byte_rows_prepare(ctx, a, a_zeros, product->b_zero, &rows));
    if (product->b_zero) TRY(spread_zeros(ctx, b, product->b_zero, false, n, &w_zeros));
    int8_product_run(ctx, &(struct gemm_u8i8_args){.a = rows.items, .a_stride = rows.stride, .a_zeros = rows.zeros,
                                                   .a_sums = rows.sums, .panels = b->data, .w_zeros = w_zeros,
                                                   .sums = product->c, .c_stride = n, .m = rows.n_rows, .n = n, .k = rows.k},
                     NULL);
    return HOB_OK;
}

hob_status integer_product_run(struct op_context *ctx, const struct integer_product *product)
{
    struct tensor a = as_matrix(product->a, true), b = as_matrix(product->b, false), packed;
    struct job job = {.kernels = ctx->kernels, .a = &a, .b = &b, .c = product->c};
    int16_t *zeros;
    bool is_empty = false;
    if (!tensor_is_contiguous(&a)) {
        TRY(pack_bytes(ctx, &a, &packed));
        a = packed;
    }
    if (b.layout != LAYOUT_PANELS && !tensor_is_contiguous(&b)) {
        TRY(pack_bytes(ctx, &b, &packed));
        b = packed;
    }
    if (!shape_broadcast(a.rank - 2, a.dims, b.rank - 2, b.dims, &job.rank, job.dims))
        OP_FAIL(ctx, HOB_INTERNAL, "found %s x %s, which infer let pass", OP_SHAPE(&a), OP_SHAPE(&b));
    job.m = lines(&a, true), job.n = lines(&b, false), job.k = lines(&a, false);
    for (int axis = 0; axis < job.rank; axis++) is_empty = is_empty || !job.dims[axis];
    if (is_empty || !job.m || !job.n) return HOB_OK;
    if (b.layout == LAYOUT_PANELS) return multiply_panels(ctx, product, &a, &b);
    TRY(widen(ctx, &a, product->a_zero, &job.wide));
    TRY(load_zeros(ctx, &b, product->b_zero, &zeros));
    job.zeros = zeros;
    if (n_matrices(&b) == 1) { /* all rows of all of a are one tall matrix */
        job.m *= n_matrices(&a);
        job.rank = 0;
        b.rank = 2;
        for (int i = 0; i < 2; i++) b.dims[i] = i ? job.n : job.k;
    }
    multiply(ctx, &job);
    return HOB_OK;
}
