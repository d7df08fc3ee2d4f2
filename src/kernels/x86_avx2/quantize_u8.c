/* Numbers to bytes. A division takes as long as five multiplications, and multiplying by the reciprocal gives the same whole number unless
 * the quotient lies next to the middle of two: only vectors with such an item are divided. */
#if defined(__x86_64__)
#include "kernels/x86_avx2/vector.h"
#include "kernels/x86_avx2/x86_avx2.h"

#include <math.h>
#include <string.h>

/* The first operand of min and max gives way when it is a NaN. */
void x86_avx2_range_f32(int64_t n, const float *x, float *ret_least, float *ret_most)
{
    __m256 least[2] = {all(0), all(0)}, most[2] = {all(0), all(0)};
    int64_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES)
        for (int v = 0; v < 2; v++) {
            __m256 items = _mm256_loadu_ps(x + i + v * LANES);
            least[v] = _mm256_min_ps(items, least[v]);
            most[v] = _mm256_max_ps(items, most[v]);
        }
    for (; i < n; i += LANES) { /* lanes left out are 0 */
        __m256 items = load_first(x + i, n - i);
        least[0] = _mm256_min_ps(items, least[0]);
        most[0] = _mm256_max_ps(items, most[0]);
    }
    *ret_least = 0 - largest_lane(_mm256_sub_ps(all(0), _mm256_min_ps(least[0], least[1])));
    *ret_most = largest_lane(_mm256_max_ps(most[0], most[1]));
}

struct coding {
    __m256 scale, reciprocal, least, most;
    __m256i zero;
    bool is_divided;
};

/* How near the middle a product by the reciprocal is doubted: it is off by 3 units in the 24th place of 255 at most. */
#define SURE_DISTANCE 0.4999f

/* Beyond these the reciprocal is not as exact as a normal number. */
static bool has_good_reciprocal(float scale)
{
    return scale > 0x1p-100f && scale < 0x1p100f;
}

ALWAYS_INLINE __m256 within(__m256 x, const struct coding *coding)
{
    return _mm256_min_ps(_mm256_max_ps(x, coding->least), coding->most);
}

/* The whole numbers, plus zero. */
ALWAYS_INLINE __m256i encode(__m256 x, const struct coding *coding)
{
    __m256 quotient = within(_mm256_mul_ps(x, coding->reciprocal), coding);
    __m256 whole = _mm256_round_ps(quotient, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m256 distance = magnitude(_mm256_sub_ps(quotient, whole));
    if (coding->is_divided || _mm256_movemask_ps(_mm256_cmp_ps(distance, all(SURE_DISTANCE), _CMP_GT_OQ)))
        whole = within(_mm256_div_ps(x, coding->scale), coding);
    return _mm256_add_epi32(_mm256_cvtps_epi32(whole), coding->zero);
}

/* The codes of four vectors in their order. */
ALWAYS_INLINE __m256i join(__m256i a, __m256i b, __m256i c, __m256i d)
{
    __m256i bytes = _mm256_packus_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
    return _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

void x86_avx2_quantize_u8(int64_t n, float scale, int32_t zero, const float *x, uint8_t *ret_codes)
{
    const struct coding coding = {.scale = all(scale),
                                  .reciprocal = all(1 / scale),
                                  .least = all((float)-zero),
                                  .most = all((float)(255 - zero)),
                                  .zero = _mm256_set1_epi32(zero),
                                  .is_divided = !has_good_reciprocal(scale)};
    int64_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES) {
        const float *items = x + i;
        __m256i codes = join(encode(_mm256_loadu_ps(items), &coding), encode(_mm256_loadu_ps(items + LANES), &coding),
                             encode(_mm256_loadu_ps(items + 2 * LANES), &coding),
                             encode(_mm256_loadu_ps(items + 3 * LANES), &coding));
        _mm256_storeu_si256((__m256i *)(ret_codes + i), codes);
    }
    for (; i < n; i += LANES) {
        uint8_t codes[4 * LANES];
        __m256i eight = encode(load_first(x + i, n - i), &coding);
        _mm256_storeu_si256((__m256i *)codes, join(eight, eight, eight, eight));
        memcpy(ret_codes + i, codes, (size_t)(n - i < LANES ? n - i : LANES));
    }
}
#endif
