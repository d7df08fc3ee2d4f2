/* Functions of one number, in the fewest operations that keep the error bounds of kernels.h. */
#include "kernels/generic/functions_f32.h"
#include "kernels/generic/generic.h"

#include <float.h>

static float tanh_item(float x)
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

static float erf_item(float x)
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
static float sigmoid_item(float x)
{
    float e = exp_item(-fabsf(x));
    return (x >= 0 ? 1.0f : e) / (e + 1.0f);
}

/* -inf times 0 would be NaN; the limit is 0. */
static float finite_below(float x)
{
    return -FLT_MAX > x ? -FLT_MAX : x;
}

static float silu_item(float x)
{
    return finite_below(x) * sigmoid_item(x);
}

static float gelu_item(float x)
{
    return finite_below(x) * 0.5f * (erf_item(x * SQRT_HALF) + 1.0f);
}

static float gelu_tanh_item(float x)
{
    return finite_below(x) * sigmoid_item(x * fmaf(x * x, GELU_TANH_G3, GELU_TANH_G1));
}

#define FUNCTION(slot, expression)                                                                         \
    void generic_##slot(int64_t n, const float *x, float *ret_y)                                           \
    {                                                                                                      \
        for (int64_t i = 0; i < n; i++) ret_y[i] = (expression);                                           \
    }
FUNCTION(exp_f32, exp_item(x[i]))
FUNCTION(log_f32, log_item(x[i]))
FUNCTION(tanh_f32, tanh_item(x[i]))
FUNCTION(erf_f32, erf_item(x[i]))
FUNCTION(sigmoid_f32, sigmoid_item(x[i]))
FUNCTION(silu_f32, silu_item(x[i]))
FUNCTION(gelu_f32, gelu_item(x[i]))
FUNCTION(gelu_tanh_f32, gelu_tanh_item(x[i]))
FUNCTION(sqrt_f32, sqrtf(x[i]))
FUNCTION(reciprocal_f32, 1.0f / x[i])

void generic_swiglu_f32(int64_t n, const float *gate, const float *up, float *ret_y)
{
    for (int64_t i = 0; i < n; i++) ret_y[i] = silu_item(gate[i]) * up[i];
}
