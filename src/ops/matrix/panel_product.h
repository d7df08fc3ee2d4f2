/* The product of rows of activations and a weight in panels (kernels/panel.h), whatever the panels' type: a table, a row a type, says
 * what the activations become first (nothing, codes of 8 bits) and which kernel multiplies.
 *
 * A product owns nothing; what prepare makes lies in the node's scratch. Once prepared it is only read, so threads may share it.
 *
 *     struct panel_product product = {.kernels = ctx->kernels, .dtype = w->dtype, .panels = w->data, .x = x, …};
 *     TRY(panel_product_prepare(ctx, &product));
 *     panel_product_multiply(&product, 0, product.m, begin, end);        rows, panels
 */
#ifndef OPS_MATRIX_PANEL_PRODUCT_H
#define OPS_MATRIX_PANEL_PRODUCT_H

#include "kernels/kernels.h"
#include "ops/op.h"

/* Rows of codes of 8 bits, as quantize_rows_q8 makes them. */
struct q8_rows {
    int8_t *codes;
    float *scales;
    int32_t *sums, *half_sums;
};

struct panel_product {
    const struct kernels *kernels;
    enum dtype dtype;      /* of the panels */
    const void *panels;    /* of the whole [n,k] weight */
    const float *x;        /* [m,k] */
    int64_t x_stride;
    const float *bias;     /* [n] or NULL */
    float *c;              /* [m,n] */
    int64_t c_stride;
    int64_t m, n, k;
    struct q8_rows q8;     /* made by prepare, where the type wants it */
};

/* Whether panels of this type can be multiplied. */
bool panel_product_takes(enum dtype dtype);
/* The type of panels that a weight is laid into: its own, float32, or DTYPE_NONE: it cannot be. */
enum dtype panel_product_type(const struct panel_source *weight);

/* Makes what the activations become; again only if x, m or k change. Fails: HOB_NO_MEMORY, HOB_LIMIT. */
HOB_MUST_CHECK hob_status panel_product_prepare(struct op_context *ctx, struct panel_product *product);
/* c = x w + bias, for rows [row, row + n_rows) and the columns of panels [panel_begin, panel_end). */
void panel_product_multiply(const struct panel_product *product, int64_t row, int64_t n_rows, int64_t panel_begin, int64_t panel_end);

#endif
