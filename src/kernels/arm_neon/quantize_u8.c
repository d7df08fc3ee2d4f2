/* Numbers to bytes: their range, and their codes. */
#if defined(__aarch64__)
#include "kernels/arm_neon/arm_neon.h"
#include "kernels/arm_neon/vector.h"

/* A NaN gives way to what was there. The order is free: nothing is rounded. */
void arm_neon_range_f32(int64_t n, const float *x, float *ret_least, float *ret_most)
{
    float32x4_t least = all4(0), most = all4(0);
    int64_t i = 0;
    for (; i + FOUR_LANES <= n; i += FOUR_LANES) {
        float32x4_t items = vld1q_f32(x + i);
        least = lesser4(items, least);
        most = greater4(items, most);
    }
    float smallest = vminvq_f32(least), largest = vmaxvq_f32(most);
    for (; i < n; i++) {
        if (x[i] < smallest) smallest = x[i];
        if (x[i] > largest) largest = x[i];
    }
    *ret_least = smallest;
    *ret_most = largest;
}

ALWAYS_INLINE int32x4_t quantize_four(float32x4_t x, float scale, int32_t zero)
{
    float32x4_t quotient = vdivq_f32(x, all4(scale));
    quotient = greater4(quotient, all4((float)-zero));
    quotient = lesser4(quotient, all4((float)(255 - zero)));
    return vaddq_s32(vcvtnq_s32_f32(quotient), vdupq_n_s32(zero));
}

void arm_neon_quantize_u8(int64_t n, float scale, int32_t zero, const float *x, uint8_t *ret_codes)
{
    for (int64_t i = 0; i < n; i += 2 * FOUR_LANES) {
        int64_t left = n - i;
        int32x4_t low = quantize_four(load_first4(x + i, left), scale, zero), high = low;
        if (left > FOUR_LANES) high = quantize_four(load_first4(x + i + FOUR_LANES, left - FOUR_LANES), scale, zero);
        uint8x8_t codes = vqmovun_s16(vcombine_s16(vmovn_s32(low), vmovn_s32(high)));
        if (left >= 2 * FOUR_LANES) {
            vst1_u8(ret_codes + i, codes);
            continue;
        }
        uint8_t items[2 * FOUR_LANES];
        vst1_u8(items, codes);
        memcpy(ret_codes + i, items, (size_t)left);
    }
}
#endif
