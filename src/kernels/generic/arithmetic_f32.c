/* Arithmetic item by item. */
#include "kernels/generic/generic.h"

#define ARITHMETIC(slot, operator)                                                                         \
    void generic_##slot(int64_t n, const float *a, int a_step, const float *b, int b_step, float *ret_y)   \
    {                                                                                                      \
        for (int64_t i = 0; i < n; i++) ret_y[i] = a[i * a_step] operator b[i * b_step];                   \
    }
ARITHMETIC(add_f32, +)
ARITHMETIC(sub_f32, -)
ARITHMETIC(mul_f32, *)
ARITHMETIC(div_f32, /)

void generic_scale_f32(int64_t n, float alpha, const float *x, float *ret_y)
{
    for (int64_t i = 0; i < n; i++) ret_y[i] = alpha * x[i];
}

void generic_axpy_f32(int64_t n, float alpha, const float *x, float *y)
{
    for (int64_t i = 0; i < n; i++) y[i] = fmaf(alpha, x[i], y[i]);
}
