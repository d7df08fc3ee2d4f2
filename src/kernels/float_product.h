/* A product with a weight of float32, float16 or bfloat16, whichever slot it came through: what the loops of an instruction set
 * share. A plain value; nothing is owned.
 *
 *     struct float_product product = float_product_of_half(args, x86_avx2_f32_from_f16);
 *     const void *steps = float_product_steps(&product, panel, step);
 */
#ifndef KERNELS_FLOAT_PRODUCT_H
#define KERNELS_FLOAT_PRODUCT_H

#include "kernels/kernels.h"

typedef void float_product_widen(int64_t n, const uint16_t *x, float *ret_y);

struct float_product {
    const float *a;
    int64_t a_stride;
    const unsigned char *panels;
    int64_t panel_bytes, step_bytes; /* of one panel, and of one of its steps */
    float_product_widen *widen;      /* halves to f32; NULL: the panels are f32 */
    const float *bias;
    float *c;
    int64_t c_stride;
    int64_t m, n, k, panel_begin, panel_end;
};

static inline struct float_product float_product_of_f32(const struct gemm_f32_args *args)
{
    int64_t step_bytes = PANEL_COLUMNS * (int64_t)sizeof(float);
    return (struct float_product){args->a, args->a_stride, (const unsigned char *)args->panels, args->k * step_bytes, step_bytes,
                                  NULL, args->bias, args->c, args->c_stride, args->m, args->n, args->k, args->panel_begin,
                                  args->panel_end};
}

/* A panel of halves is filled up to 64 bytes: an even number of steps. */
static inline struct float_product float_product_of_half(const struct gemm_half_args *args, float_product_widen *widen)
{
    int64_t step_bytes = PANEL_COLUMNS * (int64_t)sizeof(uint16_t);
    return (struct float_product){args->a, args->a_stride, (const unsigned char *)args->panels, (args->k + (args->k & 1)) * step_bytes,
                                  step_bytes, widen, args->bias, args->c, args->c_stride, args->m, args->n, args->k,
                                  args->panel_begin, args->panel_end};
}

static inline const void *float_product_steps(const struct float_product *product, int64_t panel, int64_t step)
{
    return product->panels + panel * product->panel_bytes + step * product->step_bytes;
}

/* How many of n_rows the next part takes, when none may take more than `limit`: equal parts rather than full ones and a small
 * rest. n_rows >= 1. */
static inline int64_t float_product_part(int64_t n_rows, int64_t limit)
{
    int64_t n_parts = (n_rows + limit - 1) / limit;
    return (n_rows + n_parts - 1) / n_parts;
}

#endif
