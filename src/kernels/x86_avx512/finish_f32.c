/* Bias, addends and activation in one pass over the sums, sixteen at a time; one loop for each activation. */
#if defined(__x86_64__)
#include "kernels/x86_avx2/x86_avx2.h"
#include "kernels/x86_avx512/vector.h"
#include "kernels/x86_avx512/x86_avx512.h"

#include <float.h>

ALWAYS_INLINE __m512 hard_sigmoid16(__m512 x, float alpha, float beta)
{
    __m512 y = _mm512_fmadd_ps(x, all(alpha), all(beta));
    return _mm512_min_ps(all(1.0f), _mm512_max_ps(_mm512_setzero_ps(), y));
}

ALWAYS_INLINE __m512 sigmoid16(__m512 x)
{
    __m512 e = exp16(_mm512_or_ps(x, all(-0.0f)));
    __mmask16 is_positive = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_GE_OQ);
    return _mm512_div_ps(_mm512_mask_mov_ps(e, is_positive, all(1.0f)), _mm512_add_ps(e, all(1.0f)));
}

ALWAYS_INLINE __m512 activate16(__m512 x, const enum finish_activation activation, float alpha, float beta)
{
    switch (activation) {
    case FINISH_RELU:
        return _mm512_max_ps(_mm512_setzero_ps(), x);
    case FINISH_LEAKY_RELU:
        return _mm512_mask_mul_ps(x, _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ), all(alpha), x);
    case FINISH_CLIP:
        return _mm512_min_ps(all(beta), _mm512_max_ps(all(alpha), x));
    case FINISH_SIGMOID:
        return sigmoid16(x);
    case FINISH_HARD_SIGMOID:
        return hard_sigmoid16(x, alpha, beta);
    case FINISH_HARD_SWISH:
        return _mm512_mul_ps(x, hard_sigmoid16(x, alpha, beta));
    case FINISH_SILU:
        return _mm512_mul_ps(_mm512_max_ps(all(-FLT_MAX), x), sigmoid16(x));
    default:
        return x;
    }
}

ALWAYS_INLINE void finish_sixteen(const struct finish_f32_args *args, const enum finish_activation activation,
                                  __m512 bias, float *y, const float *before, const float *after, __mmask16 lanes)
{
    __m512 x = _mm512_maskz_loadu_ps(lanes, y);
    if (args->bias) x = _mm512_add_ps(x, bias);
    if (before) x = _mm512_add_ps(x, _mm512_maskz_loadu_ps(lanes, before));
    x = activate16(x, activation, args->alpha, args->beta);
    if (args->is_scaled) x = _mm512_add_ps(_mm512_mul_ps(x, all(args->scale)), all(args->shift));
    if (after) x = _mm512_add_ps(x, _mm512_maskz_loadu_ps(lanes, after));
    _mm512_mask_storeu_ps(y, lanes, x);
}

/* sigmoid16 of four vectors, step by step for all of them: one vector's chain of operations is longer than what the machine
 * looks ahead. */
enum { QUAD = 4 };
#define EACH _Pragma("GCC unroll 4") for (int v = 0; v < QUAD; v++)
ALWAYS_INLINE void sigmoid_quad(const __m512 *x, __m512 *ret_y)
{
    __m512 e[QUAD], n[QUAD], p[QUAD];
    EACH e[v] = _mm512_max_ps(all(EXP_LEAST), _mm512_or_ps(x[v], all(-0.0f)));
    EACH n[v] = _mm512_fmadd_ps(e[v], all(LOG2_E), all(EXP_ROUND));
    EACH n[v] = _mm512_sub_ps(n[v], all(EXP_ROUND));
    EACH e[v] = _mm512_fmadd_ps(n[v], all(-LN2_HIGH), e[v]);
    EACH e[v] = _mm512_fmadd_ps(n[v], all(-LN2_LOW), e[v]);
    EACH p[v] = _mm512_fmadd_ps(all(EXP_P4), e[v], all(EXP_P3));
    EACH p[v] = _mm512_fmadd_ps(p[v], e[v], all(EXP_P2));
    EACH p[v] = _mm512_fmadd_ps(p[v], e[v], all(EXP_P1));
    EACH p[v] = _mm512_fmadd_ps(p[v], e[v], all(EXP_P0));
    EACH e[v] = _mm512_add_ps(_mm512_fmadd_ps(p[v], _mm512_mul_ps(e[v], e[v]), e[v]), all(1.0f));
    EACH e[v] = _mm512_scalef_ps(e[v], n[v]);
    EACH n[v] = _mm512_mask_mov_ps(e[v], _mm512_cmp_ps_mask(x[v], _mm512_setzero_ps(), _CMP_GE_OQ), all(1.0f));
    EACH ret_y[v] = _mm512_div_ps(n[v], _mm512_add_ps(e[v], all(1.0f)));
}

/* finish_sixteen of a SIGMOID or SILU for four vectors. */
ALWAYS_INLINE void finish_quad(const struct finish_f32_args *args, const enum finish_activation activation, __m512 bias,
                               float *y, const float *before, const float *after)
{
    __m512 x[QUAD], z[QUAD];
    EACH x[v] = _mm512_loadu_ps(y + v * LANES);
    if (args->bias) EACH x[v] = _mm512_add_ps(x[v], bias);
    if (before) EACH x[v] = _mm512_add_ps(x[v], _mm512_loadu_ps(before + v * LANES));
    sigmoid_quad(x, z);
    if (activation == FINISH_SILU) EACH z[v] = _mm512_mul_ps(_mm512_max_ps(all(-FLT_MAX), x[v]), z[v]);
    if (args->is_scaled) EACH z[v] = _mm512_add_ps(_mm512_mul_ps(z[v], all(args->scale)), all(args->shift));
    if (after) EACH z[v] = _mm512_add_ps(z[v], _mm512_loadu_ps(after + v * LANES));
    EACH _mm512_storeu_ps(y + v * LANES, z[v]);
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
        __m512 bias = all(args->bias ? args->bias[row] : 0);
        int64_t i = 0;
        if (activation == FINISH_SILU || activation == FINISH_SIGMOID)
            for (; i + QUAD * LANES <= args->n_columns; i += QUAD * LANES)
                finish_quad(args, activation, bias, y + i, before ? before + i : NULL, after ? after + i : NULL);
        for (; i < args->n_columns; i += LANES)
            finish_sixteen(args, activation, bias, y + i, before ? before + i : NULL, after ? after + i : NULL,
                           first_lanes(args->n_columns - i));
    }
}

/* Rare behind a convolution: as AVX2 does them. */
static bool is_left_to_avx2(enum finish_activation activation)
{
    return activation == FINISH_TANH || activation == FINISH_GELU;
}

void x86_avx512_finish_f32(const struct finish_f32_args *args)
{
    if (is_left_to_avx2(args->activation)) {
        x86_avx2_finish_f32(args);
        return;
    }
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
