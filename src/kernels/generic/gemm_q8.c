/* Products of 8-bit activations and block formats: the plain statement of what kernels.h promises, one loop for all formats. A block
 * of weights is read once for all rows; an output waits in c meanwhile. */
#include "base/error.h"
#include "kernels/generic/generic.h"
#include "kernels/panel_block.h"

enum { HALF_STEPS = PANEL_STEPS / 2 };

static int32_t half_product(const int8_t *a, const int8_t *codes)
{
    int32_t sum = 0;
    for (int i = 0; i < HALF_STEPS; i++) sum += a[i] * codes[i];
    return sum;
}

/* One more block of the chain. */
static float add_block(float output, const struct gemm_q8_args *args, const struct panel_column *w, enum panel_offset offset,
                       int64_t row, int64_t block)
{
    int64_t n_blocks = args->k / PANEL_STEPS;
    const int8_t *a = args->a + row * args->k + block * PANEL_STEPS;
    float d_a = args->a_scales[row * n_blocks + block];
    int32_t sum = args->a_sums[row * n_blocks + block];
    int32_t product = half_product(a, w->codes) * w->scales[0] +
                      half_product(a + HALF_STEPS, w->codes + HALF_STEPS) * w->scales[1];
    output = fmaf((float)product, w->d * d_a, output);
    if (offset == PANEL_OFFSET_M) return fmaf(w->m, d_a * (float)sum, output);
    if (offset == PANEL_OFFSET_MIN) return fmaf((float)(w->min * sum), -(w->m * d_a), output);
    return output;
}

static void multiply_column(const struct gemm_q8_args *args, const struct panel_blocks *blocks, struct panel_part part,
                            int64_t column, int64_t block)
{
    struct panel_column w;
    blocks->read(part, (int)(column % PANEL_COLUMNS), &w);
    for (int64_t row = 0; row < args->m; row++) {
        float *c = args->c + row * args->c_stride + column;
        *c = add_block(block == 0 ? 0.0f : *c, args, &w, blocks->offset, row, block);
    }
}

static void finish_column(const struct gemm_q8_args *args, int64_t column)
{
    for (int64_t row = 0; row < args->m; row++) {
        float *c = args->c + row * args->c_stride + column;
        if (args->k == 0) *c = 0;
        if (args->bias) *c += args->bias[column];
    }
}

static void multiply(const struct gemm_q8_args *args, enum dtype dtype)
{
    const struct panel_format *format = panel_format_find(dtype);
    const struct panel_blocks *blocks = panel_blocks_find(dtype);
    struct panel_shape shape;
    bool is_shape = panel_shape_of(format, args->k, &shape);
    HOB_ASSERT(is_shape);
    for (int64_t p = args->panel_begin; p < args->panel_end; p++) {
        const unsigned char *panel = (const unsigned char *)args->panels + (size_t)p * shape.n_bytes;
        int64_t begin = p * PANEL_COLUMNS, end = args->n - begin < PANEL_COLUMNS ? args->n : begin + PANEL_COLUMNS;
        for (int64_t block = 0; block < args->k / PANEL_STEPS; block++)
            for (int64_t column = begin; column < end; column++)
                multiply_column(args, blocks, panel_part_at(format, &shape, panel, block), column, block);
        for (int64_t column = begin; column < end; column++) finish_column(args, column);
    }
}

#define GEMM(name, dtype)                                  \
    void generic_gemm_##name(const struct gemm_q8_args *args) \
    {                                                      \
        multiply(args, dtype);                             \
    }
GEMM(q4_0, DTYPE_Q4_0)
GEMM(q4_1, DTYPE_Q4_1)
GEMM(q5_0, DTYPE_Q5_0)
GEMM(q5_1, DTYPE_Q5_1)
GEMM(q8_0, DTYPE_Q8_0)
GEMM(q4_k, DTYPE_Q4_K)
GEMM(q6_k, DTYPE_Q6_K)
