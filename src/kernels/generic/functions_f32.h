/* Functions of one number, in the fewest operations that keep the error bounds of kernels.h. The order of operations is the contract: every
 * table repeats it step by step. `a > b ? a : b` keeps a NaN in b, as the x86 instructions do.
 */
#ifndef KERNELS_GENERIC_FUNCTIONS_F32_H
#define KERNELS_GENERIC_FUNCTIONS_F32_H

#include "kernels/coefficients.h"
#include "quant/half.h"

#include <float.h>
#include <stdbool.h>

static inline float exp_item(float x)
{
    x = EXP_LEAST > x ? EXP_LEAST : x;
    x = EXP_GREATEST < x ? EXP_GREATEST : x;
    float shifted = fmaf(x, LOG2_E, EXP_ROUND);
    float n = shifted - EXP_ROUND;
    float r = fmaf(n, -LN2_HIGH, x);
    r = fmaf(n, -LN2_LOW, r);
    float p = EXP_P4;
    p = fmaf(p, r, EXP_P3);
    p = fmaf(p, r, EXP_P2);
    p = fmaf(p, r, EXP_P1);
    p = fmaf(p, r, EXP_P0);
    float y = fmaf(p, r * r, r) + 1.0f;
    /* 2^n in two factors: n reaches 129, and -150 where the result is denormal and must be rounded once only. */
    int32_t power = (int32_t)(float_bits(shifted) - EXP_ROUND_BITS);
    int32_t half = power >> 1;
    y *= float_from_bits((uint32_t)(half + 127) << 23);
    return y * float_from_bits((uint32_t)(power - half + 127) << 23);
}

static inline float log_item(float x)
{
    bool is_denormal = x < 0x1p-126f;
    uint32_t bits = float_bits(is_denormal ? x * 0x1p23f : x) - SQRT_HALF_BITS;
    float e = (float)((int32_t)bits >> 23) - (is_denormal ? 23.0f : 0.0f);
    float f = float_from_bits((bits & 0x7fffff) + SQRT_HALF_BITS) - 1.0f;
    float p = LOG_P8;
    p = fmaf(p, f, LOG_P7);
    p = fmaf(p, f, LOG_P6);
    p = fmaf(p, f, LOG_P5);
    p = fmaf(p, f, LOG_P4);
    p = fmaf(p, f, LOG_P3);
    p = fmaf(p, f, LOG_P2);
    p = fmaf(p, f, LOG_P1);
    p = fmaf(p, f, LOG_P0);
    float square = f * f;
    p = p * (f * square);
    p = fmaf(e, LN2_LOW, p);
    p = fmaf(-0.5f, square, p);
    float y = fmaf(e, LN2_HIGH, f + p);
    if (x == INFINITY) y = x;
    if (x == 0) y = -INFINITY;
    if (!(x >= 0)) y = NAN;
    return y;
}

static inline float tanh_item(float x)
{
    float t = fabsf(x), square = t * t;
    float p = TANH_P4;
    p = fmaf(p, square, TANH_P3);
    p = fmaf(p, square, TANH_P2);
    p = fmaf(p, square, TANH_P1);
    p = fmaf(p, square, TANH_P0);
    float near = fmaf(t * square, p, t);
    float far = 1.0f - 2.0f / (exp_item(t + t) + 1.0f);
    return copysignf(t < TANH_LIMIT ? near : far, x);
}

static inline float erf_item(float x)
{
    float t = fabsf(x), square = t * t;
    float p = ERF_P6;
    p = fmaf(p, square, ERF_P5);
    p = fmaf(p, square, ERF_P4);
    p = fmaf(p, square, ERF_P3);
    p = fmaf(p, square, ERF_P2);
    p = fmaf(p, square, ERF_P1);
    p = fmaf(p, square, ERF_P0);
    float near = fmaf(p, t, t);
    float s = ERF_GREATEST < t ? ERF_GREATEST : t;
    float q = ERF_Q5;
    q = fmaf(q, s, ERF_Q4);
    q = fmaf(q, s, ERF_Q3);
    q = fmaf(q, s, ERF_Q2);
    q = fmaf(q, s, ERF_Q1);
    q = fmaf(q, s, ERF_Q0);
    float far = 1.0f - exp_item(fmaf(q, s, -s));
    return copysignf(t < ERF_LIMIT ? near : far, x);
}

/* exp of a negative number only: so nothing overflows, and small results keep their digits. */
static inline float sigmoid_item(float x)
{
    float e = exp_item(-fabsf(x));
    return (x >= 0 ? 1.0f : e) / (e + 1.0f);
}

/* -inf times 0 would be NaN; the limit is 0. */
static inline float finite_below(float x)
{
    return -FLT_MAX > x ? -FLT_MAX : x;
}

static inline float silu_item(float x)
{
    return finite_below(x) * sigmoid_item(x);
}

/* The bits of shifted that count are n; a NaN in x comes back through the maximum, whose sign of zero is x's. */
static inline float gelu_item(float x)
{
    float t = fabsf(x), s = GELU_GREATEST < t ? GELU_GREATEST : t;
    float a = GELU_A7;
    a = fmaf(a, s, GELU_A6);
    a = fmaf(a, s, GELU_A5);
    a = fmaf(a, s, GELU_A4);
    a = fmaf(a, s, GELU_A3);
    a = fmaf(a, s, GELU_A2);
    a = fmaf(a, s, GELU_A1);
    a = fmaf(a, s, GELU_A0);
    float shifted = a + EXP_ROUND;
    float f = a - (shifted - EXP_ROUND);
    float p = GELU_P5;
    p = fmaf(p, f, GELU_P4);
    p = fmaf(p, f, GELU_P3);
    p = fmaf(p, f, GELU_P2);
    p = fmaf(p, f, GELU_P1);
    p = fmaf(p, f, GELU_P0);
    float tail = float_from_bits(float_bits(p) + (float_bits(shifted) << 23));
    if (!(s < GELU_GREATEST)) tail = 0;
    return fmaf(-s, tail, -0.0f > x ? -0.0f : x);
}

static inline float gelu_tanh_item(float x)
{
    return finite_below(x) * sigmoid_item(x * fmaf(x * x, GELU_TANH_G3, GELU_TANH_G1));
}

#endif
