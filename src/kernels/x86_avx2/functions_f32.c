/* Functions of one vector. The part of a last, incomplete eight goes through the same instructions under a mask. */
#if defined(__x86_64__)
#include "kernels/x86_avx2/functions_f32.h"
#include "kernels/x86_avx2/x86_avx2.h"

#define FUNCTION(name)                                                                                     \
    void x86_avx2_##name##_f32(int64_t n, const float *x, float *ret_y)                                    \
    {                                                                                                      \
        int64_t i = 0;                                                                                     \
        for (; i + LANES <= n; i += LANES) _mm256_storeu_ps(ret_y + i, name##8(_mm256_loadu_ps(x + i)));   \
        if (i < n) store_first(ret_y + i, n - i, name##8(load_first(x + i, n - i)));                       \
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

void x86_avx2_swiglu_f32(int64_t n, const float *gate, const float *up, float *ret_y)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        _mm256_storeu_ps(ret_y + i, _mm256_mul_ps(silu8(_mm256_loadu_ps(gate + i)), _mm256_loadu_ps(up + i)));
    int64_t rest = n - i;
    if (rest > 0)
        store_first(ret_y + i, rest, _mm256_mul_ps(silu8(load_first(gate + i, rest)), load_first(up + i, rest)));
}
#endif
