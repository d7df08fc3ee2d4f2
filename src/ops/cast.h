/* Conversion of numbers between types, for Cast and for operators with mixed types. */
#ifndef OPS_CAST_H
#define OPS_CAST_H

#include "ops/op.h"

/* Numbers and bool; not strings, blocks or f8. */
bool cast_is_number(enum dtype dtype);

/* from (any strides) into to (contiguous, same shape); both hold numbers.
 *   integer to integer: upper bits are dropped.       float to integer: toward zero; out of range saturates, NaN is 0.
 *   anything to bool: whether it is not 0.            anything to float: nearest, ties to even; too large is infinite. */
void cast_apply(struct op_context *ctx, const struct tensor *from, const struct tensor *to);

#endif
