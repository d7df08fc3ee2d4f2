#include "ops/quant/int8_product.h"

/* A block of sums that the activation finds near, and rows that stay in the second for all panels. */
enum { WORTHWHILE_PRODUCTS = 1 << 17, FINISHED_PANELS = 8, BLOCK_ROWS = 128, PANEL_PAIR = 2 };

struct job {
    const struct kernels *kernels;
    struct activation activation;
    struct gemm_u8i8_args product;
};

static void finish(const struct job *job, const struct gemm_u8i8_args *block)
{
    int64_t begin = block->panel_begin * PANEL_COLUMNS, end = block->panel_end * PANEL_COLUMNS;
    if (end > block->n) end = block->n;
    job->kernels->finish_f32(&(struct finish_f32_args){.y = block->c + begin,
                                                       .y_stride = block->c_stride,
                                                       .n_rows = block->m,
                                                       .n_columns = end - begin,
                                                       .activation = job->activation.kind,
                                                       .alpha = job->activation.alpha,
                                                       .beta = job->activation.beta});
}

/* Rows [row, row + n_rows) of the product. */
static struct gemm_u8i8_args rows_of(const struct gemm_u8i8_args *product, int64_t row, int64_t n_rows)
{
    struct gemm_u8i8_args block = *product;
    block.a += row * block.a_stride;
    block.a_zeros += row;
    if (block.a_sums) block.a_sums += row;
    if (block.c) block.a_scales += row, block.c += row * block.c_stride;
    else block.sums += row * block.c_stride;
    block.m = n_rows;
    return block;
}

static void multiply_pairs(void *context, size_t begin, size_t end)
{
    const struct job *job = context;
    const bool is_finished = job->activation.kind != FINISH_NONE;
    const int64_t last = panel_count(job->product.n), m = job->product.m;
    const int64_t panel_end = (int64_t)end * PANEL_PAIR < last ? (int64_t)end * PANEL_PAIR : last;
    const int64_t step = is_finished ? FINISHED_PANELS : panel_end;
    for (int64_t row = 0; row < m; row += BLOCK_ROWS) {
        struct gemm_u8i8_args block = rows_of(&job->product, row, m - row < BLOCK_ROWS ? m - row : BLOCK_ROWS);
        for (int64_t panel = (int64_t)begin * PANEL_PAIR; panel < panel_end; panel += step) {
            block.panel_begin = panel;
            block.panel_end = panel_end - panel < step ? panel_end : panel + step;
            job->kernels->gemm_u8i8(&block);
            if (is_finished) finish(job, &block);
        }
    }
}

void int8_product_run(struct op_context *ctx, const struct gemm_u8i8_args *product, const struct activation *activation)
{
    struct job job = {.kernels = ctx->kernels, .product = *product};
    if (activation) job.activation = *activation;
    int64_t pair_products = product->m * (product->k + 1) * PANEL_PAIR * PANEL_COLUMNS;
    thread_pool_run(ctx->pool, (size_t)((panel_count(product->n) + PANEL_PAIR - 1) / PANEL_PAIR),
                    (size_t)(1 + WORTHWHILE_PRODUCTS / (pair_products + 1)), multiply_pairs, &job);
}
