/* Functions of one vector. The part of a last, incomplete sixteen goes through the same instructions under a mask. */
#if defined(__x86_64__)
#include "kernels/x86_avx512/functions_f32.h"
#include "kernels/x86_avx512/x86_avx512.h"

ALWAYS_INLINE void load_few(const float *x, __m512 *ret_vectors)
{
    EACH ret_vectors[v] = _mm512_loadu_ps(x + v * LANES);
}

ALWAYS_INLINE void store_few(float *y, const __m512 *vectors)
{
    EACH _mm512_storeu_ps(y + v * LANES, vectors[v]);
}

/* few: what takes a few vectors at once, as long as there are. */
#define FUNCTION(name, few)                                                                                  \
    void x86_avx512_##name##_f32(int64_t n, const float *x, float *ret_y)                                    \
    {                                                                                                        \
        int64_t i = 0;                                                                                       \
        few;                                                                                                 \
        for (; i + LANES <= n; i += LANES) _mm512_storeu_ps(ret_y + i, name##16(_mm512_loadu_ps(x + i)));    \
        __mmask16 rest = first_lanes(n - i);                                                                 \
        if (rest) _mm512_mask_storeu_ps(ret_y + i, rest, name##16(_mm512_maskz_loadu_ps(rest, x + i)));      \
    }
#define IN_FEWS(name)                                  \
    for (; i + FEW * LANES <= n; i += FEW * LANES) {   \
        __m512 few[FEW];                               \
        load_few(x + i, few);                          \
        name##_few(few, few);                          \
        store_few(ret_y + i, few);                     \
    }
FUNCTION(exp, )
FUNCTION(tanh, )
FUNCTION(erf, IN_FEWS(erf))
FUNCTION(sigmoid, IN_FEWS(sigmoid))
FUNCTION(silu, IN_FEWS(silu))
FUNCTION(gelu, IN_FEWS(gelu))
FUNCTION(gelu_tanh, IN_FEWS(gelu_tanh))

void x86_avx512_swiglu_f32(int64_t n, const float *gate, const float *up, float *ret_y)
{
    int64_t i = 0;
    for (; i + FEW * LANES <= n; i += FEW * LANES) {
        __m512 y[FEW];
        load_few(gate + i, y);
        silu_few(y, y);
        EACH y[v] = _mm512_mul_ps(y[v], _mm512_loadu_ps(up + i + v * LANES));
        store_few(ret_y + i, y);
    }
    for (; i < n; i += LANES) {
        __mmask16 lanes = first_lanes(n - i);
        __m512 y = _mm512_mul_ps(silu16(_mm512_maskz_loadu_ps(lanes, gate + i)), _mm512_maskz_loadu_ps(lanes, up + i));
        _mm512_mask_storeu_ps(ret_y + i, lanes, y);
    }
}
#endif
