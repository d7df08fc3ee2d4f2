/* Products of 8-bit activations and block formats, with the dot-product instruction. */
#if defined(__aarch64__)
#include "kernels/arm_dotprod/arm_dotprod.h"

#define GEMM_NAME(format) arm_dotprod_gemm_##format
#include "kernels/arm_neon/gemm_q8.h"
#endif
