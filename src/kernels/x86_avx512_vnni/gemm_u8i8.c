/* Products of bytes with int8 panels: VPDPBUSD adds the four products of a group to each of sixteen columns, exactly. A tile of 12 rows and 2
 * panels holds 24 sums in registers over all of k, so that nothing but A and the panels is read. */
#if defined(__x86_64__)
#include "kernels/x86_avx512/vector.h"
#include "kernels/x86_avx512_vnni/x86_avx512_vnni.h"

#include <string.h>

/* QUAD: rows that share a pointer, so that all addresses of a tile fit the registers. */
enum { TILE_ROWS = 12, QUAD = 4, GROUP = 4, PREFETCHED_BYTES = 16 * PANEL_ALIGNMENT };

struct tile {
    const struct gemm_u8i8_args *args;
    const unsigned char *panel; /* the first of the tile's */
    int64_t panel_bytes, n_groups, row, column;
    bool is_started;           /* sums start from what the rows' zero points take away, and nothing else is taken */
    bool is_even;              /* started, and all rows have one scale and one zero, as of a tensor that was quantised as a whole */
    const unsigned char *next; /* bytes to be asked for */
    int64_t next_step;         /* so many of them with each group: tiles share the work */
};

ALWAYS_INLINE __m512i load_group(const uint8_t *a)
{
    int32_t group;
    memcpy(&group, a, sizeof group);
    return _mm512_set1_epi32(group);
}

/* sum + the products of unsigned bytes a and signed bytes w. gcc 12 copies every sum before and after its intrinsic. */
ALWAYS_INLINE __m512i add_products(__m512i sum, __m512i a, __m512i w)
{
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(w));
    return sum;
}

/* The number, of which gcc forgets how it came about: it would compute it anew wherever it is used. */
ALWAYS_INLINE int64_t keep(int64_t x)
{
    __asm__("" : "+r"(x));
    return x;
}

/* A number that gcc takes for one of its own: it would copy one that sums share. */
ALWAYS_INLINE __m512i own(__m512i x)
{
    __asm__("" : "+v"(x));
    return x;
}

/* What a column contributes to the end of its sums. */
struct columns {
    __mmask16 lanes;
    __m512i code_sums, w_zeros;
    __m512 w_scales, bias;
};

ALWAYS_INLINE __m512i load_code_sums(const struct tile *tile, int p)
{
    return _mm512_load_si512(tile->panel + p * tile->panel_bytes);
}

ALWAYS_INLINE struct columns load_columns(const struct tile *tile, int p)
{
    const struct gemm_u8i8_args *args = tile->args;
    int64_t column = tile->column + p * LANES;
    struct columns columns = {.lanes = first_lanes(args->n - column), .code_sums = load_code_sums(tile, p)};
    if (args->w_zeros) columns.w_zeros = _mm512_maskz_loadu_epi32(columns.lanes, args->w_zeros + column);
    if (args->c) columns.w_scales = _mm512_maskz_loadu_ps(columns.lanes, args->w_scales + column);
    if (args->c && args->bias) columns.bias = _mm512_maskz_loadu_ps(columns.lanes, args->bias + column);
    return columns;
}

/* A column's codes summed, as two words: the low LOW_BITS bits and the others. A zero point and so many times it, with their signs
 * changed, make of the words what the column's sums start from, in one instruction where a product of 32 bits takes two slow ones. */
enum { LOW_BITS = 7, MOST_SHORT_K = 1 << 15 };
ALWAYS_INLINE __m512i split_code_sums(__m512i code_sums)
{
    const __m512i low = _mm512_and_si512(code_sums, _mm512_set1_epi32((1 << LOW_BITS) - 1));
    return _mm512_or_si512(low, _mm512_slli_epi32(_mm512_srai_epi32(code_sums, LOW_BITS), 16));
}

/* For each row of the tile. */
ALWAYS_INLINE void factors_of_rows(const struct tile *tile, const int n_rows, int32_t ret_factors[LANES])
{
    __m512i zeros = _mm512_maskz_loadu_epi32(first_lanes(n_rows), tile->args->a_zeros + tile->row);
    __m512i factors = _mm512_sub_epi32(_mm512_setzero_si512(), zeros);
    __m512i low = _mm512_and_si512(factors, _mm512_set1_epi32(0xffff));
    _mm512_storeu_si512(ret_factors, _mm512_or_si512(low, _mm512_slli_epi32(factors, 16 + LOW_BITS)));
}

