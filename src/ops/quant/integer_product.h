/* A batch of matrix products of bytes, exact in int32 (which wraps): what MatMulInteger and the quantised products share.
 *
 * a is widened, less its zero points, into the node's scratch; b is read where it lies if items of its rows are neighbours,
 * else it is copied. The products go to kernels->gemm_i8; those with a weight in panels (the pass pack_integer_weights makes
 * them, once) to kernels->gemm_u8i8.
 *
 *     struct integer_product product = {.a = a, .b = b, .a_zero = zero_or_null, .b_zero = NULL, .c = sums};
 *     TRY(integer_product_run(ctx, &product));
 */
#ifndef OPS_QUANT_INTEGER_PRODUCT_H
#define OPS_QUANT_INTEGER_PRODUCT_H

#include "ops/op.h"

struct integer_product {
    const struct tensor *a, *b;           /* uint8 or int8, [..,M,K] and [..,K,N], batches that broadcast; any strides; b may be
                                             int8 panels of [N,K] */
    const struct tensor *a_zero, *b_zero; /* of the same types, contiguous; NULL: 0 */
    int32_t *c;                           /* contiguous */
};

/* b with the dims [..,K,N], which those of panels are not; to look at, not to multiply. */
struct tensor integer_product_matrix(const struct tensor *b);
/* N; b of rank 0: 0. */
int64_t integer_product_columns(const struct tensor *b);

/* Whether scale or zero point x (NULL is fine) fits rows (is_row) or columns of the matrix y: one number, a vector of as many as
 * there are, or [..,M,1] ([..,1,N]) with y's batch. */
bool integer_product_fits(const struct tensor *x, const struct tensor *y, bool is_row);
/* The index into such an x that belongs to row (column) `at` of matrix `batch` of y. */
int64_t integer_product_index(const struct tensor *x, const struct tensor *y, bool is_row, int64_t batch, int64_t at);

/* Checks types, shapes and zero points; the output's dims. A vector a or b (rank 1) is a row or a column that the output does
 * not have. */
HOB_MUST_CHECK hob_status integer_product_infer(struct op_context *ctx, const struct integer_product *product,
                                                int *ret_rank, int64_t *ret_dims);
HOB_MUST_CHECK hob_status integer_product_run(struct op_context *ctx, const struct integer_product *product);

/* As many int32 in the node's scratch. */
HOB_MUST_CHECK hob_status integer_product_sums(struct op_context *ctx, int64_t n_items, int32_t **ret_sums);

#endif
