/* Products of 8-bit activations and block formats. One instruction multiplies pairs of bytes and adds two products to 16 bits, which
 * saturate, so the codes decide how many of those are added before they are widened: eight of 4-bit codes (8 * 2 * 15 * 127 is
 * 30480), four of 5-bit codes (31496), two of 6-bit codes (32004). Codes of 8 bits are taken as two of 4 bits, the upper one
 * counting sixteen times. A block of a panel is unpacked once for all rows of a strip; four rows and two vectors of codes at a time
 * use each load of either several times. */
#if defined(__x86_64__)
#include "kernels/gemm_q8.h"
#include "kernels/x86_avx2/vector.h"
#include "kernels/x86_avx2/x86_avx2.h"

#include <string.h>

enum { MOST_ROWS = 4, HALVES = 2, HALF_COLUMNS = PANEL_COLUMNS / HALVES };

/* Two vectors of codes that meet the same four codes of a row: columns 0 … 7 and 8 … 15 of a group; q8_0: the low and the high four
 * bits of eight columns. */
struct pair {
    __m256i codes[2];
};

/* 32 steps of a panel, ready to multiply with. */
struct block {
    struct pair groups[HALVES][BLOCK_GROUPS]; /* q8_0: of each half of the columns; others: the first line only */
    __m256 d[HALVES], m[HALVES];              /* m: what q4_1 and q5_1 call so; dmin of q4_k */
    __m256 scales[2][HALVES];                 /* q4_k: scale and min; q6_k: of the first and last 16 steps */
};

ALWAYS_INLINE __m256i load_vector(const uint8_t *bytes)
{
    return _mm256_load_si256((const __m256i *)(const void *)bytes);
}

ALWAYS_INLINE __m256i low_bits(__m256i codes)
{
    return _mm256_and_si256(codes, _mm256_set1_epi8(15));
}

ALWAYS_INLINE __m256i high_bits(__m256i codes)
{
    return low_bits(_mm256_srli_epi16(codes, 4));
}

/* Byte i is 16 where bit i of the word is set. */
ALWAYS_INLINE __m256i fifth_bits(const uint8_t *bytes)
{
    const __m256i byte_of = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    const __m256i bit_of = _mm256_set1_epi64x((int64_t)0x8040201008040201);
    int32_t word;
    memcpy(&word, bytes, sizeof word);
    __m256i bits = _mm256_and_si256(_mm256_shuffle_epi8(_mm256_set1_epi32(word), byte_of), bit_of);
    return _mm256_and_si256(_mm256_cmpeq_epi8(bits, bit_of), _mm256_set1_epi8(16));
}

/* Bits 4 and 5 of group `group` among the four that share a line. */
ALWAYS_INLINE __m256i high_pairs(__m256i line, const int group)
{
    __m256i shifted = group == 0 ? _mm256_slli_epi16(line, 4)
                    : group == 1 ? _mm256_slli_epi16(line, 2) : group == 2 ? line : _mm256_srli_epi16(line, 2);
    return _mm256_and_si256(shifted, _mm256_set1_epi8(0x30));
}

ALWAYS_INLINE void load_bytes(const uint8_t *bytes, struct block *block)
{
#pragma GCC unroll 8
    for (int g = 0; g < BLOCK_GROUPS; g++)
#pragma GCC unroll 2
        for (int half = 0; half < HALVES; half++) {
            __m256i codes = load_vector(bytes + g * LINE_BYTES + half * 32);
            block->groups[half][g].codes[0] = low_bits(codes);
            block->groups[half][g].codes[1] = high_bits(codes);
        }
}

