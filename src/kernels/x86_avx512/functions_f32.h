/* Functions of sixteen floats. Step for step what generic/functions_f32.h does. */
#ifndef KERNELS_X86_AVX512_FUNCTIONS_F32_H
#define KERNELS_X86_AVX512_FUNCTIONS_F32_H

#include "kernels/x86_avx512/vector.h"

#include <float.h>

ALWAYS_INLINE __m512 sign_of(__m512 x)
{
    return _mm512_and_ps(x, all(-0.0f));
}

ALWAYS_INLINE __m512 tanh16(__m512 x)
{
    __m512 t = _mm512_abs_ps(x), square = _mm512_mul_ps(t, t);
    __m512 p = all(TANH_P4);
    p = _mm512_fmadd_ps(p, square, all(TANH_P3));
    p = _mm512_fmadd_ps(p, square, all(TANH_P2));
    p = _mm512_fmadd_ps(p, square, all(TANH_P1));
    p = _mm512_fmadd_ps(p, square, all(TANH_P0));
    __m512 near = _mm512_fmadd_ps(_mm512_mul_ps(t, square), p, t);
    __m512 e = _mm512_add_ps(exp16(_mm512_add_ps(t, t)), all(1.0f));
    __m512 far = _mm512_sub_ps(all(1.0f), _mm512_div_ps(all(2.0f), e));
    __m512 y = _mm512_mask_mov_ps(far, _mm512_cmp_ps_mask(t, all(TANH_LIMIT), _CMP_LT_OQ), near);
    return _mm512_or_ps(y, sign_of(x));
}

ALWAYS_INLINE __m512 erf16(__m512 x)
{
    __m512 t = _mm512_abs_ps(x), square = _mm512_mul_ps(t, t);
    __m512 p = all(ERF_P6);
    p = _mm512_fmadd_ps(p, square, all(ERF_P5));
    p = _mm512_fmadd_ps(p, square, all(ERF_P4));
    p = _mm512_fmadd_ps(p, square, all(ERF_P3));
    p = _mm512_fmadd_ps(p, square, all(ERF_P2));
    p = _mm512_fmadd_ps(p, square, all(ERF_P1));
    p = _mm512_fmadd_ps(p, square, all(ERF_P0));
    __m512 near = _mm512_fmadd_ps(p, t, t);
    __m512 s = _mm512_min_ps(all(ERF_GREATEST), t);
    __m512 q = all(ERF_Q5);
    q = _mm512_fmadd_ps(q, s, all(ERF_Q4));
    q = _mm512_fmadd_ps(q, s, all(ERF_Q3));
    q = _mm512_fmadd_ps(q, s, all(ERF_Q2));
    q = _mm512_fmadd_ps(q, s, all(ERF_Q1));
    q = _mm512_fmadd_ps(q, s, all(ERF_Q0));
    __m512 far = _mm512_sub_ps(all(1.0f), exp16(_mm512_fmsub_ps(q, s, s)));
    __m512 y = _mm512_mask_mov_ps(far, _mm512_cmp_ps_mask(t, all(ERF_LIMIT), _CMP_LT_OQ), near);
    return _mm512_or_ps(y, sign_of(x));
}

ALWAYS_INLINE __m512 sigmoid16(__m512 x)
{
    __m512 e = exp16(_mm512_or_ps(x, all(-0.0f)));
    __mmask16 is_positive = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_GE_OQ);
    return _mm512_div_ps(_mm512_mask_mov_ps(e, is_positive, all(1.0f)), _mm512_add_ps(e, all(1.0f)));
}

ALWAYS_INLINE __m512 finite_below(__m512 x)
{
    return _mm512_max_ps(all(-FLT_MAX), x);
}

ALWAYS_INLINE __m512 silu16(__m512 x)
{
    return _mm512_mul_ps(finite_below(x), sigmoid16(x));
}

/* From 2^f, and n in the low bits of shifted. */
ALWAYS_INLINE __m512 gelu_of_tail(__m512 x, __m512 s, __m512 p, __m512 shifted)
{
    __m512i power = _mm512_slli_epi32(_mm512_castps_si512(shifted), 23);
    __mmask16 is_near = _mm512_cmp_ps_mask(s, all(GELU_GREATEST), _CMP_LT_OQ);
    __m512i tail = _mm512_maskz_add_epi32(is_near, _mm512_castps_si512(p), power);
    return _mm512_fnmadd_ps(s, _mm512_castsi512_ps(tail), _mm512_max_ps(all(-0.0f), x));
}

