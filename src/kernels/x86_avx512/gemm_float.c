/* Matrix products on packed weights. A tile of 8 rows and 3 panels holds 24 sums of sixteen columns in registers: enough to hide
 * the latency of an FMA, with eleven loads for 24 of them. While its tiles run over the rows of a block, DEPTH steps of three panels
 * stay in a near cache, and the tiles ask for the next three a little at a time, so that nobody waits for memory. Rows are read
 * where they lie, unless they lie a multiple of a page apart: then they would share a few lines of the first-level cache and are
 * copied. Partial sums rest in c between slices of k: each lane sees the steps in order. */
#if defined(__x86_64__)
#include "kernels/float_product.h"
#include "kernels/x86_avx2/x86_avx2.h"
#include "kernels/x86_avx512/vector.h"
#include "kernels/x86_avx512/x86_avx512.h"

#include <string.h>

/* The copy of rows takes 401 KB of the stack. AHEAD: steps between what a tile multiplies and what it asks for of its own panels,
 * which are more than the first-level cache holds. TRIO: rows that share a pointer, so that all addresses of a tile fit the
 * registers. FEW_TILES: so few that each step must ask for the next panels. */
enum {
    TILE_ROWS = 8, TILE_PANELS = 3, DEPTH = 768, HEIGHT = 128, ROW_STRIDE = DEPTH + LANES, FEWEST_ROWS = 4,
    AHEAD = 12, TRIO = 3, STEPS = 4, FEW_TILES = 3, ALIASING_FLOATS = 1024,
};

