/* Layer and root-mean-square normalisation of rows. */
#if defined(__x86_64__)
#include "kernels/x86_avx2/vector.h"
#include "kernels/x86_avx2/x86_avx2.h"

static float sum_squared_distances(int64_t n, const float *x, __m256 mean)
{
    __m256 sums = _mm256_setzero_ps();
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        __m256 distance = _mm256_sub_ps(_mm256_loadu_ps(x + i), mean);
        sums = _mm256_fmadd_ps(distance, distance, sums);
    }
    if (i < n) {
        __m256 distance = keep_first(_mm256_sub_ps(load_first(x + i, n - i), mean), n - i);
        sums = _mm256_fmadd_ps(distance, distance, sums);
    }
    return total(sums);
}

static float inverse_root(float sum, int64_t n, float epsilon)
{
    return 1.0f / sqrtf(sum / (float)n + epsilon);
}

/* (x - mean) * inv_std * weight + bias, where an absent weight is 1 and an absent bias -0. */
static void normalise_row(const struct norm_f32_args *args, const float *x, float *y, __m256 mean, __m256 inv_std)
{
    const float *weight = args->weight, *bias = args->bias;
    int64_t i = 0;
    for (; i + LANES <= args->width; i += LANES) {
        __m256 scaled = _mm256_mul_ps(_mm256_sub_ps(_mm256_loadu_ps(x + i), mean), inv_std);
        _mm256_storeu_ps(y + i, _mm256_fmadd_ps(scaled, weight ? _mm256_loadu_ps(weight + i) : all(1.0f),
                                                bias ? _mm256_loadu_ps(bias + i) : all(-0.0f)));
    }
    int64_t rest = args->width - i;
    if (rest > 0) {
        __m256 scaled = _mm256_mul_ps(_mm256_sub_ps(load_first(x + i, rest), mean), inv_std);
        store_first(y + i, rest, _mm256_fmadd_ps(scaled, weight ? load_first(weight + i, rest) : all(1.0f),
                                                 bias ? load_first(bias + i, rest) : all(-0.0f)));
    }
}

void x86_avx2_layer_norm_f32(const struct norm_f32_args *args)
{
    for (int64_t row = 0; row < args->n_rows; row++) {
        const float *x = args->x + row * args->x_stride;
        float mean = x86_avx2_sum_f32(args->width, x) / (float)args->width;
        float squares = sum_squared_distances(args->width, x, all(mean));
        float inv_std = inverse_root(squares, args->width, args->epsilon);
        normalise_row(args, x, args->y + row * args->y_stride, all(mean), all(inv_std));
        if (args->ret_mean) args->ret_mean[row] = mean;
        if (args->ret_inv_std) args->ret_inv_std[row] = inv_std;
    }
}

void x86_avx2_rms_norm_f32(const struct norm_f32_args *args)
{
    for (int64_t row = 0; row < args->n_rows; row++) {
        const float *x = args->x + row * args->x_stride;
        float *y = args->y + row * args->y_stride;
        float inv_std = inverse_root(x86_avx2_sum_squares_f32(args->width, x), args->width, args->epsilon);
        x86_avx2_scale_f32(args->width, inv_std, x, y);
        if (args->weight) x86_avx2_mul_f32(args->width, y, 1, args->weight, 1, y);
        if (args->ret_inv_std) args->ret_inv_std[row] = inv_std;
    }
}
#endif
