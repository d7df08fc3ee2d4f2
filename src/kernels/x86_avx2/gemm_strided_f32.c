/* Matrix products of two activations. Sixteen columns of B at a time: read in place when they lie next to each other and few
 * rows want them, else copied in slices of DEPTH steps to the stack, in the order of a panel. */
#if defined(__x86_64__)
#include "kernels/x86_avx2/tile.h"
#include "kernels/x86_avx2/vector.h"
#include "kernels/x86_avx2/x86_avx2.h"

enum { DEPTH = 256, ROWS_WORTH_PACKING = 48 };

static inline int64_t at_most(int64_t n, int64_t limit)
{
    return n < limit ? n : limit;
}

ALWAYS_INLINE __m256 load_two_halves(const float *low, const float *high)
{
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(low)), _mm_loadu_ps(high), 1);
}

/* Four steps of eight columns, each contiguous along k, to four rows of eight. */
ALWAYS_INLINE void transpose_8x4(const float *b, int64_t column_stride, float *panel)
{
    __m256 c0 = load_two_halves(b, b + 4 * column_stride);
    __m256 c1 = load_two_halves(b + column_stride, b + 5 * column_stride);
    __m256 c2 = load_two_halves(b + 2 * column_stride, b + 6 * column_stride);
    __m256 c3 = load_two_halves(b + 3 * column_stride, b + 7 * column_stride);
    __m256 low01 = _mm256_unpacklo_ps(c0, c1), high01 = _mm256_unpackhi_ps(c0, c1);
    __m256 low23 = _mm256_unpacklo_ps(c2, c3), high23 = _mm256_unpackhi_ps(c2, c3);
    _mm256_store_ps(panel, _mm256_shuffle_ps(low01, low23, 0x44));
    _mm256_store_ps(panel + PANEL_COLUMNS, _mm256_shuffle_ps(low01, low23, 0xee));
    _mm256_store_ps(panel + 2 * PANEL_COLUMNS, _mm256_shuffle_ps(high01, high23, 0x44));
    _mm256_store_ps(panel + 3 * PANEL_COLUMNS, _mm256_shuffle_ps(high01, high23, 0xee));
}

/* Copies n_steps x n_columns of b item by item, with zeros for the columns that are missing. */
static void pack_items(const struct gemm_strided_f32_args *args, const float *b, int64_t n_steps, int64_t n_columns,
                       float *panel)
{
    for (int64_t i = 0; i < n_steps; i++)
        for (int64_t j = 0; j < PANEL_COLUMNS; j++)
            panel[i * PANEL_COLUMNS + j] = j < n_columns ? b[i * args->b_row_stride + j * args->b_column_stride] : 0.0f;
}

static void pack_rows(const float *b, int64_t row_stride, int64_t n_steps, float *panel)
{
    for (int64_t i = 0; i < n_steps; i++) {
        _mm256_store_ps(panel + i * PANEL_COLUMNS, _mm256_loadu_ps(b + i * row_stride));
        _mm256_store_ps(panel + i * PANEL_COLUMNS + LANES, _mm256_loadu_ps(b + i * row_stride + LANES));
    }
}

static void pack(const struct gemm_strided_f32_args *args, const float *b, int64_t n_steps, int64_t n_columns, float *panel)
{
    int64_t i = 0;
    if (n_columns == PANEL_COLUMNS && args->b_column_stride == 1) {
        pack_rows(b, args->b_row_stride, n_steps, panel);
        return;
    }
    if (n_columns == PANEL_COLUMNS && args->b_row_stride == 1)
        for (; i + 4 <= n_steps; i += 4) {
            transpose_8x4(b + i, args->b_column_stride, panel + i * PANEL_COLUMNS);
            transpose_8x4(b + i + LANES * args->b_column_stride, args->b_column_stride, panel + i * PANEL_COLUMNS + LANES);
        }
    pack_items(args, b + i * args->b_row_stride, n_steps - i, n_columns, panel + i * PANEL_COLUMNS);
}

static void multiply_rows(const struct gemm_strided_f32_args *args, struct tile *tile)
{
    for (int64_t row = 0; row < args->m; row += tile->n_rows) {
        tile->n_rows = tile_rows(args->m - row);
        struct tile moved = *tile;
        moved.a += row * args->a_row_stride;
        moved.c += row * args->c_stride;
        tile_multiply(&moved);
    }
}

static struct tile first_tile(const struct gemm_strided_f32_args *args, int64_t column, int64_t n_columns)
{
    return (struct tile){
        .a = args->a, .a_row_stride = args->a_row_stride, .a_column_stride = args->a_column_stride,
        .b = args->b + column * args->b_column_stride, .b_step = args->b_row_stride, .b_group = PANEL_COLUMNS,
        .c = args->c + column, .c_stride = args->c_stride,
        .n_columns = n_columns, .k = args->k, .is_accumulating = args->is_accumulating,
    };
}

/* n_columns: at most 64. Few rows take several groups of sixteen columns at once, each with a part of the stack's panel. */
static void multiply_packed(const struct gemm_strided_f32_args *args, int64_t column, int64_t n_columns)
{
    _Alignas(PANEL_ALIGNMENT) float panels[DEPTH * PANEL_COLUMNS];
    struct tile tile = first_tile(args, column, n_columns);
    const float *b = tile.b;
    int64_t n_groups = panel_count(n_columns), depth = DEPTH / n_groups, step = 0;
    tile.b = panels, tile.b_step = PANEL_COLUMNS, tile.b_group = depth * PANEL_COLUMNS;
    do {
        tile.k = at_most(args->k - step, depth);
        for (int64_t i = 0; i < n_groups; i++)
            pack(args, b + step * args->b_row_stride + i * PANEL_COLUMNS * args->b_column_stride, tile.k,
                 at_most(n_columns - i * PANEL_COLUMNS, PANEL_COLUMNS), panels + i * tile.b_group);
        tile.a = args->a + step * args->a_column_stride;
        tile.is_accumulating = args->is_accumulating || step > 0;
        multiply_rows(args, &tile);
        step += tile.k;
    } while (step < args->k);
}

/* Columns that can be read where they are: whole groups of sixteen, or a last eight. */
static int64_t columns_in_place(const struct gemm_strided_f32_args *args, int64_t n_left)
{
    if (args->b_column_stride != 1 || args->m >= ROWS_WORTH_PACKING) return 0;
    return n_left >= PANEL_COLUMNS ? n_left / PANEL_COLUMNS * PANEL_COLUMNS : n_left / LANES * LANES;
}

void x86_avx2_gemm_strided_f32(const struct gemm_strided_f32_args *args)
{
    if (args->m == 0) return;
    int64_t n_together = tile_columns(at_most(args->m, TILE_ROWS));
    for (int64_t column = 0, n_columns; column < args->n; column += n_columns) {
        int64_t in_place = columns_in_place(args, args->n - column);
        n_columns = at_most(in_place ? in_place : args->n - column, n_together);
        if (!in_place) {
            multiply_packed(args, column, n_columns);
            continue;
        }
        struct tile tile = first_tile(args, column, n_columns);
        multiply_rows(args, &tile);
    }
}
#endif
