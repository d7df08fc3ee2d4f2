/* Q5_0: blocks of 32 items; an f16 scale d, four bytes with the fifth bits (item i in bit i, little endian), then 16 bytes as Q4_0
 * has them: item = d * (q - 16). 22 bytes.
 *
 * Encoding gives the bytes of ggml's reference: d = (the item of largest magnitude, the first of them) / -16, q = item / d + 16.5 cut
 * to an integer, with the unrounded d. NaN items become 0.
 * Source: ggml, block_q5_0 and quantize_row_q5_0_ref.
 */
#include "quant/five_bits.h"

enum { ITEMS = 32, BYTES = 22, LARGEST = 31, ZERO = 16 };

static void decode_block(const unsigned char *block, float *ret_items)
{
    float d = block_get_half(block);
    for (int i = 0; i < ITEMS; i++) ret_items[i] = (float)(five_bits_get(block + 2, i) - ZERO) * d;
}

static void decode(int64_t n_items, const void *blocks, float *ret_items)
{
    const unsigned char *block = blocks;
    for (int64_t i = 0; i < n_items; i += ITEMS, block += BYTES) decode_block(block, ret_items + i);
}

static void encode_block(const float *items, unsigned char *ret_block)
{
    float d = block_largest_magnitude(ITEMS, items) / -ZERO, inverse = block_inverse(d);
    block_put_half(d, ret_block);
    memset(ret_block + 2, 0, BYTES - 2);
    for (int i = 0; i < ITEMS; i++) five_bits_put(block_code(items[i] * inverse + 16.5f, LARGEST, ZERO), i, ret_block + 2);
}

static void encode(int64_t n_items, const float *items, void *ret_blocks)
{
    unsigned char *block = ret_blocks;
    for (int64_t i = 0; i < n_items; i += ITEMS, block += BYTES) encode_block(items + i, block);
}

const struct quant_def quant_q5_0 = {
    .name = "q5_0",
    .dtype = DTYPE_Q5_0,
    .gguf_id = 6,
    .block_items = ITEMS,
    .block_bytes = BYTES,
    .decode = decode,
    .encode = encode,
};
