/* Functions of eight floats. Step for step what generic/functions_f32.h does. */
#ifndef KERNELS_X86_AVX2_FUNCTIONS_F32_H
#define KERNELS_X86_AVX2_FUNCTIONS_F32_H

#include "kernels/x86_avx2/vector.h"

#include <float.h>

ALWAYS_INLINE __m256 tanh8(__m256 x)
{
    __m256 t = magnitude(x), square = _mm256_mul_ps(t, t);
    __m256 p = all(TANH_P4);
    p = _mm256_fmadd_ps(p, square, all(TANH_P3));
    p = _mm256_fmadd_ps(p, square, all(TANH_P2));
    p = _mm256_fmadd_ps(p, square, all(TANH_P1));
    p = _mm256_fmadd_ps(p, square, all(TANH_P0));
    __m256 near = _mm256_fmadd_ps(_mm256_mul_ps(t, square), p, t);
    __m256 e = _mm256_add_ps(exp8(_mm256_add_ps(t, t)), all(1.0f));
    __m256 far = _mm256_sub_ps(all(1.0f), _mm256_div_ps(all(2.0f), e));
    __m256 y = _mm256_blendv_ps(far, near, _mm256_cmp_ps(t, all(TANH_LIMIT), _CMP_LT_OQ));
    return _mm256_or_ps(y, _mm256_and_ps(x, all(-0.0f)));
}

ALWAYS_INLINE __m256 erf8(__m256 x)
{
    __m256 t = magnitude(x), square = _mm256_mul_ps(t, t);
    __m256 p = all(ERF_P6);
    p = _mm256_fmadd_ps(p, square, all(ERF_P5));
    p = _mm256_fmadd_ps(p, square, all(ERF_P4));
    p = _mm256_fmadd_ps(p, square, all(ERF_P3));
    p = _mm256_fmadd_ps(p, square, all(ERF_P2));
    p = _mm256_fmadd_ps(p, square, all(ERF_P1));
    p = _mm256_fmadd_ps(p, square, all(ERF_P0));
    __m256 near = _mm256_fmadd_ps(p, t, t);
    __m256 s = _mm256_min_ps(all(ERF_GREATEST), t);
    __m256 q = all(ERF_Q5);
    q = _mm256_fmadd_ps(q, s, all(ERF_Q4));
    q = _mm256_fmadd_ps(q, s, all(ERF_Q3));
    q = _mm256_fmadd_ps(q, s, all(ERF_Q2));
    q = _mm256_fmadd_ps(q, s, all(ERF_Q1));
    q = _mm256_fmadd_ps(q, s, all(ERF_Q0));
    __m256 far = _mm256_sub_ps(all(1.0f), exp8(_mm256_fmsub_ps(q, s, s)));
    __m256 y = _mm256_blendv_ps(far, near, _mm256_cmp_ps(t, all(ERF_LIMIT), _CMP_LT_OQ));
    return _mm256_or_ps(y, _mm256_and_ps(x, all(-0.0f)));
}

ALWAYS_INLINE __m256 sigmoid8(__m256 x)
{
    __m256 e = exp8(_mm256_or_ps(x, all(-0.0f)));
    __m256 numerator = _mm256_blendv_ps(e, all(1.0f), _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_GE_OQ));
    return _mm256_div_ps(numerator, _mm256_add_ps(e, all(1.0f)));
}

ALWAYS_INLINE __m256 finite_below(__m256 x)
{
    return _mm256_max_ps(all(-FLT_MAX), x);
}

ALWAYS_INLINE __m256 silu8(__m256 x)
{
    return _mm256_mul_ps(finite_below(x), sigmoid8(x));
}

ALWAYS_INLINE __m256 gelu8(__m256 x)
{
    __m256 s = _mm256_min_ps(all(GELU_GREATEST), magnitude(x));
    __m256 a = all(GELU_A7);
    a = _mm256_fmadd_ps(a, s, all(GELU_A6));
    a = _mm256_fmadd_ps(a, s, all(GELU_A5));
    a = _mm256_fmadd_ps(a, s, all(GELU_A4));
    a = _mm256_fmadd_ps(a, s, all(GELU_A3));
    a = _mm256_fmadd_ps(a, s, all(GELU_A2));
    a = _mm256_fmadd_ps(a, s, all(GELU_A1));
    a = _mm256_fmadd_ps(a, s, all(GELU_A0));
    __m256 shifted = _mm256_add_ps(a, all(EXP_ROUND));
    __m256 f = _mm256_sub_ps(a, _mm256_sub_ps(shifted, all(EXP_ROUND)));
    __m256 p = all(GELU_P5);
    p = _mm256_fmadd_ps(p, f, all(GELU_P4));
    p = _mm256_fmadd_ps(p, f, all(GELU_P3));
    p = _mm256_fmadd_ps(p, f, all(GELU_P2));
    p = _mm256_fmadd_ps(p, f, all(GELU_P1));
    p = _mm256_fmadd_ps(p, f, all(GELU_P0));
    __m256i power = _mm256_slli_epi32(_mm256_castps_si256(shifted), 23);
    __m256 tail = _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), power));
    tail = _mm256_and_ps(tail, _mm256_cmp_ps(s, all(GELU_GREATEST), _CMP_LT_OQ));
    return _mm256_fnmadd_ps(s, tail, _mm256_max_ps(all(-0.0f), x));
}

ALWAYS_INLINE __m256 gelu_tanh8(__m256 x)
{
    __m256 slope = _mm256_fmadd_ps(_mm256_mul_ps(x, x), all(GELU_TANH_G3), all(GELU_TANH_G1));
    return _mm256_mul_ps(finite_below(x), sigmoid8(_mm256_mul_ps(x, slope)));
}

ALWAYS_INLINE __m256 sqrt8(__m256 x)
{
    return _mm256_sqrt_ps(x);
}

ALWAYS_INLINE __m256 reciprocal8(__m256 x)
{
    return _mm256_div_ps(all(1.0f), x);
}

#endif
