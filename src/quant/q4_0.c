/* Q4_0: blocks of 32 items; an f16 scale d, then 16 bytes: item = d * (q - 8), where the low four bits of byte i are item i
 * and the high four bits are item i + 16. 18 bytes.
 *
 * Encoding gives the bytes of ggml's reference: d = (the item of largest magnitude, the first of them) / -8, so that this item
 * is exact at q = 0; q = item / d + 8.5 cut to an integer, with the unrounded d. Where the reference would run into undefined
 * conversions (NaN, a scale too small to invert) q is 8, a zero, or clamped.
 * Source: ggml, block_q4_0 and quantize_row_q4_0_ref.
 */
#include "quant/half.h"
#include "quant/quant.h"

enum { ITEMS = 32, HALF = 16, BYTES = 18 };

static void decode_block(const unsigned char *block, float *ret_items)
{
    uint16_t half;
    memcpy(&half, block, sizeof half);
    float d = f32_from_f16_bits(half);
    for (int i = 0; i < HALF; i++) {
        ret_items[i] = (float)((block[2 + i] & 15) - 8) * d;
        ret_items[i + HALF] = (float)((block[2 + i] >> 4) - 8) * d;
    }
}

static void decode(int64_t n_items, const void *blocks, float *ret_items)
{
    const unsigned char *block = blocks;
    for (int64_t i = 0; i < n_items; i += ITEMS, block += BYTES) decode_block(block, ret_items + i);
}

static float item_of_largest_magnitude(const float *items)
{
    float largest = 0;
    for (int i = 0; i < ITEMS; i++)
        if (fabsf(items[i]) > fabsf(largest)) largest = items[i];
    return largest;
}

static unsigned round_to_nibble(float value)
{
    float shifted = value + 8.5f;
    if (shifted >= 15) return 15;
    if (shifted < 0) return 0;
    return shifted == shifted ? (unsigned)shifted : 8;
}

static void encode_block(const float *items, unsigned char *ret_block)
{
    float d = item_of_largest_magnitude(items) / -8;
    float inverse = d != 0 ? 1 / d : 0;
    uint16_t half = f16_bits_from_f32(d);
    memcpy(ret_block, &half, sizeof half);
    for (int i = 0; i < HALF; i++) {
        unsigned low = round_to_nibble(items[i] * inverse);
        unsigned high = round_to_nibble(items[i + HALF] * inverse);
        ret_block[2 + i] = (unsigned char)(low | high << 4);
    }
}

static void encode(int64_t n_items, const float *items, void *ret_blocks)
{
    unsigned char *block = ret_blocks;
    for (int64_t i = 0; i < n_items; i += ITEMS, block += BYTES) encode_block(items + i, block);
}

const struct quant_def quant_q4_0 = {
    .name = "q4_0",
    .dtype = DTYPE_Q4_0,
    .gguf_id = 2,
    .block_items = ITEMS,
    .block_bytes = BYTES,
    .decode = decode,
    .encode = encode,
};
