/* The scale and zero point that make uint8 of a tensor of f32: its range, widened to hold 0, in 255 steps. */
#ifndef OPS_QUANT_DYNAMIC_RANGE_H
#define OPS_QUANT_DYNAMIC_RANGE_H

#include "ops/quant/quantized.h"

/* All zeros, or nothing at all, have scale 1. */
struct quantized dynamic_range(int64_t n, const float *items);
/* items / scale + zero, rounded and within 0 … 255. */
void dynamic_range_quantize(int64_t n, const float *items, struct quantized q, uint8_t *ret_integers);

#endif
