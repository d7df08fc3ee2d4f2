/* Matrix products on packed weights. A tile of 12 rows and 2 panels holds 24 sums of sixteen columns in registers: enough to hide
 * the latency of an FMA and to use each load of A twice. As in AVX2's, a slice of DEPTH steps of both panels stays in the
 * first-level cache while the rows of a block run over it, partial sums rest in c, and each lane sees the steps of k in order. */
#if defined(__x86_64__)
#include "kernels/x86_avx2/x86_avx2.h"
#include "kernels/x86_avx512/vector.h"
#include "kernels/x86_avx512/x86_avx512.h"

enum { TILE_ROWS = 12, DEPTH = 192, HEIGHT = 240, FEWEST_ROWS = 4 };

struct tile {
    const float *a;
    int64_t a_stride;
    const float *b;  /* a panel's steps, sixteen floats each */
    int64_t b_group; /* to the next panel */
    float *c;
    int64_t c_stride;
    const float *bias; /* of column 0 of the tile; NULL: none */
    int64_t n_columns, k;
    bool is_accumulating;
};

ALWAYS_INLINE int64_t at_most(int64_t n, int64_t limit)
{
    return n < limit ? n : limit;
}

/* n_rows and n_panels are constants wherever this is inlined. */
ALWAYS_INLINE void multiply(const struct tile *tile, const int n_rows, const int n_panels)
{
    __m512 sums[TILE_ROWS][2];
    __mmask16 lanes[2] = {first_lanes(tile->n_columns), first_lanes(tile->n_columns - LANES)};
#pragma GCC unroll 12
    for (int r = 0; r < n_rows; r++)
#pragma GCC unroll 2
        for (int p = 0; p < n_panels; p++)
            sums[r][p] = tile->is_accumulating
                             ? _mm512_maskz_loadu_ps(lanes[p], tile->c + r * tile->c_stride + p * LANES)
                             : _mm512_setzero_ps();
    const float *a = tile->a, *b = tile->b;
    const int64_t a_stride = tile->a_stride, b_group = tile->b_group;
#pragma GCC unroll 2
    for (int64_t k = 0; k < tile->k; k++) {
        __m512 columns[2];
#pragma GCC unroll 2
        for (int p = 0; p < n_panels; p++) columns[p] = _mm512_load_ps(b + p * b_group);
#pragma GCC unroll 12
        for (int r = 0; r < n_rows; r++) {
            __m512 item = _mm512_set1_ps(a[r * a_stride]);
#pragma GCC unroll 2
            for (int p = 0; p < n_panels; p++) sums[r][p] = _mm512_fmadd_ps(item, columns[p], sums[r][p]);
        }
        a++;
        b += LANES;
    }
#pragma GCC unroll 2
    for (int p = 0; p < n_panels; p++) {
        __m512 bias = tile->bias ? _mm512_maskz_loadu_ps(lanes[p], tile->bias + p * LANES) : _mm512_setzero_ps();
#pragma GCC unroll 12
        for (int r = 0; r < n_rows; r++) {
            __m512 sum = tile->bias ? _mm512_add_ps(sums[r][p], bias) : sums[r][p];
            _mm512_mask_storeu_ps(tile->c + r * tile->c_stride + p * LANES, lanes[p], sum);
        }
    }
}

typedef void tile_function(const struct tile *tile);
#define SHAPE(rows)                                          \
    static void multiply_##rows##x1(const struct tile *tile) \
    {                                                        \
        multiply(tile, rows, 1);                             \
    }                                                        \
    static void multiply_##rows##x2(const struct tile *tile) \
    {                                                        \
        multiply(tile, rows, 2);                             \
    }
SHAPE(1)
SHAPE(2) SHAPE(3) SHAPE(4) SHAPE(5) SHAPE(6) SHAPE(7) SHAPE(8) SHAPE(9) SHAPE(10) SHAPE(11) SHAPE(12)
#define SHAPES(n)                                                                                             \
    {                                                                                                         \
        multiply_1x##n, multiply_2x##n, multiply_3x##n, multiply_4x##n, multiply_5x##n, multiply_6x##n,       \
            multiply_7x##n, multiply_8x##n, multiply_9x##n, multiply_10x##n, multiply_11x##n, multiply_12x##n \
    }
    static tile_function *const shapes[2][TILE_ROWS] = {SHAPES(1), SHAPES(2)};

/* Rows for the next tile: what is left is cut into equal parts rather than full tiles and a small rest. */
ALWAYS_INLINE int64_t tile_rows(int64_t n_rows)
{
    int64_t n_tiles = (n_rows + TILE_ROWS - 1) / TILE_ROWS;
    return (n_rows + n_tiles - 1) / n_tiles;
}

/* Rows [row, end) of C and steps [step, step + n_steps) of k, for one panel or two from `panel` on. */
static void multiply_rows(const struct gemm_f32_args *args, int64_t row, int64_t end, int64_t step, int64_t n_steps,
                          int64_t panel, int64_t n_panels)
{
    int64_t column = panel * PANEL_COLUMNS, n_rows;
    struct tile tile = {.a_stride = args->a_stride,
                        .b = args->panels + (panel * args->k + step) * PANEL_COLUMNS,
                        .b_group = args->k * PANEL_COLUMNS,
                        .c_stride = args->c_stride,
                        .bias = args->bias && step + n_steps == args->k ? args->bias + column : NULL,
                        .n_columns = at_most(n_panels * PANEL_COLUMNS, args->n - column),
                        .k = n_steps,
                        .is_accumulating = step > 0};
    for (; row < end; row += n_rows) {
        n_rows = tile_rows(end - row);
        tile.a = args->a + row * args->a_stride + step;
        tile.c = args->c + row * args->c_stride + column;
        shapes[n_panels - 1][n_rows - 1](&tile);
    }
}

static void multiply_block(const struct gemm_f32_args *args, int64_t row, int64_t end)
{
    int64_t step = 0, n_steps;
    do {
        n_steps = at_most(args->k - step, DEPTH);
        for (int64_t panel = args->panel_begin; panel < args->panel_end; panel += 2)
            multiply_rows(args, row, end, step, n_steps, panel, at_most(args->panel_end - panel, 2));
        step += n_steps;
    } while (step < args->k);
}

/* A few rows read every weight once or twice: memory's speed decides, and AVX2's tiles are made for that. */
void x86_avx512_gemm_f32(const struct gemm_f32_args *args)
{
    if (args->m < FEWEST_ROWS) {
        x86_avx2_gemm_f32(args);
        return;
    }
    for (int64_t row = 0; row < args->m; row += HEIGHT) multiply_block(args, row, row + at_most(args->m - row, HEIGHT));
}
#endif