ALWAYS_INLINE void load_codes(const enum block_kind kind, const uint8_t *bytes, struct block *block)
{
    if (kind == BLOCK_Q8_0) {
        load_bytes(bytes, block);
        return;
    }
#pragma GCC unroll 8
    for (int g = 0; g < BLOCK_GROUPS; g++)
#pragma GCC unroll 2
        for (int half = 0; half < HALVES; half++) {
            __m256i codes = load_vector(bytes + g % 4 * LINE_BYTES + half * 32);
            codes = g < 4 ? low_bits(codes) : high_bits(codes);
            if (block_has_fifth_bit(kind))
                codes = _mm256_or_si256(codes, fifth_bits(bytes + 4 * LINE_BYTES + g * 8 + half * 4));
            if (kind == BLOCK_Q6_K)
                codes = _mm256_or_si256(codes, high_pairs(load_vector(bytes + (4 + g / 4) * LINE_BYTES + half * 32), g % 4));
            block->groups[0][g].codes[half] = codes;
        }
}

ALWAYS_INLINE void load_halves(const uint8_t *bytes, __m256 *ret_values)
{
#pragma GCC unroll 2
    for (int half = 0; half < HALVES; half++)
        ret_values[half] = _mm256_cvtph_ps(_mm_load_si128((const __m128i *)(const void *)(bytes + half * 16)));
}

ALWAYS_INLINE void load_small(const uint8_t *bytes, bool is_signed, __m256 *ret_values)
{
#pragma GCC unroll 2
    for (int half = 0; half < HALVES; half++) {
        __m128i small = _mm_loadl_epi64((const __m128i *)(const void *)(bytes + half * 8));
        ret_values[half] = _mm256_cvtepi32_ps(is_signed ? _mm256_cvtepi8_epi32(small) : _mm256_cvtepu8_epi32(small));
    }
}

ALWAYS_INLINE void load_block(const enum block_kind kind, const struct block_walk *walk, struct block *ret_block)
{
    load_codes(kind, walk->codes, ret_block);
    load_halves(walk->parameters, ret_block->d);
    if (block_parameter_bytes(kind) == 64) load_halves(walk->parameters + 32, ret_block->m);
    if (!block_is_deep(kind)) return;
    load_small(walk->details, kind == BLOCK_Q6_K, ret_block->scales[0]);
    load_small(walk->details + PANEL_COLUMNS, kind == BLOCK_Q6_K, ret_block->scales[1]);
}

ALWAYS_INLINE __m256i spread_four(const int8_t *a)
{
    int32_t four;
    memcpy(&four, a, sizeof four);
    return _mm256_set1_epi32(four);
}

ALWAYS_INLINE __m256i widen(__m256i sums, const int16_t factor)
{
    return _mm256_madd_epi16(sums, _mm256_set1_epi16(factor));
}

/* An addition that gcc cannot move: it would gather all products and add them as a tree, and has not the registers for that. */
ALWAYS_INLINE __m256i add_now(__m256i sums, __m256i products)
{
    __asm__("vpaddw %1, %0, %0" : "+x"(sums) : "x"(products));
    return sums;
}

/* The pair in registers until its last use, instead of a load for each. */
ALWAYS_INLINE struct pair load_pair(const struct pair *pair)
{
    struct pair loaded = *pair;
    __asm__("" : "+x"(loaded.codes[0]), "+x"(loaded.codes[1]));
    return loaded;
}

/* Sums in 16 bits of some groups' products, for each row and each vector of the pairs. a: the first row's codes for those groups. */
ALWAYS_INLINE void add_groups(const int n_groups, const int n_rows, const struct pair *pairs, const int8_t *a,
                              __m256i ret_sums[MOST_ROWS][2])
{
#pragma GCC unroll 8
    for (int g = 0; g < n_groups; g++) {
        const struct pair pair = load_pair(&pairs[g]);
#pragma GCC unroll 4
        for (int r = 0; r < n_rows; r++) {
            const __m256i four = spread_four(a + r * PANEL_STEPS + g * 4);
#pragma GCC unroll 2
            for (int v = 0; v < 2; v++) {
                __m256i products = _mm256_maddubs_epi16(pair.codes[v], four);
                ret_sums[r][v] = g == 0 ? products : add_now(ret_sums[r][v], products);
            }
        }
    }
}

