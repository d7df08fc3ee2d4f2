/* Products of bytes with int8 panels. Pairs of bytes would overflow the 16 bits that AVX2 sums them in, so both sides are widened to 16 bits
 * first: of each group of four steps, steps 0 and 2 make one pair and steps 1 and 3 the other, which is what masks and shifts give. A slice of
 * DEPTH steps of up to HEIGHT rows of A is widened once for all panels, and a slice of a panel once for all those rows; between slices
 * the sums rest in the output. */
#if defined(__x86_64__)
#include "kernels/x86_avx2/vector.h"
#include "kernels/x86_avx2/x86_avx2.h"

#include <string.h>

enum { TILE_ROWS = 6, HEIGHT = 36, GROUP = 4, DEPTH = 256, DEPTH_GROUPS = DEPTH / GROUP };

/* Steps 0 and 2, then 1 and 3, of each group of a row. */
struct wide_row {
    int32_t even[DEPTH_GROUPS], odd[DEPTH_GROUPS];
};

/* A group of sixteen columns: the even pairs of columns 0 to 7 and 8 to 15, then the odd ones. */
struct wide_group {
    __m256i even[2], odd[2];
};

/* What all tiles of a slice share. */
struct slice {
    const struct gemm_u8i8_args *args;
    struct wide_row rows[HEIGHT];
    struct wide_group groups[DEPTH_GROUPS];
    int64_t n_groups;
    bool is_first, is_last;
};

ALWAYS_INLINE int64_t at_most(int64_t n, int64_t limit)
{
    return n < limit ? n : limit;
}

static void widen_row(const uint8_t *bytes, int64_t n_groups, struct wide_row *row)
{
    const uint32_t low_bytes = 0x00ff00ff;
    int64_t g = 0;
    for (; g + LANES <= n_groups; g += LANES) {
        __m256i groups = _mm256_loadu_si256((const __m256i *)(bytes + g * GROUP));
        _mm256_storeu_si256((__m256i *)(row->even + g), _mm256_and_si256(groups, _mm256_set1_epi32((int)low_bytes)));
        _mm256_storeu_si256((__m256i *)(row->odd + g), _mm256_srli_epi16(groups, 8));
    }
    for (; g < n_groups; g++) {
        uint32_t group;
        memcpy(&group, bytes + g * GROUP, sizeof group);
        row->even[g] = (int32_t)(group & low_bytes);
        row->odd[g] = (int32_t)(group >> 8 & low_bytes);
    }
}

ALWAYS_INLINE struct wide_group widen_group(const unsigned char *codes)
{
    struct wide_group group;
    for (int half = 0; half < 2; half++) {
        __m256i bytes = _mm256_load_si256((const __m256i *)(const void *)(codes + half * 32));
        group.even[half] = _mm256_srai_epi16(_mm256_slli_epi16(bytes, 8), 8);
        group.odd[half] = _mm256_srai_epi16(bytes, 8);
    }
    return group;
}

/* ---- what becomes of the sums ---- */

struct columns {
    int64_t first, n;
    __m256i code_sums[2], w_zeros[2];
    __m256 w_scales[2], bias[2];
};

ALWAYS_INLINE __m256i load_first_ints(const int32_t *x, int64_t n)
{
    return _mm256_maskload_epi32(x, first_lanes(n));
}

static struct columns load_columns(const struct gemm_u8i8_args *args, int64_t panel, const unsigned char *sums)
{
    struct columns columns = {.first = panel * PANEL_COLUMNS};
    columns.n = at_most(args->n - columns.first, PANEL_COLUMNS);
    for (int half = 0; half < 2; half++) {
        int64_t at = columns.first + half * LANES, n = columns.n - half * LANES;
        columns.code_sums[half] = _mm256_load_si256((const __m256i *)(const void *)(sums + half * 32));
        columns.w_zeros[half] =
            args->w_zeros && n > 0 ? load_first_ints(args->w_zeros + at, n) : _mm256_setzero_si256();
        columns.w_scales[half] = args->c && n > 0 ? load_first(args->w_scales + at, n) : all(0);
        columns.bias[half] = args->c && args->bias && n > 0 ? load_first(args->bias + at, n) : all(0);
    }
    return columns;
}

