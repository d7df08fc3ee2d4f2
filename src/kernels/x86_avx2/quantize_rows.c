/* Activations in codes of 8 bits: a block of 32 is four vectors. */
#if defined(__x86_64__)
#include "kernels/panel_block.h"
#include "kernels/x86_avx2/vector.h"
#include "kernels/x86_avx2/x86_avx2.h"

#include <string.h>

enum { VECTORS = PANEL_STEPS / LANES };

/* The greatest magnitude of all four vectors; NaN, if there is one, or infinity gives NaN. Magnitudes are in order as integers, and
 * whatever is not a number lies above infinity. */
ALWAYS_INLINE float largest_magnitude(const __m256 *x)
{
    __m256i largest = _mm256_castps_si256(magnitude(x[0]));
#pragma GCC unroll 3
    for (int i = 1; i < VECTORS; i++) largest = _mm256_max_epi32(largest, _mm256_castps_si256(magnitude(x[i])));
    __m128i four = _mm_max_epi32(_mm256_castsi256_si128(largest), _mm256_extracti128_si256(largest, 1));
    __m128i two = _mm_max_epi32(four, _mm_shuffle_epi32(four, _MM_SHUFFLE(1, 0, 3, 2)));
    float result = _mm_cvtss_f32(_mm_castsi128_ps(_mm_max_epi32(two, _mm_shuffle_epi32(two, _MM_SHUFFLE(2, 3, 0, 1)))));
    return result < INFINITY ? result : NAN;
}

ALWAYS_INLINE int32_t total_of_four(__m128i sums)
{
    __m128i two = _mm_add_epi32(sums, _mm_shuffle_epi32(sums, _MM_SHUFFLE(1, 0, 3, 2)));
    return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, _MM_SHUFFLE(2, 3, 0, 1))));
}

/* Of the first and last 16 codes. */
ALWAYS_INLINE void half_sums(__m256i codes, int32_t *ret_halves)
{
    __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), codes);
    __m256i fours = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
    ret_halves[0] = total_of_four(_mm256_castsi256_si128(fours));
    ret_halves[1] = total_of_four(_mm256_extracti128_si256(fours, 1));
}

/* Packing works within each half of a vector, so the fours of items come out of order. */
ALWAYS_INLINE __m256i narrow(const __m256i *items)
{
    __m256i codes = _mm256_packs_epi16(_mm256_packs_epi32(items[0], items[1]), _mm256_packs_epi32(items[2], items[3]));
    return _mm256_permutevar8x32_epi32(codes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

static void quantize_block(const struct quantize_rows_q8_args *args, const float *x, int64_t place)
{
    __m256 vectors[VECTORS];
#pragma GCC unroll 4
    for (int i = 0; i < VECTORS; i++) vectors[i] = _mm256_loadu_ps(x + i * LANES);
    float largest = largest_magnitude(vectors), inverse = 127 / largest;
    __m256i codes = _mm256_setzero_si256(), items[VECTORS];
    if (inverse < INFINITY) { /* not of a NaN, nor of a magnitude too small to divide by */
#pragma GCC unroll 4
        for (int i = 0; i < VECTORS; i++) items[i] = _mm256_cvtps_epi32(_mm256_mul_ps(vectors[i], all(inverse)));
        codes = narrow(items);
    }
    int32_t halves[2];
    half_sums(codes, halves);
    _mm256_storeu_si256((__m256i *)(void *)(args->codes + place * PANEL_STEPS), codes);
    args->scales[place] = largest / 127;
    args->sums[place] = halves[0] + halves[1];
    if (args->half_sums) memcpy(args->half_sums + 2 * place, halves, sizeof halves);
}

void x86_avx2_quantize_rows_q8(const struct quantize_rows_q8_args *args)
{
    const int64_t n_blocks = args->k / PANEL_STEPS;
    for (int64_t row = 0; row < args->n_rows; row++)
        for (int64_t block = 0; block < n_blocks; block++)
            quantize_block(args, args->x + row * args->x_stride + block * PANEL_STEPS, row * n_blocks + block);
}
#endif
