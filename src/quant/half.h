/* One 16-bit float to f32 and back, without help from the instruction set: f16 is IEEE 754 binary16, bf16 the upper half of
 * an f32. Rounding is to nearest, ties to even; a NaN stays a NaN of the same sign and becomes quiet, as the F16C
 * instructions do it.
 */
#ifndef QUANT_HALF_H
#define QUANT_HALF_H

#include <stdint.h>
#include <string.h>

static inline uint32_t float_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float float_from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline float f32_from_f16_bits(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    uint32_t rest = half & 0x7fff;
    if (rest > 0x7c00) return float_from_bits(sign | 0x7fc00000 | (rest & 0x3ff) << 13);
    if (rest == 0x7c00) return float_from_bits(sign | 0x7f800000);
    if (rest >= 0x0400) return float_from_bits(sign | ((rest << 13) + ((127 - 15) << 23)));
    /* Denormal or zero: the mantissa counts steps of 2^-24, and every one of them is a normal f32. */
    return float_from_bits(sign | float_bits((float)rest * 0x1p-24f));
}

static inline uint16_t f16_bits_from_f32(float value)
{
    uint32_t bits = float_bits(value);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    uint32_t rest = bits & 0x7fffffff;
    if (rest > 0x7f800000) return (uint16_t)(sign | 0x7e00 | (rest >> 13 & 0x3ff));
    if (rest >= 0x477ff000) return (uint16_t)(sign | 0x7c00); /* 65520 and more round to infinity */
    if (rest < 0x38800000) {
        /* Denormal half: adding 0.5 puts the unit of 2^-24 at the end of the mantissa, so the adder rounds for us. */
        uint32_t sum = float_bits(float_from_bits(rest) + 0.5f);
        return (uint16_t)(sign | (sum - 0x3f000000));
    }
    uint32_t rounded = rest - ((127 - 15) << 23) + 0xfff + (rest >> 13 & 1);
    return (uint16_t)(sign | rounded >> 13);
}

static inline float f32_from_bf16_bits(uint16_t half)
{
    return float_from_bits((uint32_t)half << 16);
}

static inline uint16_t bf16_bits_from_f32(float value)
{
    uint32_t bits = float_bits(value);
    if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

#endif
