/* Floats of 4 and 8 bits, one number at a time: E4M3FN, E5M2 and their FNUZ cousins (no infinities, one NaN, one zero), E2M1
 * (neither infinities nor NaN), and E8M0 (powers of two from 2^-127 to 2^127 and a NaN; no sign, no zero).
 *
 * Decoding is exact: every one of them is an f32. Encoding rounds once, to nearest with ties to even. Thread-safe, no state.
 * Source: Micikevicius et al. 2022 (FP8 formats for deep learning); OCP Microscaling Formats 1.0; ONNX Cast-25.
 *
 *     uint8_t bits = small_float_encode(DTYPE_F8E4M3FN, 0.3, true);
 *     float back = small_float_decode(DTYPE_F8E4M3FN, bits);
 */
#ifndef QUANT_SMALL_FLOAT_H
#define QUANT_SMALL_FLOAT_H

#include "tensor/tensor.h"

enum e8m0_rounding { E8M0_UP, E8M0_DOWN, E8M0_NEAREST /* ties up */ };

/* The types above. */
bool small_float_is(enum dtype dtype);
/* Of a 4-bit number the upper bits are not looked at. */
float small_float_decode(enum dtype dtype, uint8_t bits);
/* Not E8M0. What is too large becomes the largest number where it saturates (E2M1 always), else an infinity or, if the type
 * has none, a NaN. A NaN stays one; in E2M1 it is -0. */
uint8_t small_float_encode(enum dtype dtype, double x, bool saturates);
/* The magnitude of x as a power of two. Zero, and what is out of range, become the nearest power where it saturates, else a
 * NaN; a NaN stays one. */
uint8_t small_float_encode_e8m0(double x, bool saturates, enum e8m0_rounding rounding);

#endif