ALWAYS_INLINE void start_sums(const struct tile *tile, const int n_rows, const int n_panels, __m512i (*sums)[2])
{
    int32_t factors[LANES];
    factors_of_rows(tile, n_rows, factors);
#pragma GCC unroll 2
    for (int p = 0; p < n_panels; p++) {
        const __m512i split_sums = split_code_sums(load_code_sums(tile, p));
#pragma GCC unroll 12
        for (int r = 0; r < n_rows; r++) sums[r][p] = _mm512_madd_epi16(split_sums, _mm512_set1_epi32(factors[r]));
    }
}

/* A start that all rows share; 0 where they are not even. */
ALWAYS_INLINE void share_start(const struct tile *tile, const int n_rows, const int n_panels, __m512i (*sums)[2])
{
    const __m512i factor = _mm512_set1_epi32(tile->is_even ? -tile->args->a_zeros[0] : 0);
#pragma GCC unroll 2
    for (int p = 0; p < n_panels; p++) {
        const __m512i start = _mm512_mullo_epi32(factor, load_code_sums(tile, p));
#pragma GCC unroll 12
        for (int r = 0; r < n_rows; r++) sums[r][p] = own(start);
    }
}

ALWAYS_INLINE __m512 scales_of(const struct tile *tile, const struct columns *columns, int64_t r)
{
    return _mm512_mul_ps(all(tile->args->a_scales[tile->row + r]), columns->w_scales);
}

ALWAYS_INLINE void store_number(const struct tile *tile, const struct columns *columns, int r, int p, __m512i sum, __m512 scales)
{
    const struct gemm_u8i8_args *args = tile->args;
    __m512 number = _mm512_mul_ps(_mm512_cvtepi32_ps(sum), scales);
    if (args->bias) number = _mm512_add_ps(number, columns->bias);
    _mm512_mask_storeu_ps(args->c + (tile->row + r) * args->c_stride + tile->column + p * LANES, columns->lanes, number);
}

ALWAYS_INLINE void store(const struct tile *tile, const struct columns *columns, int r, int p, __m512i sum)
{
    const struct gemm_u8i8_args *args = tile->args;
    int64_t row = tile->row + r, at = row * args->c_stride + tile->column + p * LANES;
    sum = _mm512_sub_epi32(sum, _mm512_mullo_epi32(_mm512_set1_epi32(args->a_zeros[row]), columns->code_sums));
    if (args->w_zeros)
        sum = _mm512_sub_epi32(sum, _mm512_mullo_epi32(_mm512_set1_epi32(args->a_sums[row]), columns->w_zeros));
    if (args->c) store_number(tile, columns, r, p, sum, scales_of(tile, columns, r));
    else _mm512_mask_storeu_epi32(args->sums + at, columns->lanes, sum);
}

ALWAYS_INLINE void store_panel(const struct tile *tile, const int n_rows, int p, __m512i (*sums)[2])
{
    const struct columns columns = load_columns(tile, p);
    if (tile->is_even) {
        const __m512 scales = scales_of(tile, &columns, 0);
#pragma GCC unroll 12
        for (int r = 0; r < n_rows; r++) store_number(tile, &columns, r, p, sums[r][p], scales);
    } else if (tile->is_started) {
#pragma GCC unroll 12
        for (int r = 0; r < n_rows; r++) store_number(tile, &columns, r, p, sums[r][p], scales_of(tile, &columns, r));
    } else {
#pragma GCC unroll 12
        for (int r = 0; r < n_rows; r++) store(tile, &columns, r, p, sums[r][p]);
    }
}

/* Where a tile is: pointers to the next group of its rows, a QUAD of them each, and of its panels. */
struct walk {
    const uint8_t *a[TILE_ROWS / QUAD];
    int64_t a_stride, three_strides, panel_bytes;
    const unsigned char *codes;
};

/* The products of the group that lies `ahead` groups ahead. */
ALWAYS_INLINE void add_group(const struct walk *walk, const int ahead, __m512i (*sums)[2], const int n_rows, const int n_panels)
{
    __m512i weights[2];
#pragma GCC unroll 2
    for (int p = 0; p < n_panels; p++)
        weights[p] = _mm512_load_si512(walk->codes + p * walk->panel_bytes + ahead * PANEL_ALIGNMENT);
#pragma GCC unroll 12
    for (int r = 0; r < n_rows; r++) {
        int64_t offset = r % QUAD == 3 ? walk->three_strides : r % QUAD * walk->a_stride;
        __m512i group = load_group(walk->a[r / QUAD] + offset + ahead * GROUP);
#pragma GCC unroll 2
        for (int p = 0; p < n_panels; p++) sums[r][p] = add_products(sums[r][p], group, weights[p]);
    }
}

