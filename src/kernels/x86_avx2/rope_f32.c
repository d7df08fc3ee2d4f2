/* Rotary positions. */
#if defined(__x86_64__)
#include "kernels/x86_avx2/vector.h"
#include "kernels/x86_avx2/x86_avx2.h"

ALWAYS_INLINE __m256 difference_of_products(__m256 a, __m256 b, __m256 c, __m256 d)
{
    return _mm256_sub_ps(_mm256_mul_ps(a, b), _mm256_mul_ps(c, d));
}

ALWAYS_INLINE __m256 sum_of_products(__m256 a, __m256 b, __m256 c, __m256 d)
{
    return _mm256_add_ps(_mm256_mul_ps(a, b), _mm256_mul_ps(c, d));
}

static void rotate_halves(const struct rope_f32_args *args, const float *x, float *y)
{
    int64_t half = args->n_dims / 2;
    for (int64_t i = 0; i < half; i += LANES) {
        int64_t n = half - i < LANES ? half - i : LANES;
        __m256 a = load_first(x + i, n), b = load_first(x + half + i, n);
        __m256 cos = load_first(args->cos + i, n), sin = load_first(args->sin + i, n);
        store_first(y + i, n, difference_of_products(a, cos, b, sin));
        store_first(y + half + i, n, sum_of_products(b, cos, a, sin));
    }
}

static void rotate_pairs(const struct rope_f32_args *args, const float *x, float *y)
{
    const __m256i twice = _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3);
    int64_t half = args->n_dims / 2;
    for (int64_t i = 0; i < half; i += LANES / 2) {
        int64_t n = half - i < LANES / 2 ? half - i : LANES / 2;
        __m256 pairs = load_first(x + 2 * i, 2 * n), swapped = _mm256_permute_ps(pairs, 0xb1);
        __m256 cos = _mm256_permutevar8x32_ps(load_first(args->cos + i, n), twice);
        __m256 sin = _mm256_permutevar8x32_ps(load_first(args->sin + i, n), twice);
        store_first(y + 2 * i, 2 * n, _mm256_addsub_ps(_mm256_mul_ps(pairs, cos), _mm256_mul_ps(swapped, sin)));
    }
}

void x86_avx2_rope_f32(const struct rope_f32_args *args)
{
    for (int64_t row = 0; row < args->n_rows; row++) {
        const float *x = args->x + row * args->x_stride;
        float *y = args->y + row * args->y_stride;
        if (args->interleaved)
            rotate_pairs(args, x, y);
        else
            rotate_halves(args, x, y);
        if (x != y && args->n_dims < args->width)
            memcpy(y + args->n_dims, x + args->n_dims, (size_t)(args->width - args->n_dims) * sizeof *y);
    }
}
#endif
