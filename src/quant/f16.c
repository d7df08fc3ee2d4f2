/* IEEE 754 binary16: two bytes an item, little-endian. */
#include "quant/half.h"
#include "quant/quant.h"

static void decode(int64_t n_items, const void *blocks, float *ret_items)
{
    const unsigned char *bytes = blocks;
    for (int64_t i = 0; i < n_items; i++) {
        uint16_t half;
        memcpy(&half, bytes + 2 * i, sizeof half);
        ret_items[i] = f32_from_f16_bits(half);
    }
}

static void encode(int64_t n_items, const float *items, void *ret_blocks)
{
    unsigned char *bytes = ret_blocks;
    for (int64_t i = 0; i < n_items; i++) {
        uint16_t half = f16_bits_from_f32(items[i]);
        memcpy(bytes + 2 * i, &half, sizeof half);
    }
}

const struct quant_def quant_f16 = {
    .name = "f16",
    .dtype = DTYPE_F16,
    .gguf_id = 1,
    .block_items = 1,
    .block_bytes = 2,
    .decode = decode,
    .encode = encode,
};
