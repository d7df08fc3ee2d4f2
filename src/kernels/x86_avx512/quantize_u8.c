/* Numbers to bytes, as AVX2 does it (kernels/x86_avx2/quantize_u8.c says why most are not divided), sixteen at a time. */
#if defined(__x86_64__)
#include "kernels/x86_avx512/vector.h"
#include "kernels/x86_avx512/x86_avx512.h"

#include <string.h>

/* The first operand of min and max gives way when it is a NaN; lanes left out are 0. */
void x86_avx512_range_f32(int64_t n, const float *x, float *ret_least, float *ret_most)
{
    __m512 least[2] = {all(0), all(0)}, most[2] = {all(0), all(0)};
    for (int64_t i = 0; i < n; i += 2 * LANES)
        for (int v = 0; v < 2; v++) {
            __m512 items = _mm512_maskz_loadu_ps(first_lanes(n - i - v * LANES), x + i + v * LANES);
            least[v] = _mm512_min_ps(items, least[v]);
            most[v] = _mm512_max_ps(items, most[v]);
        }
    *ret_least = _mm512_reduce_min_ps(_mm512_min_ps(least[0], least[1]));
    *ret_most = _mm512_reduce_max_ps(_mm512_max_ps(most[0], most[1]));
}

/* low and high: neighbours of the reciprocal, between which the exact one lies. So if both make one code of a number, its quotient,
 * which lies between theirs however it is rounded, makes it too. limit: a number that is too large for any code, and not for an integer. */
struct coding {
    __m512 scale, low, high, limit, most;
    __m512i zero;
    bool is_divided;
};

/* Vectors that are looked at together: a quotient near the middle of two whole numbers is rare. */
enum { TOGETHER = 4 };

/* The second operand of min stays when it is a NaN, of which, as of all that is too small, the whole number is the least there
 * is: packing raises it to 0. */
ALWAYS_INLINE __m512i divide(__m512 x, const struct coding *coding)
{
    __m512 quotient = _mm512_div_ps(x, coding->scale);
    return _mm512_add_epi32(_mm512_cvtps_epi32(_mm512_min_ps(coding->most, quotient)), coding->zero);
}

/* n is a constant wherever this is inlined. */
ALWAYS_INLINE void encode(const __m512 *x, const int n, const struct coding *coding, __m512i *ret_codes)
{
    __m512i differences = _mm512_setzero_si512();
#pragma GCC unroll 4
    for (int v = 0; v < n; v++) {
        __m512 item = _mm512_min_ps(coding->limit, x[v]);
        __m512i code = _mm512_cvtps_epi32(_mm512_mul_ps(item, coding->low));
        __m512i other = _mm512_cvtps_epi32(_mm512_mul_ps(item, coding->high));
        differences = _mm512_ternarylogic_epi32(differences, code, other, 0xf6); /* differences | (code ^ other) */
        ret_codes[v] = _mm512_add_epi32(code, coding->zero);
    }
    if (!coding->is_divided && !_mm512_test_epi32_mask(differences, differences)) return;
    for (int v = 0; v < n; v++) ret_codes[v] = divide(x[v], coding);
}

/* Packing goes by quarters of a register. */
ALWAYS_INLINE __m512i pack_bytes(const __m512i *codes)
{
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    __m512i words = _mm512_packs_epi32(codes[0], codes[1]), others = _mm512_packs_epi32(codes[2], codes[3]);
    return _mm512_permutexvar_epi32(order, _mm512_packus_epi16(words, others));
}

/* Of a normal number above 0. */
static float neighbour(float x, int step)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits += (uint32_t)step;
    memcpy(&x, &bits, sizeof x);
    return x;
}

void x86_avx512_quantize_u8(int64_t n, float scale, int32_t zero, const float *x, uint8_t *ret_codes)
{
    const float reciprocal = 1 / scale;
    const struct coding coding = {.scale = all(scale),
                                  .low = all(neighbour(reciprocal, -1)),
                                  .high = all(neighbour(reciprocal, 1)),
                                  .limit = all(2 * 256 * scale),
                                  .most = all((float)(255 - zero)),
                                  .zero = _mm512_set1_epi32(zero),
                                  .is_divided = !(scale > 0x1p-100f && scale < 0x1p100f)};
    int64_t i = 0;
    for (; i + TOGETHER * LANES <= n; i += TOGETHER * LANES) {
        __m512 items[TOGETHER];
        __m512i codes[TOGETHER];
#pragma GCC unroll 4
        for (int v = 0; v < TOGETHER; v++) items[v] = _mm512_loadu_ps(x + i + v * LANES);
        encode(items, TOGETHER, &coding, codes);
        _mm512_storeu_si512(ret_codes + i, pack_bytes(codes));
    }
    for (; i < n; i += LANES) {
        __mmask16 lanes = first_lanes(n - i);
        __m512 items = _mm512_maskz_loadu_ps(lanes, x + i);
        __m512i codes;
        encode(&items, 1, &coding, &codes);
        codes = _mm512_max_epi32(codes, _mm512_setzero_si512());
        _mm_mask_storeu_epi8(ret_codes + i, lanes, _mm512_cvtusepi32_epi8(codes));
    }
}
#endif
