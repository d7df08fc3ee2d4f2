/* Arithmetic item by item. */
#if defined(__x86_64__)
#include "kernels/x86_avx2/vector.h"
#include "kernels/x86_avx2/x86_avx2.h"

/* Eight items from x[i], or one number eight times. */
ALWAYS_INLINE __m256 load_step(const float *x, int step, int64_t i)
{
    return step ? _mm256_loadu_ps(x + i) : all(*x);
}

ALWAYS_INLINE __m256 load_step_first(const float *x, int step, int64_t i, int64_t n)
{
    return step ? load_first(x + i, n) : all(*x);
}

#define ARITHMETIC(name)                                                                                   \
    void x86_avx2_##name##_f32(int64_t n, const float *a, int a_step, const float *b, int b_step, float *ret_y) \
    {                                                                                                      \
        int64_t i = 0;                                                                                     \
        for (; i + LANES <= n; i += LANES)                                                                 \
            _mm256_storeu_ps(ret_y + i, _mm256_##name##_ps(load_step(a, a_step, i), load_step(b, b_step, i))); \
        int64_t rest = n - i;                                                                              \
        if (rest > 0)                                                                                      \
            store_first(ret_y + i, rest, _mm256_##name##_ps(load_step_first(a, a_step, i, rest),           \
                                                            load_step_first(b, b_step, i, rest)));         \
    }
ARITHMETIC(add)
ARITHMETIC(sub)
ARITHMETIC(mul)
ARITHMETIC(div)

void x86_avx2_scale_f32(int64_t n, float alpha, const float *x, float *ret_y)
{
    x86_avx2_mul_f32(n, &alpha, 0, x, 1, ret_y);
}

void x86_avx2_axpy_f32(int64_t n, float alpha, const float *x, float *y)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        _mm256_storeu_ps(y + i, _mm256_fmadd_ps(all(alpha), _mm256_loadu_ps(x + i), _mm256_loadu_ps(y + i)));
    int64_t rest = n - i;
    if (rest > 0) store_first(y + i, rest, _mm256_fmadd_ps(all(alpha), load_first(x + i, rest), load_first(y + i, rest)));
}
#endif
