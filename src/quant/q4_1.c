/* Q4_1: blocks of 32 items; f16 numbers d and m, then 16 bytes: item = d * q + m, where the low four bits of byte i are item i and
 * the high four bits are item i + 16. 20 bytes.
 *
 * Encoding gives the bytes of ggml's reference (block_encode_affine).
 * Source: ggml, block_q4_1 and quantize_row_q4_1_ref.
 */
#include "quant/block.h"

enum { ITEMS = 32, HALF = 16, BYTES = 20, LARGEST = 15 };

static void decode_block(const unsigned char *block, float *ret_items)
{
    float d = block_get_half(block), m = block_get_half(block + 2);
    for (int i = 0; i < HALF; i++) {
        ret_items[i] = (float)(block[4 + i] & 15) * d + m;
        ret_items[i + HALF] = (float)(block[4 + i] >> 4) * d + m;
    }
}

static void decode(int64_t n_items, const void *blocks, float *ret_items)
{
    const unsigned char *block = blocks;
    for (int64_t i = 0; i < n_items; i += ITEMS, block += BYTES) decode_block(block, ret_items + i);
}

static void encode_block(const float *items, unsigned char *ret_block)
{
    unsigned codes[ITEMS];
    block_encode_affine(ITEMS, items, LARGEST, ret_block, codes);
    for (int i = 0; i < HALF; i++) ret_block[4 + i] = (unsigned char)(codes[i] | codes[i + HALF] << 4);
}

static void encode(int64_t n_items, const float *items, void *ret_blocks)
{
    unsigned char *block = ret_blocks;
    for (int64_t i = 0; i < n_items; i += ITEMS, block += BYTES) encode_block(items + i, block);
}

const struct quant_def quant_q4_1 = {
    .name = "q4_1",
    .dtype = DTYPE_Q4_1,
    .gguf_id = 3,
    .block_items = ITEMS,
    .block_bytes = BYTES,
    .decode = decode,
    .encode = encode,
};
