/* One function for each shape of tile, made from one body whose loops over rows and vectors vanish: what stays is a loop over
 * k of fused multiply-adds on registers. 6 rows x 2 vectors use 12 of the 16 registers as sums, enough to hide the latency of
 * an FMA (4 cycles, two a cycle); the shapes with fewer rows take more vectors for the same reason. */
#if defined(__x86_64__)
#include "kernels/x86_avx2/tile.h"

#include "kernels/x86_avx2/vector.h"

enum { GROUP = 16, MAX_VECTORS = 8 };

ALWAYS_INLINE __m256 load_c(const float *c, int64_t n)
{
    return n >= LANES ? _mm256_loadu_ps(c) : load_first(c, n);
}

ALWAYS_INLINE void store_c(float *c, int64_t n, __m256 value)
{
    if (n >= LANES)
        _mm256_storeu_ps(c, value);
    else
        store_first(c, n, value);
}

/* n_rows, n_vectors and a_step are constants wherever this is inlined; a_step 0 means: as the tile says. */
ALWAYS_INLINE void multiply(const struct tile *tile, const int n_rows, const int n_vectors, const int64_t a_step)
{
    const int64_t a_row = tile->a_row_stride, a_column = a_step ? a_step : tile->a_column_stride;
    __m256 sums[TILE_ROWS][MAX_VECTORS];
#pragma GCC unroll 6
    for (int r = 0; r < n_rows; r++)
#pragma GCC unroll 8
        for (int v = 0; v < n_vectors; v++)
            sums[r][v] = tile->is_accumulating
                             ? load_c(tile->c + r * tile->c_stride + v * LANES, tile->n_columns - v * LANES)
                             : _mm256_setzero_ps();

    const float *a = tile->a, *b = tile->b;
    const int64_t b_step = tile->b_step, b_group = tile->b_group, next_step = tile->next ? tile->next_step : 0;
    const int64_t n_steps = tile->k;
    const char *next = tile->next ? tile->next : (const char *)a;
#pragma GCC unroll 4
    for (int64_t k = 0; k < n_steps; k++) {
        __m256 row_of_b[MAX_VECTORS];
#pragma GCC unroll 8
        for (int v = 0; v < n_vectors; v++) row_of_b[v] = _mm256_loadu_ps(b + v / 2 * b_group + v % 2 * LANES);
#pragma GCC unroll 6
        for (int r = 0; r < n_rows; r++) {
            __m256 item = _mm256_broadcast_ss(a + r * a_row);
#pragma GCC unroll 8
            for (int v = 0; v < n_vectors; v++) sums[r][v] = _mm256_fmadd_ps(item, row_of_b[v], sums[r][v]);
        }
        _mm_prefetch(next, _MM_HINT_T0);
        next += next_step;
        a += a_column;
        b += b_step;
    }

#pragma GCC unroll 8
    for (int v = 0; v < n_vectors; v++) {
        int64_t n = tile->n_columns - v * LANES;
        __m256 bias = tile->bias ? load_c(tile->bias + v * LANES, n) : _mm256_setzero_ps();
#pragma GCC unroll 6
        for (int r = 0; r < n_rows; r++) {
            __m256 sum = tile->bias ? _mm256_add_ps(sums[r][v], bias) : sums[r][v];
            store_c(tile->c + r * tile->c_stride + v * LANES, n, sum);
        }
    }
}

typedef void tile_function(const struct tile *tile);

#define SHAPE(rows, vectors)                                                                               \
    static void multiply_##rows##x##vectors(const struct tile *tile)                                       \
    {                                                                                                      \
        if (tile->a_column_stride == 1)                                                                    \
            multiply(tile, rows, vectors, 1);                                                              \
        else                                                                                               \
            multiply(tile, rows, vectors, 0);                                                              \
    }
SHAPE(1, 1) SHAPE(2, 1) SHAPE(3, 1) SHAPE(4, 1) SHAPE(5, 1) SHAPE(6, 1)
SHAPE(1, 2) SHAPE(2, 2) SHAPE(3, 2) SHAPE(4, 2) SHAPE(5, 2) SHAPE(6, 2)
SHAPE(1, 4) SHAPE(2, 4) SHAPE(3, 4)
SHAPE(1, 8)

/* By the power of two of the vectors, then by rows. */
static tile_function *const shapes[4][TILE_ROWS + 1] = {
    {NULL, multiply_1x1, multiply_2x1, multiply_3x1, multiply_4x1, multiply_5x1, multiply_6x1},
    {NULL, multiply_1x2, multiply_2x2, multiply_3x2, multiply_4x2, multiply_5x2, multiply_6x2},
    {NULL, multiply_1x4, multiply_2x4, multiply_3x4},
    {NULL, multiply_1x8},
};

/* The widest shape that the columns fill, then what is left of them in narrower ones. Only the very last eight may be
 * incomplete: b has all of their columns, c and bias do not. */
void tile_multiply(const struct tile *tile)
{
    struct tile rest = *tile;
    while (rest.n_columns > 0) {
        int64_t n_groups = (rest.n_columns + GROUP - 1) / GROUP;
        int power = 1;
        if (rest.n_columns <= LANES)
            power = 0;
        else if (n_groups >= 4 && rest.n_rows == 1)
            power = 3;
        else if (n_groups >= 2 && rest.n_rows <= 3)
            power = 2;
        shapes[power][rest.n_rows](&rest);
        int64_t n_done = (int64_t)LANES << power;
        rest.n_columns -= n_done;
        rest.b += power == 0 ? 0 : n_done / GROUP * rest.b_group;
        rest.c += n_done;
        if (rest.bias) rest.bias += n_done;
    }
}
#endif