ALWAYS_INLINE __m512 gelu16(__m512 x)
{
    __m512 s = _mm512_min_ps(all(GELU_GREATEST), _mm512_abs_ps(x));
    __m512 a = all(GELU_A7);
    a = _mm512_fmadd_ps(a, s, all(GELU_A6));
    a = _mm512_fmadd_ps(a, s, all(GELU_A5));
    a = _mm512_fmadd_ps(a, s, all(GELU_A4));
    a = _mm512_fmadd_ps(a, s, all(GELU_A3));
    a = _mm512_fmadd_ps(a, s, all(GELU_A2));
    a = _mm512_fmadd_ps(a, s, all(GELU_A1));
    a = _mm512_fmadd_ps(a, s, all(GELU_A0));
    __m512 shifted = _mm512_add_ps(a, all(EXP_ROUND));
    __m512 f = _mm512_sub_ps(a, _mm512_sub_ps(shifted, all(EXP_ROUND)));
    __m512 p = all(GELU_P5);
    p = _mm512_fmadd_ps(p, f, all(GELU_P4));
    p = _mm512_fmadd_ps(p, f, all(GELU_P3));
    p = _mm512_fmadd_ps(p, f, all(GELU_P2));
    p = _mm512_fmadd_ps(p, f, all(GELU_P1));
    p = _mm512_fmadd_ps(p, f, all(GELU_P0));
    return gelu_of_tail(x, s, p, shifted);
}

/* Functions of a few vectors, step by step for all of them: one vector's chain of operations is longer than what the machine looks
 * ahead. The arguments of exp_few are never above 0. */
enum { FEW = 4 };
#define EACH _Pragma("GCC unroll 4") for (int v = 0; v < FEW; v++)
ALWAYS_INLINE void exp_few(__m512 *x)
{
    __m512 n[FEW], p[FEW];
    EACH x[v] = _mm512_max_ps(all(EXP_LEAST), x[v]);
    EACH n[v] = _mm512_fmadd_ps(x[v], all(LOG2_E), all(EXP_ROUND));
    EACH n[v] = _mm512_sub_ps(n[v], all(EXP_ROUND));
    EACH x[v] = _mm512_fmadd_ps(n[v], all(-LN2_HIGH), x[v]);
    EACH x[v] = _mm512_fmadd_ps(n[v], all(-LN2_LOW), x[v]);
    EACH p[v] = _mm512_fmadd_ps(all(EXP_P4), x[v], all(EXP_P3));
    EACH p[v] = _mm512_fmadd_ps(p[v], x[v], all(EXP_P2));
    EACH p[v] = _mm512_fmadd_ps(p[v], x[v], all(EXP_P1));
    EACH p[v] = _mm512_fmadd_ps(p[v], x[v], all(EXP_P0));
    EACH x[v] = _mm512_add_ps(_mm512_fmadd_ps(p[v], _mm512_mul_ps(x[v], x[v]), x[v]), all(1.0f));
    EACH x[v] = _mm512_scalef_ps(x[v], n[v]);
}

ALWAYS_INLINE void sigmoid_few(const __m512 *x, __m512 *ret_y)
{
    __m512 e[FEW];
    EACH e[v] = _mm512_or_ps(x[v], all(-0.0f));
    exp_few(e);
    EACH ret_y[v] = _mm512_mask_mov_ps(e[v], _mm512_cmp_ps_mask(x[v], _mm512_setzero_ps(), _CMP_GE_OQ), all(1.0f));
    EACH ret_y[v] = _mm512_div_ps(ret_y[v], _mm512_add_ps(e[v], all(1.0f)));
}

