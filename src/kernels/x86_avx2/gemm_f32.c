/* Matrix products on packed weights: which tile comes next, so that what it reads is still in a near cache.
 *
 * A slice of a panel (DEPTH steps, 24 KB) stays in the first-level cache while the rows of a block run over it; the rows' slice
 * (HEIGHT x DEPTH, 369 KB) stays in the second. Between slices of k the partial sums rest in c, unrounded as f32 is what they
 * are, so the chain of each output is not touched. A single row reads every weight once: it takes whole columns at a time. */
#if defined(__x86_64__)
#include "kernels/x86_avx2/tile.h"
#include "kernels/x86_avx2/x86_avx2.h"

enum { DEPTH = 384, HEIGHT = 240 };

static inline int64_t at_most(int64_t n, int64_t limit)
{
    return n < limit ? n : limit;
}

static inline int64_t column_of_panel(const struct gemm_f32_args *args, int64_t panel)
{
    return at_most(panel * PANEL_COLUMNS, args->n);
}

/* Rows [row, row + n_rows) of C, steps [step, step + n_steps) of k, for `count` panels from `panel` on. */
static void multiply_rows(const struct gemm_f32_args *args, int64_t row, int64_t n_rows, int64_t step, int64_t n_steps,
                          int64_t panel, int64_t count)
{
    int64_t column = column_of_panel(args, panel);
    bool is_last = step + n_steps == args->k;
    struct tile tile = {
        .a_row_stride = args->a_stride, .a_column_stride = 1,
        .b = args->panels + (panel * args->k + step) * PANEL_COLUMNS,
        .b_step = PANEL_COLUMNS, .b_group = args->k * PANEL_COLUMNS,
        .c_stride = args->c_stride,
        .bias = is_last && args->bias ? args->bias + column : NULL,
        .n_columns = column_of_panel(args, panel + count) - column,
        .k = n_steps, .is_accumulating = step > 0,
    };
    for (int64_t end = row + n_rows; row < end; row += tile.n_rows) {
        tile.n_rows = tile_rows(end - row);
        tile.a = args->a + row * args->a_stride + step;
        tile.c = args->c + row * args->c_stride + column;
        tile_multiply(&tile);
    }
}

static void multiply_block(const struct gemm_f32_args *args, int64_t row, int64_t n_rows)
{
    int64_t n_together = n_rows <= TILE_ROWS ? tile_columns(n_rows) / PANEL_COLUMNS : 1;
    int64_t depth = n_rows <= TILE_ROWS ? args->k : DEPTH, step = 0;
    do {
        int64_t n_steps = at_most(args->k - step, depth);
        for (int64_t panel = args->panel_begin; panel < args->panel_end; panel += n_together)
            multiply_rows(args, row, n_rows, step, n_steps, panel, at_most(args->panel_end - panel, n_together));
        step += n_steps;
    } while (step < args->k);
}

void x86_avx2_gemm_f32(const struct gemm_f32_args *args)
{
    for (int64_t row = 0; row < args->m; row += HEIGHT) multiply_block(args, row, at_most(args->m - row, HEIGHT));
}
#endif
