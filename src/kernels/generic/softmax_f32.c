/* Softmax of a row: exact maximum, exponentials, sum by lanes, division. */
#include "kernels/generic/functions_f32.h"
#include "kernels/generic/generic.h"

void generic_softmax_f32(int64_t n, const float *x, float *ret_y)
{
    float largest = generic_max_f32(n, x);
    for (int64_t i = 0; i < n; i++) ret_y[i] = exp_item(x[i] - largest);
    float sum = generic_sum_f32(n, ret_y);
    for (int64_t i = 0; i < n; i++) ret_y[i] /= sum;
}

/* The exponentials are summed eight at a time on the stack: x is needed again, and y may be x. */
void generic_log_softmax_f32(int64_t n, const float *x, float *ret_y)
{
    float largest = generic_max_f32(n, x);
    float partial[8] = {0};
    for (int64_t i = 0; i < n; i++) partial[i % 8] += exp_item(x[i] - largest);
    float log_sum = log_item(generic_sum_f32(8, partial));
    for (int64_t i = 0; i < n; i++) ret_y[i] = (x[i] - largest) - log_sum;
}
