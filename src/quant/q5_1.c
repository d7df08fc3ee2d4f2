/* Q5_1: blocks of 32 items; f16 numbers d and m, then codes of five bits as Q5_0 has them: item = d * q + m. 24 bytes.
 *
 * Encoding gives the bytes of ggml's reference (block_encode_affine).
 * Source: ggml, block_q5_1 and quantize_row_q5_1_ref.
 */
#include "quant/five_bits.h"

enum { ITEMS = 32, BYTES = 24, LARGEST = 31 };

static void decode_block(const unsigned char *block, float *ret_items)
{
    float d = block_get_half(block), m = block_get_half(block + 2);
    for (int i = 0; i < ITEMS; i++) ret_items[i] = (float)five_bits_get(block + 4, i) * d + m;
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
    memset(ret_block + 4, 0, BYTES - 4);
    for (int i = 0; i < ITEMS; i++) five_bits_put(codes[i], i, ret_block + 4);
}

static void encode(int64_t n_items, const float *items, void *ret_blocks)
{
    unsigned char *block = ret_blocks;
    for (int64_t i = 0; i < n_items; i += ITEMS, block += BYTES) encode_block(items + i, block);
}

const struct quant_def quant_q5_1 = {
    .name = "q5_1",
    .dtype = DTYPE_Q5_1,
    .gguf_id = 7,
    .block_items = ITEMS,
    .block_bytes = BYTES,
    .decode = decode,
    .encode = encode,
};
