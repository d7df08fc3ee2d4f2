/* Softmax of a row. */
#if defined(__x86_64__)
#include "kernels/x86_avx2/softmax_f32.h"
#include "kernels/x86_avx2/vector.h"
#include "kernels/x86_avx2/x86_avx2.h"

void x86_avx2_softmax_f32(int64_t n, const float *x, float *ret_y)
{
    softmax_below(n, x, x86_avx2_max_f32(n, x), ret_y);
}

void softmax_below(int64_t n, const float *x, float largest, float *ret_y)
{
    __m256 most = all(largest), sums = _mm256_setzero_ps();
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        __m256 e = exp8(_mm256_sub_ps(_mm256_loadu_ps(x + i), most));
        sums = _mm256_add_ps(sums, e);
        _mm256_storeu_ps(ret_y + i, e);
    }
    if (i < n) {
        __m256 e = exp8(_mm256_sub_ps(load_first(x + i, n - i), most));
        sums = _mm256_add_ps(sums, keep_first(e, n - i));
        store_first(ret_y + i, n - i, e);
    }
    float sum = total(sums);
    x86_avx2_div_f32(n, ret_y, 1, &sum, 0, ret_y);
}

void x86_avx2_log_softmax_f32(int64_t n, const float *x, float *ret_y)
{
    __m256 largest = all(x86_avx2_max_f32(n, x)), sums = _mm256_setzero_ps();
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        sums = _mm256_add_ps(sums, exp8(_mm256_sub_ps(_mm256_loadu_ps(x + i), largest)));
    if (i < n)
        sums = _mm256_add_ps(sums, keep_first(exp8(_mm256_sub_ps(load_first(x + i, n - i), largest)), n - i));
    __m256 log_sum = log8(all(total(sums)));
    for (i = 0; i + LANES <= n; i += LANES)
        _mm256_storeu_ps(ret_y + i, _mm256_sub_ps(_mm256_sub_ps(_mm256_loadu_ps(x + i), largest), log_sum));
    if (i < n) store_first(ret_y + i, n - i, _mm256_sub_ps(_mm256_sub_ps(load_first(x + i, n - i), largest), log_sum));
}
#endif
