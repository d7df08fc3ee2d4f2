/* Products of bytes. Two rows of b are interleaved and widened to 16 bits, less the zero points: a 32-bit lane then holds the
 * two items of a column that belong to two neighbours of a, which one multiply-add of pairs takes in, exactly: no product of
 * such 16-bit items, nor the sum of two, leaves 32 bits. A strip of sixteen columns is widened once, a slice of k at a time that
 * stays in the first-level cache, for all rows of a; between slices the sums rest in c. */
#if defined(__x86_64__)
#include "kernels/x86_avx2/vector.h"
#include "kernels/x86_avx2/x86_avx2.h"

#include <string.h>

enum { COLUMNS = 16, ROWS = 6, DEPTH = 256 };

/* A slice of a strip: for each pair of rows of b, the pairs of columns 0 to 7 and of 8 to 15. */
struct strip {
    __m256i pairs[DEPTH / 2][2];
    int64_t k, n_columns;
};

/* Sixteen bytes of row k of b, the missing ones 0. A row behind the last reads as zeros. */
ALWAYS_INLINE __m128i load_bytes(const struct gemm_i8_args *args, int64_t k, int64_t column, int64_t n_columns)
{
    const uint8_t *row = args->b + k * args->b_stride + column;
    if (k >= args->k) return _mm_setzero_si128();
    if (n_columns == COLUMNS) return _mm_loadu_si128((const __m128i *)row);
    uint8_t bytes[COLUMNS] = {0};
    memcpy(bytes, row, (size_t)n_columns);
    return _mm_loadu_si128((const __m128i *)bytes);
}

ALWAYS_INLINE __m256i widen(__m128i bytes, bool is_signed)
{
    return is_signed ? _mm256_cvtepi8_epi16(bytes) : _mm256_cvtepu8_epi16(bytes);
}

/* Each zero point twice: what an interleaved pair is less by. */
ALWAYS_INLINE void load_zeros(const int16_t *zeros, int64_t n_columns, __m256i *ret_low, __m256i *ret_high)
{
    int16_t pairs[2 * COLUMNS] = {0};
    for (int64_t j = 0; j < n_columns; j++) pairs[2 * j] = pairs[2 * j + 1] = zeros[j];
    *ret_low = _mm256_loadu_si256((const __m256i *)pairs);
    *ret_high = _mm256_loadu_si256((const __m256i *)(pairs + COLUMNS));
}

ALWAYS_INLINE void store_sums(int32_t *c, int64_t n_columns, __m256i low, __m256i high)
{
    if (n_columns == COLUMNS) {
        _mm256_storeu_si256((__m256i *)c, low);
        _mm256_storeu_si256((__m256i *)(c + COLUMNS / 2), high);
        return;
    }
    int32_t sums[COLUMNS];
    _mm256_storeu_si256((__m256i *)sums, low);
    _mm256_storeu_si256((__m256i *)(sums + COLUMNS / 2), high);
    memcpy(c, sums, (size_t)n_columns * sizeof *c);
}

ALWAYS_INLINE void load_sums(const int32_t *c, int64_t n_columns, __m256i *ret_low, __m256i *ret_high)
{
    int32_t sums[COLUMNS] = {0};
    if (n_columns < COLUMNS) c = memcpy(sums, c, (size_t)n_columns * sizeof *c);
    *ret_low = _mm256_loadu_si256((const __m256i *)c);
    *ret_high = _mm256_loadu_si256((const __m256i *)(c + COLUMNS / 2));
}

ALWAYS_INLINE __m256i load_pair(const int16_t *a)
{
    int32_t pair;
    memcpy(&pair, a, sizeof pair);
    return _mm256_set1_epi32(pair);
}

/* Rows [first, first + strip->k) of b. */
ALWAYS_INLINE void widen_strip(const struct gemm_i8_args *args, int64_t first, int64_t column, bool is_signed,
                               struct strip *strip)
{
    __m256i low_zeros, high_zeros;
    load_zeros(args->b_zero + column, strip->n_columns, &low_zeros, &high_zeros);
    for (int64_t k = 0; k < strip->k; k += 2) {
        __m128i upper = load_bytes(args, first + k, column, strip->n_columns);
        __m128i lower = load_bytes(args, first + k + 1, column, strip->n_columns);
        __m256i low = widen(_mm_unpacklo_epi8(upper, lower), is_signed);
        __m256i high = widen(_mm_unpackhi_epi8(upper, lower), is_signed);
        strip->pairs[k / 2][0] = _mm256_sub_epi16(low, low_zeros);
        strip->pairs[k / 2][1] = _mm256_sub_epi16(high, high_zeros);
    }
}

/* n_rows is a constant at every call, so that the sums stay in registers. */
ALWAYS_INLINE void multiply_tile(const struct strip *strip, const int16_t *a, int64_t a_stride, int32_t *c,
                                 int64_t c_stride, int n_rows, bool is_first)
{
    __m256i low_sums[ROWS], high_sums[ROWS];
#pragma GCC unroll 6
    for (int i = 0; i < n_rows; i++) {
        low_sums[i] = high_sums[i] = _mm256_setzero_si256();
        if (!is_first) load_sums(c + i * c_stride, strip->n_columns, &low_sums[i], &high_sums[i]);
    }
    for (int64_t k = 0; k < strip->k; k += 2) {
        __m256i low = strip->pairs[k / 2][0], high = strip->pairs[k / 2][1];
#pragma GCC unroll 6
        for (int i = 0; i < n_rows; i++) {
            __m256i pair = load_pair(a + i * a_stride + k);
            low_sums[i] = _mm256_add_epi32(low_sums[i], _mm256_madd_epi16(pair, low));
            high_sums[i] = _mm256_add_epi32(high_sums[i], _mm256_madd_epi16(pair, high));
        }
    }
#pragma GCC unroll 6
    for (int i = 0; i < n_rows; i++) store_sums(c + i * c_stride, strip->n_columns, low_sums[i], high_sums[i]);
}

static void multiply_strip(const struct gemm_i8_args *args, const struct strip *strip, int64_t first, int64_t column)
{
    const int16_t *a = args->a + first;
    int32_t *c = args->c + column;
    const bool is_first = first == 0;
    int64_t row = 0;
    for (; row + ROWS <= args->m; row += ROWS)
        multiply_tile(strip, a + row * args->a_stride, args->a_stride, c + row * args->c_stride, args->c_stride, ROWS, is_first);
    for (; row + 2 <= args->m; row += 2)
        multiply_tile(strip, a + row * args->a_stride, args->a_stride, c + row * args->c_stride, args->c_stride, 2, is_first);
    if (row < args->m)
        multiply_tile(strip, a + row * args->a_stride, args->a_stride, c + row * args->c_stride, args->c_stride, 1, is_first);
}

void x86_avx2_gemm_i8(const struct gemm_i8_args *args)
{
    struct strip strip;
    for (int64_t column = 0; column < args->n; column += COLUMNS) {
        strip.n_columns = args->n - column < COLUMNS ? args->n - column : COLUMNS;
        int64_t first = 0;
        do { /* once even where k is 0: the sums are 0 then */
            strip.k = args->k - first < DEPTH ? args->k - first : DEPTH;
            if (args->is_b_signed) widen_strip(args, first, column, true, &strip);
            else widen_strip(args, first, column, false, &strip);
            multiply_strip(args, &strip, first, column);
            first += DEPTH;
        } while (first < args->k);
    }
}
#endif
