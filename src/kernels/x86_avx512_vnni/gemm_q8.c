/* Products of 8-bit activations and block formats. One instruction takes four steps of sixteen columns: a line of a panel against
 * four codes of a row, spread over the lanes. The codes of one block of two panels rest in sixteen registers while the rows of a
 * strip run past, six at a time: what is spread serves both panels, and twelve chains hide the instruction's latency without help
 * from the machine's look-ahead. Few rows are the same loop, over two pairs of panels in turn, as fast as the weights come in. */
#if defined(__x86_64__)
#include "kernels/gemm_q8.h"
#include "kernels/x86_avx512/vector.h"
#include "kernels/x86_avx512_vnni/x86_avx512_vnni.h"

#include <string.h>

enum { PAIR = 2, MOST_ROWS = 6 };

/* 32 steps of a panel, ready to multiply with. */
struct block {
    __m512i codes[BLOCK_GROUPS];
    __m512 d, m;      /* m: what q4_1 and q5_1 call so; dmin of q4_k */
    __m512 scales[2]; /* q4_k: scale and min; q6_k: of the two halves */
};

ALWAYS_INLINE __m512i load_line(const uint8_t *bytes, int line)
{
    return _mm512_load_si512(bytes + line * LINE_BYTES);
}

ALWAYS_INLINE __m512 load_halves(const uint8_t *bytes)
{
    return _mm512_cvtph_ps(_mm256_load_si256((const __m256i *)(const void *)bytes));
}

ALWAYS_INLINE __m512i bits_4_and_5(__m512i bits)
{
    return _mm512_and_si512(bits, _mm512_set1_epi8(0x30));
}

/* Four groups share a line. */
ALWAYS_INLINE void add_high_pairs(const uint8_t *bytes, __m512i *codes)
{
#pragma GCC unroll 2
    for (int half = 0; half < 2; half++) {
        __m512i pairs = load_line(bytes, 4 + half), *groups = codes + 4 * half;
        groups[0] = _mm512_or_si512(groups[0], bits_4_and_5(_mm512_slli_epi16(pairs, 4)));
        groups[1] = _mm512_or_si512(groups[1], bits_4_and_5(_mm512_slli_epi16(pairs, 2)));
        groups[2] = _mm512_or_si512(groups[2], bits_4_and_5(pairs));
        groups[3] = _mm512_or_si512(groups[3], bits_4_and_5(_mm512_srli_epi16(pairs, 2)));
    }
}

ALWAYS_INLINE void add_fifth_bits(const uint8_t *bytes, __m512i *codes)
{
#pragma GCC unroll 8
    for (int g = 0; g < BLOCK_GROUPS; g++) {
        __mmask64 bits;
        memcpy(&bits, bytes + 4 * LINE_BYTES + g * 8, sizeof bits);
        codes[g] = _mm512_mask_add_epi8(codes[g], bits, codes[g], _mm512_set1_epi8(16));
    }
}

ALWAYS_INLINE void load_codes(const enum block_kind kind, const uint8_t *bytes, __m512i *ret_codes)
{
    if (kind == BLOCK_Q8_0) {
#pragma GCC unroll 8
        for (int g = 0; g < BLOCK_GROUPS; g++) ret_codes[g] = load_line(bytes, g);
        return;
    }
#pragma GCC unroll 4
    for (int line = 0; line < 4; line++) {
        const __m512i low = _mm512_set1_epi8(15), pairs = load_line(bytes, line);
        ret_codes[line] = _mm512_and_si512(pairs, low);
        ret_codes[line + 4] = _mm512_and_si512(_mm512_srli_epi16(pairs, 4), low);
    }
    if (kind == BLOCK_Q6_K) add_high_pairs(bytes, ret_codes);
    if (block_has_fifth_bit(kind)) add_fifth_bits(bytes, ret_codes);
}

ALWAYS_INLINE __m512 load_small(const uint8_t *bytes, bool is_signed)
{
    __m128i small = _mm_load_si128((const __m128i *)(const void *)bytes);
    return _mm512_cvtepi32_ps(is_signed ? _mm512_cvtepi8_epi32(small) : _mm512_cvtepu8_epi32(small));
}

/* And on to the next one. */
ALWAYS_INLINE void load_block(const enum block_kind kind, struct block_walk *walk, struct block *ret_block)
{
    block_walk_prefetch(kind, walk);
    load_codes(kind, walk->codes, ret_block->codes);
    ret_block->d = load_halves(walk->parameters);
    if (block_parameter_bytes(kind) == 64) ret_block->m = load_halves(walk->parameters + 32);
    if (block_is_deep(kind)) {
        ret_block->scales[0] = load_small(walk->details, kind == BLOCK_Q6_K);
        ret_block->scales[1] = load_small(walk->details + PANEL_COLUMNS, kind == BLOCK_Q6_K);
    }
    block_walk_next(kind, walk);
}

ALWAYS_INLINE __m512i spread_four(const int8_t *a)
{
    int32_t four;
    memcpy(&four, a, sizeof four);
    return _mm512_set1_epi32(four);
}

