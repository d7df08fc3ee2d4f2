/* Bias, addends and activation in one pass over the sums, eight at a time; one loop for each activation. */
#if defined(__x86_64__)
#include "kernels/x86_avx2/functions_f32.h"
#include "kernels/x86_avx2/x86_avx2.h"

ALWAYS_INLINE __m256 hard_sigmoid8(__m256 x, float alpha, float beta)
{
    __m256 y = _mm256_fmadd_ps(x, all(alpha), all(beta));
    return _mm256_min_ps(all(1.0f), _mm256_max_ps(_mm256_setzero_ps(), y));
}

ALWAYS_INLINE __m256 activate8(__m256 x, const enum finish_activation activation, float alpha, float beta)
{
    switch (activation) {
    case FINISH_NONE:
        return x;
    case FINISH_RELU:
        return _mm256_max_ps(_mm256_setzero_ps(), x);
    case FINISH_LEAKY_RELU:
        return _mm256_blendv_ps(x, _mm256_mul_ps(all(alpha), x), _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_LT_OQ));
    case FINISH_CLIP:
        return _mm256_min_ps(all(beta), _mm256_max_ps(all(alpha), x));
    case FINISH_SIGMOID:
        return sigmoid8(x);
    case FINISH_HARD_SIGMOID:
        return hard_sigmoid8(x, alpha, beta);
    case FINISH_HARD_SWISH:
        return _mm256_mul_ps(x, hard_sigmoid8(x, alpha, beta));
    case FINISH_SILU:
        return silu8(x);
    case FINISH_TANH:
        return tanh8(x);
    case FINISH_GELU:
        return gelu8(x);
    }
    return x;
}

/* n: LANES, or fewer for the last of a row. */
ALWAYS_INLINE __m256 load_n(const float *x, int64_t n)
{
    return n >= LANES ? _mm256_loadu_ps(x) : load_first(x, n);
}

ALWAYS_INLINE void finish_eight(const struct finish_f32_args *args, const enum finish_activation activation,
                                __m256 bias, float *y, const float *before, const float *after, int64_t n)
{
    __m256 x = load_n(y, n);
    if (args->bias) x = _mm256_add_ps(x, bias);
    if (before) x = _mm256_add_ps(x, load_n(before, n));
    x = activate8(x, activation, args->alpha, args->beta);
    if (args->is_scaled) x = _mm256_add_ps(_mm256_mul_ps(x, all(args->scale)), all(args->shift));
    if (after) x = _mm256_add_ps(x, load_n(after, n));
    if (n >= LANES) _mm256_storeu_ps(y, x);
    else store_first(y, n, x);
}

/* sigmoid8 of a few vectors, step by step for all of them: one vector's chain of operations is longer than what the machine looks
 * ahead. The argument of the exponential is never above 0. */
