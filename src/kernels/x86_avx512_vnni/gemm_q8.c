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

ALWAYS_INLINE void load_block(const enum block_kind kind, const struct block_walk *walk, struct block *ret_block)
{
    load_codes(kind, walk->codes, ret_block->codes);
    ret_block->d = load_halves(walk->parameters);
    if (block_parameter_bytes(kind) == 64) ret_block->m = load_halves(walk->parameters + 32);
    if (block_is_deep(kind)) {
        ret_block->scales[0] = load_small(walk->details, kind == BLOCK_Q6_K);
        ret_block->scales[1] = load_small(walk->details + PANEL_COLUMNS, kind == BLOCK_Q6_K);
    }
}

ALWAYS_INLINE __m512i spread_four(const int8_t *a)
{
    int32_t four;
    memcpy(&four, a, sizeof four);
    return _mm512_set1_epi32(four);
}

/* Some rows of a strip at one block, and where their sums are: no address is computed twice. */
struct tile {
    const int8_t *codes;
    const float *scales, *totals;
    const int32_t *starts[2];
    float *sums[PAIR];
};

ALWAYS_INLINE struct tile tile_at(struct front *front, int64_t panel, const int n_panels, int64_t at)
{
    const struct strip *strip = front->strip;
    return (struct tile){.codes = strip->codes + at * PANEL_STEPS,
                         .scales = strip->scales + at,
                         .totals = strip->totals + at,
                         .starts = {strip->starts[0] + at, strip->starts[1] + at},
                         .sums = {front_sums(front, panel, 0), front_sums(front, panel + n_panels - 1, 0)}};
}

ALWAYS_INLINE void tile_skip(struct tile *tile, int64_t n_rows)
{
    tile->codes += n_rows * PANEL_STEPS;
    tile->scales += n_rows, tile->totals += n_rows;
    tile->starts[0] += n_rows, tile->starts[1] += n_rows;
    tile->sums[0] += n_rows * PANEL_COLUMNS, tile->sums[1] += n_rows * PANEL_COLUMNS;
}

/* The chain's step for one block: s[1] is the second half's sum where they are apart. */
ALWAYS_INLINE __m512 add_block(const enum block_kind kind, __m512 sum, const struct block *block, const __m512i *s,
                               const struct tile *tile, const int row)
{
    const __m512 d_a = all(tile->scales[row]);
    __m512 product = _mm512_cvtepi32_ps(s[0]);
    /* All of these are integers below 2^24: exact in floats. */
    if (block_is_deep(kind)) product = _mm512_mul_ps(product, block->scales[0]);
    if (kind == BLOCK_Q6_K) product = _mm512_fmadd_ps(_mm512_cvtepi32_ps(s[1]), block->scales[1], product);
    sum = _mm512_fmadd_ps(product, _mm512_mul_ps(block->d, d_a), sum);
    if (block_has_m(kind)) sum = _mm512_fmadd_ps(block->m, all(tile->totals[row]), sum);
    if (kind == BLOCK_Q4_K) {
        __m512 minima = _mm512_mul_ps(block->scales[1], all(tile->totals[row]));
        sum = _mm512_fnmadd_ps(minima, _mm512_mul_ps(block->m, d_a), sum);
    }
    return sum;
}

/* Integer sums of n_panels blocks against n_rows rows, of both halves where they are apart; the numbers are constants at every call. */
ALWAYS_INLINE void multiply_codes(const enum block_kind kind, const int n_panels, const int n_rows, const struct block *blocks,
                                  const struct tile *tile, __m512i ret_sums[MOST_ROWS][PAIR][2])
{
    const int n_halves = kind == BLOCK_Q6_K ? 2 : 1, n_groups = BLOCK_GROUPS / n_halves;
#pragma GCC unroll 6
    for (int r = 0; r < n_rows; r++)
#pragma GCC unroll 2
        for (int h = 0; h < n_halves; h++) {
            __m512i start = _mm512_setzero_si512();
            if (block_zero_point(kind)) start = _mm512_set1_epi32(tile->starts[h][r]);
#pragma GCC unroll 2
            for (int p = 0; p < n_panels; p++) ret_sums[r][p][h] = start;
        }
#pragma GCC unroll 8
    for (int g = 0; g < n_groups; g++)
#pragma GCC unroll 2
        for (int h = 0; h < n_halves; h++)
#pragma GCC unroll 6
            for (int r = 0; r < n_rows; r++) {
                const int group = h * n_groups + g;
                __m512i four = spread_four(tile->codes + r * PANEL_STEPS + group * 4);
#pragma GCC unroll 2
                for (int p = 0; p < n_panels; p++)
                    ret_sums[r][p][h] = _mm512_dpbusd_epi32(ret_sums[r][p][h], blocks[p].codes[group], four);
            }
}

