/* Functions of four floats. Step for step what generic/functions_f32.h does. */
#ifndef KERNELS_ARM_NEON_FUNCTIONS_F32_H
#define KERNELS_ARM_NEON_FUNCTIONS_F32_H

#include "kernels/arm_neon/vector.h"

ALWAYS_INLINE float32x4_t copy_sign(float32x4_t magnitude, float32x4_t sign)
{
    return vbslq_f32(vdupq_n_u32(0x80000000), sign, magnitude);
}

ALWAYS_INLINE float32x4_t log4(float32x4_t x)
{
    uint32x4_t is_denormal = vcltq_f32(x, all4(0x1p-126f));
    int32x4_t base = vdupq_n_s32(SQRT_HALF_BITS);
    float32x4_t scaled = vbslq_f32(is_denormal, vmulq_f32(x, all4(0x1p23f)), x);
    int32x4_t bits = vsubq_s32(vreinterpretq_s32_f32(scaled), base);
    float32x4_t e = vsubq_f32(vcvtq_f32_s32(vshrq_n_s32(bits, 23)), vbslq_f32(is_denormal, all4(23.0f), all4(0.0f)));
    int32x4_t mantissa = vandq_s32(bits, vdupq_n_s32(0x7fffff));
    float32x4_t f = vsubq_f32(vreinterpretq_f32_s32(vaddq_s32(mantissa, base)), all4(1.0f));
    float32x4_t p = all4(LOG_P8);
    p = vfmaq_f32(all4(LOG_P7), p, f);
    p = vfmaq_f32(all4(LOG_P6), p, f);
    p = vfmaq_f32(all4(LOG_P5), p, f);
    p = vfmaq_f32(all4(LOG_P4), p, f);
    p = vfmaq_f32(all4(LOG_P3), p, f);
    p = vfmaq_f32(all4(LOG_P2), p, f);
    p = vfmaq_f32(all4(LOG_P1), p, f);
    p = vfmaq_f32(all4(LOG_P0), p, f);
    float32x4_t square = vmulq_f32(f, f);
    p = vmulq_f32(p, vmulq_f32(f, square));
    p = vfmaq_f32(p, e, all4(LN2_LOW));
    p = vfmaq_f32(p, all4(-0.5f), square);
    float32x4_t y = vfmaq_f32(vaddq_f32(f, p), e, all4(LN2_HIGH));
    y = vbslq_f32(vceqq_f32(x, all4(INFINITY)), x, y);
    y = vbslq_f32(vceqq_f32(x, all4(0.0f)), all4(-INFINITY), y);
    return vbslq_f32(vcgeq_f32(x, all4(0.0f)), y, all4(NAN));
}

ALWAYS_INLINE float32x4_t tanh4(float32x4_t x)
{
    float32x4_t t = vabsq_f32(x), square = vmulq_f32(t, t);
    float32x4_t p = all4(TANH_P4);
    p = vfmaq_f32(all4(TANH_P3), p, square);
    p = vfmaq_f32(all4(TANH_P2), p, square);
    p = vfmaq_f32(all4(TANH_P1), p, square);
    p = vfmaq_f32(all4(TANH_P0), p, square);
    float32x4_t near = vfmaq_f32(t, vmulq_f32(t, square), p);
    float32x4_t e = vaddq_f32(exp4(vaddq_f32(t, t)), all4(1.0f));
    float32x4_t far = vsubq_f32(all4(1.0f), vdivq_f32(all4(2.0f), e));
    return copy_sign(vbslq_f32(vcltq_f32(t, all4(TANH_LIMIT)), near, far), x);
}

