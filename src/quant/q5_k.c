/* Q5_K: Q4_K with a fifth bit: 32 bytes between the scales and the low four bits, where bit i / 32 of byte i % 32 is item i's.
 * 176 bytes. Only read.
 * Source: ggml, block_q5_K and dequantize_row_q5_K.
 */
#include "quant/block.h"
#include "quant/six_bits.h"

enum { ITEMS = 256, SHARE = 32, BYTES = 176 };

static void decode_block(const unsigned char *block, float *ret_items)
{
    float d = block_get_half(block), dmin = block_get_half(block + 2);
    for (int i = 0; i < ITEMS; i++) {
        int share = i / SHARE, low = block[48 + share / 2 * SHARE + i % SHARE] >> share % 2 * 4 & 15;
        int q = low | (block[16 + i % SHARE] >> share & 1) << 4;
        float scale = d * (float)six_bits_scale(block + 4, share), offset = dmin * (float)six_bits_min(block + 4, share);
        ret_items[i] = scale * (float)q - offset;
    }
}

static void decode(int64_t n_items, const void *blocks, float *ret_items)
{
    const unsigned char *block = blocks;
    for (int64_t i = 0; i < n_items; i += ITEMS, block += BYTES) decode_block(block, ret_items + i);
}

const struct quant_def quant_q5_k = {
    .name = "q5_k",
    .dtype = DTYPE_Q5_K,
    .gguf_id = 13,
    .block_items = ITEMS,
    .block_bytes = BYTES,
    .decode = decode,
};
