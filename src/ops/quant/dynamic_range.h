/* The scale and zero point that make uint8 of numbers: their range, widened to hold 0, in 255 steps. */
#ifndef OPS_QUANT_DYNAMIC_RANGE_H
#define OPS_QUANT_DYNAMIC_RANGE_H

#include "kernels/kernels.h"
#include "ops/quant/quantized.h"

/* least <= 0 <= most, as range_f32 gives them. All zeros, or nothing at all, have scale 1. */
struct quantized dynamic_range(float least, float most);

/* Finds the range of n items and writes their codes, by the context's threads. */
struct quantized dynamic_range_quantize(struct op_context *ctx, int64_t n, const float *items, uint8_t *ret_codes);

#endif
