/* Q4_0: blocks of 32 items; an f16 scale d, then 16 bytes: item = d * (q - 8), where the low four bits of byte i are item i
 * and the high four bits are item i + 16. 18 bytes.
 *
 * Encoding gives the bytes of ggml's reference: d = (the item of largest magnitude, the first of them) / -8, so that this item
 * is exact at q = 0; q = item / d + 8.5 cut to an integer, with the unrounded d. Where the reference would run into undefined
 * conversions (NaN, a scale too small to invert) q is 8, a zero, or clamped.
 * Source: ggml, block_q4_0 and quantize_row_q4_0_ref.
 */
#include "quant/block.h"

enum { ITEMS = 32, HALF = 16, BYTES = 18 };

static void decode_block(const unsigned char *block, float *ret_items)
{
    float d = block_get_half(block);
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

static void encode_block(const float *items, unsigned char *ret_block)
{
    float d = block_largest_magnitude(ITEMS, items) / -8, inverse = block_inverse(d);
    block_put_half(d, ret_block);
    for (int i = 0; i < HALF; i++) {
        unsigned low = block_code(items[i] * inverse + 8.5f, 15, 8);
        unsigned high = block_code(items[i + HALF] * inverse + 8.5f, 15, 8);
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
