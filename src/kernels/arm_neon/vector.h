/* Four floats at a time: partial loads, the eight lanes of a reduction, exp and its kin. Step for step what generic/ does. */
#ifndef KERNELS_ARM_NEON_VECTOR_H
#define KERNELS_ARM_NEON_VECTOR_H

#include "kernels/coefficients.h"

#include <arm_neon.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define ALWAYS_INLINE static inline __attribute__((always_inline))

enum { FOUR_LANES = 4 };

ALWAYS_INLINE float32x4_t all4(float value)
{
    return vdupq_n_f32(value);
}

/* n: 1 … 4. Memory of the lanes left out is not touched; they read as +0. */
ALWAYS_INLINE float32x4_t load_first4(const float *x, int64_t n)
{
    float items[FOUR_LANES] = {0};
    if (n >= FOUR_LANES) return vld1q_f32(x);
    memcpy(items, x, (size_t)n * sizeof *x);
    return vld1q_f32(items);
}

ALWAYS_INLINE void store_first4(float *y, int64_t n, float32x4_t value)
{
    float items[FOUR_LANES];
    if (n >= FOUR_LANES) {
        vst1q_f32(y, value);
        return;
    }
    vst1q_f32(items, value);
    memcpy(y, items, (size_t)n * sizeof *y);
}

/* a > b ? a : b and a < b ? a : b: the first gives way when the second is a NaN. */
ALWAYS_INLINE float32x4_t greater4(float32x4_t a, float32x4_t b)
{
    return vbslq_f32(vcgtq_f32(a, b), a, b);
}

ALWAYS_INLINE float32x4_t lesser4(float32x4_t a, float32x4_t b)
{
    return vbslq_f32(vcltq_f32(a, b), a, b);
}

/* The eight partial sums of kernels.h's "lanes". */
struct sums {
    float32x4_t low, high;
};

/* ((s0+s4)+(s2+s6)) + ((s1+s5)+(s3+s7)) */
ALWAYS_INLINE float total(struct sums sums)
{
    float32x4_t four = vaddq_f32(sums.low, sums.high);
    float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
    return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}

ALWAYS_INLINE float32x4_t power_of_two(int32x4_t n)
{
    return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(n, vdupq_n_s32(127)), 23));
}

ALWAYS_INLINE float32x4_t exp4(float32x4_t x)
{
    x = lesser4(all4(EXP_GREATEST), greater4(all4(EXP_LEAST), x));
    float32x4_t shifted = vfmaq_f32(all4(EXP_ROUND), x, all4(LOG2_E));
    float32x4_t n = vsubq_f32(shifted, all4(EXP_ROUND));
    float32x4_t r = vfmaq_f32(x, n, all4(-LN2_HIGH));
    r = vfmaq_f32(r, n, all4(-LN2_LOW));
    float32x4_t p = all4(EXP_P4);
    p = vfmaq_f32(all4(EXP_P3), p, r);
    p = vfmaq_f32(all4(EXP_P2), p, r);
    p = vfmaq_f32(all4(EXP_P1), p, r);
    p = vfmaq_f32(all4(EXP_P0), p, r);
    float32x4_t y = vaddq_f32(vfmaq_f32(r, p, vmulq_f32(r, r)), all4(1.0f));
    int32x4_t power = vsubq_s32(vreinterpretq_s32_f32(shifted), vdupq_n_s32(EXP_ROUND_BITS));
    int32x4_t half = vshrq_n_s32(power, 1);
    y = vmulq_f32(y, power_of_two(half));
    return vmulq_f32(y, power_of_two(vsubq_s32(power, half)));
}

#endif
