/* Products of 8-bit activations and block formats, for every 64-bit ARM processor. */
#if defined(__aarch64__)
#include "kernels/arm_neon/arm_neon.h"

#define GEMM_NAME(format) arm_neon_gemm_##format
#include "kernels/arm_neon/gemm_q8.h"
#endif