ALWAYS_INLINE void multiply_rows(const enum block_kind kind, const int n_panels, const int n_rows, const struct block *blocks,
                                 struct tile *tile)
{
    __m512i s[MOST_ROWS][PAIR][2];
    multiply_codes(kind, n_panels, n_rows, blocks, tile, s);
#pragma GCC unroll 6
    for (int r = 0; r < n_rows; r++)
#pragma GCC unroll 2
        for (int p = 0; p < n_panels; p++) {
            float *sums = tile->sums[p] + r * PANEL_COLUMNS;
            _mm512_store_ps(sums, add_block(kind, _mm512_load_ps(sums), &blocks[p], s[r][p], tile, r));
        }
    tile_skip(tile, n_rows);
}

ALWAYS_INLINE void multiply_block(const enum block_kind kind, const int n_panels, struct front *front, int64_t at)
{
    const int most_rows = kind == BLOCK_Q6_K ? MOST_ROWS / 2 : MOST_ROWS;
    struct tile tile = tile_at(front, 0, n_panels, at);
    struct block blocks[PAIR];
#pragma GCC unroll 2
    for (int p = 0; p < n_panels; p++) {
        block_walk_prefetch(kind, &front->walks[p], AHEAD_BYTES);
        load_block(kind, &front->walks[p], &blocks[p]);
        block_walk_next(kind, &front->walks[p]);
    }
    int64_t n_left = front->strip->n_rows;
    for (; n_left >= most_rows; n_left -= most_rows) multiply_rows(kind, n_panels, most_rows, blocks, &tile);
    for (; n_left >= 2; n_left -= 2) multiply_rows(kind, n_panels, 2, blocks, &tile);
    for (; n_left > 0; n_left--) multiply_rows(kind, n_panels, 1, blocks, &tile);
}

/* All of K for some panels and few rows, with the sums in registers: memory gives more to four streams than to one. Both numbers are
 * constants at every call. */
ALWAYS_INLINE void stream_panels(const enum block_kind kind, const int n_panels, const int n_rows, struct front *front, int64_t panel)
{
    const int64_t n_blocks = front->strip->n_blocks, panel_bytes = front->panel_bytes;
    struct block_walk walk = front->walks[panel];
    struct tile tile = tile_at(front, panel, 1, 0);
    float *first_sums = tile.sums[0];
    __m512 sums[FRONT_MOST_PANELS * FEW_ROWS];
#pragma GCC unroll 16
    for (int i = 0; i < n_panels * n_rows; i++) sums[i] = _mm512_load_ps(first_sums + i * PANEL_COLUMNS);
    for (int64_t i = 0; i < n_blocks; i++) {
        const int64_t n_ahead = front_bytes_ahead(kind, front, n_panels, i);
#pragma GCC unroll 4
        for (int p = 0; p < n_panels; p++) {
            struct block_walk place = block_walk_in(walk, p * panel_bytes);
            struct block block;
            __m512i s[MOST_ROWS][PAIR][2];
            block_walk_prefetch(kind, &place, n_ahead);
            load_block(kind, &place, &block);
            multiply_codes(kind, 1, n_rows, &block, &tile, s);
#pragma GCC unroll 4
            for (int r = 0; r < n_rows; r++)
                sums[p * n_rows + r] = add_block(kind, sums[p * n_rows + r], &block, s[r][0], &tile, r);
        }
        block_walk_next(kind, &walk);
        tile_skip(&tile, n_rows);
    }
#pragma GCC unroll 16
    for (int i = 0; i < n_panels * n_rows; i++) _mm512_store_ps(first_sums + i * PANEL_COLUMNS, sums[i]);
}

ALWAYS_INLINE void stream_front(const enum block_kind kind, const int n_rows, struct front *front)
{
    if (n_rows == 1 && front->n_panels == FRONT_MOST_PANELS) { /* more rows would want more registers than there are */
        stream_panels(kind, FRONT_MOST_PANELS, n_rows, front, 0);
        return;
    }
    for (int64_t panel = 0; panel < front->n_panels; panel++) stream_panels(kind, 1, n_rows, front, panel);
}

ALWAYS_INLINE void multiply_front(const enum block_kind kind, struct front *front)
{
    switch (front->strip->n_rows) {
    case 1: stream_front(kind, 1, front); return;
    case 2: stream_front(kind, 2, front); return;
    case 3: stream_front(kind, 3, front); return;
    case FEW_ROWS: stream_front(kind, FEW_ROWS, front); return;
    default: break;
    }
    for (int64_t block = 0; block < front->strip->n_blocks; block++) {
        front_prefetch_c(front, block);
        if (front->n_panels == PAIR) multiply_block(kind, PAIR, front, strip_at(front->strip, block, 0));
        else multiply_block(kind, 1, front, strip_at(front->strip, block, 0));
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
