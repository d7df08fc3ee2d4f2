/* Attention on eight lanes, which are two registers: five rows by one panel of products are in registers, or fewer by more. */
#if defined(__aarch64__)
#include "kernels/arm_neon/arm_neon.h"
#include "kernels/arm_neon/functions_f32.h"

typedef struct sums vector, lane_sums;

enum { LANES = 2 * FOUR_LANES, TILE_ROWS = 5 };
#define PRODUCT_SHAPES(SHAPE) SHAPE(1, 1) SHAPE(1, 2) SHAPE(1, 4) SHAPE(2, 1) SHAPE(2, 2) SHAPE(3, 1) SHAPE(4, 1) SHAPE(5, 1)

ALWAYS_INLINE vector all(float value)
{
    return (vector){all4(value), all4(value)};
}

ALWAYS_INLINE vector load(const float *x)
{
    return (vector){vld1q_f32(x), vld1q_f32(x + FOUR_LANES)};
}

ALWAYS_INLINE vector load_first(const float *x, int64_t n)
{
    if (n >= LANES) return load(x);
    return (vector){load_first4(x, n), n > FOUR_LANES ? load_first4(x + FOUR_LANES, n - FOUR_LANES) : all4(0)};
}

ALWAYS_INLINE void store(float *y, vector x)
{
    vst1q_f32(y, x.low);
    vst1q_f32(y + FOUR_LANES, x.high);
}

ALWAYS_INLINE void store_first(float *y, int64_t n, vector x)
{
    store_first4(y, n, x.low);
    if (n > FOUR_LANES) store_first4(y + FOUR_LANES, n - FOUR_LANES, x.high);
}

#define BINARY(name, four)                            \
    ALWAYS_INLINE vector name(vector a, vector b)     \
    {                                                 \
        return (vector){four(a.low, b.low), four(a.high, b.high)}; \
    }
BINARY(add, vaddq_f32)
BINARY(subtract, vsubq_f32)
BINARY(multiply_by, vmulq_f32)
BINARY(larger, greater4)

ALWAYS_INLINE vector multiply_add(vector a, vector b, vector c)
{
    return (vector){vfmaq_f32(c.low, a.low, b.low), vfmaq_f32(c.high, a.high, b.high)};
}

ALWAYS_INLINE vector capped(vector x, vector cap)
{
    return (vector){vmulq_f32(cap.low, tanh4(vdivq_f32(x.low, cap.low))), vmulq_f32(cap.high, tanh4(vdivq_f32(x.high, cap.high)))};
}

ALWAYS_INLINE vector exponential(vector x)
{
    return (vector){exp4(x.low), exp4(x.high)};
}

enum { TOGETHER = 1 };
ALWAYS_INLINE void exponentials(vector *x)
{
    *x = exponential(*x);
}

ALWAYS_INLINE float largest_lane(vector x)
{
    return vmaxnmvq_f32(vmaxnmq_f32(x.low, x.high));
}

/* Where the lane's number lies between begin and end. */
ALWAYS_INLINE float32x4_t keep_between4(float32x4_t x, int32x4_t lane, int64_t begin, int64_t end)
{
    uint32x4_t inside = vandq_u32(vcgeq_s32(lane, vdupq_n_s32((int32_t)begin)), vcltq_s32(lane, vdupq_n_s32((int32_t)end)));
    return vbslq_f32(inside, x, all4(-INFINITY));
}

ALWAYS_INLINE vector keep_between(vector x, int64_t begin, int64_t end)
{
    const int32x4_t lane = {0, 1, 2, 3};
    return (vector){keep_between4(x.low, lane, begin, end), keep_between4(x.high, vaddq_s32(lane, vdupq_n_s32(FOUR_LANES)), begin, end)};
}

ALWAYS_INLINE float32x4_t finite_base4(float32x4_t x)
{
    return vbslq_f32(vceqq_f32(x, all4(-INFINITY)), all4(0), x);
}

ALWAYS_INLINE vector finite_base(vector x)
{
    return (vector){finite_base4(x.low), finite_base4(x.high)};
}

ALWAYS_INLINE lane_sums shrink_sums(const float *sums, float factor)
{
    return multiply_by(load(sums), all(factor));
}

ALWAYS_INLINE lane_sums add_weights(lane_sums sums, vector weights)
{
    return add(sums, weights);
}

ALWAYS_INLINE void store_sums(float *sums, lane_sums values)
{
    store(sums, values);
}

ALWAYS_INLINE float total_of(const float *sums)
{
    return total(load(sums));
}

static void divide(int64_t n, const float *x, float divisor, float *y)
{
    for (int64_t i = 0; i < n; i += FOUR_LANES) store_first4(y + i, n - i, vdivq_f32(load_first4(x + i, n - i), all4(divisor)));
}

static void widen(int64_t n, const uint16_t *halves, float *floats)
{
    arm_neon_f32_from_f16(n, halves, floats);
}

ALWAYS_INLINE float half_at(const unsigned char *bytes)
{
    uint16_t half;
    float x;
    memcpy(&half, bytes, sizeof half);
    arm_neon_f32_from_f16(1, &half, &x);
    return x;
}

ALWAYS_INLINE vector widen_bytes(const int8_t *codes)
{
    int16x8_t wide = vmovl_s8(vld1_s8(codes));
    return (vector){vcvtq_f32_s32(vmovl_s16(vget_low_s16(wide))), vcvtq_f32_s32(vmovl_s16(vget_high_s16(wide)))};
}

ALWAYS_INLINE void split_pairs(const unsigned char *pairs, int8_t *codes)
{
    const int8x16_t bias = vdupq_n_s8(8);
    uint8x16_t x = vld1q_u8(pairs);
    vst1q_s8(codes, vsubq_s8(vreinterpretq_s8_u8(vandq_u8(x, vdupq_n_u8(15))), bias));
    vst1q_s8(codes + 16, vsubq_s8(vreinterpretq_s8_u8(vshrq_n_u8(x, 4)), bias));
}

/* Four rows by four steps, exchanged. */
ALWAYS_INLINE void pack_four_rows(const float *const *rows, int64_t step, float *panel)
{
    float32x4_t r0 = vld1q_f32(rows[0] + step), r1 = vld1q_f32(rows[1] + step);
    float32x4_t r2 = vld1q_f32(rows[2] + step), r3 = vld1q_f32(rows[3] + step);
    float32x4_t even01 = vtrn1q_f32(r0, r1), odd01 = vtrn2q_f32(r0, r1), even23 = vtrn1q_f32(r2, r3), odd23 = vtrn2q_f32(r2, r3);
    vst1q_f32(panel, vcombine_f32(vget_low_f32(even01), vget_low_f32(even23)));
    vst1q_f32(panel + PANEL_COLUMNS, vcombine_f32(vget_low_f32(odd01), vget_low_f32(odd23)));
    vst1q_f32(panel + 2 * PANEL_COLUMNS, vcombine_f32(vget_high_f32(even01), vget_high_f32(even23)));
    vst1q_f32(panel + 3 * PANEL_COLUMNS, vcombine_f32(vget_high_f32(odd01), vget_high_f32(odd23)));
}

ALWAYS_INLINE void pack_four_steps(const float *const *rows, int64_t step, float *panel)
{
    for (int i = 0; i < PANEL_COLUMNS; i += FOUR_LANES) pack_four_rows(rows + i, step, panel + i);
}

#include "kernels/attention_vectors.h"

void arm_neon_attention_f32(const struct attention_f32_args *args)
{
    attend_all(args);
}
#endif
