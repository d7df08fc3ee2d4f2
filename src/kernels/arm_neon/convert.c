/* Half floats to f32 and back. The last, incomplete four are left to the scalar conversion, which gives the same bits. */
#if defined(__aarch64__)
#include "kernels/arm_neon/arm_neon.h"
#include "kernels/arm_neon/vector.h"
#include "quant/half.h"

void arm_neon_f32_from_f16(int64_t n, const uint16_t *x, float *ret_y)
{
    int64_t i = 0;
    for (; i + FOUR_LANES <= n; i += FOUR_LANES) vst1q_f32(ret_y + i, vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(x + i))));
    for (; i < n; i++) ret_y[i] = f32_from_f16_bits(x[i]);
}

void arm_neon_f16_from_f32(int64_t n, const float *x, uint16_t *ret_y)
{
    int64_t i = 0;
    for (; i + FOUR_LANES <= n; i += FOUR_LANES) vst1_u16(ret_y + i, vreinterpret_u16_f16(vcvt_f16_f32(vld1q_f32(x + i))));
    for (; i < n; i++) ret_y[i] = f16_bits_from_f32(x[i]);
}

void arm_neon_f32_from_bf16(int64_t n, const uint16_t *x, float *ret_y)
{
    int64_t i = 0;
    for (; i + FOUR_LANES <= n; i += FOUR_LANES) vst1q_f32(ret_y + i, vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(x + i), 16)));
    for (; i < n; i++) ret_y[i] = f32_from_bf16_bits(x[i]);
}
#endif