/* Sums in 32 bits of groups [begin, begin + n_groups), n_together of which fit 16 bits. */
ALWAYS_INLINE void add_spans(const int n_together, const int begin, const int n_groups, const int n_rows,
                             const struct block *block, const int8_t *a, __m256i ret_sums[MOST_ROWS][2])
{
#pragma GCC unroll 4
    for (int g = begin; g < begin + n_groups; g += n_together) {
        __m256i sums[MOST_ROWS][2];
        add_groups(n_together, n_rows, block->groups[0] + g, a + g * 4, sums);
#pragma GCC unroll 4
        for (int r = 0; r < n_rows; r++)
#pragma GCC unroll 2
            for (int v = 0; v < 2; v++) {
                __m256i wide = widen(sums[r][v], 1);
                ret_sums[r][v] = g == begin ? wide : _mm256_add_epi32(ret_sums[r][v], wide);
            }
    }
}

/* Sums of codes of 8 bits, of both halves of the columns. */
ALWAYS_INLINE void add_bytes(const int n_rows, const struct block *block, const int8_t *a, __m256i ret_sums[MOST_ROWS][2])
{
#pragma GCC unroll 2
    for (int half = 0; half < HALVES; half++) {
        __m256i sums[MOST_ROWS][2];
        __asm__("" : "+r"(a)); /* the codes are spread anew: kept for the second half they would be in memory too, 32 bytes each */
        add_groups(BLOCK_GROUPS, n_rows, block->groups[half], a, sums);
#pragma GCC unroll 4
        for (int r = 0; r < n_rows; r++)
            ret_sums[r][half] = _mm256_add_epi32(widen(sums[r][0], 1), widen(sums[r][1], 16));
    }
}

/* The sums as floats, exact below 2^24; `starts` are what the zero point takes away. */
ALWAYS_INLINE __m256 product_of(const enum block_kind kind, __m256i sum, const int32_t *start)
{
    if (block_zero_point(kind)) sum = _mm256_add_epi32(sum, _mm256_set1_epi32(*start));
    return _mm256_cvtepi32_ps(sum);
}

ALWAYS_INLINE void multiply_codes(const enum block_kind kind, const int n_rows, const struct strip *strip,
                                  const struct block *block, int64_t at, __m256 ret_products[MOST_ROWS][HALVES])
{
    const int8_t *a = strip->codes + at * PANEL_STEPS;
    __m256i sums[2][MOST_ROWS][HALVES];
    if (kind == BLOCK_Q8_0) {
        add_bytes(n_rows, block, a, sums[0]);
    } else if (kind == BLOCK_Q6_K) {
        add_spans(2, 0, 4, n_rows, block, a, sums[0]);
        add_spans(2, 4, 4, n_rows, block, a, sums[1]);
    } else {
        add_spans(block_has_fifth_bit(kind) ? 4 : 8, 0, BLOCK_GROUPS, n_rows, block, a, sums[0]);
    }
#pragma GCC unroll 4
    for (int r = 0; r < n_rows; r++)
#pragma GCC unroll 2
        for (int half = 0; half < HALVES; half++) {
            __m256 product = product_of(kind, sums[0][r][half], &strip->starts[0][at + r]);
            if (block_is_deep(kind)) product = _mm256_mul_ps(product, block->scales[0][half]);
            if (kind == BLOCK_Q6_K) {
                __m256 second = product_of(kind, sums[1][r][half], &strip->starts[1][at + r]);
                product = _mm256_fmadd_ps(second, block->scales[1][half], product);
            }
            ret_products[r][half] = product;
        }
}

