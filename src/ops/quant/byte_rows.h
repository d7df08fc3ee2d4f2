/* Rows of bytes as gemm_u8i8 reads them: unsigned, rows readable up to a multiple of four items, with zero points and, where the weights have
 * zero points too, sums. What fits already is read where it lies; the rest is copied into the node's scratch.
 *
 *     TRY(byte_rows_prepare(ctx, codes, zeros, has_weight_zeros, &rows));       zeros [n_rows], in scratch: changed
 */
#ifndef OPS_QUANT_BYTE_ROWS_H
#define OPS_QUANT_BYTE_ROWS_H

#include "ops/op.h"

struct byte_rows {
    const uint8_t *items;
    int64_t stride, n_rows, k;
    const int32_t *zeros, *sums; /* a row each; sums of the items less their zero point, or NULL */
};

/* x: uint8 or int8, contiguous; its last axis is a row. zeros: a row each, of x's type, made fit for the unsigned bytes here. */
HOB_MUST_CHECK hob_status byte_rows_prepare(struct op_context *ctx, const struct tensor *x, int32_t *zeros,
                                            bool wants_sums, struct byte_rows *ret_rows);

#endif
