/* Products of bytes with int8 panels, with the dot-product instruction. */
#if defined(__aarch64__)
#include "kernels/arm_dotprod/arm_dotprod.h"

#define GEMM_U8I8 arm_dotprod_gemm_u8i8
#include "kernels/arm_neon/gemm_u8i8.h"
#endif
