/* Matrix products: for each output one chain of fused multiply-adds over k, nothing else. */
#include "kernels/float_product.h"
#include "kernels/generic/generic.h"

/* Sixteen outputs side by side, which a compiler for a machine with fused vector instructions turns into a few registers. */
static void multiply_step(float a, const float *step, float *sums)
{
    for (int64_t j = 0; j < PANEL_COLUMNS; j++) sums[j] = fmaf(a, step[j], sums[j]);
}

static void multiply_panel(const struct float_product *product, int64_t row, int64_t panel, float *ret_sums)
{
    const float *a = product->a + row * product->a_stride;
    float step[PANEL_COLUMNS];
    for (int64_t j = 0; j < PANEL_COLUMNS; j++) ret_sums[j] = 0;
    for (int64_t i = 0; i < product->k; i++) {
        if (product->widen) product->widen(PANEL_COLUMNS, float_product_steps(product, panel, i), step);
        multiply_step(a[i], product->widen ? step : float_product_steps(product, panel, i), ret_sums);
    }
}

static void multiply(const struct float_product *product)
{
    float sums[PANEL_COLUMNS];
    for (int64_t panel = product->panel_begin; panel < product->panel_end; panel++) {
        int64_t column = panel * PANEL_COLUMNS;
        int64_t n_columns = product->n - column < PANEL_COLUMNS ? product->n - column : PANEL_COLUMNS;
        for (int64_t row = 0; row < product->m; row++) {
            float *c = product->c + row * product->c_stride + column;
            multiply_panel(product, row, panel, sums);
            for (int64_t j = 0; j < n_columns; j++) c[j] = product->bias ? sums[j] + product->bias[column + j] : sums[j];
        }
    }
}

void generic_gemm_f32(const struct gemm_f32_args *args)
{
    struct float_product product = float_product_of_f32(args);
    multiply(&product);
}

void generic_gemm_f16(const struct gemm_half_args *args)
{
    struct float_product product = float_product_of_half(args, generic_f32_from_f16);
    multiply(&product);
}

void generic_gemm_bf16(const struct gemm_half_args *args)
{
    struct float_product product = float_product_of_half(args, generic_f32_from_bf16);
    multiply(&product);
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
