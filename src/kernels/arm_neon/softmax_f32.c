/* Softmax of a row: exact maximum, exponentials, sum by lanes, division. */
#if defined(__aarch64__)
#include "kernels/arm_neon/arm_neon.h"
#include "kernels/arm_neon/vector.h"

void arm_neon_softmax_f32(int64_t n, const float *x, float *ret_y)
{
    float32x4_t largest = all4(arm_neon_max_f32(n, x));
    for (int64_t i = 0; i < n; i += FOUR_LANES)
        store_first4(ret_y + i, n - i, exp4(vsubq_f32(load_first4(x + i, n - i), largest)));
    float32x4_t sum = all4(arm_neon_sum_f32(n, ret_y));
    for (int64_t i = 0; i < n; i += FOUR_LANES) store_first4(ret_y + i, n - i, vdivq_f32(load_first4(ret_y + i, n - i), sum));
}
#endif
