/* Products of bytes whose int32 sums become numbers: sum * a_scale * b_scale + bias. */
#ifndef OPS_QUANT_SCALED_PRODUCT_H
#define OPS_QUANT_SCALED_PRODUCT_H

#include "ops/quant/integer_product.h"

/* The sums, one factor and one bias a column. */
struct scaled_product {
    int64_t n_rows, n_columns;
    const int32_t *sums;
    const float *factors; /* [n_columns] */
    const float *bias;    /* [n_columns] or NULL */
};

/* A scale (float type) in input i: one number, or one for each of n_columns. Fails: HOB_BAD_TYPE, HOB_BAD_SHAPE. */
HOB_MUST_CHECK hob_status scaled_product_check(struct op_context *ctx, int i, int64_t n_columns);
/* factors[j] = a_scale * (item j, or the only one, of b_scale), in scratch. b_scale NULL: 1. */
HOB_MUST_CHECK hob_status scaled_product_factors(struct op_context *ctx, float a_scale, const struct tensor *b_scale,
                                                 int64_t n_columns, float **ret_factors);
/* y [n_rows, n_columns] of any float type. */
void scaled_product_store(struct op_context *ctx, const struct scaled_product *product, const struct tensor *y);

#endif
