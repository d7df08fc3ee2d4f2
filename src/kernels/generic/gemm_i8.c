/* Products of bytes: plain sums in 32 bits. Unsigned ones, because a sum too large for int32 wraps. */
#include "kernels/generic/generic.h"

static int32_t widened(const struct gemm_i8_args *args, int64_t row, int64_t column)
{
    uint8_t byte = args->b[row * args->b_stride + column];
    return (args->is_b_signed ? (int8_t)byte : byte) - args->b_zero[column];
}

void generic_gemm_i8(const struct gemm_i8_args *args)
{
    for (int64_t i = 0; i < args->m; i++) {
        const int16_t *a = args->a + i * args->a_stride;
        int32_t *c = args->c + i * args->c_stride;
        for (int64_t j = 0; j < args->n; j++) c[j] = 0;
        for (int64_t k = 0; k < args->k; k++)
            for (int64_t j = 0; j < args->n; j++)
                c[j] = (int32_t)((uint32_t)c[j] + (uint32_t)(a[k] * widened(args, k, j)));
    }
}
