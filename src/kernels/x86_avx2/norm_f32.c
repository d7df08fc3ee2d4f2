/* Layer and root-mean-square normalisation of rows. */
#if defined(__x86_64__)
#include "kernels/x86_avx2/vector.h"
#include "kernels/x86_avx2/x86_avx2.h"

/* Rows whose sums are made side by side: one row's is a chain of additions, each waiting for the one before. */
enum { TOGETHER = 4 };
#define EACH_ROW _Pragma("GCC unroll 4") for (int r = 0; r < n_rows; r++)

/* n_rows is a constant wherever these are inlined. */
ALWAYS_INLINE void find_means(const struct norm_f32_args *args, const float *x, const int n_rows, float *ret_means)
{
    const int64_t width = args->width, stride = args->x_stride;
    __m256 sums[TOGETHER];
    int64_t i = 0;
    EACH_ROW sums[r] = _mm256_setzero_ps();
    for (; i + LANES <= width; i += LANES)
        EACH_ROW sums[r] = _mm256_add_ps(sums[r], _mm256_loadu_ps(x + r * stride + i));
    if (i < width) EACH_ROW sums[r] = _mm256_add_ps(sums[r], load_first(x + r * stride + i, width - i));
    EACH_ROW ret_means[r] = total(sums[r]) / (float)width;
}

ALWAYS_INLINE void sum_squared_distances(const struct norm_f32_args *args, const float *x, const int n_rows,
                                         const float *means, float *ret_sums)
{
    const int64_t width = args->width, stride = args->x_stride;
    __m256 sums[TOGETHER], mean[TOGETHER];
    int64_t i = 0;
    EACH_ROW sums[r] = _mm256_setzero_ps();
    EACH_ROW mean[r] = all(means[r]);
    for (; i + LANES <= width; i += LANES)
        EACH_ROW
        {
            __m256 distance = _mm256_sub_ps(_mm256_loadu_ps(x + r * stride + i), mean[r]);
            sums[r] = _mm256_fmadd_ps(distance, distance, sums[r]);
        }
    if (i < width)
        EACH_ROW
        {
            __m256 distance = keep_first(_mm256_sub_ps(load_first(x + r * stride + i, width - i), mean[r]), width - i);
            sums[r] = _mm256_fmadd_ps(distance, distance, sums[r]);
        }
    EACH_ROW ret_sums[r] = total(sums[r]);
}

static float inverse_root(float sum, int64_t n, float epsilon)
{
    return 1.0f / sqrtf(sum / (float)n + epsilon);
}

/* (x - mean) * inv_std * weight + bias, where an absent weight is 1 and an absent bias -0. */
ALWAYS_INLINE void normalise_row(const struct norm_f32_args *args, const float *x, float *y, __m256 mean, __m256 inv_std)
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

ALWAYS_INLINE void normalise_rows(const struct norm_f32_args *args, int64_t row, const int n_rows)
{
    const float *x = args->x + row * args->x_stride;
    float means[TOGETHER], squares[TOGETHER];
    find_means(args, x, n_rows, means);
    sum_squared_distances(args, x, n_rows, means, squares);
    for (int r = 0; r < n_rows; r++) {
        float inv_std = inverse_root(squares[r], args->width, args->epsilon);
        normalise_row(args, x + r * args->x_stride, args->y + (row + r) * args->y_stride, all(means[r]), all(inv_std));
        if (args->ret_mean) args->ret_mean[row + r] = means[r];
        if (args->ret_inv_std) args->ret_inv_std[row + r] = inv_std;
    }
}

void x86_avx2_layer_norm_f32(const struct norm_f32_args *args)
{
    int64_t row = 0;
    for (; row + TOGETHER <= args->n_rows; row += TOGETHER) normalise_rows(args, row, TOGETHER);
    for (; row < args->n_rows; row++) normalise_rows(args, row, 1);
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
