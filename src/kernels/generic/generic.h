/* The functions of this folder, one for each slot of kernels.def; kernels.h says what they compute. */
#ifndef KERNELS_GENERIC_H
#define KERNELS_GENERIC_H

#include "kernels/kernels.h"

#define KERNEL(returns, slot, parameters) returns generic_##slot parameters;
#include "kernels/kernels.def"
#undef KERNEL

#endif
