/* Eight floats at a time: partial loads, the total of the eight lanes, exp and log. Step for step what generic/ does. */
#ifndef KERNELS_X86_AVX2_VECTOR_H
#define KERNELS_X86_AVX2_VECTOR_H

#include "kernels/coefficients.h"

/* Keeps out the compilers' allocating mm_malloc.h (gcc's guard, clang's guard), which base/banned.h would refuse. */
#define _MM_MALLOC_H_INCLUDED
#define __MM_MALLOC_H
#include <immintrin.h>
#include <stdint.h>

#define ALWAYS_INLINE static inline __attribute__((always_inline))

enum { LANES = 8 };

/* All bits set in the first n lanes. */
ALWAYS_INLINE __m256i first_lanes(int64_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* Memory of the lanes left out is not touched; they read as +0. */
ALWAYS_INLINE __m256 load_first(const float *x, int64_t n)
{
    return _mm256_maskload_ps(x, first_lanes(n));
}

ALWAYS_INLINE void store_first(float *y, int64_t n, __m256 value)
{
    _mm256_maskstore_ps(y, first_lanes(n), value);
}

ALWAYS_INLINE __m256 keep_first(__m256 value, int64_t n)
{
    return _mm256_and_ps(value, _mm256_castsi256_ps(first_lanes(n)));
}

/* ((s0+s4)+(s2+s6)) + ((s1+s5)+(s3+s7)) */
ALWAYS_INLINE float total(__m256 sums)
{
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(sums), _mm256_extractf128_ps(sums, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

/* The largest of eight lanes, none of them a NaN. */
ALWAYS_INLINE float largest_lane(__m256 values)
{
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(values), _mm256_extractf128_ps(values, 1));
    __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

ALWAYS_INLINE __m256 all(float value)
{
    return _mm256_set1_ps(value);
}

ALWAYS_INLINE __m256 magnitude(__m256 x)
{
    return _mm256_andnot_ps(all(-0.0f), x);
}

/* The first operand of max and min gives way when the second is a NaN. */
ALWAYS_INLINE __m256 exp8(__m256 x)
{
    x = _mm256_min_ps(all(EXP_GREATEST), _mm256_max_ps(all(EXP_LEAST), x));
    __m256 shifted = _mm256_fmadd_ps(x, all(LOG2_E), all(EXP_ROUND));
    __m256 n = _mm256_sub_ps(shifted, all(EXP_ROUND));
    __m256 r = _mm256_fmadd_ps(n, all(-LN2_HIGH), x);
    r = _mm256_fmadd_ps(n, all(-LN2_LOW), r);
    __m256 p = all(EXP_P4);
    p = _mm256_fmadd_ps(p, r, all(EXP_P3));
    p = _mm256_fmadd_ps(p, r, all(EXP_P2));
    p = _mm256_fmadd_ps(p, r, all(EXP_P1));
    p = _mm256_fmadd_ps(p, r, all(EXP_P0));
    __m256 y = _mm256_add_ps(_mm256_fmadd_ps(p, _mm256_mul_ps(r, r), r), all(1.0f));
    __m256i power = _mm256_sub_epi32(_mm256_castps_si256(shifted), _mm256_set1_epi32(EXP_ROUND_BITS));
    __m256i half = _mm256_srai_epi32(power, 1), bias = _mm256_set1_epi32(127);
    __m256i rest = _mm256_sub_epi32(power, half);
    y = _mm256_mul_ps(y, _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23)));
    return _mm256_mul_ps(y, _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23)));
}

ALWAYS_INLINE __m256 log8(__m256 x)
{
    __m256 is_denormal = _mm256_cmp_ps(x, all(0x1p-126f), _CMP_LT_OQ);
    __m256i base = _mm256_set1_epi32(SQRT_HALF_BITS);
    __m256 scaled = _mm256_blendv_ps(x, _mm256_mul_ps(x, all(0x1p23f)), is_denormal);
    __m256i bits = _mm256_sub_epi32(_mm256_castps_si256(scaled), base);
    __m256 e = _mm256_cvtepi32_ps(_mm256_srai_epi32(bits, 23));
    e = _mm256_sub_ps(e, _mm256_and_ps(is_denormal, all(23.0f)));
    __m256i mantissa = _mm256_and_si256(bits, _mm256_set1_epi32(0x7fffff));
    __m256 f = _mm256_sub_ps(_mm256_castsi256_ps(_mm256_add_epi32(mantissa, base)), all(1.0f));
    __m256 p = all(LOG_P8);
    p = _mm256_fmadd_ps(p, f, all(LOG_P7));
    p = _mm256_fmadd_ps(p, f, all(LOG_P6));
    p = _mm256_fmadd_ps(p, f, all(LOG_P5));
    p = _mm256_fmadd_ps(p, f, all(LOG_P4));
    p = _mm256_fmadd_ps(p, f, all(LOG_P3));
    p = _mm256_fmadd_ps(p, f, all(LOG_P2));
    p = _mm256_fmadd_ps(p, f, all(LOG_P1));
    p = _mm256_fmadd_ps(p, f, all(LOG_P0));
    __m256 square = _mm256_mul_ps(f, f);
    p = _mm256_mul_ps(p, _mm256_mul_ps(f, square));
    p = _mm256_fmadd_ps(e, all(LN2_LOW), p);
    p = _mm256_fmadd_ps(all(-0.5f), square, p);
    __m256 y = _mm256_fmadd_ps(e, all(LN2_HIGH), _mm256_add_ps(f, p));
    y = _mm256_blendv_ps(y, x, _mm256_cmp_ps(x, all(INFINITY), _CMP_EQ_OQ));
    y = _mm256_blendv_ps(y, all(-INFINITY), _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_EQ_OQ));
    return _mm256_blendv_ps(y, all(NAN), _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_NGE_UQ));
}

#endif
