/* Q4_K: blocks of 256 items; f16 numbers d and dmin, a scale and a min of six bits for each 32 items (six_bits.h), then for each 64
 * items 32 bytes whose low four bits are the first 32 of them and whose high four bits are the rest:
 * item = d * scale * q - dmin * min. 144 bytes. Only read.
 * Source: ggml, block_q4_K and dequantize_row_q4_K.
 */
#include "quant/block.h"
#include "quant/six_bits.h"

enum { ITEMS = 256, SHARE = 32, BYTES = 144 };

static void decode_block(const unsigned char *block, float *ret_items)
{
    float d = block_get_half(block), dmin = block_get_half(block + 2);
    for (int i = 0; i < ITEMS; i++) {
        int share = i / SHARE, q = block[16 + share / 2 * SHARE + i % SHARE] >> share % 2 * 4 & 15;
        float scale = d * (float)six_bits_scale(block + 4, share), offset = dmin * (float)six_bits_min(block + 4, share);
        ret_items[i] = scale * (float)q - offset;
    }
}

static void decode(int64_t n_items, const void *blocks, float *ret_items)
{
    const unsigned char *block = blocks;
    for (int64_t i = 0; i < n_items; i += ITEMS, block += BYTES) decode_block(block, ret_items + i);
}

const struct quant_def quant_q4_k = {
    .name = "q4_k",
    .dtype = DTYPE_Q4_K,
    .gguf_id = 12,
    .block_items = ITEMS,
    .block_bytes = BYTES,
    .decode = decode,
};
