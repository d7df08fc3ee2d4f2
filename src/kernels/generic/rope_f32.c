/* Rotary positions. */
#include "kernels/generic/generic.h"

static void rotate_row(const struct rope_f32_args *args, const float *x, float *y)
{
    int64_t half = args->n_dims / 2;
    int64_t step = args->interleaved ? 2 : 1, distance = args->interleaved ? 1 : half;
    for (int64_t i = 0; i < half; i++) {
        float a = x[i * step], b = x[i * step + distance];
        y[i * step] = a * args->cos[i] - b * args->sin[i];
        y[i * step + distance] = b * args->cos[i] + a * args->sin[i];
    }
    if (x != y && args->n_dims < args->width)
        memcpy(y + args->n_dims, x + args->n_dims, (size_t)(args->width - args->n_dims) * sizeof *y);
}

void generic_rope_f32(const struct rope_f32_args *args)
{
    for (int64_t row = 0; row < args->n_rows; row++)
        rotate_row(args, args->x + row * args->x_stride, args->y + row * args->y_stride);
}
