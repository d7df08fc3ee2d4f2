/* Matrix products on packed weights: which tile comes next, so that what it reads is still in a near cache.
 *
 * A slice of a panel (DEPTH steps, 24 KB) stays in the first-level cache while the rows of a block run over it, and the tiles ask
 * for the next one a little at a time. The block's rows are copied so that they lie a fixed distance apart that is no power of two: rows
 * of activations often are one, and six of them would share a few lines of the first-level cache. Between slices of k the partial sums
 * rest in c, unrounded as f32 is what they are, so the chain of each output is not touched. Few rows read every weight once:
 * they take whole columns at a time. Halves become floats slice by slice, or in registers where the rows are few. */
#if defined(__x86_64__)
#include "kernels/float_product.h"
#include "kernels/x86_avx2/tile.h"
#include "kernels/x86_avx2/vector.h"
#include "kernels/x86_avx2/x86_avx2.h"

#include <string.h>

/* The copy of the rows takes 211 KB of the stack. */
enum { DEPTH = 384, HEIGHT = 132, ROW_STRIDE = DEPTH + 2 * LANES };

static inline int64_t at_most(int64_t n, int64_t limit)
{
    return n < limit ? n : limit;
}

static inline int64_t column_of_panel(const struct float_product *product, int64_t panel)
{
    return at_most(panel * PANEL_COLUMNS, product->n);
}

/* ---- few rows of floats: all of k, panels side by side ---- */

static void multiply_columns(const struct float_product *product)
{
    int64_t n_together = tile_columns(product->m) / PANEL_COLUMNS;
    struct tile tile = {.a = product->a, .a_row_stride = product->a_stride, .a_column_stride = 1,
                        .b_step = PANEL_COLUMNS, .b_group = product->k * PANEL_COLUMNS,
                        .c_stride = product->c_stride, .n_rows = product->m, .k = product->k};
    for (int64_t panel = product->panel_begin; panel < product->panel_end; panel += n_together) {
        int64_t column = column_of_panel(product, panel);
        tile.b = float_product_steps(product, panel, 0);
        tile.bias = product->bias ? product->bias + column : NULL;
        tile.c = product->c + column;
        tile.n_columns = column_of_panel(product, at_most(panel + n_together, product->panel_end)) - column;
        tile_multiply(&tile);
    }
}

/* ---- many rows ---- */

/* Rows of C, and the steps of k that `rows` is a copy of. */
struct slice {
    const float *rows;
    int64_t row, n_rows, step, n_steps;
};

static void copy_rows(const struct float_product *product, const struct slice *slice, float *ret_rows)
{
    for (int64_t r = 0; r < slice->n_rows; r++)
        memcpy(ret_rows + r * ROW_STRIDE, product->a + (slice->row + r) * product->a_stride + slice->step,
               (size_t)slice->n_steps * sizeof *ret_rows);
}

static void multiply_rows(const struct float_product *product, const struct slice *slice, int64_t panel, const float *b)
{
    int64_t column = column_of_panel(product, panel), n_tiles = (slice->n_rows + TILE_ROWS - 1) / TILE_ROWS;
    bool is_last = slice->step + slice->n_steps == product->k, has_next = panel + 1 < product->panel_end;
    struct tile tile = {
        .a_row_stride = ROW_STRIDE, .a_column_stride = 1,
        .b = b, .b_step = PANEL_COLUMNS,
        .c_stride = product->c_stride,
        .bias = is_last && product->bias ? product->bias + column : NULL,
        .n_columns = column_of_panel(product, panel + 1) - column,
        .k = slice->n_steps, .is_accumulating = slice->step > 0,
        .next = has_next ? float_product_steps(product, panel + 1, slice->step) : NULL,
        .next_step = product->step_bytes / n_tiles,
    };
    for (int64_t row = 0; row < slice->n_rows; row += tile.n_rows) {
        tile.n_rows = tile_rows(slice->n_rows - row);
        tile.a = slice->rows + row * ROW_STRIDE;
        tile.c = product->c + (slice->row + row) * product->c_stride + column;
        tile_multiply(&tile);
        if (has_next) tile.next += tile.next_step * tile.k;
    }
}

static void multiply_panel(const struct float_product *product, const struct slice *slice, int64_t panel)
{
    const void *steps = float_product_steps(product, panel, slice->step);
    _Alignas(64) float widened[DEPTH * PANEL_COLUMNS];
    if (product->widen) product->widen(slice->n_steps * PANEL_COLUMNS, steps, widened);
    multiply_rows(product, slice, panel, product->widen ? widened : steps);
}

static void multiply_block(const struct float_product *product, int64_t row, int64_t n_rows)
{
    _Alignas(64) float rows[HEIGHT * ROW_STRIDE];
    struct slice slice = {.rows = rows, .row = row, .n_rows = n_rows};
    do {
        slice.n_steps = at_most(product->k - slice.step, DEPTH);
        copy_rows(product, &slice, rows);
        for (int64_t panel = product->panel_begin; panel < product->panel_end; panel++) multiply_panel(product, &slice, panel);
        slice.step += slice.n_steps;
    } while (slice.step < product->k);
}

