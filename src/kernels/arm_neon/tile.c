#if defined(__aarch64__)
#include "kernels/arm_neon/tile.h"

#include "kernels/arm_neon/vector.h"

enum { VECTORS = TILE_COLUMNS / FOUR_LANES };

ALWAYS_INLINE float32x4_t load_column(const float *x, int64_t n)
{
    return n > 0 ? load_first4(x, n) : all4(0.0f);
}

/* n_rows is a constant wherever this is inlined. */
ALWAYS_INLINE void multiply(const struct tile *tile, const int n_rows)
{
    float32x4_t sums[TILE_ROWS][VECTORS];
#pragma GCC unroll 6
    for (int r = 0; r < n_rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++)
            sums[r][v] = tile->is_accumulating ? load_column(tile->c + r * tile->c_stride + v * FOUR_LANES, tile->n_columns - v * FOUR_LANES)
                                               : all4(0.0f);
    const float *a = tile->a, *b = tile->b;
    for (int64_t k = 0; k < tile->k; k++, a += tile->a_column_stride, b += tile->b_step) {
        float32x4_t row_of_b[VECTORS];
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) row_of_b[v] = vld1q_f32(b + v * FOUR_LANES);
#pragma GCC unroll 6
        for (int r = 0; r < n_rows; r++) {
            float32x4_t item = vld1q_dup_f32(a + r * tile->a_row_stride);
#pragma GCC unroll 4
            for (int v = 0; v < VECTORS; v++) sums[r][v] = vfmaq_f32(sums[r][v], item, row_of_b[v]);
        }
    }
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) {
        int64_t n = tile->n_columns - v * FOUR_LANES;
        float32x4_t bias = tile->bias ? load_column(tile->bias + v * FOUR_LANES, n) : all4(0.0f);
#pragma GCC unroll 6
        for (int r = 0; r < n_rows; r++)
            if (n > 0) store_first4(tile->c + r * tile->c_stride + v * FOUR_LANES, n, tile->bias ? vaddq_f32(sums[r][v], bias) : sums[r][v]);
    }
}

void tile_multiply(const struct tile *tile)
{
    switch (tile->n_rows) {
    case 1:
        multiply(tile, 1);
        break;
    case 2:
        multiply(tile, 2);
        break;
    case 3:
        multiply(tile, 3);
        break;
    case 4:
        multiply(tile, 4);
        break;
    case 5:
        multiply(tile, 5);
        break;
    default:
        multiply(tile, TILE_ROWS);
    }
}
#endif
