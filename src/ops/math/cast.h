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

/* run of Cast and CastLike, input 0 to output 0, where one of them holds strings.
 * Reading takes C's spelling of numbers ("3.14", "1e-5", "INF", "+NaN"); fails: HOB_BAD_ARGUMENT. Writing gives Python's: the
 * shortest digits that read back to the same float ("0.1", "1e-05", "2.0", "nan"), "True" and "False". */
HOB_MUST_CHECK hob_status cast_from_strings(struct op_context *ctx);
HOB_MUST_CHECK hob_status cast_to_strings(struct op_context *ctx);

#endif
