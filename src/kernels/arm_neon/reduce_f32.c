/* Reductions over a row. */
#if defined(__aarch64__)
#include "kernels/arm_neon/arm_neon.h"
#include "kernels/arm_neon/vector.h"

enum { EIGHT = 2 * FOUR_LANES };

/* Eight items, +0 for those that lack. */
ALWAYS_INLINE struct sums load_eight(const float *x, int64_t n)
{
    if (n >= EIGHT) return (struct sums){vld1q_f32(x), vld1q_f32(x + FOUR_LANES)};
    return (struct sums){load_first4(x, n), n > FOUR_LANES ? load_first4(x + FOUR_LANES, n - FOUR_LANES) : all4(0.0f)};
}

float arm_neon_sum_f32(int64_t n, const float *x)
{
    struct sums sums = {all4(0.0f), all4(0.0f)};
    for (int64_t i = 0; i < n; i += EIGHT) {
        struct sums items = load_eight(x + i, n - i);
        sums = (struct sums){vaddq_f32(sums.low, items.low), vaddq_f32(sums.high, items.high)};
    }
    return total(sums);
}

float arm_neon_dot_f32(int64_t n, const float *x, const float *y)
{
    struct sums sums = {all4(0.0f), all4(0.0f)};
    for (int64_t i = 0; i < n; i += EIGHT) {
        struct sums a = load_eight(x + i, n - i), b = load_eight(y + i, n - i);
        sums = (struct sums){vfmaq_f32(sums.low, a.low, b.low), vfmaq_f32(sums.high, a.high, b.high)};
    }
    return total(sums);
}

float arm_neon_sum_squares_f32(int64_t n, const float *x)
{
    return arm_neon_dot_f32(n, x, x);
}

/* A maximum has no rounding, so the order is free. */
float arm_neon_max_f32(int64_t n, const float *x)
{
    float32x4_t a = all4(-INFINITY), b = a;
    int64_t i = 0;
    for (; i + EIGHT <= n; i += EIGHT) {
        a = vmaxnmq_f32(vld1q_f32(x + i), a);
        b = vmaxnmq_f32(vld1q_f32(x + i + FOUR_LANES), b);
    }
    float largest = vmaxnmvq_f32(vmaxnmq_f32(a, b));
    for (; i < n; i++) largest = x[i] > largest ? x[i] : largest;
    return largest + 0.0f;
}
#endif
