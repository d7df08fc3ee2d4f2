/* Einsum's equation: which index each axis of each operand has, and which axes come out.
 *
 * Indices are numbers: letters in ASCII order first, then the axes that "..." stands for, the last of them with the highest
 * number. The equation is read once; how many axes an ellipsis has is only known with the operands' ranks.
 *
 *     struct einsum_equation equation;
 *     TRY(einsum_read(node, text, &equation));
 *     struct einsum_operand operands[…], output;
 *     int64_t sizes[EINSUM_INDICES];
 *     TRY(einsum_resolve(ctx, &equation, operands, &output, sizes));
 */
#ifndef OPS_EINSUM_EQUATION_H
#define OPS_EINSUM_EQUATION_H

#include "ops/op.h"

enum { EINSUM_LETTERS = 52, EINSUM_INDICES = EINSUM_LETTERS + TENSOR_MAX_RANK, EINSUM_ELLIPSIS = -1 };

struct einsum_term {
    int n_labels;
    int8_t labels[TENSOR_MAX_RANK + 1]; /* letters, and EINSUM_ELLIPSIS at most once */
};

struct einsum_equation {
    int n_terms;
    const struct einsum_term *terms; /* an operand each */
    struct einsum_term output;
};

/* A tensor whose axes have indices. */
struct einsum_operand {
    struct tensor tensor;
    int indices[TENSOR_MAX_RANK];
};

/* text: "ij,jk->ik". Fails: HOB_BAD_GRAPH. */
HOB_MUST_CHECK hob_status einsum_read(const struct op_prepare *node, const char *text, struct einsum_equation *ret_equation);
/* The node's inputs with the indices of their axes (n_terms of them), the output's shape (dtype that of input 0, data NULL) and the
 * size of each index: an axis of 1 fits any. Fails: HOB_BAD_SHAPE, HOB_BAD_TYPE. */
HOB_MUST_CHECK hob_status einsum_resolve(struct op_context *ctx, const struct einsum_equation *equation,
                                         struct einsum_operand *ret_operands, struct einsum_operand *ret_output,
                                         int64_t ret_sizes[EINSUM_INDICES]);

#endif
