/* Four steps of a column are four bytes wherever they are: a "word" here. ggml's blocks are made of the same words, so packing moves
 * words and never looks at single codes; the bytes' order within a word does not matter to it, masks are the same for each. */
#include "kernels/panel_block.h"

#include "base/size.h"
#include "quant/half.h"
#include "quant/six_bits.h"

enum { LINE = 64, WORD = 4, HALF_STEPS = PANEL_STEPS / 2, DEEP_ITEMS = 256 };
enum { LOW_NIBBLES = 0x0f0f0f0f, LOW_PAIRS = 0x03030303 };

static uint32_t load_word(const unsigned char *bytes)
{
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

static void store_word(unsigned char *codes, int line, int column, uint32_t word)
{
    memcpy(codes + line * LINE + column * WORD, &word, sizeof word);
}

static const unsigned char *word_at(const unsigned char *codes, int line, int column)
{
    return codes + line * LINE + column * WORD;
}

static void put_half(unsigned char *halves, int column, const unsigned char *half)
{
    memcpy(halves + 2 * column, half, 2);
}

static float get_half(const unsigned char *halves, int column)
{
    uint16_t half;
    memcpy(&half, halves + 2 * column, sizeof half);
    return f32_from_f16_bits(half);
}

/* ---- the low four bits: lines 0 … 3 ---- */

static void pack_nibbles(const unsigned char *nibbles, int column, unsigned char *codes)
{
    for (int line = 0; line < 4; line++) store_word(codes, line, column, load_word(nibbles + WORD * line));
}

static void read_nibbles(const unsigned char *codes, int column, int zero_point, int8_t *ret_codes)
{
    for (int i = 0; i < HALF_STEPS; i++) {
        int byte = word_at(codes, i / WORD, column)[i % WORD];
        ret_codes[i] = (int8_t)((byte & 15) - zero_point);
        ret_codes[i + HALF_STEPS] = (int8_t)((byte >> 4) - zero_point);
    }
}

/* ---- the fifth bit: a line of eight 64-bit groups ---- */

static void pack_fifth_bits(const unsigned char *bits, int column, unsigned char *line)
{
    for (int group = 0; group < 8; group++) {
        int nibble = bits[group / 2] >> (group % 2 * 4) & 15;
        line[group * 8 + column / 2] |= (unsigned char)(nibble << (column % 2 * 4));
    }
}

static void read_fifth_bits(const unsigned char *line, int column, int8_t *codes)
{
    for (int i = 0; i < PANEL_STEPS; i++) {
        int nibble = line[i / WORD * 8 + column / 2] >> (column % 2 * 4);
        codes[i] = (int8_t)(codes[i] + (nibble >> i % WORD & 1) * 16);
    }
}

/* ---- blocks of 32 ---- */

static void put_d(const unsigned char *block, int column, struct panel_part part)
{
    put_half(part.parameters, column, block);
}

static void put_d_and_m(const unsigned char *block, int column, struct panel_part part)
{
    put_half(part.parameters, column, block);
    put_half(part.parameters + 2 * PANEL_COLUMNS, column, block + 2);
}

static void get_d(struct panel_part part, int column, struct panel_column *ret_column)
{
    ret_column->d = get_half(part.parameters, column);
    ret_column->m = 0;
    ret_column->scales[0] = ret_column->scales[1] = 1;
    ret_column->min = 0;
}

static void get_d_and_m(struct panel_part part, int column, struct panel_column *ret_column)
{
    get_d(part, column, ret_column);
    ret_column->m = get_half(part.parameters + 2 * PANEL_COLUMNS, column);
}

static void pack_q4_0(const unsigned char *block, int column, struct panel_part part)
{
    put_d(block, column, part);
    pack_nibbles(block + 2, column, part.codes);
}

static void read_q4_0(struct panel_part part, int column, struct panel_column *ret_column)
{
    get_d(part, column, ret_column);
    read_nibbles(part.codes, column, 8, ret_column->codes);
}

static void pack_q4_1(const unsigned char *block, int column, struct panel_part part)
{
    put_d_and_m(block, column, part);
    pack_nibbles(block + 4, column, part.codes);
}

static void read_q4_1(struct panel_part part, int column, struct panel_column *ret_column)
{
    get_d_and_m(part, column, ret_column);
    read_nibbles(part.codes, column, 0, ret_column->codes);
}

static void pack_q5_0(const unsigned char *block, int column, struct panel_part part)
{
    put_d(block, column, part);
    pack_fifth_bits(block + 2, column, part.codes + 4 * LINE);
    pack_nibbles(block + 6, column, part.codes);
}

static void read_q5_0(struct panel_part part, int column, struct panel_column *ret_column)
{
    get_d(part, column, ret_column);
    read_nibbles(part.codes, column, 16, ret_column->codes);
    read_fifth_bits(part.codes + 4 * LINE, column, ret_column->codes);
}

static void pack_q5_1(const unsigned char *block, int column, struct panel_part part)
{
    put_d_and_m(block, column, part);
    pack_fifth_bits(block + 4, column, part.codes + 4 * LINE);
    pack_nibbles(block + 8, column, part.codes);
}

static void read_q5_1(struct panel_part part, int column, struct panel_column *ret_column)
{
    get_d_and_m(part, column, ret_column);
    read_nibbles(part.codes, column, 0, ret_column->codes);
    read_fifth_bits(part.codes + 4 * LINE, column, ret_column->codes);
}

/* 128 more, modulo 256, is the sign bit turned over. */
static void pack_q8_0(const unsigned char *block, int column, struct panel_part part)
{
    put_d(block, column, part);
    for (int line = 0; line < 8; line++)
        store_word(part.codes, line, column, load_word(block + 2 + WORD * line) ^ 0x80808080);
}

static void read_q8_0(struct panel_part part, int column, struct panel_column *ret_column)
{
    get_d(part, column, ret_column);
    for (int i = 0; i < PANEL_STEPS; i++)
        ret_column->codes[i] = (int8_t)(word_at(part.codes, i / WORD, column)[i % WORD] - 128);
}

/* ---- blocks of 256 ---- */

enum { Q4_K_DETAILS = 32, Q4_K_CODES = 4 * LINE, Q6_K_DETAILS = 32, Q6_K_CODES = 6 * LINE };

/* A block: d, dmin, twelve bytes of scales, then for each 64 items 32 bytes: low nibbles the first 32, high ones the rest. */
static void pack_q4_k(const unsigned char *block, int column, struct panel_part part)
{
    put_d_and_m(block, column, part);
    for (int i = 0; i < DEEP_ITEMS / PANEL_STEPS; i++) {
        unsigned char *details = part.details + i * Q4_K_DETAILS, *codes = part.codes + i * Q4_K_CODES;
        const unsigned char *nibbles = block + 16 + i / 2 * PANEL_STEPS;
        int shift = i % 2 * 4;
        details[column] = (unsigned char)six_bits_scale(block + 4, i);
        details[PANEL_COLUMNS + column] = (unsigned char)six_bits_min(block + 4, i);
        for (int line = 0; line < 4; line++) {
            uint32_t low = load_word(nibbles + WORD * line) >> shift & LOW_NIBBLES;
            uint32_t high = load_word(nibbles + HALF_STEPS + WORD * line) >> shift & LOW_NIBBLES;
            store_word(codes, line, column, low | high << 4);
        }
    }
}

static void read_q4_k(struct panel_part part, int column, struct panel_column *ret_column)
{
    get_d_and_m(part, column, ret_column);
    ret_column->scales[0] = ret_column->scales[1] = part.details[column];
    ret_column->min = part.details[PANEL_COLUMNS + column];
    read_nibbles(part.codes, column, 0, ret_column->codes);
}

/* Word `word` of 32-step part `part` of a Q6_K block: for each 128 items 64 bytes hold the low nibbles, 32 bytes the pairs of bits
 * above them; the quarters of the 128 share the bytes. */
static uint32_t q6_k_nibbles(const unsigned char *block, int part, int word)
{
    int quarter = part % 4;
    return load_word(block + part / 4 * 64 + quarter % 2 * 32 + WORD * word) >> (quarter / 2 * 4) & LOW_NIBBLES;
}

static uint32_t q6_k_pairs(const unsigned char *block, int part, int word)
{
    return load_word(block + 128 + part / 4 * 32 + WORD * word) >> (part % 4 * 2) & LOW_PAIRS;
}

/* A block: 128 bytes of nibbles, 64 of pairs, 16 scales, d. */
static void pack_q6_k(const unsigned char *block, int column, struct panel_part part)
{
    put_half(part.parameters, column, block + 208);
    for (int i = 0; i < DEEP_ITEMS / PANEL_STEPS; i++) {
        unsigned char *details = part.details + i * Q6_K_DETAILS, *codes = part.codes + i * Q6_K_CODES;
        details[column] = block[192 + 2 * i];
        details[PANEL_COLUMNS + column] = block[192 + 2 * i + 1];
        for (int line = 0; line < 4; line++)
            store_word(codes, line, column, q6_k_nibbles(block, i, line) | q6_k_nibbles(block, i, line + 4) << 4);
        for (int line = 0; line < 2; line++) {
            uint32_t pairs = 0;
            for (int group = 0; group < 4; group++) pairs |= q6_k_pairs(block, i, 4 * line + group) << 2 * group;
            store_word(codes, 4 + line, column, pairs);
        }
    }
}

static void read_q6_k(struct panel_part part, int column, struct panel_column *ret_column)
{
    get_d(part, column, ret_column);
    for (int half = 0; half < 2; half++)
        ret_column->scales[half] = (int8_t)part.details[half * PANEL_COLUMNS + column];
    read_nibbles(part.codes, column, 32, ret_column->codes);
    for (int i = 0; i < PANEL_STEPS; i++) {
        int pairs = word_at(part.codes, 4 + i / HALF_STEPS, column)[i % WORD];
        ret_column->codes[i] = (int8_t)(ret_column->codes[i] + (pairs >> i % HALF_STEPS / WORD * 2 & 3) * 16);
    }
}

static const struct panel_blocks all_blocks[] = {
    {DTYPE_Q4_0, PANEL_OFFSET_NONE, pack_q4_0, read_q4_0}, {DTYPE_Q4_1, PANEL_OFFSET_M, pack_q4_1, read_q4_1},
    {DTYPE_Q5_0, PANEL_OFFSET_NONE, pack_q5_0, read_q5_0}, {DTYPE_Q5_1, PANEL_OFFSET_M, pack_q5_1, read_q5_1},
    {DTYPE_Q8_0, PANEL_OFFSET_NONE, pack_q8_0, read_q8_0}, {DTYPE_Q4_K, PANEL_OFFSET_MIN, pack_q4_k, read_q4_k},
    {DTYPE_Q6_K, PANEL_OFFSET_NONE, pack_q6_k, read_q6_k},
};

const struct panel_blocks *panel_blocks_find(enum dtype dtype)
{
    for (size_t i = 0; i < ARRAY_LENGTH(all_blocks); i++)
        if (all_blocks[i].dtype == dtype) return &all_blocks[i];
    return NULL;
}

struct panel_part panel_part_at(const struct panel_format *format, const struct panel_shape *shape, const void *panel,
                                int64_t index)
{
    unsigned char *bytes = (unsigned char *)(uintptr_t)panel;
    int64_t parts_of_block = format->block_items / PANEL_STEPS;
    return (struct panel_part){.parameters = bytes + shape->parameters + index / parts_of_block * format->parameter_bytes,
                               .details = bytes + shape->details + index * (format->detail_bytes / parts_of_block),
                               .codes = bytes + shape->codes + index * (format->code_bytes / parts_of_block)};
}
