/* Half floats to f32 and back. */
#include "kernels/generic/generic.h"
#include "quant/half.h"

void generic_f32_from_f16(int64_t n, const uint16_t *x, float *ret_y)
{
    for (int64_t i = 0; i < n; i++) ret_y[i] = f32_from_f16_bits(x[i]);
}

void generic_f16_from_f32(int64_t n, const float *x, uint16_t *ret_y)
{
    for (int64_t i = 0; i < n; i++) ret_y[i] = f16_bits_from_f32(x[i]);
}

void generic_f32_from_bf16(int64_t n, const uint16_t *x, float *ret_y)
{
    for (int64_t i = 0; i < n; i++) ret_y[i] = f32_from_bf16_bits(x[i]);
}

void generic_bf16_from_f32(int64_t n, const float *x, uint16_t *ret_y)
{
    for (int64_t i = 0; i < n; i++) ret_y[i] = bf16_bits_from_f32(x[i]);
}
