/* Numbers to bytes, as AVX2 does it (kernels/x86_avx2/quantize_u8.c says why most are not divided), sixteen at a time. */
#if defined(__x86_64__)
#include "kernels/x86_avx512/vector.h"
#include "kernels/x86_avx512/x86_avx512.h"

#define SURE_DISTANCE 0.4999f

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

struct coding {
    __m512 scale, reciprocal, least, most;
    __m512i zero;
    bool is_divided;
};

ALWAYS_INLINE __m512 within(__m512 x, const struct coding *coding)
{
    return _mm512_min_ps(_mm512_max_ps(x, coding->least), coding->most);
}

ALWAYS_INLINE __m128i encode(__m512 x, const struct coding *coding)
{
    __m512 quotient = within(_mm512_mul_ps(x, coding->reciprocal), coding);
    __m512 whole = _mm512_roundscale_ps(quotient, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m512 distance = _mm512_abs_ps(_mm512_sub_ps(quotient, whole));
    if (coding->is_divided || _mm512_cmp_ps_mask(distance, all(SURE_DISTANCE), _CMP_GT_OQ))
        whole = within(_mm512_div_ps(x, coding->scale), coding);
    return _mm512_cvtepi32_epi8(_mm512_add_epi32(_mm512_cvtps_epi32(whole), coding->zero));
}

void x86_avx512_quantize_u8(int64_t n, float scale, int32_t zero, const float *x, uint8_t *ret_codes)
{
    const struct coding coding = {.scale = all(scale),
                                  .reciprocal = all(1 / scale),
                                  .least = all((float)-zero),
                                  .most = all((float)(255 - zero)),
                                  .zero = _mm512_set1_epi32(zero),
                                  .is_divided = !(scale > 0x1p-100f && scale < 0x1p100f)};
    for (int64_t i = 0; i < n; i += LANES) {
        __mmask16 lanes = first_lanes(n - i);
        _mm_mask_storeu_epi8(ret_codes + i, lanes, encode(_mm512_maskz_loadu_ps(lanes, x + i), &coding));
    }
}
#endif
