/* Layer and root-mean-square normalisation of rows. An absent bias counts as -0, the number that changes no other when added. */
#if defined(__aarch64__)
#include "kernels/arm_neon/arm_neon.h"
#include "kernels/arm_neon/vector.h"

enum { EIGHT = 2 * FOUR_LANES };

/* (x - mean)^2 into the lanes; +0 for the lanes that lack. */
static float sum_squared_distances(int64_t n, const float *x, float mean)
{
    struct sums sums = {all4(0.0f), all4(0.0f)};
    int64_t i = 0;
    for (; i + EIGHT <= n; i += EIGHT) {
        float32x4_t low = vsubq_f32(vld1q_f32(x + i), all4(mean)), high = vsubq_f32(vld1q_f32(x + i + FOUR_LANES), all4(mean));
        sums = (struct sums){vfmaq_f32(sums.low, low, low), vfmaq_f32(sums.high, high, high)};
    }
    float rest[EIGHT] = {0};
    for (int64_t j = 0; i + j < n; j++) rest[j] = x[i + j] - mean;
    if (i < n)
        sums = (struct sums){vfmaq_f32(sums.low, vld1q_f32(rest), vld1q_f32(rest)),
                             vfmaq_f32(sums.high, vld1q_f32(rest + FOUR_LANES), vld1q_f32(rest + FOUR_LANES))};
    return total(sums);
}

static float inverse_root(float sum, int64_t n, float epsilon)
{
    return 1.0f / sqrtf(sum / (float)n + epsilon);
}

ALWAYS_INLINE float32x4_t load_or(const float *x, int64_t i, int64_t n, float absent)
{
    return x ? load_first4(x + i, n - i) : all4(absent);
}

void arm_neon_layer_norm_f32(const struct norm_f32_args *args)
{
    const int64_t n = args->width;
    for (int64_t row = 0; row < args->n_rows; row++) {
        const float *x = args->x + row * args->x_stride;
        float *y = args->y + row * args->y_stride;
        float mean = arm_neon_sum_f32(n, x) / (float)n;
        float inv_std = inverse_root(sum_squared_distances(n, x, mean), n, args->epsilon);
        for (int64_t i = 0; i < n; i += FOUR_LANES) {
            float32x4_t scaled = vmulq_f32(vsubq_f32(load_first4(x + i, n - i), all4(mean)), all4(inv_std));
            store_first4(y + i, n - i, vfmaq_f32(load_or(args->bias, i, n, -0.0f), scaled, load_or(args->weight, i, n, 1.0f)));
        }
        if (args->ret_mean) args->ret_mean[row] = mean;
        if (args->ret_inv_std) args->ret_inv_std[row] = inv_std;
    }
}

void arm_neon_rms_norm_f32(const struct norm_f32_args *args)
{
    const int64_t n = args->width;
    for (int64_t row = 0; row < args->n_rows; row++) {
        const float *x = args->x + row * args->x_stride;
        float *y = args->y + row * args->y_stride;
        float inv_std = inverse_root(arm_neon_sum_squares_f32(n, x), n, args->epsilon);
        for (int64_t i = 0; i < n; i += FOUR_LANES) {
            float32x4_t scaled = vmulq_f32(load_first4(x + i, n - i), all4(inv_std));
            store_first4(y + i, n - i, vmulq_f32(scaled, load_or(args->weight, i, n, 1.0f)));
        }
        if (args->ret_inv_std) args->ret_inv_std[row] = inv_std;
    }
}
#endif