struct tile {
    const float *a;
    int64_t a_stride;
    const float *b;    /* a panel's steps, sixteen floats each */
    int64_t b_group;   /* to the next panel */
    const char *next;  /* bytes of other panels, next_group apart, to be asked for */
    int64_t next_group;
    int64_t next_step; /* so many of each with STEPS steps: tiles share the work */
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

/* The number, of which gcc forgets how it came about: it would compute it anew, or keep sums with it, wherever it is used. */
ALWAYS_INLINE int64_t keep(int64_t x)
{
    __asm__("" : "+r"(x));
    return x;
}

/* gcc 12 gathers prefetches before a loop's loads, which then wait for them, and copies sums that its own fused multiply-add overwrites. */
ALWAYS_INLINE void ask_for(const void *bytes)
{
    __asm__ volatile("prefetcht0 %0" : : "m"(*(const char *)bytes));
}

ALWAYS_INLINE __m512 add_product(__m512 sum, __m512 a, __m512 b)
{
    __asm__("vfmadd231ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
    return sum;
}

enum { N_TRIOS = (TILE_ROWS + TRIO - 1) / TRIO, FLOAT_BYTES = sizeof(float) };

/* Where a tile is: pointers to the next step of its rows, a TRIO of them each, and of its panels. */
struct walk {
    const char *a[N_TRIOS];
    int64_t a_stride, two_strides; /* in bytes */
    const float *b, *third_b;
    int64_t b_group;
    const char *next;
    int64_t next_group;
};

ALWAYS_INLINE const float *panel_at(const struct walk *walk, int p, int step)
{
    return (p == 2 ? walk->third_b : walk->b + p * walk->b_group) + step * LANES;
}

ALWAYS_INLINE __m512 item_of_row(const struct walk *walk, int r, int step)
{
    const char *a = walk->a[r / TRIO] + (r % TRIO == 0 ? 0 : r % TRIO == 1 ? walk->a_stride : walk->two_strides);
    return _mm512_set1_ps(*(const float *)(const void *)(a + step * FLOAT_BYTES));
}

/* What row r of the step asks for: each of a few tiles a line of all next panels in every step, others one line of each in STEPS steps. */
ALWAYS_INLINE void ask_ahead(const struct walk *walk, const int ahead, const int r, const int n_panels, const bool is_few)
{
    int own = r - 1, next = r - 1 - TILE_PANELS;
    if (own >= 0 && own < n_panels) ask_for(panel_at(walk, own, ahead + AHEAD));
    if (is_few && next >= 0 && next < n_panels) ask_for(walk->next + next * walk->next_group);
    if (!is_few && next == 0 && ahead < n_panels) ask_for(walk->next + ahead * walk->next_group);
}

/* The products of the step that lies `ahead` steps ahead. */
ALWAYS_INLINE void add_step(const struct walk *walk, const int ahead, __m512 (*sums)[TILE_PANELS], const int n_rows,
                            const int n_panels, const bool is_few)
{
    __m512 columns[TILE_PANELS];
#pragma GCC unroll 3
    for (int p = 0; p < n_panels; p++) columns[p] = _mm512_load_ps(panel_at(walk, p, ahead));
#pragma GCC unroll 8
    for (int r = 0; r < n_rows; r++) {
        __m512 item = item_of_row(walk, r, ahead);
#pragma GCC unroll 3
        for (int p = 0; p < n_panels; p++) sums[r][p] = add_product(sums[r][p], item, columns[p]);
        ask_ahead(walk, ahead, r, n_panels, is_few);
    }
}

ALWAYS_INLINE void advance(struct walk *walk, int64_t n_steps, int64_t next_step)
{
#pragma GCC unroll 3
    for (int t = 0; t < N_TRIOS; t++) walk->a[t] += n_steps * FLOAT_BYTES;
    walk->b += n_steps * LANES;
    walk->third_b += n_steps * LANES;
    walk->next += next_step;
}

/* n_rows, n_panels and is_few (tiles) are constants wherever this is inlined. */
ALWAYS_INLINE void multiply(const struct tile *tile, const int n_rows, const int n_panels, const bool is_few)
{
    __m512 sums[TILE_ROWS][TILE_PANELS];
    const int64_t a_stride = tile->a_stride * FLOAT_BYTES, next_step = tile->next_step;
    const char *a = (const char *)tile->a;
#pragma GCC unroll 8
    for (int r = 0; r < n_rows; r++)
#pragma GCC unroll 3
        for (int p = 0; p < n_panels; p++)
            sums[r][p] = tile->is_accumulating ? _mm512_maskz_loadu_ps(first_lanes(tile->n_columns - p * LANES),
                                                                       tile->c + r * tile->c_stride + p * LANES)
                                               : _mm512_setzero_ps();
    struct walk walk = {.a = {a, a + TRIO * a_stride, a + 2 * TRIO * a_stride},
                        .a_stride = keep(a_stride), .two_strides = keep(2 * a_stride),
                        .b = tile->b, .third_b = tile->b + 2 * tile->b_group, .b_group = tile->b_group,
                        .next = tile->next, .next_group = tile->next_group};
    int64_t k = tile->k;
    for (; k >= STEPS; k -= STEPS) {
#pragma GCC unroll 4
        for (int ahead = 0; ahead < STEPS; ahead++) {
            add_step(&walk, ahead, sums, n_rows, n_panels, is_few);
            if (is_few) walk.next += next_step;
        }
        advance(&walk, STEPS, is_few ? 0 : next_step);
    }
    for (; k > 0; k--) {
        add_step(&walk, 0, sums, n_rows, n_panels, is_few);
        advance(&walk, 1, 0);
    }
#pragma GCC unroll 3
    for (int p = 0; p < n_panels; p++) {
        __mmask16 lanes = first_lanes(tile->n_columns - p * LANES);
        __m512 bias = tile->bias ? _mm512_maskz_loadu_ps(lanes, tile->bias + p * LANES) : _mm512_setzero_ps();
#pragma GCC unroll 8
        for (int r = 0; r < n_rows; r++) {
            __m512 sum = tile->bias ? _mm512_add_ps(sums[r][p], bias) : sums[r][p];
            _mm512_mask_storeu_ps(tile->c + r * tile->c_stride + p * LANES, lanes, sum);
        }
    }
}

typedef void tile_function(const struct tile *tile);
#define SHAPE(rows, panels, name, is_few)                             \
    static void multiply_##rows##x##name(const struct tile *tile)     \
    {                                                                 \
        multiply(tile, rows, panels, is_few);                         \
    }
#define SHAPES(panels, name, is_few)                                                                              \
    SHAPE(1, panels, name, is_few)                                                                                \
    SHAPE(2, panels, name, is_few)                                                                                \
    SHAPE(3, panels, name, is_few)                                                                                \
    SHAPE(4, panels, name, is_few)                                                                                \
    SHAPE(5, panels, name, is_few)                                                                                \
    SHAPE(6, panels, name, is_few)                                                                                \
    SHAPE(7, panels, name, is_few)                                                                                \
    SHAPE(8, panels, name, is_few)                                                                                \
    static tile_function *const tiles_x##name[TILE_ROWS] = {multiply_1x##name, multiply_2x##name, multiply_3x##name, \
                                                            multiply_4x##name, multiply_5x##name, multiply_6x##name, \
                                                            multiply_7x##name, multiply_8x##name};
SHAPES(1, 1, false)
SHAPES(2, 2, false)
SHAPES(3, 3, false)
SHAPES(1, 1_few, true)
SHAPES(2, 2_few, true)
SHAPES(3, 3_few, true)
static tile_function *const *const shapes[2][TILE_PANELS] = {{tiles_x1, tiles_x2, tiles_x3}, {tiles_x1_few, tiles_x2_few, tiles_x3_few}};

/* Rows of C, the steps of k that are multiplied, and where these rows' items of them are. */
struct slice {
    const float *rows;
    int64_t stride, row, n_rows, step, n_steps;
};

static void copy_rows(const struct slice *slice, float *ret_rows)
{
    for (int64_t r = 0; r < slice->n_rows; r++)
        memcpy(ret_rows + r * ROW_STRIDE, slice->rows + r * slice->stride, (size_t)slice->n_steps * sizeof *ret_rows);
}

/* Up to TILE_PANELS panels from `panel` on, whose steps are b, b_group apart. */
static void multiply_rows(const struct float_product *product, const struct slice *slice, int64_t panel, int64_t n_panels,
                          const float *b, int64_t b_group)
{
    int64_t column = panel * PANEL_COLUMNS, n_tiles = (slice->n_rows + TILE_ROWS - 1) / TILE_ROWS, n_rows;
    bool is_last = slice->step + slice->n_steps == product->k, is_few = n_tiles <= FEW_TILES;
    bool has_next = panel + 2 * n_panels <= product->panel_end;
    struct tile tile = {.a_stride = slice->stride,
                        .b = b,
                        .b_group = b_group,
                        .next = has_next ? float_product_steps(product, panel + n_panels, slice->step) : (const void *)b,
                        .next_group = has_next ? product->panel_bytes : 0,
                        .next_step = has_next ? product->step_bytes * (is_few ? 1 : STEPS) / n_tiles : 0,
                        .c_stride = product->c_stride,
                        .bias = product->bias && is_last ? product->bias + column : NULL,
                        .n_columns = at_most(n_panels * PANEL_COLUMNS, product->n - column),
                        .k = slice->n_steps,
                        .is_accumulating = slice->step > 0};
    for (int64_t row = 0; row < slice->n_rows; row += n_rows) {
        n_rows = float_product_part(slice->n_rows - row, TILE_ROWS);
        tile.a = slice->rows + row * slice->stride;
        tile.c = product->c + (slice->row + row) * product->c_stride + column;
        shapes[is_few][n_panels - 1][n_rows - 1](&tile);
        tile.next += tile.next_step * (is_few ? tile.k : tile.k / STEPS);
    }
}

/* Halves become floats once for all tiles. */
static void multiply_widening(const struct float_product *product, const struct slice *slice, int64_t panel, int64_t n_panels)
{
    _Alignas(64) float steps[TILE_PANELS][DEPTH * PANEL_COLUMNS];
    for (int64_t p = 0; p < n_panels; p++)
        product->widen(slice->n_steps * PANEL_COLUMNS, float_product_steps(product, panel + p, slice->step), steps[p]);
    multiply_rows(product, slice, panel, n_panels, steps[0], DEPTH * PANEL_COLUMNS);
}

static void multiply_panels(const struct float_product *product, const struct slice *slice)
{
    int64_t n_panels;
    for (int64_t panel = product->panel_begin; panel < product->panel_end; panel += n_panels) {
        n_panels = float_product_part(product->panel_end - panel, TILE_PANELS);
        if (product->widen)
            multiply_widening(product, slice, panel, n_panels);
        else
            multiply_rows(product, slice, panel, n_panels, float_product_steps(product, panel, slice->step),
                          product->k * PANEL_COLUMNS);
    }
}

static void multiply_copied(const struct float_product *product, const struct slice *given)
{
    _Alignas(64) float rows[HEIGHT * ROW_STRIDE];
    struct slice slice = *given;
    copy_rows(given, rows);
    slice.rows = rows;
    slice.stride = ROW_STRIDE;
    multiply_panels(product, &slice);
}

static void multiply_block(const struct float_product *product, int64_t row, int64_t n_rows)
{
    struct slice slice = {.stride = product->a_stride, .row = row, .n_rows = n_rows};
    bool is_copying = n_rows > TILE_ROWS && product->a_stride % ALIASING_FLOATS == 0;
    do {
        slice.n_steps = at_most(product->k - slice.step, DEPTH);
        slice.rows = product->a + row * product->a_stride + slice.step;
        if (is_copying) multiply_copied(product, &slice);
        else multiply_panels(product, &slice);
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
