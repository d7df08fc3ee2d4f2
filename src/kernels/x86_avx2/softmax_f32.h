/* Softmax of a row whose largest item is known already. */
#ifndef KERNELS_X86_AVX2_SOFTMAX_F32_H
#define KERNELS_X86_AVX2_SOFTMAX_F32_H

#include <stdint.h>

/* largest: what max_f32 gives for x. ret_y may be x. */
void softmax_below(int64_t n, const float *x, float largest, float *ret_y);

#endif
