/* Functions of one vector, item by item. */
#include "kernels/generic/functions_f32.h"
#include "kernels/generic/generic.h"

#define FUNCTION(slot, expression)                                                                         \
    void generic_##slot(int64_t n, const float *x, float *ret_y)                                           \
    {                                                                                                      \
        for (int64_t i = 0; i < n; i++) ret_y[i] = (expression);                                           \
    }
FUNCTION(exp_f32, exp_item(x[i]))
FUNCTION(log_f32, log_item(x[i]))
FUNCTION(tanh_f32, tanh_item(x[i]))
FUNCTION(erf_f32, erf_item(x[i]))
FUNCTION(sigmoid_f32, sigmoid_item(x[i]))
FUNCTION(silu_f32, silu_item(x[i]))
FUNCTION(gelu_f32, gelu_item(x[i]))
FUNCTION(gelu_tanh_f32, gelu_tanh_item(x[i]))
FUNCTION(sqrt_f32, sqrtf(x[i]))
FUNCTION(reciprocal_f32, 1.0f / x[i])

void generic_swiglu_f32(int64_t n, const float *gate, const float *up, float *ret_y)
{
    for (int64_t i = 0; i < n; i++) ret_y[i] = silu_item(gate[i]) * up[i];
}