enum { FEW = 4 };
#define EACH _Pragma("GCC unroll 4") for (int v = 0; v < FEW; v++)
ALWAYS_INLINE void sigmoid_few(const __m256 *x, __m256 *ret_y)
{
    __m256 e[FEW], n[FEW], p[FEW];
    __m256i half[FEW], rest[FEW];
    const __m256i bias = _mm256_set1_epi32(127);
    EACH e[v] = _mm256_max_ps(all(EXP_LEAST), _mm256_or_ps(x[v], all(-0.0f)));
    EACH n[v] = _mm256_fmadd_ps(e[v], all(LOG2_E), all(EXP_ROUND));
    EACH rest[v] = _mm256_sub_epi32(_mm256_castps_si256(n[v]), _mm256_set1_epi32(EXP_ROUND_BITS));
    EACH n[v] = _mm256_sub_ps(n[v], all(EXP_ROUND));
    EACH e[v] = _mm256_fmadd_ps(n[v], all(-LN2_HIGH), e[v]);
    EACH e[v] = _mm256_fmadd_ps(n[v], all(-LN2_LOW), e[v]);
    EACH half[v] = _mm256_srai_epi32(rest[v], 1);
    EACH rest[v] = _mm256_sub_epi32(rest[v], half[v]);
    EACH p[v] = _mm256_fmadd_ps(all(EXP_P4), e[v], all(EXP_P3));
    EACH p[v] = _mm256_fmadd_ps(p[v], e[v], all(EXP_P2));
    EACH p[v] = _mm256_fmadd_ps(p[v], e[v], all(EXP_P1));
    EACH p[v] = _mm256_fmadd_ps(p[v], e[v], all(EXP_P0));
    EACH e[v] = _mm256_add_ps(_mm256_fmadd_ps(p[v], _mm256_mul_ps(e[v], e[v]), e[v]), all(1.0f));
    EACH e[v] = _mm256_mul_ps(e[v], _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half[v], bias), 23)));
    EACH e[v] = _mm256_mul_ps(e[v], _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(rest[v], bias), 23)));
    EACH n[v] = _mm256_blendv_ps(e[v], all(1.0f), _mm256_cmp_ps(x[v], _mm256_setzero_ps(), _CMP_GE_OQ));
    EACH ret_y[v] = _mm256_div_ps(n[v], _mm256_add_ps(e[v], all(1.0f)));
}

/* finish_eight of a SIGMOID or SILU for a few vectors. */
ALWAYS_INLINE void finish_few(const struct finish_f32_args *args, const enum finish_activation activation, __m256 bias, float *y,
                              const float *before, const float *after)
{
    __m256 x[FEW], z[FEW];
    EACH x[v] = _mm256_loadu_ps(y + v * LANES);
    if (args->bias) EACH x[v] = _mm256_add_ps(x[v], bias);
    if (before) EACH x[v] = _mm256_add_ps(x[v], _mm256_loadu_ps(before + v * LANES));
    sigmoid_few(x, z);
    if (activation == FINISH_SILU) EACH z[v] = _mm256_mul_ps(finite_below(x[v]), z[v]);
    if (args->is_scaled) EACH z[v] = _mm256_add_ps(_mm256_mul_ps(z[v], all(args->scale)), all(args->shift));
    if (after) EACH z[v] = _mm256_add_ps(z[v], _mm256_loadu_ps(after + v * LANES));
    EACH _mm256_storeu_ps(y + v * LANES, z[v]);
}
#undef EACH

/* A copy of the arguments, which the stores to y cannot change, stays in registers. */
ALWAYS_INLINE void finish_rows(const struct finish_f32_args *given, const enum finish_activation activation)
{
    const struct finish_f32_args copy = *given, *args = &copy;
    for (int64_t row = 0; row < args->n_rows; row++) {
        float *y = args->y + row * args->y_stride;
        const float *before = args->before ? args->before + row * args->before_stride : NULL;
        const float *after = args->after ? args->after + row * args->after_stride : NULL;
        __m256 bias = all(args->bias ? args->bias[row] : 0);
        int64_t i = 0;
        if (activation == FINISH_SILU || activation == FINISH_SIGMOID)
            for (; i + FEW * LANES <= args->n_columns; i += FEW * LANES)
                finish_few(args, activation, bias, y + i, before ? before + i : NULL, after ? after + i : NULL);
        for (; i + LANES <= args->n_columns; i += LANES)
            finish_eight(args, activation, bias, y + i, before ? before + i : NULL, after ? after + i : NULL, LANES);
        if (i < args->n_columns)
            finish_eight(args, activation, bias, y + i, before ? before + i : NULL, after ? after + i : NULL,
                         args->n_columns - i);
    }
}

void x86_avx2_finish_f32(const struct finish_f32_args *args)
{
    switch (args->activation) {
#define FINISH_ROWS(name)                 \
    case FINISH_##name:                   \
        finish_rows(args, FINISH_##name); \
        break;
        FINISH_ACTIVATIONS(FINISH_ROWS)
#undef FINISH_ROWS
    }
}
#endif
