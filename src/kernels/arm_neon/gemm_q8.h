/* Products of 8-bit activations and block formats, one source for two instruction sets: with the dot-product instruction (armv8.2-a)
 * four steps of four columns are one operation; without it products are summed in 16 bits, which eight groups of small codes (at most
 * 8 * 31 * 127) and two of bytes (2 * 128 * 127) fit, and widened then.
 *
 * A weight group is four registers: sixteen columns x four steps. It is unpacked once for the rows of a tile. The zero point is
 * subtracted from the codes, as they are signed here; so the activations' sums only serve the formats with an offset.
 *
 * To be included by a .c file that defines GEMM_NAME(format), the functions' names. */
#include "kernels/arm_neon/vector.h"
#include "kernels/kernels.h"

enum { STEPS = 32, GROUPS = 8, LINE_BYTES = 64, REGISTERS = 4 };
#ifdef __ARM_FEATURE_DOTPROD
enum { TILE_ROWS = 4 };
#else
enum { TILE_ROWS = 2 };
#endif

struct block {
    const uint8_t *parameters, *details, *codes;
};

/* Sixteen integers or floats, a column each. */
struct sums16 {
    int32x4_t of[REGISTERS];
};
struct floats16 {
    float32x4_t of[REGISTERS];
};
struct group {
    int8x16_t of[REGISTERS];
};

ALWAYS_INLINE struct floats16 load_halves(const uint8_t *bytes)
{
    struct floats16 floats;
    for (int i = 0; i < REGISTERS; i++)
        floats.of[i] = vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(bytes + i * 8)));
    return floats;
}

ALWAYS_INLINE struct sums16 load_signed(const uint8_t *bytes)
{
    int8x16_t items = vreinterpretq_s8_u8(vld1q_u8(bytes));
    int16x8_t low = vmovl_s8(vget_low_s8(items)), high = vmovl_s8(vget_high_s8(items));
    return (struct sums16){{vmovl_s16(vget_low_s16(low)), vmovl_s16(vget_high_s16(low)), vmovl_s16(vget_low_s16(high)),
                            vmovl_s16(vget_high_s16(high))}};
}

ALWAYS_INLINE struct sums16 load_unsigned(const uint8_t *bytes)
{
    uint8x16_t items = vld1q_u8(bytes);
    uint16x8_t low = vmovl_u8(vget_low_u8(items)), high = vmovl_u8(vget_high_u8(items));
    return (struct sums16){{vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(low))), vreinterpretq_s32_u32(vmovl_u16(vget_high_u16(low))),
                            vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(high))),
                            vreinterpretq_s32_u32(vmovl_u16(vget_high_u16(high)))}};
}

/* ---- codes of group g, register i, zero point subtracted ---- */

ALWAYS_INLINE uint8x16_t nibbles(const uint8_t *codes, int g, int i)
{
    uint8x16_t line = vld1q_u8(codes + g % 4 * LINE_BYTES + i * 16);
    return g < 4 ? vandq_u8(line, vdupq_n_u8(15)) : vshrq_n_u8(line, 4);
}

