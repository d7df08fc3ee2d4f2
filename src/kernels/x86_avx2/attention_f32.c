/* Attention on eight lanes: six rows by one panel of products are in registers, or fewer rows by more. */
#if defined(__x86_64__)
#include "kernels/x86_avx2/functions_f32.h"
#include "kernels/x86_avx2/x86_avx2.h"

typedef __m256 vector, lane_sums;

enum { TILE_ROWS = 6 };
#define PRODUCT_SHAPES(SHAPE)                                                                                     \
    SHAPE(1, 1) SHAPE(1, 2) SHAPE(1, 4) SHAPE(2, 1) SHAPE(2, 2) SHAPE(3, 1) SHAPE(3, 2) SHAPE(4, 1) SHAPE(5, 1) SHAPE(6, 1)

ALWAYS_INLINE vector load(const float *x)
{
    return _mm256_loadu_ps(x);
}

ALWAYS_INLINE void store(float *y, vector x)
{
    _mm256_storeu_ps(y, x);
}

ALWAYS_INLINE vector add(vector a, vector b)
{
    return _mm256_add_ps(a, b);
}

ALWAYS_INLINE vector subtract(vector a, vector b)
{
    return _mm256_sub_ps(a, b);
}

ALWAYS_INLINE vector multiply_by(vector a, vector b)
{
    return _mm256_mul_ps(a, b);
}

ALWAYS_INLINE vector multiply_add(vector a, vector b, vector c)
{
    return _mm256_fmadd_ps(a, b, c);
}

ALWAYS_INLINE vector larger(vector a, vector b)
{
    return _mm256_max_ps(a, b);
}

ALWAYS_INLINE vector capped(vector x, vector cap)
{
    return _mm256_mul_ps(cap, tanh8(_mm256_div_ps(x, cap)));
}

ALWAYS_INLINE vector exponential(vector x)
{
    return exp8(x);
}

enum { TOGETHER = 1 };
ALWAYS_INLINE void exponentials(vector *x)
{
    *x = exponential(*x);
}

ALWAYS_INLINE vector keep_between(vector x, int64_t begin, int64_t end)
{
    __m256i outside = _mm256_or_si256(_mm256_xor_si256(first_lanes(end), _mm256_set1_epi32(-1)), first_lanes(begin));
    return _mm256_blendv_ps(x, all(-INFINITY), _mm256_castsi256_ps(outside));
}

ALWAYS_INLINE vector finite_base(vector x)
{
    return _mm256_andnot_ps(_mm256_cmp_ps(x, all(-INFINITY), _CMP_EQ_OQ), x);
}

ALWAYS_INLINE lane_sums shrink_sums(const float *sums, float factor)
{
    return _mm256_mul_ps(_mm256_loadu_ps(sums), all(factor));
}

ALWAYS_INLINE lane_sums add_weights(lane_sums sums, vector weights)
{
    return _mm256_add_ps(sums, weights);
}

ALWAYS_INLINE void store_sums(float *sums, lane_sums values)
{
    _mm256_storeu_ps(sums, values);
}

ALWAYS_INLINE float total_of(const float *sums)
{
    return total(_mm256_loadu_ps(sums));
}

static void divide(int64_t n, const float *x, float divisor, float *y)
{
    x86_avx2_div_f32(n, x, 1, &divisor, 0, y);
}

static void widen(int64_t n, const uint16_t *halves, float *floats)
{
    x86_avx2_f32_from_f16(n, halves, floats);
}

ALWAYS_INLINE float half_at(const unsigned char *bytes)
{
    uint16_t half;
    memcpy(&half, bytes, sizeof half);
    return _cvtsh_ss(half);
}

ALWAYS_INLINE vector widen_bytes(const int8_t *codes)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)codes)));
}

ALWAYS_INLINE void split_pairs(const unsigned char *pairs, int8_t *codes)
{
    const __m128i low_bits = _mm_set1_epi8(15), bias = _mm_set1_epi8(8);
    __m128i x = _mm_loadu_si128((const __m128i *)(const void *)pairs), high = _mm_and_si128(_mm_srli_epi16(x, 4), low_bits);
    _mm_storeu_si128((__m128i *)(void *)codes, _mm_sub_epi8(_mm_and_si128(x, low_bits), bias));
    _mm_storeu_si128((__m128i *)(void *)(codes + 16), _mm_sub_epi8(high, bias));
}

ALWAYS_INLINE __m256 load_two_fours(const float *low, const float *high)
{
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(low)), _mm_loadu_ps(high), 1);
}

ALWAYS_INLINE void pack_four_steps(const float *const *rows, int64_t step, float *panel)
{
    for (int half = 0; half < PANEL_COLUMNS; half += LANES, rows += LANES, panel += LANES) {
        __m256 c0 = load_two_fours(rows[0] + step, rows[4] + step), c1 = load_two_fours(rows[1] + step, rows[5] + step);
        __m256 c2 = load_two_fours(rows[2] + step, rows[6] + step), c3 = load_two_fours(rows[3] + step, rows[7] + step);
        __m256 low01 = _mm256_unpacklo_ps(c0, c1), high01 = _mm256_unpackhi_ps(c0, c1);
        __m256 low23 = _mm256_unpacklo_ps(c2, c3), high23 = _mm256_unpackhi_ps(c2, c3);
        store(panel, _mm256_shuffle_ps(low01, low23, 0x44));
        store(panel + PANEL_COLUMNS, _mm256_shuffle_ps(low01, low23, 0xee));
        store(panel + 2 * PANEL_COLUMNS, _mm256_shuffle_ps(high01, high23, 0x44));
        store(panel + 3 * PANEL_COLUMNS, _mm256_shuffle_ps(high01, high23, 0xee));
    }
}

#include "kernels/attention_vectors.h"

void x86_avx2_attention_f32(const struct attention_f32_args *args)
{
    attend_all(args);
}
#endif
