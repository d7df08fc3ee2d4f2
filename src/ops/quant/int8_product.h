/* The product of bytes and int8 panels by a context's threads: split over panels, in blocks whose numbers the activation finds in the cache.
 *
 *     int8_product_run(ctx, &(struct gemm_u8i8_args){.a = rows.items, …}, NULL);
 */
#ifndef OPS_QUANT_INT8_PRODUCT_H
#define OPS_QUANT_INT8_PRODUCT_H

#include "kernels/kernels.h"
#include "ops/activation.h"

/* All panels, whatever product's panel_begin and panel_end say. activation NULL, or FINISH_NONE: none; only for a product with c. */
void int8_product_run(struct op_context *ctx, const struct gemm_u8i8_args *product,
                      const struct activation *activation);

#endif
