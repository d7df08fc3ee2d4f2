/* Matrix products of floats: on packed weights, and of two activations.
 *
 * A slice of a panel (DEPTH steps, 16 KB) stays in the first-level cache while the rows run over it; between slices of k the
 * partial sums rest in c. Activations are copied to the stack in the order of a panel, sixteen columns and DEPTH steps at a time. */
#if defined(__aarch64__)
#include "kernels/arm_neon/arm_neon.h"
#include "kernels/arm_neon/tile.h"

enum { DEPTH = 256 };

static inline int64_t at_most(int64_t n, int64_t limit)
{
    return n < limit ? n : limit;
}

/* Moves the tile down the m rows of a and c. */
static void multiply_rows(struct tile tile, int64_t m)
{
    for (int64_t row = 0; row < m; row += TILE_ROWS) {
        tile.n_rows = at_most(m - row, TILE_ROWS);
        tile_multiply(&tile);
        tile.a += TILE_ROWS * tile.a_row_stride;
        tile.c += TILE_ROWS * tile.c_stride;
    }
}

static void multiply_panel(const struct gemm_f32_args *args, int64_t panel)
{
    int64_t column = panel * PANEL_COLUMNS, step = 0;
    do {
        int64_t n_steps = at_most(args->k - step, DEPTH);
        struct tile tile = {.a = args->a + step, .a_row_stride = args->a_stride, .a_column_stride = 1,
                            .b = args->panels + (panel * args->k + step) * PANEL_COLUMNS, .b_step = PANEL_COLUMNS,
                            .c = args->c + column, .c_stride = args->c_stride,
                            .bias = args->bias && step + n_steps == args->k ? args->bias + column : NULL,
                            .n_columns = at_most(args->n - column, PANEL_COLUMNS), .k = n_steps, .is_accumulating = step > 0};
        multiply_rows(tile, args->m);
        step += n_steps;
    } while (step < args->k);
}

void arm_neon_gemm_f32(const struct gemm_f32_args *args)
{
    for (int64_t panel = args->panel_begin; panel < args->panel_end; panel++) multiply_panel(args, panel);
}

static void copy_columns(const struct gemm_strided_f32_args *args, const float *b, int64_t n_steps, int64_t n_columns, float *panel)
{
    for (int64_t j = 0; j < n_columns; j++)
        for (int64_t i = 0; i < n_steps; i++) panel[i * PANEL_COLUMNS + j] = b[i * args->b_row_stride + j * args->b_column_stride];
}

static void multiply_columns(const struct gemm_strided_f32_args *args, int64_t column)
{
    _Alignas(PANEL_ALIGNMENT) float panel[DEPTH * PANEL_COLUMNS];
    const int64_t n_columns = at_most(args->n - column, PANEL_COLUMNS);
    const bool is_in_place = args->b_column_stride == 1 && n_columns == PANEL_COLUMNS;
    int64_t step = 0;
    if (n_columns < PANEL_COLUMNS) memset(panel, 0, sizeof panel);
    do {
        int64_t n_steps = at_most(args->k - step, DEPTH);
        const float *b = args->b + step * args->b_row_stride + column * args->b_column_stride;
        if (!is_in_place) copy_columns(args, b, n_steps, n_columns, panel);
        struct tile tile = {.a = args->a + step * args->a_column_stride, .a_row_stride = args->a_row_stride,
                            .a_column_stride = args->a_column_stride,
                            .b = is_in_place ? b : panel, .b_step = is_in_place ? args->b_row_stride : PANEL_COLUMNS,
                            .c = args->c + column, .c_stride = args->c_stride, .n_columns = n_columns, .k = n_steps,
                            .is_accumulating = args->is_accumulating || step > 0};
        multiply_rows(tile, args->m);
        step += n_steps;
    } while (step < args->k);
}

void arm_neon_gemm_strided_f32(const struct gemm_strided_f32_args *args)
{
    for (int64_t column = 0; column < args->n; column += PANEL_COLUMNS) multiply_columns(args, column);
}
#endif
