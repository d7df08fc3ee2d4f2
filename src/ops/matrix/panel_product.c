#include "ops/matrix/panel_product.h"

/* A range of panels, and of rows, of one product. */
struct part {
    int64_t row, n_rows, panel_begin, panel_end;
};

struct product_def {
    hob_status (*prepare)(struct op_context *ctx, struct panel_product *product); /* NULL: activations stay as they are */
    void (*multiply)(const struct panel_product *product, const struct part *part);
};

/* ---- f32 ---- */

static void multiply_f32(const struct panel_product *p, const struct part *part)
{
    p->kernels->gemm_f32(&(struct gemm_f32_args){.a = p->x + part->row * p->x_stride,
                                                 .a_stride = p->x_stride,
                                                 .panels = p->panels,
                                                 .bias = p->bias,
                                                 .c = p->c + part->row * p->c_stride,
                                                 .c_stride = p->c_stride,
                                                 .m = part->n_rows,
                                                 .n = p->n,
                                                 .k = p->k,
                                                 .panel_begin = part->panel_begin,
                                                 .panel_end = part->panel_end});
}

/* ---- halves ---- */

static struct gemm_half_args half_args(const struct panel_product *p, const struct part *part)
{
    return (struct gemm_half_args){.a = p->x + part->row * p->x_stride,
                                   .a_stride = p->x_stride,
                                   .panels = p->panels,
                                   .bias = p->bias,
                                   .c = p->c + part->row * p->c_stride,
                                   .c_stride = p->c_stride,
                                   .m = part->n_rows,
                                   .n = p->n,
                                   .k = p->k,
                                   .panel_begin = part->panel_begin,
                                   .panel_end = part->panel_end};
}

static void multiply_f16(const struct panel_product *product, const struct part *part)
{
    struct gemm_half_args args = half_args(product, part);
    product->kernels->gemm_f16(&args);
}

static void multiply_bf16(const struct panel_product *product, const struct part *part)
{
    struct gemm_half_args args = half_args(product, part);
    product->kernels->gemm_bf16(&args);
}

/* ---- block formats ---- */

enum { SHARE = 32, HALF_SHARE = 16, WORTHWHILE_ITEMS = 1 << 15 };

static void quantize_rows(void *context, size_t begin, size_t end)
{
    const struct panel_product *p = context;
    int64_t row = (int64_t)begin, k = p->k;
    p->kernels->quantize_rows_q8(&(struct quantize_rows_q8_args){
        .x = p->x + row * p->x_stride,
        .x_stride = p->x_stride,
        .codes = p->q8.codes + row * k,
        .scales = p->q8.scales + row * (k / SHARE),
        .sums = p->q8.sums + row * (k / SHARE),
        .half_sums = p->q8.half_sums ? p->q8.half_sums + row * (k / HALF_SHARE) : NULL,
        .n_rows = (int64_t)(end - begin),
        .k = k});
}

static hob_status new_q8_rows(struct op_context *ctx, const struct panel_product *p, struct q8_rows *ret_rows)
{
    size_t n_codes, n_shares, n_halves;
    if (!size_mul((size_t)p->m, (size_t)p->k, &n_codes) || !size_mul(n_codes / SHARE, sizeof(float), &n_shares))
        OP_FAIL(ctx, HOB_LIMIT, "found %lld rows of %lld, which is too large", (long long)p->m, (long long)p->k);
    n_halves = p->dtype == DTYPE_Q6_K ? n_shares * (SHARE / HALF_SHARE) : 0;
    *ret_rows = (struct q8_rows){.codes = arena_alloc(ctx->scratch, n_codes + 1, PANEL_ALIGNMENT),
                                 .scales = arena_alloc(ctx->scratch, n_shares + 1, PANEL_ALIGNMENT),
                                 .sums = arena_alloc(ctx->scratch, n_shares + 1, PANEL_ALIGNMENT),
                                 .half_sums = n_halves ? arena_alloc(ctx->scratch, n_halves, PANEL_ALIGNMENT) : NULL};
    if (!ret_rows->codes || !ret_rows->scales || !ret_rows->sums || (n_halves && !ret_rows->half_sums))
        OP_FAIL(ctx, HOB_NO_MEMORY, "no memory for %lld rows of %lld codes", (long long)p->m, (long long)p->k);
    return HOB_OK;
}

