/* Products of bytes. Two rows of b are interleaved and widened to 16 bits, less the zero points: a 32-bit lane then holds the
 * two items of a column that belong to two neighbours of a, which one multiply-add of pairs takes in, exactly: no product of
 * such 16-bit items, nor the sum of two, leaves 32 bits. The widening is shared by the rows of a tile. */
#if defined(__x86_64__)
#include "kernels/x86_avx2/vector.h"
#include "kernels/x86_avx2/x86_avx2.h"

#include <string.h>

enum { COLUMNS = 16, ROWS = 4 };

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

ALWAYS_INLINE __m256i load_pair(const int16_t *a)
{
    int32_t pair;
    memcpy(&pair, a, sizeof pair);
    return _mm256_set1_epi32(pair);
}

/* n_rows is a constant at every call, so that the sums stay in registers. */
ALWAYS_INLINE void multiply_tile(const struct gemm_i8_args *args, int64_t row, int n_rows, int64_t column,
                                 int64_t n_columns, bool is_signed)
{
    __m256i low_zeros, high_zeros, low_sums[ROWS], high_sums[ROWS];
    load_zeros(args->b_zero + column, n_columns, &low_zeros, &high_zeros);
    for (int i = 0; i < n_rows; i++) low_sums[i] = high_sums[i] = _mm256_setzero_si256();
    const int16_t *a = args->a + row * args->a_stride;
    for (int64_t k = 0; k < args->k; k += 2) {
        __m128i first = load_bytes(args, k, column, n_columns), second = load_bytes(args, k + 1, column, n_columns);
        __m256i low = _mm256_sub_epi16(widen(_mm_unpacklo_epi8(first, second), is_signed), low_zeros);
        __m256i high = _mm256_sub_epi16(widen(_mm_unpackhi_epi8(first, second), is_signed), high_zeros);
        for (int i = 0; i < n_rows; i++) {
            __m256i pair = load_pair(a + i * args->a_stride + k);
            low_sums[i] = _mm256_add_epi32(low_sums[i], _mm256_madd_epi16(pair, low));
            high_sums[i] = _mm256_add_epi32(high_sums[i], _mm256_madd_epi16(pair, high));
        }
    }
    for (int i = 0; i < n_rows; i++)
        store_sums(args->c + (row + i) * args->c_stride + column, n_columns, low_sums[i], high_sums[i]);
}

ALWAYS_INLINE void multiply_columns(const struct gemm_i8_args *args, int64_t column, int64_t n_columns, bool is_signed)
{
    int64_t row = 0;
    for (; row + ROWS <= args->m; row += ROWS) multiply_tile(args, row, ROWS, column, n_columns, is_signed);
    for (; row + 2 <= args->m; row += 2) multiply_tile(args, row, 2, column, n_columns, is_signed);
    if (row < args->m) multiply_tile(args, row, 1, column, n_columns, is_signed);
}

static void multiply_signed(const struct gemm_i8_args *args)
{
    int64_t column = 0;
    for (; column + COLUMNS <= args->n; column += COLUMNS) multiply_columns(args, column, COLUMNS, true);
    if (column < args->n) multiply_columns(args, column, args->n - column, true);
}

static void multiply_unsigned(const struct gemm_i8_args *args)
{
    int64_t column = 0;
    for (; column + COLUMNS <= args->n; column += COLUMNS) multiply_columns(args, column, COLUMNS, false);
    if (column < args->n) multiply_columns(args, column, args->n - column, false);
}

void x86_avx2_gemm_i8(const struct gemm_i8_args *args)
{
    if (args->is_b_signed) multiply_signed(args);
    else multiply_unsigned(args);
}
#endif