/* Sixteen bits, lowest first, as bytes of 0 or 16. */
ALWAYS_INLINE uint8x16_t fifth_bits(const uint8_t *codes, int g, int i)
{
    static const uint8_t masks[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    const uint8_t *bits = codes + 4 * LINE_BYTES + g * 8 + i * 2;
    uint8x16_t both = vcombine_u8(vdup_n_u8(bits[0]), vdup_n_u8(bits[1]));
    return vandq_u8(vtstq_u8(both, vld1q_u8(masks)), vdupq_n_u8(16));
}

ALWAYS_INLINE uint8x16_t high_pairs(const uint8_t *codes, int g, int i)
{
    uint8x16_t line = vld1q_u8(codes + (4 + g / 4) * LINE_BYTES + i * 16);
    return vshlq_n_u8(vandq_u8(vshlq_u8(line, vdupq_n_s8((int8_t)(g % 4 * -2))), vdupq_n_u8(3)), 4);
}

ALWAYS_INLINE int8x16_t less(uint8x16_t codes, uint8_t zero_point)
{
    return vreinterpretq_s8_u8(vsubq_u8(codes, vdupq_n_u8(zero_point)));
}

#define UNPACK(name, expression)                                                     \
    ALWAYS_INLINE struct group unpack_##name(const uint8_t *codes, int g)            \
    {                                                                                \
        struct group group;                                                          \
        for (int i = 0; i < REGISTERS; i++) group.of[i] = (expression);              \
        return group;                                                                \
    }
UNPACK(q4_0, less(nibbles(codes, g, i), 8))
UNPACK(q4_1, less(nibbles(codes, g, i), 0))
UNPACK(q5_0, less(vorrq_u8(nibbles(codes, g, i), fifth_bits(codes, g, i)), 16))
UNPACK(q5_1, less(vorrq_u8(nibbles(codes, g, i), fifth_bits(codes, g, i)), 0))
UNPACK(q8_0, less(vld1q_u8(codes + g * LINE_BYTES + i * 16), 128))
UNPACK(q4_k, less(nibbles(codes, g, i), 0))
UNPACK(q6_k, less(vorrq_u8(nibbles(codes, g, i), high_pairs(codes, g, i)), 32))

/* ---- integer products of one block, `begin` … `end` of its groups ---- */

typedef struct group unpack_function(const uint8_t *codes, int g);

ALWAYS_INLINE int8x16_t load_word(const int8_t *a)
{
    int32_t word;
    memcpy(&word, a, sizeof word);
    return vreinterpretq_s8_s32(vdupq_n_s32(word));
}

#ifdef __ARM_FEATURE_DOTPROD
ALWAYS_INLINE void multiply_groups(unpack_function *unpack, const uint8_t *codes, const int8_t *a, int64_t a_stride, int begin, int end,
                                   const bool is_wide, const int n_rows, struct sums16 *sums)
{
    (void)is_wide;
    for (int r = 0; r < n_rows; r++)
        for (int i = 0; i < REGISTERS; i++) sums[r].of[i] = vdupq_n_s32(0);
#pragma GCC unroll 8
    for (int g = begin; g < end; g++) {
        struct group w = unpack(codes, g);
#pragma GCC unroll 4
        for (int r = 0; r < n_rows; r++) {
            int8x16_t word = load_word(a + r * a_stride + g * 4);
            for (int i = 0; i < REGISTERS; i++) sums[r].of[i] = vdotq_s32(sums[r].of[i], w.of[i], word);
        }
    }
}
#else
/* Two columns x four steps a register of 16-bit sums. */
struct narrow {
    int16x8_t low[REGISTERS], high[REGISTERS];
};

/* Four neighbours of 16 bits make a column's sum. */
ALWAYS_INLINE void widen(const struct narrow *narrow, struct sums16 *sums)
{
    for (int i = 0; i < REGISTERS; i++)
        sums->of[i] = vaddq_s32(sums->of[i], vpaddq_s32(vpaddlq_s16(narrow->low[i]), vpaddlq_s16(narrow->high[i])));
}

/* is_wide: codes of 8 bits. */
ALWAYS_INLINE void multiply_groups(unpack_function *unpack, const uint8_t *codes, const int8_t *a, int64_t a_stride, int begin, int end,
                                   const bool is_wide, const int n_rows, struct sums16 *sums)
{
    struct narrow narrow[TILE_ROWS];
    const int n_together = is_wide ? 2 : end - begin;
    for (int r = 0; r < n_rows; r++)
        for (int i = 0; i < REGISTERS; i++) sums[r].of[i] = vdupq_n_s32(0);
#pragma GCC unroll 8
    for (int g = begin; g < end; g++) {
        struct group w = unpack(codes, g);
        bool is_first = (g - begin) % n_together == 0, is_last = (g - begin) % n_together == n_together - 1;
#pragma GCC unroll 2
        for (int r = 0; r < n_rows; r++) {
            int8x8_t word = vget_low_s8(load_word(a + r * a_stride + g * 4));
            for (int i = 0; i < REGISTERS; i++) {
                int8x8_t low = vget_low_s8(w.of[i]), high = vget_high_s8(w.of[i]);
                narrow[r].low[i] = is_first ? vmull_s8(low, word) : vmlal_s8(narrow[r].low[i], low, word);
                narrow[r].high[i] = is_first ? vmull_s8(high, word) : vmlal_s8(narrow[r].high[i], high, word);
            }
            if (is_last) widen(&narrow[r], &sums[r]);
        }
    }
}
#endif

/* ---- one more block of the chains of a tile ---- */

enum offset { OFFSET_NONE, OFFSET_M, OFFSET_MIN };

struct format {
    unpack_function *unpack;
    enum offset offset;
    int blocks_a_parameter; /* 32-step blocks that share parameters: 1, or 8 for K-quants */
    int parameter_bytes, detail_bytes, code_bytes; /* of a 32-step block but for parameter_bytes */
    bool is_wide;
    bool has_halves;        /* a scale for each 16 steps */
};

struct operand {
    const int8_t *a;
    const float *scales;
    const int32_t *sums;
    int64_t stride, n_blocks;
};

ALWAYS_INLINE void scale_sums(struct sums16 *sums, const struct sums16 *scales)
{
    for (int i = 0; i < REGISTERS; i++) sums->of[i] = vmulq_s32(sums->of[i], scales->of[i]);
}

ALWAYS_INLINE void multiply_block(const struct format format, const struct block *block, const struct operand *x, int64_t at,
                                  const int n_rows, struct sums16 *sums)
{
    const int8_t *a = x->a + at * STEPS;
    if (!format.has_halves) {
        multiply_groups(format.unpack, block->codes, a, x->stride, 0, GROUPS, format.is_wide, n_rows, sums);
        if (format.offset != OFFSET_MIN) return;
        struct sums16 scales = load_unsigned(block->details);
        for (int r = 0; r < n_rows; r++) scale_sums(&sums[r], &scales);
        return;
    }
    struct sums16 second[TILE_ROWS], scales[2] = {load_signed(block->details), load_signed(block->details + 16)};
    multiply_groups(format.unpack, block->codes, a, x->stride, 0, GROUPS / 2, format.is_wide, n_rows, sums);
    multiply_groups(format.unpack, block->codes, a, x->stride, GROUPS / 2, GROUPS, format.is_wide, n_rows, second);
    for (int r = 0; r < n_rows; r++) {
        scale_sums(&sums[r], &scales[0]);
        for (int i = 0; i < REGISTERS; i++) sums[r].of[i] = vmlaq_s32(sums[r].of[i], second[r].of[i], scales[1].of[i]);
    }
}

ALWAYS_INLINE void add_offset(enum offset offset, const struct block *block, float d_a, int32_t sum, struct floats16 *outputs)
{
    if (offset == OFFSET_NONE) return;
    struct floats16 m = load_halves(block->parameters + 32);
    struct sums16 mins;
    if (offset == OFFSET_MIN) mins = load_unsigned(block->details + 16);
    for (int i = 0; i < REGISTERS; i++) {
        if (offset == OFFSET_M)
            outputs->of[i] = vfmaq_f32(outputs->of[i], m.of[i], all4(d_a * (float)sum));
        else
            outputs->of[i] = vfmaq_f32(outputs->of[i], vcvtq_f32_s32(vmulq_s32(mins.of[i], vdupq_n_s32(sum))),
                                       vnegq_f32(vmulq_f32(m.of[i], all4(d_a))));
    }
}

ALWAYS_INLINE void add_block(const struct format format, const struct block *block, const struct operand *x, int64_t at, const int n_rows,
                             struct floats16 *outputs)
{
    struct sums16 sums[TILE_ROWS];
    multiply_block(format, block, x, at, n_rows, sums);
    struct floats16 d = load_halves(block->parameters);
    for (int r = 0; r < n_rows; r++) {
        float d_a = x->scales[r * x->n_blocks + at];
        for (int i = 0; i < REGISTERS; i++)
            outputs[r].of[i] = vfmaq_f32(outputs[r].of[i], vcvtq_f32_s32(sums[r].of[i]), vmulq_f32(d.of[i], all4(d_a)));
        add_offset(format.offset, block, d_a, x->sums[r * x->n_blocks + at], &outputs[r]);
    }
}

/* ---- tiles ---- */

ALWAYS_INLINE void store_row(const struct gemm_q8_args *args, int64_t row, int64_t column, const struct floats16 *outputs)
{
    float *c = args->c + row * args->c_stride + column;
    for (int i = 0; i < REGISTERS; i++) {
        int64_t at = i * FOUR_LANES, n = args->n - column - at;
        if (n <= 0) return;
        float32x4_t y = outputs->of[i];
        if (args->bias) y = vaddq_f32(y, load_first4(args->bias + column + at, n));
        store_first4(c + at, n, y);
    }
}

ALWAYS_INLINE void multiply_tile(const struct format format, const struct gemm_q8_args *args, const struct block *first, int64_t row,
                                 int64_t column, const int n_rows)
{
    const int64_t n_blocks = args->k / STEPS;
    const struct operand x = {args->a + row * args->k, args->a_scales + row * n_blocks, args->a_sums + row * n_blocks, args->k, n_blocks};
    struct floats16 outputs[TILE_ROWS];
    for (int r = 0; r < n_rows; r++)
        for (int i = 0; i < REGISTERS; i++) outputs[r].of[i] = all4(0.0f);
    for (int64_t at = 0; at < n_blocks; at++) {
        struct block block = {first->parameters + at / format.blocks_a_parameter * format.parameter_bytes,
                              first->details + at * format.detail_bytes, first->codes + at * format.code_bytes};
        add_block(format, &block, &x, at, n_rows, outputs);
    }
    for (int r = 0; r < n_rows; r++) store_row(args, row + r, column, &outputs[r]);
}

ALWAYS_INLINE void multiply_panels(const struct format format, enum dtype dtype, const struct gemm_q8_args *args)
{
    struct panel_shape shape;
    if (!panel_shape_of(panel_format_find(dtype), args->k, &shape)) return;
    for (int64_t p = args->panel_begin; p < args->panel_end; p++) {
        const uint8_t *panel = (const uint8_t *)args->panels + (size_t)p * shape.n_bytes;
        struct block first = {panel + shape.parameters, panel + shape.details, panel + shape.codes};
        int64_t row = 0;
        for (; row + TILE_ROWS <= args->m; row += TILE_ROWS) multiply_tile(format, args, &first, row, p * PANEL_COLUMNS, TILE_ROWS);
        for (; row < args->m; row++) multiply_tile(format, args, &first, row, p * PANEL_COLUMNS, 1);
    }
}

#define GEMM(name, dtype, ...)                                                                               \
    void GEMM_NAME(name)(const struct gemm_q8_args *args)                                                    \
    {                                                                                                        \
        multiply_panels((struct format){.unpack = unpack_##name, __VA_ARGS__}, dtype, args);                 \
    }
GEMM(q4_0, DTYPE_Q4_0, .offset = OFFSET_NONE, .blocks_a_parameter = 1, .parameter_bytes = 32, .code_bytes = 256)
GEMM(q4_1, DTYPE_Q4_1, .offset = OFFSET_M, .blocks_a_parameter = 1, .parameter_bytes = 64, .code_bytes = 256)
GEMM(q5_0, DTYPE_Q5_0, .offset = OFFSET_NONE, .blocks_a_parameter = 1, .parameter_bytes = 32, .code_bytes = 320)
GEMM(q5_1, DTYPE_Q5_1, .offset = OFFSET_M, .blocks_a_parameter = 1, .parameter_bytes = 64, .code_bytes = 320)
GEMM(q8_0, DTYPE_Q8_0, .offset = OFFSET_NONE, .blocks_a_parameter = 1, .parameter_bytes = 32, .code_bytes = 512, .is_wide = true)
GEMM(q4_k, DTYPE_Q4_K, .offset = OFFSET_MIN, .blocks_a_parameter = 8, .parameter_bytes = 64, .detail_bytes = 32, .code_bytes = 256)
GEMM(q6_k, DTYPE_Q6_K, .offset = OFFSET_NONE, .blocks_a_parameter = 8, .parameter_bytes = 32, .detail_bytes = 32, .code_bytes = 384,
     .has_halves = true)