static hob_status prepare_q8(struct op_context *ctx, struct panel_product *product)
{
    TRY(new_q8_rows(ctx, product, &product->q8));
    thread_pool_run(ctx->pool, (size_t)product->m, (size_t)(1 + WORTHWHILE_ITEMS / (product->k + 1)), quantize_rows, product);
    return HOB_OK;
}

static struct gemm_q8_args q8_args(const struct panel_product *p, const struct part *part)
{
    int64_t row = part->row, k = p->k;
    return (struct gemm_q8_args){.a = p->q8.codes + row * k,
                                 .a_scales = p->q8.scales + row * (k / SHARE),
                                 .a_sums = p->q8.sums + row * (k / SHARE),
                                 .a_half_sums = p->q8.half_sums ? p->q8.half_sums + row * (k / HALF_SHARE) : NULL,
                                 .panels = p->panels,
                                 .bias = p->bias,
                                 .c = p->c + row * p->c_stride,
                                 .c_stride = p->c_stride,
                                 .m = part->n_rows,
                                 .n = p->n,
                                 .k = k,
                                 .panel_begin = part->panel_begin,
                                 .panel_end = part->panel_end};
}

#define MULTIPLY_Q8(slot)                                                                          \
    static void multiply_##slot(const struct panel_product *product, const struct part *part)      \
    {                                                                                              \
        struct gemm_q8_args args = q8_args(product, part);                                         \
        product->kernels->gemm_##slot(&args);                                                      \
    }
MULTIPLY_Q8(q4_0)
MULTIPLY_Q8(q4_1)
MULTIPLY_Q8(q5_0)
MULTIPLY_Q8(q5_1)
MULTIPLY_Q8(q8_0)
MULTIPLY_Q8(q4_k)
MULTIPLY_Q8(q6_k)

/* ---- the table ---- */

static const struct product_def defs[DTYPE_END] = {
    [DTYPE_F32] = {NULL, multiply_f32},
    [DTYPE_F16] = {NULL, multiply_f16},
    [DTYPE_BF16] = {NULL, multiply_bf16},
    [DTYPE_Q4_0] = {prepare_q8, multiply_q4_0},
    [DTYPE_Q4_1] = {prepare_q8, multiply_q4_1},
    [DTYPE_Q5_0] = {prepare_q8, multiply_q5_0},
    [DTYPE_Q5_1] = {prepare_q8, multiply_q5_1},
    [DTYPE_Q8_0] = {prepare_q8, multiply_q8_0},
    [DTYPE_Q4_K] = {prepare_q8, multiply_q4_k},
    [DTYPE_Q6_K] = {prepare_q8, multiply_q6_k},
};

bool panel_product_takes(enum dtype dtype)
{
    return (size_t)dtype < DTYPE_END && defs[dtype].multiply;
}

enum dtype panel_product_type(const struct panel_source *weight)
{
    if (panel_product_takes(weight->dtype) && panel_can_pack(weight, weight->dtype)) return weight->dtype;
    return panel_can_pack(weight, DTYPE_F32) ? DTYPE_F32 : DTYPE_NONE;
}

hob_status panel_product_prepare(struct op_context *ctx, struct panel_product *product)
{
    const struct product_def *def = &defs[product->dtype];
    return def->prepare ? def->prepare(ctx, product) : HOB_OK;
}

void panel_product_multiply(const struct panel_product *product, int64_t row, int64_t n_rows, int64_t panel_begin, int64_t panel_end)
{
    defs[product->dtype].multiply(product, &(struct part){row, n_rows, panel_begin, panel_end});
}
