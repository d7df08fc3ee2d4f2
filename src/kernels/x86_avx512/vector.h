/* Sixteen floats at a time: masks, exp. Step for step what generic/ does. */
#ifndef KERNELS_X86_AVX512_VECTOR_H
#define KERNELS_X86_AVX512_VECTOR_H

#include "kernels/coefficients.h"

/* Keeps out the compilers' allocating mm_malloc.h (gcc's guard, clang's guard), which base/banned.h would refuse. */
#define _MM_MALLOC_H_INCLUDED
#define __MM_MALLOC_H
#include <immintrin.h>
#include <stdint.h>

#define ALWAYS_INLINE static inline __attribute__((always_inline))

enum { LANES = 16 };

/* The first n lanes; all of them from 16 on, none below 1. */
ALWAYS_INLINE __mmask16 first_lanes(int64_t n)
{
    return (__mmask16)(n >= LANES ? 0xffff : n <= 0 ? 0 : (1 << n) - 1);
}

ALWAYS_INLINE __m512 all(float value)
{
    return _mm512_set1_ps(value);
}

/* The first operand of max and min gives way when the second is a NaN. */
ALWAYS_INLINE __m512 exp16(__m512 x)
{
    x = _mm512_min_ps(all(EXP_GREATEST), _mm512_max_ps(all(EXP_LEAST), x));
    __m512 n = _mm512_sub_ps(_mm512_fmadd_ps(x, all(LOG2_E), all(EXP_ROUND)), all(EXP_ROUND));
    __m512 r = _mm512_fmadd_ps(n, all(-LN2_HIGH), x);
    r = _mm512_fmadd_ps(n, all(-LN2_LOW), r);
    __m512 p = all(EXP_P4);
    p = _mm512_fmadd_ps(p, r, all(EXP_P3));
    p = _mm512_fmadd_ps(p, r, all(EXP_P2));
    p = _mm512_fmadd_ps(p, r, all(EXP_P1));
    p = _mm512_fmadd_ps(p, r, all(EXP_P0));
    __m512 y = _mm512_add_ps(_mm512_fmadd_ps(p, _mm512_mul_ps(r, r), r), all(1.0f));
    return _mm512_scalef_ps(y, n); /* rounds once, as two factors of a power of two do */
}

#endif
