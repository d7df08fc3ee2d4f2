/* The functions of this folder, for some of the slots of kernels.def; kernels.h says what they compute. */
#ifndef KERNELS_ARM_DOTPROD_H
#define KERNELS_ARM_DOTPROD_H

#include "kernels/kernels.h"

#define KERNEL(returns, slot, parameters) returns arm_dotprod_##slot parameters;
#include "kernels/kernels.def"
#undef KERNEL

#endif
