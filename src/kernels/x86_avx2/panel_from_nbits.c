/* Small integers to a panel. A word of each of eight rows is gathered into the eight lanes of a register: shifting the register
 * then gives step after step of the panel, and nothing has to be transposed. */
#if defined(__x86_64__)
#include "kernels/x86_avx2/vector.h"
#include "kernels/x86_avx2/x86_avx2.h"

enum { HALF = PANEL_COLUMNS / 2, WORD_BITS = 32 };

/* What eight rows need: the lanes of rows that lack have scale 0, and read a row that is there. */
struct half {
    __m256i offsets; /* of the rows, in bytes */
    __m256 mask;     /* all bits where there is a row */
    int64_t n_rows, first;
};

ALWAYS_INLINE struct half make_half(const struct nbits_args *args, int first)
{
    int32_t offsets[HALF];
    struct half half = {.first = first};
    half.n_rows = args->n_rows - first < 0 ? 0 : args->n_rows - first > HALF ? HALF : args->n_rows - first;
    for (int j = 0; j < HALF; j++) offsets[j] = j < half.n_rows ? (int32_t)(j * args->row_bytes) : 0;
    half.offsets = _mm256_loadu_si256((const __m256i *)offsets);
    half.mask = _mm256_castsi256_ps(first_lanes(half.n_rows));
    return half;
}

/* One number of each row: item `block` of rows of n_blocks. */
ALWAYS_INLINE __m256 load_column(const struct nbits_args *args, const struct half *half, const float *numbers, int64_t block)
{
    float column[HALF] = {0};
    for (int64_t j = 0; j < half->n_rows; j++) column[j] = numbers[(half->first + j) * args->n_blocks + block];
    return _mm256_loadu_ps(column);
}

/* Steps of one word: 32 / bits of them, fewer at the end of k. */
ALWAYS_INLINE void decode_word(__m256i word, int bits, int64_t n_steps, __m256 zeros, __m256 scales, __m256 mask,
                               float *panel)
{
    const __m256i low = _mm256_set1_epi32((1 << bits) - 1);
    for (int64_t step = 0; step < n_steps; step++) {
        __m256 q = _mm256_cvtepi32_ps(_mm256_and_si256(word, low));
        __m256 number = _mm256_mul_ps(_mm256_sub_ps(q, zeros), scales);
        _mm256_store_ps(panel + step * PANEL_COLUMNS, _mm256_and_ps(number, mask));
        word = _mm256_srli_epi32(word, bits);
    }
}

/* bits is a constant at every call. */
ALWAYS_INLINE void decode_half(const struct nbits_args *args, const struct half *half, int bits)
{
    const int64_t per_word = WORD_BITS / bits;
    const uint8_t *rows = args->rows + half->first * args->row_bytes;
    float *panel = args->panel + half->first;
    for (int64_t begin = 0, block = 0; begin < args->k; begin += args->block, block++) {
        const __m256 zeros = load_column(args, half, args->zeros, block);
        const __m256 scales = load_column(args, half, args->scales, block);
        const int64_t end = args->k - begin < args->block ? args->k : begin + args->block;
        int64_t k = begin;
        for (; k + per_word <= end; k += per_word) {
            __m256i word = _mm256_i32gather_epi32((const int *)(const void *)(rows + k * bits / 8), half->offsets, 1);
            decode_word(word, bits, per_word, zeros, scales, half->mask, panel + k * PANEL_COLUMNS);
        }
        if (k >= end) continue;
        __m256i word = _mm256_i32gather_epi32((const int *)(const void *)(rows + k * bits / 8), half->offsets, 1);
        decode_word(word, bits, end - k, zeros, scales, half->mask, panel + k * PANEL_COLUMNS);
    }
}

static void clear_half(const struct nbits_args *args, int first)
{
    for (int64_t k = 0; k < args->k; k++)
        _mm256_store_ps(args->panel + k * PANEL_COLUMNS + first, _mm256_setzero_ps());
}

void x86_avx2_panel_from_nbits(const struct nbits_args *args)
{
    for (int first = 0; first < PANEL_COLUMNS; first += HALF) {
        struct half half = make_half(args, first);
        if (!half.n_rows) clear_half(args, first);
        else if (args->bits == 4) decode_half(args, &half, 4);
        else if (args->bits == 8) decode_half(args, &half, 8);
        else decode_half(args, &half, 2);
    }
}
#endif
