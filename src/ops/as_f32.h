/* Inputs as f32 and f32 results as outputs: how operators with f32 kernels serve f16 and bf16 too. What is f32 already is used
 * where it lies; the rest is converted in the node's scratch. f64 does not go through here: it would lose digits.
 *
 *     struct rows_f32 x;
 *     float *y;
 *     TRY(as_f32_rows(ctx, ctx->inputs[0], 1, &x));             rows of the last axis
 *     TRY(as_f32_output(ctx, ctx->outputs[0], &y));
 *     …
 *     as_f32_finish(ctx, y, ctx->outputs[0]);
 */
#ifndef OPS_AS_F32_H
#define OPS_AS_F32_H

#include "ops/op.h"

/* Rows of numbers next to each other; the rows themselves a stride apart. */
struct rows_f32 {
    const float *data;
    int64_t stride, n_rows, width;
};

/* f16 bf16 f32 */
bool as_f32_takes(enum dtype dtype);
/* The same tensor, as f32; a conversion is contiguous. x NULL gives a tensor with data NULL. */
HOB_MUST_CHECK hob_status as_f32(struct op_context *ctx, const struct tensor *x, struct tensor *ret_x);
/* The last row_axes axes of x together are a row. Copied only if they do not lie next to each other. */
HOB_MUST_CHECK hob_status as_f32_rows(struct op_context *ctx, const struct tensor *x, int row_axes,
                                      struct rows_f32 *ret_rows);
/* One row of all items; NULL for x NULL. */
HOB_MUST_CHECK hob_status as_f32_vector(struct op_context *ctx, const struct tensor *x, const float **ret_vector);
/* Where to write y's items in row-major order, whatever its type; y NULL gives scratch of no use: NULL. */
HOB_MUST_CHECK hob_status as_f32_output(struct op_context *ctx, const struct tensor *y, float **ret_items);
/* Converts what was written there, if y is not f32. */
void as_f32_finish(struct op_context *ctx, const float *items, const struct tensor *y);
/* Scratch aligned to 64 bytes. */
HOB_MUST_CHECK hob_status scratch_f32(struct op_context *ctx, int64_t n_items, float **ret_items);

#endif
