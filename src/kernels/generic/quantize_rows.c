/* Activations in codes of 8 bits, a scale for each 32 of them. */
#include "kernels/generic/generic.h"
#include "kernels/panel_block.h"

enum { HALF_STEPS = PANEL_STEPS / 2, LARGEST_CODE = 127 };

/* NaN where an item is infinite or NaN. */
static float largest_magnitude(const float *x)
{
    float largest = 0;
    for (int i = 0; i < PANEL_STEPS; i++) {
        if (!isfinite(x[i])) return NAN;
        largest = fmaxf(largest, fabsf(x[i]));
    }
    return largest;
}

/* A magnitude too small to divide by is as good as 0; a NaN has no codes either. */
static void quantize_block(const float *x, int8_t *ret_codes, float *ret_scale)
{
    float largest = largest_magnitude(x), inverse = LARGEST_CODE / largest;
    bool is_zero = !isfinite(inverse);
    *ret_scale = largest / LARGEST_CODE;
    for (int i = 0; i < PANEL_STEPS; i++) ret_codes[i] = is_zero ? 0 : (int8_t)rintf(x[i] * inverse);
}

static int32_t half_sum(const int8_t *codes)
{
    int32_t sum = 0;
    for (int i = 0; i < HALF_STEPS; i++) sum += codes[i];
    return sum;
}

void generic_quantize_rows_q8(const struct quantize_rows_q8_args *args)
{
    int64_t n_blocks = args->k / PANEL_STEPS;
    for (int64_t i = 0; i < args->n_rows * n_blocks; i++) {
        const float *x = args->x + i / n_blocks * args->x_stride + i % n_blocks * PANEL_STEPS;
        int8_t *codes = args->codes + i * PANEL_STEPS;
        quantize_block(x, codes, args->scales + i);
        int32_t halves[2] = {half_sum(codes), half_sum(codes + HALF_STEPS)};
        args->sums[i] = halves[0] + halves[1];
        if (args->half_sums) memcpy(args->half_sums + 2 * i, halves, sizeof halves);
    }
}
