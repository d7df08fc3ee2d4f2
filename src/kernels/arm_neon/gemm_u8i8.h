/* Products of bytes with int8 panels, one source for two instruction sets, as gemm_q8.h. Bytes of A less 128 are signed, which the sums
 * of the columns, that the panel begins with, make good: sum (a - zero) w = sum (a - 128) w + (128 - zero) sum w.
 *
 * Without the dot-product instruction each product of two signed bytes (at most 2^14) is widened at once: pairs go to 32 bits.
 *
 * To be included by a .c file that defines GEMM_U8I8, the function's name. */
#include "kernels/arm_neon/vector.h"
#include "kernels/kernels.h"

enum { GROUP_STEPS = 4, LINE_BYTES = 64, REGISTERS = 4, TILE_ROWS = 4 };

struct sums16 {
    int32x4_t of[REGISTERS];
};

/* Sums of four columns by four steps go to their column. */
ALWAYS_INLINE int32x4_t add_group(int32x4_t sums, int8x16_t w, int8x16_t a)
{
#ifdef __ARM_FEATURE_DOTPROD
    return vdotq_s32(sums, w, a);
#else
    int16x8_t low = vmull_s8(vget_low_s8(w), vget_low_s8(a)), high = vmull_s8(vget_high_s8(w), vget_high_s8(a));
    return vaddq_s32(sums, vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)));
#endif
}

ALWAYS_INLINE int8x16_t load_word(const uint8_t *a)
{
    uint32_t word;
    memcpy(&word, a, sizeof word);
    return vreinterpretq_s8_u32(vdupq_n_u32(word ^ 0x80808080));
}

ALWAYS_INLINE void multiply_rows(const struct gemm_u8i8_args *args, const int8_t *panel, int64_t row, const int n_rows,
                                 struct sums16 *sums)
{
    const int64_t n_groups = (args->k + GROUP_STEPS - 1) / GROUP_STEPS;
    const int8_t *codes = panel + LINE_BYTES;
    for (int r = 0; r < n_rows; r++)
        for (int i = 0; i < REGISTERS; i++) sums[r].of[i] = vdupq_n_s32(0);
    for (int64_t g = 0; g < n_groups; g++, codes += LINE_BYTES) {
        int8x16_t w[REGISTERS];
        for (int i = 0; i < REGISTERS; i++) w[i] = vld1q_s8(codes + i * 16);
#pragma GCC unroll 4
        for (int r = 0; r < n_rows; r++) {
            int8x16_t word = load_word(args->a + (row + r) * args->a_stride + g * GROUP_STEPS);
            for (int i = 0; i < REGISTERS; i++) sums[r].of[i] = add_group(sums[r].of[i], w[i], word);
        }
    }
}

/* A vector's worth of int32, 0 behind the n that are there. */
ALWAYS_INLINE int32x4_t load_ints(const int32_t *x, int64_t n)
{
    int32_t items[FOUR_LANES] = {0};
    memcpy(items, x, (size_t)(n < FOUR_LANES ? n : FOUR_LANES) * sizeof *x);
    return vld1q_s32(items);
}

ALWAYS_INLINE void store_numbers(const struct gemm_u8i8_args *args, int64_t row, int64_t column, int64_t n, int32x4_t sums)
{
    float32x4_t scales = vmulq_f32(all4(args->a_scales[row]), load_first4(args->w_scales + column, n));
    float32x4_t numbers = vmulq_f32(vcvtq_f32_s32(sums), scales);
    if (args->bias) numbers = vaddq_f32(numbers, load_first4(args->bias + column, n));
    store_first4(args->c + row * args->c_stride + column, n, numbers);
}

ALWAYS_INLINE void store_row(const struct gemm_u8i8_args *args, const int8_t *panel, int64_t row, int64_t column,
                             const struct sums16 *sums)
{
    for (int i = 0; i < REGISTERS; i++) {
        int64_t at = column + i * FOUR_LANES, n = args->n - at;
        if (n <= 0) return;
        int32x4_t column_sums = load_ints((const int32_t *)(const void *)panel + i * FOUR_LANES, FOUR_LANES);
        int32x4_t y = vmlaq_n_s32(sums->of[i], column_sums, 128 - args->a_zeros[row]);
        if (args->w_zeros) y = vmlsq_n_s32(y, load_ints(args->w_zeros + at, n), args->a_sums[row]);
        if (args->c) {
            store_numbers(args, row, at, n, y);
            continue;
        }
        int32_t items[FOUR_LANES];
        vst1q_s32(items, y);
        memcpy(args->sums + row * args->c_stride + at, items, (size_t)(n < FOUR_LANES ? n : FOUR_LANES) * sizeof *items);
    }
}

ALWAYS_INLINE void multiply_tile(const struct gemm_u8i8_args *args, const int8_t *panel, int64_t row, int64_t column, const int n_rows)
{
    struct sums16 sums[TILE_ROWS];
    multiply_rows(args, panel, row, n_rows, sums);
    for (int r = 0; r < n_rows; r++) store_row(args, panel, row + r, column, &sums[r]);
}

void GEMM_U8I8(const struct gemm_u8i8_args *args)
{
    const int64_t panel_bytes = LINE_BYTES + (args->k + GROUP_STEPS - 1) / GROUP_STEPS * LINE_BYTES;
    for (int64_t p = args->panel_begin; p < args->panel_end; p++) {
        const int8_t *panel = (const int8_t *)args->panels + p * panel_bytes;
        int64_t row = 0;
        for (; row + TILE_ROWS <= args->m; row += TILE_ROWS) multiply_tile(args, panel, row, p * PANEL_COLUMNS, TILE_ROWS);
        for (; row < args->m; row++) multiply_tile(args, panel, row, p * PANEL_COLUMNS, 1);
    }
}
