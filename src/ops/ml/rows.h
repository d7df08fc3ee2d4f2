/* Inputs of ai.onnx.ml's models: rows of features, [N,C], or [C] as one row, of any type of number; and lists of reals in attributes. */
#ifndef OPS_ML_ROWS_H
#define OPS_ML_ROWS_H

#include "ops/op.h"

/* What every model of ai.onnx.ml takes. */
#define TYPES_ML_NUMBER (TYPE(F32) | TYPE(F64) | TYPE(I64) | TYPE(I32))

struct rows {
    int64_t n_rows, width;
};

/* Of input 0. Fails: HOB_BAD_SHAPE for another rank. */
HOB_MUST_CHECK hob_status rows_shape(struct op_context *ctx, struct rows *ret_rows);
/* Row i of a contiguous x. */
void rows_load(const struct tensor *x, int64_t width, int64_t row, double *ret_items);

/* The numbers of attribute `name`, or of the tensor attribute `tensor_name` (may be NULL), as f64 in the graph's arena; NULL and 0
 * when there is neither. */
HOB_MUST_CHECK hob_status rows_read_reals(const struct op_prepare *node, const char *name, const char *tensor_name,
                                          const double **ret_reals, size_t *ret_n_reals);

#endif
