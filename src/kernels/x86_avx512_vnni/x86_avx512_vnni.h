/* The functions of this folder, for some of the slots of kernels.def; kernels.h says what they compute. */
#ifndef KERNELS_X86_AVX512_VNNI_H
#define KERNELS_X86_AVX512_VNNI_H

#include "kernels/kernels.h"

#define KERNEL(returns, slot, parameters) returns x86_avx512_vnni_##slot parameters;
#include "kernels/kernels.def"
#undef KERNEL

#endif