static void multiply_blocks(const struct float_product *product)
{
    int64_t n_rows;
    for (int64_t row = 0; row < product->m; row += n_rows) {
        n_rows = float_product_part(product->m - row, HEIGHT);
        multiply_block(product, row, n_rows);
    }
}

/* ---- few rows of halves, widened in registers ---- */

enum { FEW_ROWS = 3, MAX_VECTORS = 8 };

ALWAYS_INLINE __m256 load_widened(const uint16_t *halves, const bool is_bf16)
{
    __m128i eight = _mm_loadu_si128((const __m128i *)(const void *)halves);
    if (!is_bf16) return _mm256_cvtph_ps(eight);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(eight), 16));
}

ALWAYS_INLINE void store_sum(const struct float_product *product, int64_t row, int64_t column, __m256 sum)
{
    int64_t n = product->n - column;
    float *c = product->c + row * product->c_stride + column;
    if (n <= 0) return;
    if (product->bias) sum = _mm256_add_ps(sum, n >= LANES ? _mm256_loadu_ps(product->bias + column) : load_first(product->bias + column, n));
    if (n >= LANES) _mm256_storeu_ps(c, sum);
    else store_first(c, n, sum);
}

/* n_rows, n_vectors (two a panel) and is_bf16 are constants wherever this is inlined. */
ALWAYS_INLINE void multiply_halves(const struct float_product *product, int64_t panel, const int n_rows, const int n_vectors,
                                   const bool is_bf16)
{
    const uint16_t *b = float_product_steps(product, panel, 0);
    const float *a = product->a;
    const int64_t b_group = product->panel_bytes / (int64_t)sizeof *b, a_stride = product->a_stride;
    __m256 sums[FEW_ROWS][MAX_VECTORS];
#pragma GCC unroll 3
    for (int r = 0; r < n_rows; r++)
#pragma GCC unroll 8
        for (int v = 0; v < n_vectors; v++) sums[r][v] = _mm256_setzero_ps();
    for (int64_t k = 0; k < product->k; k++, a++, b += PANEL_COLUMNS) {
        __m256 items[FEW_ROWS];
#pragma GCC unroll 3
        for (int r = 0; r < n_rows; r++) items[r] = _mm256_broadcast_ss(a + r * a_stride);
#pragma GCC unroll 8
        for (int v = 0; v < n_vectors; v++) {
            __m256 weights = load_widened(b + v / 2 * b_group + v % 2 * LANES, is_bf16);
#pragma GCC unroll 3
            for (int r = 0; r < n_rows; r++) sums[r][v] = _mm256_fmadd_ps(items[r], weights, sums[r][v]);
        }
    }
#pragma GCC unroll 3
    for (int r = 0; r < n_rows; r++)
#pragma GCC unroll 8
        for (int v = 0; v < n_vectors; v++) store_sum(product, r, panel * PANEL_COLUMNS + v * LANES, sums[r][v]);
}

/* One row takes four panels at a time, several take two; the panels that are left go one by one. */
ALWAYS_INLINE void multiply_few(const struct float_product *product, const int n_rows, const bool is_bf16)
{
    const int n_together = n_rows == 1 ? 4 : 2;
    int64_t panel = product->panel_begin;
    for (; panel + n_together <= product->panel_end; panel += n_together)
        multiply_halves(product, panel, n_rows, 2 * n_together, is_bf16);
    for (; panel < product->panel_end; panel++) multiply_halves(product, panel, n_rows, 2, is_bf16);
}

ALWAYS_INLINE void multiply_by_halves(const struct float_product *product, const bool is_bf16)
{
    if (product->m > FEW_ROWS) multiply_blocks(product);
    else if (product->m == 3) multiply_few(product, 3, is_bf16);
    else if (product->m == 2) multiply_few(product, 2, is_bf16);
    else if (product->m == 1) multiply_few(product, 1, is_bf16);
}

/* ---- the slots ---- */

void x86_avx2_gemm_f32(const struct gemm_f32_args *args)
{
    struct float_product product = float_product_of_f32(args);
    if (product.m > TILE_ROWS) multiply_blocks(&product);
    else if (product.m > 0) multiply_columns(&product);
}

void x86_avx2_gemm_f16(const struct gemm_half_args *args)
{
    struct float_product product = float_product_of_half(args, x86_avx2_f32_from_f16);
    multiply_by_halves(&product, false);
}

void x86_avx2_gemm_bf16(const struct gemm_half_args *args)
{
    struct float_product product = float_product_of_half(args, x86_avx2_f32_from_bf16);
    multiply_by_halves(&product, true);
}
#endif
