/* Numbers to bytes: their range, and their codes. */
#include "kernels/generic/generic.h"

#include <math.h>

void generic_range_f32(int64_t n, const float *x, float *ret_least, float *ret_most)
{
    float least = 0, most = 0;
    for (int64_t i = 0; i < n; i++) {
        if (x[i] < least) least = x[i];
        if (x[i] > most) most = x[i];
    }
    *ret_least = least;
    *ret_most = most;
}

/* Whole bounds hold before rounding as well as after it. A NaN fails the first comparison. */
void generic_quantize_u8(int64_t n, float scale, int32_t zero, const float *x, uint8_t *ret_codes)
{
    const float least = (float)-zero, most = (float)(255 - zero);
    for (int64_t i = 0; i < n; i++) {
        float quotient = x[i] / scale;
        quotient = quotient > least ? quotient : least;
        quotient = quotient < most ? quotient : most;
        ret_codes[i] = (uint8_t)((int32_t)nearbyintf(quotient) + zero);
    }
}
