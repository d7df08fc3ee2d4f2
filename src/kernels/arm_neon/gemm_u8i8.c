/* Products of bytes with int8 panels, for every 64-bit ARM processor. */
#if defined(__aarch64__)
#include "kernels/arm_neon/arm_neon.h"

#define GEMM_U8I8 arm_neon_gemm_u8i8
#include "kernels/arm_neon/gemm_u8i8.h"
#endif
