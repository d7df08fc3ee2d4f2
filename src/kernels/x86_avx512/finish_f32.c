/* Bias, addends and activation in one pass over the sums, sixteen at a time; one loop for each activation. */
#if defined(__x86_64__)
#include "kernels/x86_avx512/functions_f32.h"
#include "kernels/x86_avx512/x86_avx512.h"

ALWAYS_INLINE __m512 hard_sigmoid16(__m512 x, float alpha, float beta)
{
    __m512 y = _mm512_fmadd_ps(x, all(alpha), all(beta));
    return _mm512_min_ps(all(1.0f), _mm512_max_ps(_mm512_setzero_ps(), y));
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
        return silu16(x);
    case FINISH_TANH:
        return tanh16(x);
    case FINISH_GELU:
        return gelu16(x);
    case FINISH_NONE:
        return x;
    }
    return x;
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

/* finish_sixteen of a SIGMOID, SILU or GELU for a few vectors. */
ALWAYS_INLINE void finish_few(const struct finish_f32_args *args, const enum finish_activation activation, __m512 bias,
                              float *y, const float *before, const float *after)
{
    __m512 x[FEW];
    EACH _mm_prefetch((const char *)(y + args->y_stride + v * LANES), _MM_HINT_T0); /* short rows are far apart */
    EACH x[v] = _mm512_loadu_ps(y + v * LANES);
    if (args->bias) EACH x[v] = _mm512_add_ps(x[v], bias);
    if (before) EACH x[v] = _mm512_add_ps(x[v], _mm512_loadu_ps(before + v * LANES));
    if (activation == FINISH_GELU) gelu_few(x, x);
    else if (activation == FINISH_SILU) silu_few(x, x);
    else sigmoid_few(x, x);
    if (args->is_scaled) EACH x[v] = _mm512_add_ps(_mm512_mul_ps(x[v], all(args->scale)), all(args->shift));
    if (after) EACH x[v] = _mm512_add_ps(x[v], _mm512_loadu_ps(after + v * LANES));
    EACH _mm512_storeu_ps(y + v * LANES, x[v]);
}

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
        if (activation == FINISH_SILU || activation == FINISH_SIGMOID || activation == FINISH_GELU)
            for (; i + FEW * LANES <= args->n_columns; i += FEW * LANES)
                finish_few(args, activation, bias, y + i, before ? before + i : NULL, after ? after + i : NULL);
        for (; i < args->n_columns; i += LANES)
            finish_sixteen(args, activation, bias, y + i, before ? before + i : NULL, after ? after + i : NULL,
                           first_lanes(args->n_columns - i));
    }
}

void x86_avx512_finish_f32(const struct finish_f32_args *args)
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