/* The chain's step for one block. */
ALWAYS_INLINE __m256 add_block(const enum block_kind kind, __m256 sum, const struct block *block, int half, __m256 product,
                               const struct strip *strip, int64_t at)
{
    const __m256 d_a = all(strip->scales[at]);
    sum = _mm256_fmadd_ps(product, _mm256_mul_ps(block->d[half], d_a), sum);
    if (block_has_m(kind)) sum = _mm256_fmadd_ps(block->m[half], all(strip->totals[at]), sum);
    if (kind == BLOCK_Q4_K) {
        __m256 minima = _mm256_mul_ps(block->scales[1][half], all(strip->totals[at]));
        sum = _mm256_fnmadd_ps(minima, _mm256_mul_ps(block->m[half], d_a), sum);
    }
    return sum;
}

/* A block of a panel against n_rows rows of the strip; n_rows is a constant at every call. */
ALWAYS_INLINE void multiply_rows(const enum block_kind kind, const int n_rows, struct front *front, int64_t panel,
                                 const struct block *block, int64_t at, int64_t row)
{
    const struct strip *strip = front->strip;
    float *first_sums = front_sums(front, panel, row);
    __m256 products[MOST_ROWS][HALVES];
    multiply_codes(kind, n_rows, strip, block, at + row, products);
#pragma GCC unroll 4
    for (int r = 0; r < n_rows; r++)
#pragma GCC unroll 2
        for (int half = 0; half < HALVES; half++) {
            float *sums = first_sums + r * PANEL_COLUMNS + half * HALF_COLUMNS;
            __m256 sum = _mm256_load_ps(sums);
            _mm256_store_ps(sums, add_block(kind, sum, block, half, products[r][half], strip, at + row + r));
        }
}

ALWAYS_INLINE void multiply_block(const enum block_kind kind, struct front *front, int64_t panel, int64_t at)
{
    const int64_t n_rows = front->strip->n_rows;
    struct block block;
    block_walk_prefetch(kind, &front->walks[panel], AHEAD_BYTES);
    load_block(kind, &front->walks[panel], &block);
    block_walk_next(kind, &front->walks[panel]);
    int64_t row = 0;
    for (; row + MOST_ROWS <= n_rows; row += MOST_ROWS) multiply_rows(kind, MOST_ROWS, front, panel, &block, at, row);
    for (; row + 2 <= n_rows; row += 2) multiply_rows(kind, 2, front, panel, &block, at, row);
    for (; row < n_rows; row++) multiply_rows(kind, 1, front, panel, &block, at, row);
}

/* All of K for one row and some panels, a constant number, with the sums in registers: memory gives more to several streams than to
 * one. */
ALWAYS_INLINE void stream_panels(const enum block_kind kind, const int n_panels, struct front *front, int64_t panel)
{
    const struct strip *strip = front->strip;
    const int64_t n_blocks = strip->n_blocks, panel_bytes = front->panel_bytes;
    struct block_walk walk = front->walks[panel];
    float *first_sums = front_sums(front, panel, 0);
    __m256 sums[FRONT_MOST_PANELS][HALVES];
#pragma GCC unroll 4
    for (int p = 0; p < n_panels; p++)
#pragma GCC unroll 2
        for (int half = 0; half < HALVES; half++) sums[p][half] = _mm256_load_ps(first_sums + p * PANEL_COLUMNS + half * HALF_COLUMNS);
    for (int64_t at = 0; at < n_blocks; at++) {
        const int64_t n_ahead = front_bytes_ahead(kind, front, n_panels, at);
#pragma GCC unroll 4
        for (int p = 0; p < n_panels; p++) {
            struct block_walk place = block_walk_in(walk, p * panel_bytes);
            struct block block;
            __m256 products[MOST_ROWS][HALVES];
            block_walk_prefetch(kind, &place, n_ahead);
            load_block(kind, &place, &block);
            multiply_codes(kind, 1, strip, &block, at, products);
#pragma GCC unroll 2
            for (int half = 0; half < HALVES; half++)
                sums[p][half] = add_block(kind, sums[p][half], &block, half, products[0][half], strip, at);
        }
        block_walk_next(kind, &walk);
    }
#pragma GCC unroll 4
    for (int p = 0; p < n_panels; p++)
#pragma GCC unroll 2
        for (int half = 0; half < HALVES; half++) _mm256_store_ps(first_sums + p * PANEL_COLUMNS + half * HALF_COLUMNS, sums[p][half]);
}