ALWAYS_INLINE void store_half(int32_t *out, int64_t n, __m256i value)
{
    if (n >= LANES) _mm256_storeu_si256((__m256i *)out, value);
    else if (n > 0) _mm256_maskstore_epi32(out, first_lanes(n), value);
}

ALWAYS_INLINE __m256i load_half(const int32_t *out, int64_t n)
{
    return n >= LANES ? _mm256_loadu_si256((const __m256i *)out)
           : n > 0    ? load_first_ints(out, n)
                      : _mm256_setzero_si256();
}

/* Sums and numbers are of one size, and both are moved as vectors of integers, which may lie where either lies. */
ALWAYS_INLINE int32_t *place(const struct gemm_u8i8_args *args, int64_t row, const struct columns *columns)
{
    int32_t *begin = args->c ? (int32_t *)(void *)args->c : args->sums;
    return begin + row * args->c_stride + columns->first;
}

ALWAYS_INLINE __m256i finish_half(const struct gemm_u8i8_args *args, const struct columns *columns, int64_t row,
                                  int half, __m256i sum)
{
    __m256i zero = _mm256_set1_epi32(args->a_zeros[row]);
    sum = _mm256_sub_epi32(sum, _mm256_mullo_epi32(zero, columns->code_sums[half]));
    if (args->w_zeros)
        sum = _mm256_sub_epi32(sum, _mm256_mullo_epi32(_mm256_set1_epi32(args->a_sums[row]), columns->w_zeros[half]));
    if (!args->c) return sum;
    __m256 number =
        _mm256_mul_ps(_mm256_cvtepi32_ps(sum), _mm256_mul_ps(all(args->a_scales[row]), columns->w_scales[half]));
    if (args->bias) number = _mm256_add_ps(number, columns->bias[half]);
    return _mm256_castps_si256(number);
}

/* ---- tiles ---- */

/* n_rows and is_widened are constants wherever this is inlined; codes are the slice's of the panel. */
ALWAYS_INLINE void multiply(const struct slice *slice, const struct columns *columns, const unsigned char *codes,
                            int64_t row, const struct wide_row *rows, const int n_rows, const bool is_widened)
{
    __m256i sums[TILE_ROWS][2];
#pragma GCC unroll 6
    for (int r = 0; r < n_rows; r++)
#pragma GCC unroll 2
        for (int half = 0; half < 2; half++)
            sums[r][half] = slice->is_first ? _mm256_setzero_si256()
                                            : load_half(place(slice->args, row + r, columns) + half * LANES,
                                                        columns->n - half * LANES);
    for (int64_t g = 0; g < slice->n_groups; g++) {
        struct wide_group fresh;
        const struct wide_group *group = &slice->groups[g];
        if (!is_widened) {
            fresh = widen_group(codes + g * PANEL_ALIGNMENT);
            group = &fresh;
        }
#pragma GCC unroll 6
        for (int r = 0; r < n_rows; r++) {
            __m256i pair = _mm256_set1_epi32(rows[r].even[g]);
            sums[r][0] = _mm256_add_epi32(sums[r][0], _mm256_madd_epi16(pair, group->even[0]));
            sums[r][1] = _mm256_add_epi32(sums[r][1], _mm256_madd_epi16(pair, group->even[1]));
        }
#pragma GCC unroll 6
        for (int r = 0; r < n_rows; r++) {
            __m256i pair = _mm256_set1_epi32(rows[r].odd[g]);
            sums[r][0] = _mm256_add_epi32(sums[r][0], _mm256_madd_epi16(pair, group->odd[0]));
            sums[r][1] = _mm256_add_epi32(sums[r][1], _mm256_madd_epi16(pair, group->odd[1]));
        }
    }
#pragma GCC unroll 6
    for (int r = 0; r < n_rows; r++)
#pragma GCC unroll 2
        for (int half = 0; half < 2; half++) {
            __m256i sum = sums[r][half];
            if (slice->is_last) sum = finish_half(slice->args, columns, row + r, half, sum);
            store_half(place(slice->args, row + r, columns) + half * LANES, columns->n - half * LANES, sum);
        }
}

