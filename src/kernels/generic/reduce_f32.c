/* Reductions over a row. The lanes that the last eight items lack add +0, which matters: it turns a partial sum of -0 (an
 * underflow) into +0, as a full vector register does. */
#include "kernels/generic/generic.h"
#include "kernels/generic/lanes.h"

float generic_sum_f32(int64_t n, const float *x)
{
    struct lanes lanes = {0};
    for (int64_t i = 0; i < n; i += N_LANES)
        for (int64_t j = 0; j < N_LANES; j++) lanes.sums[j] += i + j < n ? x[i + j] : 0.0f;
    return lanes_total(&lanes);
}

float generic_sum_squares_f32(int64_t n, const float *x)
{
    return generic_dot_f32(n, x, x);
}

float generic_dot_f32(int64_t n, const float *x, const float *y)
{
    struct lanes lanes = {0};
    for (int64_t i = 0; i < n; i += N_LANES)
        for (int64_t j = 0; j < N_LANES; j++)
            lanes.sums[j] = i + j < n ? fmaf(x[i + j], y[i + j], lanes.sums[j]) : lanes.sums[j] + 0.0f;
    return lanes_total(&lanes);
}

/* Adding +0 makes a largest item of -0 a +0, whichever of the zeros was met first. */
float generic_max_f32(int64_t n, const float *x)
{
    float largest = -INFINITY;
    for (int64_t i = 0; i < n; i++)
        if (x[i] > largest) largest = x[i];
    return largest + 0.0f;
}

int64_t generic_argmax_f32(int64_t n, const float *x)
{
    int64_t first = -1;
    for (int64_t i = 0; i < n; i++)
        if (first < 0 ? x[i] == x[i] : x[i] > x[first]) first = i;
    return first < 0 ? 0 : first;
}