ALWAYS_INLINE void stream_front(const enum block_kind kind, struct front *front)
{
    if (front->n_panels == FRONT_MOST_PANELS) {
        stream_panels(kind, FRONT_MOST_PANELS, front, 0);
        return;
    }
    for (int64_t panel = 0; panel < front->n_panels; panel++) stream_panels(kind, 1, front, panel);
}

/* ---- q4_0 and q8_0 against many rows ----
 *
 * Here the codes of weights are signed, so that they can be operands in memory, and what is spread over a register is a row's: one
 * spreading serves two panels, and three rows' sums of both fill the registers. q4_0: rows as bytes + 128, which the codes' sums, known
 * once a block, take away again; eight products of pairs fit 16 bits (8 * 2 * 255 * 8 is 32640). q8_0: both as 16 bits and sums in 32,
 * where two planes of four bits would take as many products and have to be widened. */

enum { TILE_PANELS = 2, TILE_ROWS = 3, TILE_VECTORS = TILE_PANELS * HALVES, ROW_SPREADS = 2 * BLOCK_GROUPS };

struct signed_block {
    __m256i codes[ROW_SPREADS][TILE_VECTORS]; /* q4_0: the first BLOCK_GROUPS lines only */
    __m256i corrections[TILE_VECTORS];        /* q4_0 */
    __m256 d[TILE_VECTORS];
};

/* A block of a strip's rows: dword i is what meets codes[i]. q8_0: steps 0 and 2 of the groups, then 1 and 3; q4_0: as in the strip. */
struct wide_rows {
    _Alignas(32) int32_t spreads[STRIP_ROWS][ROW_SPREADS];
};

ALWAYS_INLINE bool has_signed_codes(const enum block_kind kind)
{
    return kind == BLOCK_Q4_0 || kind == BLOCK_Q8_0;
}

/* Of four bytes, with which a row meets 32 steps. */
ALWAYS_INLINE int row_spreads(const enum block_kind kind)
{
    return kind == BLOCK_Q8_0 ? ROW_SPREADS : BLOCK_GROUPS;
}

ALWAYS_INLINE __m256i even_bytes(__m256i bytes)
{
    return _mm256_srai_epi16(_mm256_slli_epi16(bytes, 8), 8);
}

ALWAYS_INLINE __m256i odd_bytes(__m256i bytes)
{
    return _mm256_srai_epi16(bytes, 8);
}

ALWAYS_INLINE __m256i flip_signs(__m256i bytes)
{
    return _mm256_xor_si256(bytes, _mm256_set1_epi8(-128));
}

ALWAYS_INLINE void load_signed_bytes(const uint8_t *bytes, int half, int v, struct signed_block *block)
{
#pragma GCC unroll 8
    for (int g = 0; g < BLOCK_GROUPS; g++) {
        __m256i codes = flip_signs(load_vector(bytes + g * LINE_BYTES + half * 32));
        block->codes[g][v] = even_bytes(codes);
        block->codes[BLOCK_GROUPS + g][v] = odd_bytes(codes);
    }
}

ALWAYS_INLINE void load_signed_nibbles(const uint8_t *bytes, int half, int v, struct signed_block *block)
{
    const __m256i zero_point = _mm256_set1_epi8(8), one = _mm256_set1_epi8(1);
    __m256i sums = _mm256_setzero_si256();
#pragma GCC unroll 4
    for (int line = 0; line < BLOCK_GROUPS / 2; line++) {
        __m256i codes = load_vector(bytes + line * LINE_BYTES + half * 32);
        __m256i low = _mm256_sub_epi8(low_bits(codes), zero_point), high = _mm256_sub_epi8(high_bits(codes), zero_point);
        block->codes[line][v] = low;
        block->codes[line + BLOCK_GROUPS / 2][v] = high;
        sums = _mm256_add_epi16(sums, _mm256_maddubs_epi16(one, low));
        sums = _mm256_add_epi16(sums, _mm256_maddubs_epi16(one, high));
    }
    block->corrections[v] = widen(sums, -128);
}