typedef void tile_function(const struct slice *slice, const struct columns *columns, const unsigned char *codes,
                           int64_t row, const struct wide_row *rows);
#define TILE(n)                                                                                          \
    static void multiply_wide_##n(const struct slice *slice, const struct columns *columns,              \
                                  const unsigned char *codes, int64_t row, const struct wide_row *rows)  \
    {                                                                                                    \
        multiply(slice, columns, codes, row, rows, n, true);                                             \
    }                                                                                                    \
    static void multiply_fresh_##n(const struct slice *slice, const struct columns *columns,             \
                                   const unsigned char *codes, int64_t row, const struct wide_row *rows) \
    {                                                                                                    \
        multiply(slice, columns, codes, row, rows, n, false);                                            \
    }
TILE(1)
TILE(2) TILE(3) TILE(4) TILE(5) TILE(6)
#define TILES(kind)                                                                                              \
    {                                                                                                            \
        multiply_##kind##_1, multiply_##kind##_2, multiply_##kind##_3, multiply_##kind##_4, multiply_##kind##_5, \
            multiply_##kind##_6                                                                                  \
    }
    static tile_function *const wide_tiles[TILE_ROWS] = TILES(wide),
                                *const fresh_tiles[TILE_ROWS] = TILES(fresh);

/* A single tile widens its weights as it reads them. */
static void multiply_panel(struct slice *slice, int64_t row, int64_t n_rows, const struct columns *columns,
                           const unsigned char *codes)
{
    if (n_rows <= TILE_ROWS) {
        fresh_tiles[n_rows - 1](slice, columns, codes, row, slice->rows);
        return;
    }
    for (int64_t g = 0; g < slice->n_groups; g++) slice->groups[g] = widen_group(codes + g * PANEL_ALIGNMENT);
    for (int64_t at = 0, rest; at < n_rows; at += rest) {
        rest = at_most(n_rows - at, TILE_ROWS);
        wide_tiles[rest - 1](slice, columns, codes, row + at, slice->rows + at);
    }
}

/* Groups [group, group + n_groups) of k for rows [row, row + n_rows). */
static void multiply_slice(struct slice *slice, int64_t row, int64_t n_rows, int64_t group, int64_t panel_bytes)
{
    const struct gemm_u8i8_args *args = slice->args;
    for (int64_t r = 0; r < n_rows; r++)
        widen_row(args->a + (row + r) * args->a_stride + group * GROUP, slice->n_groups, &slice->rows[r]);
    for (int64_t p = args->panel_begin; p < args->panel_end; p++) {
        const unsigned char *panel = (const unsigned char *)args->panels + p * panel_bytes;
        struct columns columns = load_columns(args, p, panel);
        multiply_panel(slice, row, n_rows, &columns, panel + (1 + group) * PANEL_ALIGNMENT);
    }
}

/* Slices of one size rather than full ones and a small rest. */
void x86_avx2_gemm_u8i8(const struct gemm_u8i8_args *args)
{
    const int64_t n_groups = (args->k + GROUP - 1) / GROUP, panel_bytes = (1 + n_groups) * PANEL_ALIGNMENT;
    const int64_t n_slices = n_groups ? (n_groups + DEPTH_GROUPS - 1) / DEPTH_GROUPS : 1;
    const int64_t n_blocks = (args->m + HEIGHT - 1) / HEIGHT, slice_groups = (n_groups + n_slices - 1) / n_slices;
    struct slice slice = {.args = args};
    for (int64_t block = 0; block < n_blocks; block++) {
        int64_t row = block * HEIGHT, n_rows = at_most(args->m - row, HEIGHT);
        for (int64_t s = 0; s < n_slices; s++) {
            slice.n_groups = at_most(n_groups - s * slice_groups, slice_groups);
            slice.is_first = s == 0;
            slice.is_last = s == n_slices - 1;
            multiply_slice(&slice, row, n_rows, s * slice_groups, panel_bytes);
        }
    }
}
#endif
