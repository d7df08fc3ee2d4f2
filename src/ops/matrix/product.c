#include "ops/matrix/product.h"

#include "kernels/kernels.h"
#include "ops/as_f32.h"
#include "ops/numbers.h"

/* A unit of parallel work: a block of rows and columns of one product. Large enough to reuse what the kernel reads, small
 * enough to share. */
enum { BLOCK_ROWS = 192, BLOCK_COLUMNS = 256, WORTHWHILE_PRODUCTS = 1 << 16 };

struct product {
    const struct kernels *kernels;
    const struct tensor *a, *b, *c;
    int64_t m, n, k;
    int64_t row_blocks, column_blocks, block_columns;
};

struct block {
    int64_t a_offset, b_offset, c_offset; /* of the product's first items */
    int64_t row, n_rows, column, n_columns;
};

bool product_takes(enum dtype dtype)
{
    return numbers_is_float(dtype) || dtype == DTYPE_I32 || dtype == DTYPE_I64 || dtype == DTYPE_U32 ||
           dtype == DTYPE_U64;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static struct block block_at(const struct product *p, int64_t index)
{
    struct block block = {.column = index % p->column_blocks * p->block_columns};
    index /= p->column_blocks;
    block.row = index % p->row_blocks * BLOCK_ROWS;
    index /= p->row_blocks;
    block.n_columns = least(p->block_columns, p->n - block.column);
    block.n_rows = least(BLOCK_ROWS, p->m - block.row);
    block.c_offset = index * p->m * p->n;
    for (int axis = p->a->rank - 3; axis >= 0; axis--) {
        int64_t at = index % p->a->dims[axis];
        index /= p->a->dims[axis];
        block.a_offset += at * p->a->strides[axis];
        block.b_offset += at * p->b->strides[axis];
    }
    return block;
}

static void multiply_f32(const struct product *p, const struct block *block)
{
    int last = p->a->rank - 1;
    const int64_t *a_strides = p->a->strides, *b_strides = p->b->strides;
    p->kernels->gemm_strided_f32(&(struct gemm_strided_f32_args){
        .a = (const float *)p->a->data + block->a_offset + block->row * a_strides[last - 1],
        .b = (const float *)p->b->data + block->b_offset + block->column * b_strides[last],
        .c = (float *)p->c->data + block->c_offset + block->row * p->n + block->column,
        .a_row_stride = a_strides[last - 1],
        .a_column_stride = a_strides[last],
        .b_row_stride = b_strides[last - 1],
        .b_column_stride = b_strides[last],
        .c_stride = p->n,
        .m = block->n_rows,
        .n = block->n_columns,
        .k = p->k});
}

/* One row and up to NUMBERS_RUN columns, in f64 or in wrapping i64. */
#define MULTIPLY_RUN(name, type, load, store, accumulate)                                                     \
    static void name(const struct product *p, int64_t a_offset, int64_t b_offset, int64_t c_offset, size_t n) \
    {                                                                                                         \
        int last = p->a->rank - 1;                                                                            \
        type sums[NUMBERS_RUN] = {0}, items[NUMBERS_RUN], a;                                                  \
        for (int64_t k = 0; k < p->k; k++) {                                                                  \
            load(p->a, a_offset + k * p->a->strides[last], 0, 1, &a);                                         \
            load(p->b, b_offset + k * p->b->strides[last - 1], p->b->strides[last], n, items);                \
            for (size_t j = 0; j < n; j++) accumulate;                                                        \
        }                                                                                                     \
        store(p->c, c_offset, 1, n, sums);                                                                    \
    }
MULTIPLY_RUN(multiply_run_f64, double, numbers_load_f64, numbers_store_f64, sums[j] += a * items[j])
MULTIPLY_RUN(multiply_run_i64, int64_t, numbers_load_i64, numbers_store_i64,
             sums[j] = (int64_t)((uint64_t)sums[j] + (uint64_t)a * (uint64_t)items[j]))

static void multiply_generic(const struct product *p, const struct block *block)
{
    int last = p->a->rank - 1;
    bool is_float = numbers_is_float(p->a->dtype);
    for (int64_t row = block->row; row < block->row + block->n_rows; row++)
        for (int64_t begin = block->column; begin < block->column + block->n_columns; begin += NUMBERS_RUN) {
            size_t n = (size_t)least(NUMBERS_RUN, block->column + block->n_columns - begin);
            (is_float ? multiply_run_f64 : multiply_run_i64)(p, block->a_offset + row * p->a->strides[last - 1],
                                                             block->b_offset + begin * p->b->strides[last],
                                                             block->c_offset + row * p->n + begin, n);
        }
}

static void multiply_blocks(void *context, size_t begin, size_t end)
{
    const struct product *p = context;
    for (size_t i = begin; i < end; i++) {
        struct block block = block_at(p, (int64_t)i);
        if (p->a->dtype == DTYPE_F32) multiply_f32(p, &block);
        else multiply_generic(p, &block);
    }
}

static void multiply(struct op_context *ctx, const struct tensor *a, const struct tensor *b, const struct tensor *c)
{
    int last = a->rank - 1;
    struct product p = {.kernels = ctx->kernels,
                        .a = a,
                        .b = b,
                        .c = c,
                        .m = a->dims[last - 1],
                        .n = b->dims[last],
                        .k = a->dims[last]};
    int64_t n_batches = 1;
    for (int axis = 0; axis < last - 1; axis++) n_batches *= a->dims[axis];
    p.block_columns = least(BLOCK_COLUMNS, p.n);
    p.row_blocks = (p.m + BLOCK_ROWS - 1) / BLOCK_ROWS;
    p.column_blocks = p.n ? (p.n + p.block_columns - 1) / p.block_columns : 0;
    int64_t products_per_block = least(p.m, BLOCK_ROWS) * p.block_columns * (p.k + 1);
    int64_t least_blocks = 1 + WORTHWHILE_PRODUCTS / (products_per_block + 1);
    thread_pool_run(ctx->pool, (size_t)(n_batches * p.row_blocks * p.column_blocks), (size_t)least_blocks,
                    multiply_blocks, &p);
}

/* When b is one matrix for the whole batch, the rows of all of a are one tall matrix: b is read once. */
static bool flatten_batch(const struct tensor *a, const struct tensor *b, const struct tensor *c, struct tensor *ret_a,
                          struct tensor *ret_b, struct tensor *ret_c)
{
    int last = a->rank - 1;
    int64_t n_rows = 1;
    for (int axis = 0; axis < last - 1; axis++)
        if (b->strides[axis] != 0 && b->dims[axis] != 1) return false;
    for (int axis = 0; axis < last; axis++) n_rows *= a->dims[axis];
    if (!tensor_reshape(a, 2, (int64_t[]){n_rows, a->dims[last]}, ret_a)) return false;
    if (!tensor_reshape(c, 2, (int64_t[]){n_rows, c->dims[last]}, ret_c)) return false;
    *ret_b = *b;
    ret_b->rank = 2;
    for (int axis = 0; axis < 2; axis++) {
        ret_b->dims[axis] = b->dims[last - 1 + axis];
        ret_b->strides[axis] = b->strides[last - 1 + axis];
    }
    return true;
}

static void multiply_batch(struct op_context *ctx, const struct tensor *a, const struct tensor *b,
                           const struct tensor *c)
{
    struct tensor flat_a, flat_b, flat_c;
    if (a->rank > 2 && tensor_n_items(c) && flatten_batch(a, b, c, &flat_a, &flat_b, &flat_c))
        multiply(ctx, &flat_a, &flat_b, &flat_c);
    else multiply(ctx, a, b, c);
}

hob_status product_run(struct op_context *ctx, const struct tensor *a, const struct tensor *b, const struct tensor *c)
{
    if (a->dtype != DTYPE_F16 && a->dtype != DTYPE_BF16) {
        multiply_batch(ctx, a, b, c);
        return HOB_OK;
    }
    struct tensor wide_a, wide_b, wide_c;
    float *items;
    TRY(as_f32(ctx, a, &wide_a));
    TRY(as_f32(ctx, b, &wide_b));
    TRY(as_f32_output(ctx, c, &items));
    TRY(tensor_init(&wide_c, DTYPE_F32, c->rank, c->dims, items, ctx->error));
    multiply_batch(ctx, &wide_a, &wide_b, &wide_c);
    as_f32_finish(ctx, items, c);
    return HOB_OK;
}
