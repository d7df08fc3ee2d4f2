/* Q6_K: blocks of 256 items: 128 bytes with the low four bits, 64 bytes with the high two, a signed byte of scale for each 16 items, an
 * f16 number d: item = d * scale * (q - 32). Each 128 items have 64 and 32 bytes of their own: item i of them is in byte i % 64 (low
 * half of the byte for the first 64) and in byte i % 32 (bits 2 (i / 32) and above). 210 bytes. Only read.
 * Source: ggml, block_q6_K and dequantize_row_q6_K.
 */
#include "quant/block.h"

enum { ITEMS = 256, HALF = 128, SHARE = 16, BYTES = 210, PAIRS = 128, SCALES = 192, D = 208, ZERO = 32 };

static int code_at(const unsigned char *block, int item)
{
    int half = item / HALF, i = item % HALF;
    int low = block[half * 64 + i % 64] >> i / 64 * 4 & 15, high = block[PAIRS + half * 32 + i % 32] >> i / 32 * 2 & 3;
    return (low | high << 4) - ZERO;
}

static void decode_block(const unsigned char *block, float *ret_items)
{
    float d = block_get_half(block + D);
    for (int i = 0; i < ITEMS; i++)
        ret_items[i] = d * (float)(int8_t)block[SCALES + i / SHARE] * (float)code_at(block, i);
}

static void decode(int64_t n_items, const void *blocks, float *ret_items)
{
    const unsigned char *block = blocks;
    for (int64_t i = 0; i < n_items; i += ITEMS, block += BYTES) decode_block(block, ret_items + i);
}

const struct quant_def quant_q6_k = {
    .name = "q6_k",
    .dtype = DTYPE_Q6_K,
    .gguf_id = 14,
    .block_items = ITEMS,
    .block_bytes = BYTES,
    .decode = decode,
};
