/* What the formats of small integers share: numbers in f16 at the head of a block, the range of its items, codes cut to a range.
 * The order of looking and of rounding is ggml's, so that blocks come out byte by byte as its reference makes them. */
#ifndef QUANT_BLOCK_H
#define QUANT_BLOCK_H

#include "quant/half.h"
#include "quant/quant.h"

#include <float.h>
#include <math.h>

static inline float block_get_half(const unsigned char *bytes)
{
    uint16_t half;
    memcpy(&half, bytes, sizeof half);
    return f32_from_f16_bits(half);
}

static inline void block_put_half(float value, unsigned char *ret_bytes)
{
    uint16_t half = f16_bits_from_f32(value);
    memcpy(ret_bytes, &half, sizeof half);
}

/* The first of them, with its sign; 0 for a block of zeros or NaN. */
static inline float block_largest_magnitude(int n_items, const float *items)
{
    float largest = 0;
    for (int i = 0; i < n_items; i++)
        if (fabsf(items[i]) > fabsf(largest)) largest = items[i];
    return largest;
}

/* NaN items are skipped. */
static inline void block_range(int n_items, const float *items, float *ret_least, float *ret_most)
{
    float least = FLT_MAX, most = -FLT_MAX;
    for (int i = 0; i < n_items; i++) {
        if (items[i] < least) least = items[i];
        if (items[i] > most) most = items[i];
    }
    *ret_least = least;
    *ret_most = most;
}

/* 1 / d; 0 where there is none. */
static inline float block_inverse(float d)
{
    return d != 0 ? 1 / d : 0;
}

/* value cut to an integer 0 … largest; `otherwise` for a NaN. */
static inline unsigned block_code(float value, unsigned largest, unsigned otherwise)
{
    if (value >= (float)largest) return largest;
    if (value < 0) return 0;
    return value == value ? (unsigned)value : otherwise;
}

/* Codes of item = d * code + m as ggml makes them: m = the least item, d = (largest - least) / most_code, code = (item - m) / d + 0.5 cut to an
 * integer, with the unrounded d and m; NaN items become the least one. d and m go to the block's first four bytes. */
static inline void block_encode_affine(int n_items, const float *items, unsigned most_code, unsigned char *ret_block, unsigned *ret_codes)
{
    float least, most;
    block_range(n_items, items, &least, &most);
    float d = (most - least) / (float)most_code, inverse = block_inverse(d);
    block_put_half(d, ret_block);
    block_put_half(least, ret_block + 2);
    for (int i = 0; i < n_items; i++) ret_codes[i] = block_code((items[i] - least) * inverse + 0.5f, most_code, 0);
}

#endif