ALWAYS_INLINE void load_signed_block(const enum block_kind kind, const int n_panels, struct front *front, struct signed_block *ret_block)
{
#pragma GCC unroll 2
    for (int p = 0; p < n_panels; p++) {
        struct block_walk *walk = &front->walks[p];
        block_walk_prefetch(kind, walk, AHEAD_BYTES);
        load_halves(walk->parameters, ret_block->d + p * HALVES);
#pragma GCC unroll 2
        for (int half = 0; half < HALVES; half++) {
            if (kind == BLOCK_Q8_0) load_signed_bytes(walk->codes, half, p * HALVES + half, ret_block);
            else load_signed_nibbles(walk->codes, half, p * HALVES + half, ret_block);
        }
        block_walk_next(kind, walk);
    }
}

static void widen_rows(const struct strip *strip, int64_t at, struct wide_rows *ret_rows)
{
    const int64_t n_rows = strip->n_rows;
    for (int64_t row = 0; row < n_rows; row++) {
        __m256i codes = load_vector((const uint8_t *)strip->codes + (at + row) * PANEL_STEPS);
        __m256i *spreads = (__m256i *)(void *)ret_rows->spreads[row];
        spreads[0] = even_bytes(codes), spreads[1] = odd_bytes(codes);
    }
}

/* sum + the products of row and codes, which stay in memory: gcc would load them into registers that there are not. */
ALWAYS_INLINE __m256i add_products(const enum block_kind kind, __m256i sum, __m256i row, const __m256i *codes)
{
    __m256i products;
    if (kind == BLOCK_Q8_0)
        __asm__("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0" : "+x"(sum), "=&x"(products) : "x"(row), "m"(*codes));
    else
        __asm__("vpmaddubsw %3, %2, %1\n\tvpaddw %1, %0, %0" : "+x"(sum), "=&x"(products) : "x"(row), "m"(*codes));
    return sum;
}

ALWAYS_INLINE __m256i first_products(const enum block_kind kind, __m256i row, const __m256i *codes)
{
    __m256i products;
    if (kind == BLOCK_Q8_0) __asm__("vpmaddwd %2, %1, %0" : "=x"(products) : "x"(row), "m"(*codes));
    else __asm__("vpmaddubsw %2, %1, %0" : "=x"(products) : "x"(row), "m"(*codes));
    return products;
}

ALWAYS_INLINE void multiply_spreads(const enum block_kind kind, const int n_vectors, const int n_rows, const struct signed_block *block,
                                    const uint8_t *rows, __m256i sums[TILE_ROWS][TILE_VECTORS])
{
    const int n_spreads = row_spreads(kind);
#pragma GCC unroll 16
    for (int i = 0; i < n_spreads; i++)
#pragma GCC unroll 3
        for (int r = 0; r < n_rows; r++) {
            const __m256i row = spread_four((const int8_t *)rows + (r * n_spreads + i) * 4);
#pragma GCC unroll 4
            for (int v = 0; v < n_vectors; v++)
                sums[r][v] = i == 0 ? first_products(kind, row, &block->codes[i][v]) : add_products(kind, sums[r][v], row, &block->codes[i][v]);
        }
}