ALWAYS_INLINE void erf_few(const __m512 *x, __m512 *ret_y)
{
    __m512 t[FEW], p[FEW], q[FEW];
    EACH t[v] = _mm512_min_ps(all(ERF_GREATEST), _mm512_abs_ps(x[v]));
    EACH q[v] = _mm512_fmadd_ps(all(ERF_Q5), t[v], all(ERF_Q4));
    EACH q[v] = _mm512_fmadd_ps(q[v], t[v], all(ERF_Q3));
    EACH q[v] = _mm512_fmadd_ps(q[v], t[v], all(ERF_Q2));
    EACH q[v] = _mm512_fmadd_ps(q[v], t[v], all(ERF_Q1));
    EACH q[v] = _mm512_fmadd_ps(q[v], t[v], all(ERF_Q0));
    EACH q[v] = _mm512_fmsub_ps(q[v], t[v], t[v]);
    exp_few(q);
    EACH t[v] = _mm512_mul_ps(x[v], x[v]);
    EACH p[v] = _mm512_fmadd_ps(all(ERF_P6), t[v], all(ERF_P5));
    EACH p[v] = _mm512_fmadd_ps(p[v], t[v], all(ERF_P4));
    EACH p[v] = _mm512_fmadd_ps(p[v], t[v], all(ERF_P3));
    EACH p[v] = _mm512_fmadd_ps(p[v], t[v], all(ERF_P2));
    EACH p[v] = _mm512_fmadd_ps(p[v], t[v], all(ERF_P1));
    EACH p[v] = _mm512_fmadd_ps(p[v], t[v], all(ERF_P0));
    EACH t[v] = _mm512_abs_ps(x[v]);
    EACH p[v] = _mm512_fmadd_ps(p[v], t[v], t[v]);
    EACH q[v] = _mm512_sub_ps(all(1.0f), q[v]);
    EACH q[v] = _mm512_mask_mov_ps(q[v], _mm512_cmp_ps_mask(t[v], all(ERF_LIMIT), _CMP_LT_OQ), p[v]);
    EACH ret_y[v] = _mm512_or_ps(q[v], sign_of(x[v]));
}

ALWAYS_INLINE void silu_few(const __m512 *x, __m512 *ret_y)
{
    __m512 y[FEW];
    sigmoid_few(x, y);
    EACH ret_y[v] = _mm512_mul_ps(finite_below(x[v]), y[v]);
}

ALWAYS_INLINE void gelu_few(const __m512 *x, __m512 *ret_y)
{
    __m512 s[FEW], a[FEW], shifted[FEW], f[FEW], p[FEW];
    EACH s[v] = _mm512_min_ps(all(GELU_GREATEST), _mm512_abs_ps(x[v]));
    EACH a[v] = _mm512_fmadd_ps(all(GELU_A7), s[v], all(GELU_A6));
    EACH a[v] = _mm512_fmadd_ps(a[v], s[v], all(GELU_A5));
    EACH a[v] = _mm512_fmadd_ps(a[v], s[v], all(GELU_A4));
    EACH a[v] = _mm512_fmadd_ps(a[v], s[v], all(GELU_A3));
    EACH a[v] = _mm512_fmadd_ps(a[v], s[v], all(GELU_A2));
    EACH a[v] = _mm512_fmadd_ps(a[v], s[v], all(GELU_A1));
    EACH a[v] = _mm512_fmadd_ps(a[v], s[v], all(GELU_A0));
    EACH shifted[v] = _mm512_add_ps(a[v], all(EXP_ROUND));
    EACH f[v] = _mm512_sub_ps(a[v], _mm512_sub_ps(shifted[v], all(EXP_ROUND)));
    EACH p[v] = _mm512_fmadd_ps(all(GELU_P5), f[v], all(GELU_P4));
    EACH p[v] = _mm512_fmadd_ps(p[v], f[v], all(GELU_P3));
    EACH p[v] = _mm512_fmadd_ps(p[v], f[v], all(GELU_P2));
    EACH p[v] = _mm512_fmadd_ps(p[v], f[v], all(GELU_P1));
    EACH p[v] = _mm512_fmadd_ps(p[v], f[v], all(GELU_P0));
    EACH ret_y[v] = gelu_of_tail(x[v], s[v], p[v], shifted[v]);
}

ALWAYS_INLINE void gelu_tanh_few(const __m512 *x, __m512 *ret_y)
{
    __m512 y[FEW];
    EACH y[v] = _mm512_fmadd_ps(_mm512_mul_ps(x[v], x[v]), all(GELU_TANH_G3), all(GELU_TANH_G1));
    EACH y[v] = _mm512_mul_ps(x[v], y[v]);
    sigmoid_few(y, y);
    EACH ret_y[v] = _mm512_mul_ps(finite_below(x[v]), y[v]);
}

ALWAYS_INLINE __m512 gelu_tanh16(__m512 x)
{
    __m512 slope = _mm512_fmadd_ps(_mm512_mul_ps(x, x), all(GELU_TANH_G3), all(GELU_TANH_G1));
    return _mm512_mul_ps(finite_below(x), sigmoid16(_mm512_mul_ps(x, slope)));
}

#endif
