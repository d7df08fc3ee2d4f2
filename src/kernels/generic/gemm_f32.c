/* Matrix products: for each output one chain of fused multiply-adds over k, nothing else. */
#include "kernels/generic/generic.h"

/* Sixteen outputs side by side, which a compiler for a machine with fused vector instructions turns into a few registers. */
static void multiply_panel(int64_t k, const float *a, const float *panel, float *ret_sums)
{
    for (int64_t j = 0; j < PANEL_COLUMNS; j++) ret_sums[j] = 0;
    for (int64_t i = 0; i < k; i++)
        for (int64_t j = 0; j < PANEL_COLUMNS; j++) ret_sums[j] = fmaf(a[i], panel[i * PANEL_COLUMNS + j], ret_sums[j]);
}

void generic_gemm_f32(const struct gemm_f32_args *args)
{
    float sums[PANEL_COLUMNS];
    for (int64_t p = args->panel_begin; p < args->panel_end; p++) {
        int64_t column = p * PANEL_COLUMNS;
        int64_t n_columns = args->n - column < PANEL_COLUMNS ? args->n - column : PANEL_COLUMNS;
        for (int64_t row = 0; row < args->m; row++) {
            float *c = args->c + row * args->c_stride + column;
            multiply_panel(args->k, args->a + row * args->a_stride, args->panels + p * args->k * PANEL_COLUMNS, sums);
            for (int64_t j = 0; j < n_columns; j++) c[j] = args->bias ? sums[j] + args->bias[column + j] : sums[j];
        }
    }
}

void generic_gemm_strided_f32(const struct gemm_strided_f32_args *args)
{
    for (int64_t row = 0; row < args->m; row++)
        for (int64_t column = 0; column < args->n; column++) {
            const float *a = args->a + row * args->a_row_stride, *b = args->b + column * args->b_column_stride;
            float *c = &args->c[row * args->c_stride + column];
            float sum = args->is_accumulating ? *c : 0.0f;
            for (int64_t i = 0; i < args->k; i++) sum = fmaf(a[i * args->a_column_stride], b[i * args->b_row_stride], sum);
            *c = sum;
        }
}