/* n_panels and n_rows are constants at every call. */
ALWAYS_INLINE void multiply_tile(const enum block_kind kind, const int n_panels, const int n_rows, struct front *front,
                                 const struct signed_block *block, const uint8_t *rows, int64_t at, int64_t row)
{
    const int n_vectors = n_panels * HALVES;
    float *panel_sums[TILE_PANELS] = {front_sums(front, 0, row), front_sums(front, n_panels - 1, row)};
    const float *scales = front->strip->scales + at + row;
    __m256i products[TILE_ROWS][TILE_VECTORS];
    multiply_spreads(kind, n_vectors, n_rows, block, rows + row * row_spreads(kind) * 4, products);
#pragma GCC unroll 3
    for (int r = 0; r < n_rows; r++) {
        const __m256 d_a = all(scales[r]);
#pragma GCC unroll 4
        for (int v = 0; v < n_vectors; v++) {
            float *sums = panel_sums[v / HALVES] + r * PANEL_COLUMNS + v % HALVES * HALF_COLUMNS;
            __m256i product = products[r][v];
            if (kind != BLOCK_Q8_0) product = _mm256_add_epi32(widen(product, 1), block->corrections[v]);
            __m256 sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(product), _mm256_mul_ps(d_a, block->d[v]), _mm256_load_ps(sums));
            _mm256_store_ps(sums, sum);
        }
    }
}

ALWAYS_INLINE void multiply_signed_block(const enum block_kind kind, const int n_panels, struct front *front, int64_t at)
{
    const int64_t n_rows = front->strip->n_rows;
    struct signed_block block;
    struct wide_rows wide;
    const uint8_t *rows = kind == BLOCK_Q8_0 ? (const uint8_t *)wide.spreads : (const uint8_t *)front->strip->codes + at * PANEL_STEPS;
    load_signed_block(kind, n_panels, front, &block);
    if (kind == BLOCK_Q8_0) widen_rows(front->strip, at, &wide);
    int64_t row = 0;
    for (; row + TILE_ROWS <= n_rows; row += TILE_ROWS) multiply_tile(kind, n_panels, TILE_ROWS, front, &block, rows, at, row);
    for (; row < n_rows; row++) multiply_tile(kind, n_panels, 1, front, &block, rows, at, row);
}

ALWAYS_INLINE void multiply_front(const enum block_kind kind, struct front *front)
{
    if (front->strip->n_rows == 1) {
        stream_front(kind, front);
        return;
    }
    const bool is_signed = has_signed_codes(kind) && front->strip->n_rows > FEW_ROWS;
    for (int64_t block = 0; block < front->strip->n_blocks; block++) {
        const int64_t at = strip_at(front->strip, block, 0);
        front_prefetch_c(front, block);
        if (is_signed && front->n_panels == TILE_PANELS) multiply_signed_block(kind, TILE_PANELS, front, at);
        else if (is_signed) multiply_signed_block(kind, 1, front, at);
        else
            for (int64_t panel = 0; panel < front->n_panels; panel++) multiply_block(kind, front, panel, at);
    }
}

#define GEMM(name, block_kind)                                                                                    \
    static void front_##name(struct front *front)                                                                 \
    {                                                                                                             \
        multiply_front(block_kind, front);                                                                        \
    }                                                                                                             \
    void x86_avx2_gemm_##name(const struct gemm_q8_args *args)                                                    \
    {                                                                                                             \
        gemm_q8(&(struct gemm_q8_way){.kind = block_kind, .n_panels = has_signed_codes(block_kind) ? TILE_PANELS : 1, \
                                      .n_panels_of_few = FRONT_MOST_PANELS, .flips_many = block_kind == BLOCK_Q4_0, \
                                      .multiply = front_##name}, args);                                           \
    }
GEMM(q4_0, BLOCK_Q4_0)
GEMM(q4_1, BLOCK_Q4_1)
GEMM(q5_0, BLOCK_Q5_0)
GEMM(q5_1, BLOCK_Q5_1)
GEMM(q8_0, BLOCK_Q8_0)
GEMM(q4_k, BLOCK_Q4_K)
GEMM(q6_k, BLOCK_Q6_K)
#endif
