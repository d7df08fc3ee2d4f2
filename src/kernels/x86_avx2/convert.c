/* Half floats to f32 and back. The last, incomplete eight are left to the scalar conversion, which gives the same bits. */
#if defined(__x86_64__)
#include "kernels/x86_avx2/vector.h"
#include "kernels/x86_avx2/x86_avx2.h"
#include "quant/half.h"

void x86_avx2_f32_from_f16(int64_t n, const uint16_t *x, float *ret_y)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        _mm256_storeu_ps(ret_y + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(x + i))));
    for (; i < n; i++) ret_y[i] = f32_from_f16_bits(x[i]);
}

void x86_avx2_f16_from_f32(int64_t n, const float *x, uint16_t *ret_y)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        __m128i halves = _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        _mm_storeu_si128((__m128i *)(void *)(ret_y + i), halves);
    }
    for (; i < n; i++) ret_y[i] = f16_bits_from_f32(x[i]);
}

void x86_avx2_f32_from_bf16(int64_t n, const uint16_t *x, float *ret_y)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        __m256i words = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)(x + i)));
        _mm256_storeu_ps(ret_y + i, _mm256_castsi256_ps(_mm256_slli_epi32(words, 16)));
    }
    for (; i < n; i++) ret_y[i] = f32_from_bf16_bits(x[i]);
}

/* Rounding is an addition to the bits, which must not reach a NaN: it would carry into the sign. */
ALWAYS_INLINE __m256i bf16_words(__m256 x)
{
    __m256i bits = _mm256_castps_si256(x), one = _mm256_set1_epi32(1);
    __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), one);
    __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
    __m256i is_nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
    return _mm256_srli_epi32(_mm256_blendv_epi8(rounded, quiet, is_nan), 16);
}

void x86_avx2_bf16_from_f32(int64_t n, const float *x, uint16_t *ret_y)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        __m256i words = bf16_words(_mm256_loadu_ps(x + i));
        __m128i halves = _mm_packus_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
        _mm_storeu_si128((__m128i *)(void *)(ret_y + i), halves);
    }
    for (; i < n; i++) ret_y[i] = bf16_bits_from_f32(x[i]);
}
#endif
