/* Activations in codes of 8 bits, a scale for each 32 of them. */
#if defined(__aarch64__)
#include "kernels/arm_neon/arm_neon.h"
#include "kernels/arm_neon/vector.h"

enum { STEPS = 32, REGISTERS = STEPS / FOUR_LANES };

/* NaN where an item is infinite or NaN: as integers, their magnitudes are the largest. */
static float largest_magnitude(const float *x)
{
    uint32x4_t largest = vdupq_n_u32(0);
    for (int i = 0; i < REGISTERS; i++) largest = vmaxq_u32(largest, vreinterpretq_u32_f32(vabsq_f32(vld1q_f32(x + i * FOUR_LANES))));
    uint32_t bits = vmaxvq_u32(largest);
    float magnitude;
    memcpy(&magnitude, &bits, sizeof magnitude);
    return isfinite(magnitude) ? magnitude : NAN;
}

/* Eight codes; rounded to the nearest, ties to even. */
ALWAYS_INLINE int8x8_t quantize_eight(const float *x, float inverse)
{
    int32x4_t low = vcvtnq_s32_f32(vmulq_f32(vld1q_f32(x), all4(inverse)));
    int32x4_t high = vcvtnq_s32_f32(vmulq_f32(vld1q_f32(x + FOUR_LANES), all4(inverse)));
    return vmovn_s16(vcombine_s16(vmovn_s32(low), vmovn_s32(high)));
}

void arm_neon_quantize_rows_q8(const struct quantize_rows_q8_args *args)
{
    const int64_t n_blocks = args->k / STEPS;
    for (int64_t i = 0; i < args->n_rows * n_blocks; i++) {
        const float *x = args->x + i / n_blocks * args->x_stride + i % n_blocks * STEPS;
        const float largest = largest_magnitude(x);
        float inverse = 127 / largest;
        if (!isfinite(inverse)) inverse = 0;
        int8x16_t codes[2];
        for (int half = 0; half < 2; half++) {
            codes[half] = inverse == 0 ? vdupq_n_s8(0)
                                       : vcombine_s8(quantize_eight(x + half * 16, inverse), quantize_eight(x + half * 16 + 8, inverse));
            vst1q_s8(args->codes + i * STEPS + half * 16, codes[half]);
        }
        int32_t sums[2] = {vaddlvq_s8(codes[0]), vaddlvq_s8(codes[1])};
        args->scales[i] = largest / 127;
        args->sums[i] = sums[0] + sums[1];
        if (args->half_sums) memcpy(args->half_sums + 2 * i, sums, sizeof sums);
    }
}
#endif