/* The chain's step for one block: s[1] is the second half's sum where they are apart. */
ALWAYS_INLINE __m512 add_block(const enum block_kind kind, __m512 sum, const struct block *block, const __m512i *s,
                               const struct strip *strip, int64_t at)
{
    const __m512 d_a = all(strip->scales[at]);
    __m512 product = _mm512_cvtepi32_ps(s[0]);
    /* All of these are integers below 2^24: exact in floats. */
    if (block_is_deep(kind)) product = _mm512_mul_ps(product, block->scales[0]);
    if (kind == BLOCK_Q6_K) product = _mm512_fmadd_ps(_mm512_cvtepi32_ps(s[1]), block->scales[1], product);
    sum = _mm512_fmadd_ps(product, _mm512_mul_ps(block->d, d_a), sum);
    if (block_has_m(kind)) sum = _mm512_fmadd_ps(block->m, all(strip->totals[at]), sum);
    if (kind == BLOCK_Q4_K) {
        __m512 minima = _mm512_mul_ps(block->scales[1], all(strip->totals[at]));
        sum = _mm512_fnmadd_ps(minima, _mm512_mul_ps(block->m, d_a), sum);
    }
    return sum;
}

/* A block of n_panels panels against n_rows rows of the strip; both are constants at every call. */
ALWAYS_INLINE void multiply_rows(const enum block_kind kind, const int n_panels, const int n_rows, struct front *front,
                                 int64_t panel, const struct block *blocks, int64_t at, int64_t row)
{
    const int n_halves = kind == BLOCK_Q6_K ? 2 : 1, n_groups = BLOCK_GROUPS / n_halves;
    const struct strip *strip = front->strip;
    const int8_t *a = strip->codes + (at + row) * PANEL_STEPS;
    __m512i s[MOST_ROWS][PAIR][2];
#pragma GCC unroll 6
    for (int r = 0; r < n_rows; r++)
#pragma GCC unroll 2
        for (int h = 0; h < n_halves; h++) {
            __m512i start = _mm512_setzero_si512();
            if (block_zero_point(kind)) start = _mm512_set1_epi32(strip->starts[h][at + row + r]);
#pragma GCC unroll 2
            for (int p = 0; p < n_panels; p++) s[r][p][h] = start;
        }
#pragma GCC unroll 8
    for (int g = 0; g < n_groups; g++)
#pragma GCC unroll 2
        for (int h = 0; h < n_halves; h++)
#pragma GCC unroll 6
            for (int r = 0; r < n_rows; r++) {
                const int group = h * n_groups + g;
                __m512i four = spread_four(a + r * PANEL_STEPS + group * 4);
#pragma GCC unroll 2
                for (int p = 0; p < n_panels; p++)
                    s[r][p][h] = _mm512_dpbusd_epi32(s[r][p][h], blocks[p].codes[group], four);
            }
#pragma GCC unroll 6
    for (int r = 0; r < n_rows; r++)
#pragma GCC unroll 2
        for (int p = 0; p < n_panels; p++) {
            float *sums = front_sums(front, panel + p, row + r);
            _mm512_store_ps(sums, add_block(kind, _mm512_load_ps(sums), &blocks[p], s[r][p], strip, at + row + r));
        }
}

ALWAYS_INLINE void multiply_block(const enum block_kind kind, const int n_panels, struct front *front, int64_t panel, int64_t at)
{
    const int most_rows = kind == BLOCK_Q6_K ? MOST_ROWS / 2 : MOST_ROWS;
    const int64_t n_rows = front->strip->n_rows;
    struct block blocks[PAIR];
    load_block(kind, &front->walks[panel], &blocks[0]);
    if (n_panels == PAIR) load_block(kind, &front->walks[panel + 1], &blocks[1]);
    int64_t row = 0;
    for (; row + most_rows <= n_rows; row += most_rows) multiply_rows(kind, n_panels, most_rows, front, panel, blocks, at, row);
    for (; row + 2 <= n_rows; row += 2) multiply_rows(kind, n_panels, 2, front, panel, blocks, at, row);
    for (; row < n_rows; row++) multiply_rows(kind, n_panels, 1, front, panel, blocks, at, row);
}

ALWAYS_INLINE void multiply_front(const enum block_kind kind, struct front *front)
{
    for (int64_t block = 0; block < front->strip->n_blocks; block++) {
        int64_t panel = 0, at = strip_at(front->strip, block, 0);
        front_prefetch_c(front, block);
        for (; panel + PAIR <= front->n_panels; panel += PAIR) multiply_block(kind, PAIR, front, panel, at);
        if (panel < front->n_panels) multiply_block(kind, 1, front, panel, at);
    }
}

#define GEMM(name, block_kind)                                                                                       \
    static void front_##name(struct front *front)                                                                    \
    {                                                                                                                \
        multiply_front(block_kind, front);                                                                           \
    }                                                                                                                \
    void x86_avx512_vnni_gemm_##name(const struct gemm_q8_args *args)                                                \
    {                                                                                                                \
        gemm_q8(&(struct gemm_q8_way){.kind = block_kind, .n_panels = PAIR, .n_panels_of_few = FRONT_MOST_PANELS,    \
                                      .multiply = front_##name}, args);                                              \
    }
GEMM(q4_0, BLOCK_Q4_0)
GEMM(q4_1, BLOCK_Q4_1)
GEMM(q5_0, BLOCK_Q5_0)
GEMM(q5_1, BLOCK_Q5_1)
GEMM(q8_0, BLOCK_Q8_0)
GEMM(q4_k, BLOCK_Q4_K)
GEMM(q6_k, BLOCK_Q6_K)
#endif
