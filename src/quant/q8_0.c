/* Q8_0: blocks of 32 items; an f16 scale d, then 32 signed bytes q: item = d * q. 34 bytes.
 *
 * Encoding gives the bytes of ggml's reference: d = largest magnitude / 127, q = item / d rounded half away from zero with the
 * unrounded d. Where the reference would run into undefined conversions (NaN, a scale too small to invert) q is 0 or clamped.
 * Source: ggml, block_q8_0 and quantize_row_q8_0_ref.
 */
#include "quant/block.h"

enum { ITEMS = 32, BYTES = 34 };

static void decode_block(const unsigned char *block, float *ret_items)
{
    float d = block_get_half(block);
    for (int i = 0; i < ITEMS; i++) ret_items[i] = (float)(int8_t)block[2 + i] * d;
}

static void decode(int64_t n_items, const void *blocks, float *ret_items)
{
    const unsigned char *block = blocks;
    for (int64_t i = 0; i < n_items; i += ITEMS, block += BYTES) decode_block(block, ret_items + i);
}

static int8_t round_to_byte(float value)
{
    float rounded = roundf(value);
    if (rounded >= 127) return 127;
    if (rounded <= -127) return -127;
    return rounded == rounded ? (int8_t)rounded : 0;
}

static void encode_block(const float *items, unsigned char *ret_block)
{
    float d = fabsf(block_largest_magnitude(ITEMS, items)) / 127, inverse = block_inverse(d);
    block_put_half(d, ret_block);
    for (int i = 0; i < ITEMS; i++) ret_block[2 + i] = (unsigned char)round_to_byte(items[i] * inverse);
}

static void encode(int64_t n_items, const float *items, void *ret_blocks)
{
    unsigned char *block = ret_blocks;
    for (int64_t i = 0; i < n_items; i += ITEMS, block += BYTES) encode_block(items + i, block);
}

const struct quant_def quant_q8_0 = {
    .name = "q8_0",
    .dtype = DTYPE_Q8_0,
    .gguf_id = 8,
    .block_items = ITEMS,
    .block_bytes = BYTES,
    .decode = decode,
    .encode = encode,
};
