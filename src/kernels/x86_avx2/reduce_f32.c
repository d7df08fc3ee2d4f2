/* Reductions over a row. */
#if defined(__x86_64__)
#include "kernels/x86_avx2/vector.h"
#include "kernels/x86_avx2/x86_avx2.h"

float x86_avx2_sum_f32(int64_t n, const float *x)
{
    __m256 sums = _mm256_setzero_ps();
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) sums = _mm256_add_ps(sums, _mm256_loadu_ps(x + i));
    if (i < n) sums = _mm256_add_ps(sums, load_first(x + i, n - i));
    return total(sums);
}

float x86_avx2_sum_squares_f32(int64_t n, const float *x)
{
    return x86_avx2_dot_f32(n, x, x);
}

float x86_avx2_dot_f32(int64_t n, const float *x, const float *y)
{
    __m256 sums = _mm256_setzero_ps();
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) sums = _mm256_fmadd_ps(_mm256_loadu_ps(x + i), _mm256_loadu_ps(y + i), sums);
    if (i < n) sums = _mm256_fmadd_ps(load_first(x + i, n - i), load_first(y + i, n - i), sums);
    return total(sums);
}

/* A maximum has no rounding, so the order is free: four chains hide the latency. */
float x86_avx2_max_f32(int64_t n, const float *x)
{
    __m256 a = all(-INFINITY), b = a, c = a, d = a;
    int64_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES) {
        a = _mm256_max_ps(_mm256_loadu_ps(x + i), a);
        b = _mm256_max_ps(_mm256_loadu_ps(x + i + LANES), b);
        c = _mm256_max_ps(_mm256_loadu_ps(x + i + 2 * LANES), c);
        d = _mm256_max_ps(_mm256_loadu_ps(x + i + 3 * LANES), d);
    }
    for (; i + LANES <= n; i += LANES) a = _mm256_max_ps(_mm256_loadu_ps(x + i), a);
    float largest = largest_lane(_mm256_max_ps(_mm256_max_ps(a, b), _mm256_max_ps(c, d)));
    for (; i < n; i++) largest = x[i] > largest ? x[i] : largest;
    return largest + 0.0f;
}

int64_t x86_avx2_argmax_f32(int64_t n, const float *x)
{
    float largest = x86_avx2_max_f32(n, x);
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        int equal = _mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps(x + i), all(largest), _CMP_EQ_OQ));
        if (equal) return i + __builtin_ctz((unsigned)equal);
    }
    for (; i < n; i++)
        if (x[i] == largest) return i;
    return 0;
}
#endif
