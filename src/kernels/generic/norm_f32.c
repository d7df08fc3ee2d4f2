/* Layer and root-mean-square normalisation of rows. An absent bias counts as -0, the number that changes no other when
 * added. */
#include "kernels/generic/generic.h"
#include "kernels/generic/lanes.h"

static float sum_squared_distances(int64_t n, const float *x, float mean)
{
    struct lanes lanes = {0};
    for (int64_t i = 0; i < n; i += N_LANES)
        for (int64_t j = 0; j < N_LANES; j++) {
            float distance = i + j < n ? x[i + j] - mean : 0.0f;
            lanes.sums[j] = fmaf(distance, distance, lanes.sums[j]);
        }
    return lanes_total(&lanes);
}

static float inverse_root(float sum, int64_t n, float epsilon)
{
    return 1.0f / sqrtf(sum / (float)n + epsilon);
}

void generic_layer_norm_f32(const struct norm_f32_args *args)
{
    for (int64_t row = 0; row < args->n_rows; row++) {
        const float *x = args->x + row * args->x_stride;
        float *y = args->y + row * args->y_stride;
        float mean = generic_sum_f32(args->width, x) / (float)args->width;
        float inv_std = inverse_root(sum_squared_distances(args->width, x, mean), args->width, args->epsilon);
        for (int64_t i = 0; i < args->width; i++)
            y[i] = fmaf((x[i] - mean) * inv_std, args->weight ? args->weight[i] : 1.0f, args->bias ? args->bias[i] : -0.0f);
        if (args->ret_mean) args->ret_mean[row] = mean;
        if (args->ret_inv_std) args->ret_inv_std[row] = inv_std;
    }
}

void generic_rms_norm_f32(const struct norm_f32_args *args)
{
    for (int64_t row = 0; row < args->n_rows; row++) {
        const float *x = args->x + row * args->x_stride;
        float *y = args->y + row * args->y_stride;
        float inv_std = inverse_root(generic_sum_squares_f32(args->width, x), args->width, args->epsilon);
        for (int64_t i = 0; i < args->width; i++) y[i] = x[i] * inv_std * (args->weight ? args->weight[i] : 1.0f);
        if (args->ret_inv_std) args->ret_inv_std[row] = inv_std;
    }
}