ALWAYS_INLINE float32x4_t erf4(float32x4_t x)
{
    float32x4_t t = vabsq_f32(x), square = vmulq_f32(t, t);
    float32x4_t p = all4(ERF_P6);
    p = vfmaq_f32(all4(ERF_P5), p, square);
    p = vfmaq_f32(all4(ERF_P4), p, square);
    p = vfmaq_f32(all4(ERF_P3), p, square);
    p = vfmaq_f32(all4(ERF_P2), p, square);
    p = vfmaq_f32(all4(ERF_P1), p, square);
    p = vfmaq_f32(all4(ERF_P0), p, square);
    float32x4_t near = vfmaq_f32(t, p, t);
    float32x4_t s = lesser4(all4(ERF_GREATEST), t);
    float32x4_t q = all4(ERF_Q5);
    q = vfmaq_f32(all4(ERF_Q4), q, s);
    q = vfmaq_f32(all4(ERF_Q3), q, s);
    q = vfmaq_f32(all4(ERF_Q2), q, s);
    q = vfmaq_f32(all4(ERF_Q1), q, s);
    q = vfmaq_f32(all4(ERF_Q0), q, s);
    float32x4_t far = vsubq_f32(all4(1.0f), exp4(vfmaq_f32(vnegq_f32(s), q, s)));
    return copy_sign(vbslq_f32(vcltq_f32(t, all4(ERF_LIMIT)), near, far), x);
}

ALWAYS_INLINE float32x4_t sigmoid4(float32x4_t x)
{
    float32x4_t e = exp4(vnegq_f32(vabsq_f32(x)));
    return vdivq_f32(vbslq_f32(vcgeq_f32(x, all4(0.0f)), all4(1.0f), e), vaddq_f32(e, all4(1.0f)));
}

ALWAYS_INLINE float32x4_t finite_below(float32x4_t x)
{
    return greater4(all4(-FLT_MAX), x);
}

ALWAYS_INLINE float32x4_t silu4(float32x4_t x)
{
    return vmulq_f32(finite_below(x), sigmoid4(x));
}

ALWAYS_INLINE float32x4_t gelu4(float32x4_t x)
{
    float32x4_t s = lesser4(all4(GELU_GREATEST), vabsq_f32(x));
    float32x4_t a = all4(GELU_A7);
    a = vfmaq_f32(all4(GELU_A6), a, s);
    a = vfmaq_f32(all4(GELU_A5), a, s);
    a = vfmaq_f32(all4(GELU_A4), a, s);
    a = vfmaq_f32(all4(GELU_A3), a, s);
    a = vfmaq_f32(all4(GELU_A2), a, s);
    a = vfmaq_f32(all4(GELU_A1), a, s);
    a = vfmaq_f32(all4(GELU_A0), a, s);
    float32x4_t shifted = vaddq_f32(a, all4(EXP_ROUND));
    float32x4_t f = vsubq_f32(a, vsubq_f32(shifted, all4(EXP_ROUND)));
    float32x4_t p = all4(GELU_P5);
    p = vfmaq_f32(all4(GELU_P4), p, f);
    p = vfmaq_f32(all4(GELU_P3), p, f);
    p = vfmaq_f32(all4(GELU_P2), p, f);
    p = vfmaq_f32(all4(GELU_P1), p, f);
    p = vfmaq_f32(all4(GELU_P0), p, f);
    uint32x4_t tail = vaddq_u32(vreinterpretq_u32_f32(p), vshlq_n_u32(vreinterpretq_u32_f32(shifted), 23));
    tail = vandq_u32(tail, vcltq_f32(s, all4(GELU_GREATEST)));
    return vfmsq_f32(greater4(all4(-0.0f), x), s, vreinterpretq_f32_u32(tail));
}

ALWAYS_INLINE float32x4_t gelu_tanh4(float32x4_t x)
{
    float32x4_t slope = vfmaq_f32(all4(GELU_TANH_G1), vmulq_f32(x, x), all4(GELU_TANH_G3));
    return vmulq_f32(finite_below(x), sigmoid4(vmulq_f32(x, slope)));
}

ALWAYS_INLINE float32x4_t sqrt4(float32x4_t x)
{
    return vsqrtq_f32(x);
}

ALWAYS_INLINE float32x4_t reciprocal4(float32x4_t x)
{
    return vdivq_f32(all4(1.0f), x);
}

#endif