ALWAYS_INLINE void advance(struct walk *walk, int64_t n_groups)
{
    for (int q = 0; q < TILE_ROWS / QUAD; q++) walk->a[q] += n_groups * GROUP;
    walk->codes += n_groups * PANEL_ALIGNMENT;
}

/* n_rows and n_panels are constants wherever this is inlined. */
ALWAYS_INLINE void multiply(const struct tile *tile, const int n_rows, const int n_panels)
{
    __m512i sums[TILE_ROWS][2];
    if (tile->is_started && !tile->is_even) start_sums(tile, n_rows, n_panels, sums);
    else share_start(tile, n_rows, n_panels, sums);
    const int64_t a_stride = tile->args->a_stride, next_step = 2 * tile->next_step;
    struct walk walk = {.a_stride = a_stride,
                        .three_strides = keep(3 * a_stride),
                        .panel_bytes = tile->panel_bytes,
                        .codes = tile->panel + PANEL_ALIGNMENT};
    for (int q = 0; q < TILE_ROWS / QUAD; q++) walk.a[q] = tile->args->a + (tile->row + q * QUAD) * a_stride;
    const unsigned char *next = tile->next;
    int64_t g = tile->n_groups;
    for (; g >= 2; g -= 2) {
        _mm_prefetch((const char *)next, _MM_HINT_T0);
        _mm_prefetch((const char *)next + PANEL_ALIGNMENT, _MM_HINT_T0);
        next += next_step;
        add_group(&walk, 0, sums, n_rows, n_panels);
        add_group(&walk, 1, sums, n_rows, n_panels);
        advance(&walk, 2);
    }
    if (g) add_group(&walk, 0, sums, n_rows, n_panels);
#pragma GCC unroll 2
    for (int p = 0; p < n_panels; p++) store_panel(tile, n_rows, p, sums);
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
SHAPE(2)
SHAPE(3)
SHAPE(4) SHAPE(5) SHAPE(6) SHAPE(7) SHAPE(8) SHAPE(9) SHAPE(10) SHAPE(11) SHAPE(12)
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

/* Bit by bit: scales may be NaN. */
static bool has_even_rows(const struct gemm_u8i8_args *args)
{
    uint32_t first, scale, differences = 0;
    memcpy(&first, args->a_scales, sizeof first);
    for (int64_t row = 1; row < args->m && !differences; row++) {
        memcpy(&scale, args->a_scales + row, sizeof scale);
        differences = (scale ^ first) | (uint32_t)(args->a_zeros[row] ^ args->a_zeros[0]);
    }
    return differences == 0;
}

/* A pair of panels stays near while all rows pass. */
void x86_avx512_vnni_gemm_u8i8(const struct gemm_u8i8_args *args)
{
    if (args->m <= 0) return;
    struct tile tile = {.args = args, .n_groups = (args->k + GROUP - 1) / GROUP, .is_started = args->c && !args->w_zeros && args->k <= MOST_SHORT_K};
    int64_t n_tiles = (args->m + TILE_ROWS - 1) / TILE_ROWS;
    tile.is_even = tile.is_started && has_even_rows(args);
    tile.panel_bytes = (1 + tile.n_groups) * PANEL_ALIGNMENT;
    for (int64_t panel = args->panel_begin; panel < args->panel_end; panel += 2) {
        int64_t n_panels = args->panel_end - panel < 2 ? 1 : 2, n_rows;
        bool has_next = panel + 4 <= panel_count(args->n);
        tile.panel = (const unsigned char *)args->panels + panel * tile.panel_bytes;
        tile.column = panel * PANEL_COLUMNS;
        tile.next = tile.panel + (has_next ? 2 * tile.panel_bytes : 0);
        tile.next_step = has_next ? 2 * PANEL_ALIGNMENT / n_tiles : 0;
        for (tile.row = 0; tile.row < args->m; tile.row += n_rows) {
            n_rows = tile_rows(args->m - tile.row);
            shapes[n_panels - 1][n_rows - 1](&tile);
            tile.next += tile.next_step * tile.n_groups;
        }
    }
}
#endif
