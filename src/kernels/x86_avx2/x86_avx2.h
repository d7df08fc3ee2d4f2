/* The functions of this folder, one for each slot of kernels.def; kernels.h says what they compute. */
#ifndef KERNELS_X86_AVX2_H
#define KERNELS_X86_AVX2_H

#include "kernels/kernels.h"

#define KERNEL(returns, slot, parameters) returns x86_avx2_##slot parameters;
#include "kernels/kernels.def"
#undef KERNEL

#endif
