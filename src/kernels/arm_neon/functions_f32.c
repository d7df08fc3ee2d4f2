/* Functions of one vector. The items of a last, incomplete four go through the same instructions. */
#if defined(__aarch64__)
#include "kernels/arm_neon/functions_f32.h"
#include "kernels/arm_neon/arm_neon.h"

#define FUNCTION(name)                                                                               \
    void arm_neon_##name##_f32(int64_t n, const float *x, float *ret_y)                              \
    {                                                                                                \
        int64_t i = 0;                                                                               \
        for (; i + FOUR_LANES <= n; i += FOUR_LANES) vst1q_f32(ret_y + i, name##4(vld1q_f32(x + i)));          \
        if (i < n) store_first4(ret_y + i, n - i, name##4(load_first4(x + i, n - i)));                 \
    }
FUNCTION(exp)
FUNCTION(log)
FUNCTION(tanh)
FUNCTION(erf)
FUNCTION(sigmoid)
FUNCTION(silu)
FUNCTION(gelu)
FUNCTION(gelu_tanh)
FUNCTION(sqrt)
FUNCTION(reciprocal)

void arm_neon_swiglu_f32(int64_t n, const float *gate, const float *up, float *ret_y)
{
    for (int64_t i = 0; i < n; i += FOUR_LANES)
        store_first4(ret_y + i, n - i, vmulq_f32(silu4(load_first4(gate + i, n - i)), load_first4(up + i, n - i)));
}
#endif
