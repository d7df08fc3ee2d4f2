/* Matrix products on packed weights. A tile of 12 rows and 2 panels holds 24 sums of sixteen columns in registers: enough to hide
 * the latency of an FMA and to use each load of A twice. While its tiles run over the rows of a block, DEPTH steps of two panels
 * stay in a near cache, and the tiles ask for the next two panels a little at a time, so that nobody waits for memory. The
 * block's rows are copied so that they lie a fixed distance apart which is no power of two: rows of activations often are one,
 * and twelve of them would share a few lines of the first-level cache. Partial sums rest in c between slices of k: each lane sees the
 * steps in order. */
#if defined(__x86_64__)
#include "kernels/float_product.h"
#include "kernels/x86_avx2/x86_avx2.h"
#include "kernels/x86_avx512/vector.h"
#include "kernels/x86_avx512/x86_avx512.h"

#include <string.h>

/* The copy of the rows takes 414 KB of the stack. AHEAD: steps between what a tile multiplies and what it asks for of its own panels,
 * which are more than the first-level cache holds. */
enum { TILE_ROWS = 12, DEPTH = 768, AHEAD = 12, HEIGHT = 132, ROW_STRIDE = DEPTH + LANES, FEWEST_ROWS = 4 };

struct tile {
    const float *a;    /* rows ROW_STRIDE apart */
    const float *b;    /* a panel's steps, sixteen floats each */
    int64_t b_group;   /* to the next panel */
    const char *next;  /* bytes of two other panels, next_group apart, to be asked for */
    int64_t next_group;
    int64_t next_step; /* bytes of each that a step asks for: tiles share the work; 0: nothing to ask for, next is any address */
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
    const int64_t b_group = tile->b_group, next_group = tile->next_group, next_step = tile->next_step;
    const char *next = tile->next;
#pragma GCC unroll 2
    for (int64_t k = 0; k < tile->k; k++) {
        __m512 columns[2];
#pragma GCC unroll 2
        for (int p = 0; p < n_panels; p++) {
            columns[p] = _mm512_load_ps(b + p * b_group);
            _mm_prefetch((const char *)(b + p * b_group + AHEAD * LANES), _MM_HINT_T0);
        }
        _mm_prefetch(next, _MM_HINT_T0);
        _mm_prefetch(next + next_group, _MM_HINT_T0);
        next += next_step;
#pragma GCC unroll 12
        for (int r = 0; r < n_rows; r++) {
            __m512 item = _mm512_set1_ps(a[r * ROW_STRIDE]);
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

/* One panel or two from `panel` on, whose steps are b, b_group apart. */
static void multiply_rows(const struct float_product *product, const struct slice *slice, int64_t panel, int64_t n_panels,
                          const float *b, int64_t b_group)
{
    int64_t column = panel * PANEL_COLUMNS, n_tiles = (slice->n_rows + TILE_ROWS - 1) / TILE_ROWS, n_rows;
    bool is_last = slice->step + slice->n_steps == product->k, has_next = panel + 4 <= product->panel_end;
    struct tile tile = {.b = b,
                        .b_group = b_group,
                        .next = has_next ? float_product_steps(product, panel + 2, slice->step) : (const void *)b,
                        .next_group = has_next ? product->panel_bytes : 0,
                        .next_step = has_next ? product->step_bytes / n_tiles : 0,
                        .c_stride = product->c_stride,
                        .bias = product->bias && is_last ? product->bias + column : NULL,
                        .n_columns = at_most(n_panels * PANEL_COLUMNS, product->n - column),
                        .k = slice->n_steps,
                        .is_accumulating = slice->step > 0};
    for (int64_t row = 0; row < slice->n_rows; row += n_rows) {
        n_rows = float_product_part(slice->n_rows - row, TILE_ROWS);
        tile.a = slice->rows + row * ROW_STRIDE;
        tile.c = product->c + (slice->row + row) * product->c_stride + column;
        shapes[n_panels - 1][n_rows - 1](&tile);
        tile.next += tile.next_step * tile.k;
    }
}

/* Halves become floats once for all tiles. */
static void multiply_widening(const struct float_product *product, const struct slice *slice, int64_t panel, int64_t n_panels)
{
    _Alignas(64) float steps[2][DEPTH * PANEL_COLUMNS];
    for (int64_t p = 0; p < n_panels; p++)
        product->widen(slice->n_steps * PANEL_COLUMNS, float_product_steps(product, panel + p, slice->step), steps[p]);
    multiply_rows(product, slice, panel, n_panels, steps[0], DEPTH * PANEL_COLUMNS);
}

static void multiply_panels(const struct float_product *product, const struct slice *slice)
{
    for (int64_t panel = product->panel_begin; panel < product->panel_end; panel += 2) {
        int64_t n_panels = at_most(product->panel_end - panel, 2);
        if (product->widen)
            multiply_widening(product, slice, panel, n_panels);
        else
            multiply_rows(product, slice, panel, n_panels, float_product_steps(product, panel, slice->step),
                          product->k * PANEL_COLUMNS);
    }
}

static void multiply_block(const struct float_product *product, int64_t row, int64_t n_rows)
{
    _Alignas(64) float rows[HEIGHT * ROW_STRIDE];
    struct slice slice = {.rows = rows, .row = row, .n_rows = n_rows};
    do {
        slice.n_steps = at_most(product->k - slice.step, DEPTH);
        copy_rows(product, &slice, rows);
        multiply_panels(product, &slice);
        slice.step += slice.n_steps;
    } while (slice.step < product->k);
}

static void multiply_all(const struct float_product *product)
{
    int64_t n_rows;
    for (int64_t row = 0; row < product->m; row += n_rows) {
        n_rows = float_product_part(product->m - row, HEIGHT);
        multiply_block(product, row, n_rows);
    }
}

/* A few rows read every weight once or twice: memory's speed decides, and AVX2's tiles are made for that. */
void x86_avx512_gemm_f32(const struct gemm_f32_args *args)
{
    struct float_product product = float_product_of_f32(args);
    if (args->m < FEWEST_ROWS) x86_avx2_gemm_f32(args);
    else multiply_all(&product);
}

void x86_avx512_gemm_f16(const struct gemm_half_args *args)
{
    struct float_product product = float_product_of_half(args, x86_avx2_f32_from_f16);
    if (args->m < FEWEST_ROWS) x86_avx2_gemm_f16(args);
    else multiply_all(&product);
}

void x86_avx512_gemm_bf16(const struct gemm_half_args *args)
{
    struct float_product product = float_product_of_half(args, x86_avx2_f32_from_bf16);
    if (args->m < FEWEST_ROWS) x86_avx2_gemm_bf16(args);
    else multiply_all(&product);
}
#endif
