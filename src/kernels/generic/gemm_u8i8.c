/* Products of bytes with int8 panels: plain sums in 32 bits. Unsigned ones, because a sum too large for int32 wraps. */
#include "kernels/generic/generic.h"

#include <string.h>

enum { GROUP_STEPS = 4 };

/* The sum of row i and the column of the panel, both less their zero points. */
static int32_t sum_of(const struct gemm_u8i8_args *args, int64_t i, const unsigned char *panel, int64_t column)
{
    const uint8_t *a = args->a + i * args->a_stride;
    const int8_t *codes = (const int8_t *)panel + PANEL_ALIGNMENT + column % PANEL_COLUMNS * GROUP_STEPS;
    int32_t column_sum;
    memcpy(&column_sum, panel + column % PANEL_COLUMNS * (int64_t)sizeof column_sum, sizeof column_sum);
    uint32_t sum = 0;
    for (int64_t k = 0; k < args->k; k++)
        sum += (uint32_t)(a[k] * codes[k / GROUP_STEPS * GROUP_STEPS * PANEL_COLUMNS + k % GROUP_STEPS]);
    sum -= (uint32_t)args->a_zeros[i] * (uint32_t)column_sum;
    if (args->w_zeros) sum -= (uint32_t)args->w_zeros[column] * (uint32_t)args->a_sums[i];
    return (int32_t)sum;
}

static void store(const struct gemm_u8i8_args *args, int64_t i, int64_t column, int32_t sum)
{
    if (!args->c) {
        args->sums[i * args->c_stride + column] = sum;
        return;
    }
    float number = (float)sum * (args->a_scales[i] * args->w_scales[column]);
    args->c[i * args->c_stride + column] = args->bias ? number + args->bias[column] : number;
}

void generic_gemm_u8i8(const struct gemm_u8i8_args *args)
{
    const int64_t panel_bytes = PANEL_ALIGNMENT + (args->k + GROUP_STEPS - 1) / GROUP_STEPS * PANEL_ALIGNMENT;
    for (int64_t p = args->panel_begin; p < args->panel_end; p++) {
        const unsigned char *panel = (const unsigned char *)args->panels + p * panel_bytes;
        int64_t end = (p + 1) * PANEL_COLUMNS < args->n ? (p + 1) * PANEL_COLUMNS : args->n;
        for (int64_t i = 0; i < args->m; i++)
            for (int64_t j = p * PANEL_COLUMNS; j < end; j++) store(args, i, j, sum_of(args, i, panel, j));
    }
}
