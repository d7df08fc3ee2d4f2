/* Attention on sixteen lanes: twelve rows by two panels of products are in registers, or three by four. */
#if defined(__x86_64__)
#include "kernels/x86_avx2/x86_avx2.h"
#include "kernels/x86_avx512/functions_f32.h"
#include "kernels/x86_avx512/x86_avx512.h"

typedef __m512 vector;
typedef __m256 lane_sums;

enum { TILE_ROWS = 12 };
#define PRODUCT_SHAPES(SHAPE)                                                                                          \
    SHAPE(1, 1) SHAPE(1, 2) SHAPE(1, 4) SHAPE(2, 1) SHAPE(2, 2) SHAPE(2, 4) SHAPE(3, 1) SHAPE(3, 2) SHAPE(3, 4)        \
    SHAPE(4, 1) SHAPE(4, 2) SHAPE(5, 1) SHAPE(5, 2) SHAPE(6, 1) SHAPE(6, 2) SHAPE(7, 1) SHAPE(7, 2) SHAPE(8, 1)        \
    SHAPE(8, 2) SHAPE(9, 1) SHAPE(9, 2) SHAPE(10, 1) SHAPE(10, 2) SHAPE(11, 1) SHAPE(11, 2) SHAPE(12, 1) SHAPE(12, 2)

ALWAYS_INLINE vector load(const float *x)
{
    return _mm512_loadu_ps(x);
}

ALWAYS_INLINE vector load_first(const float *x, int64_t n)
{
    return _mm512_maskz_loadu_ps(first_lanes(n), x);
}

ALWAYS_INLINE void store(float *y, vector x)
{
    _mm512_storeu_ps(y, x);
}

ALWAYS_INLINE void store_first(float *y, int64_t n, vector x)
{
    _mm512_mask_storeu_ps(y, first_lanes(n), x);
}

ALWAYS_INLINE vector add(vector a, vector b)
{
    return _mm512_add_ps(a, b);
}

ALWAYS_INLINE vector subtract(vector a, vector b)
{
    return _mm512_sub_ps(a, b);
}

ALWAYS_INLINE vector multiply_by(vector a, vector b)
{
    return _mm512_mul_ps(a, b);
}

ALWAYS_INLINE vector multiply_add(vector a, vector b, vector c)
{
    return _mm512_fmadd_ps(a, b, c);
}

ALWAYS_INLINE vector larger(vector a, vector b)
{
    return _mm512_max_ps(a, b);
}

ALWAYS_INLINE vector capped(vector x, vector cap)
{
    return _mm512_mul_ps(cap, tanh16(_mm512_div_ps(x, cap)));
}

ALWAYS_INLINE vector exponential(vector x)
{
    return exp16(x);
}

enum { TOGETHER = FEW };
ALWAYS_INLINE void exponentials(vector *x)
{
    exp_few(x);
}

ALWAYS_INLINE float largest_lane(vector x)
{
    __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

ALWAYS_INLINE vector keep_between(vector x, int64_t begin, int64_t end)
{
    __mmask16 inside = (__mmask16)(first_lanes(end) & ~first_lanes(begin));
    return _mm512_mask_mov_ps(all(-INFINITY), inside, x);
}

ALWAYS_INLINE vector finite_base(vector x)
{
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, all(-INFINITY), _CMP_NEQ_UQ), x);
}

ALWAYS_INLINE lane_sums shrink_sums(const float *sums, float factor)
{
    return _mm256_mul_ps(_mm256_loadu_ps(sums), _mm256_set1_ps(factor));
}

ALWAYS_INLINE lane_sums add_weights(lane_sums sums, vector weights)
{
    sums = _mm256_add_ps(sums, _mm512_castps512_ps256(weights));
    return _mm256_add_ps(sums, _mm512_extractf32x8_ps(weights, 1));
}

ALWAYS_INLINE void store_sums(float *sums, lane_sums values)
{
    _mm256_storeu_ps(sums, values);
}

/* ((s0+s4)+(s2+s6)) + ((s1+s5)+(s3+s7)) */
ALWAYS_INLINE float total_of(const float *sums)
{
    __m128 four = _mm_add_ps(_mm_loadu_ps(sums), _mm_loadu_ps(sums + 4));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

static void divide(int64_t n, const float *x, float divisor, float *y)
{
    for (int64_t i = 0; i < n; i += LANES)
        store_first(y + i, n - i, _mm512_div_ps(load_first(x + i, n - i), all(divisor)));
}

static void widen(int64_t n, const uint16_t *halves, float *floats)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        store(floats + i, _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)(halves + i))));
    for (; i < n; i += LANES)
        store_first(floats + i, n - i, _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(first_lanes(n - i), halves + i)));
}

ALWAYS_INLINE float half_at(const unsigned char *bytes)
{
    uint16_t half;
    memcpy(&half, bytes, sizeof half);
    return _cvtsh_ss(half);
}

ALWAYS_INLINE vector widen_bytes(const int8_t *codes)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)codes)));
}

ALWAYS_INLINE void split_pairs(const unsigned char *pairs, int8_t *codes)
{
    const __m128i low_bits = _mm_set1_epi8(15), bias = _mm_set1_epi8(8);
    __m128i x = _mm_loadu_si128((const __m128i *)(const void *)pairs), high = _mm_and_si128(_mm_srli_epi16(x, 4), low_bits);
    _mm_storeu_si128((__m128i *)(void *)codes, _mm_sub_epi8(_mm_and_si128(x, low_bits), bias));
    _mm_storeu_si128((__m128i *)(void *)(codes + 16), _mm_sub_epi8(high, bias));
}

/* Items of rows i, i + 4, i + 8, i + 12: inserting from memory leaves the shuffling port free. */
ALWAYS_INLINE __m512 load_four_fours(const float *const *rows, int64_t step)
{
    __m512 x = _mm512_castps128_ps512(_mm_loadu_ps(rows[0] + step));
    x = _mm512_insertf32x4(x, _mm_loadu_ps(rows[4] + step), 1);
    x = _mm512_insertf32x4(x, _mm_loadu_ps(rows[8] + step), 2);
    return _mm512_insertf32x4(x, _mm_loadu_ps(rows[12] + step), 3);
}

ALWAYS_INLINE void pack_four_steps(const float *const *rows, int64_t step, float *panel)
{
    __m512 c0 = load_four_fours(rows, step), c1 = load_four_fours(rows + 1, step);
    __m512 c2 = load_four_fours(rows + 2, step), c3 = load_four_fours(rows + 3, step);
    __m512 low01 = _mm512_unpacklo_ps(c0, c1), high01 = _mm512_unpackhi_ps(c0, c1);
    __m512 low23 = _mm512_unpacklo_ps(c2, c3), high23 = _mm512_unpackhi_ps(c2, c3);
    store(panel, _mm512_shuffle_ps(low01, low23, 0x44));
    store(panel + PANEL_COLUMNS, _mm512_shuffle_ps(low01, low23, 0xee));
    store(panel + 2 * PANEL_COLUMNS, _mm512_shuffle_ps(high01, high23, 0x44));
    store(panel + 3 * PANEL_COLUMNS, _mm512_shuffle_ps(high01, high23, 0xee));
}

#include "kernels/attention_vectors.h"

void x86_avx512_attention_f32(const struct attention_f32_args *args)
{
    attend_all(args);
}
#endif
