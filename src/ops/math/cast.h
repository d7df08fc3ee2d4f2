/* Conversion of numbers between types, for Cast and for operators with mixed types. */
#ifndef OPS_CAST_H
#define OPS_CAST_H

#include "ops/op.h"
#include "quant/small_float.h"

/* What Cast's attributes and opset choose. */
struct cast_rules {
    bool is_unsaturated;             /* floats of 8 bits: too large becomes infinite or NaN, not the largest number */
    enum e8m0_rounding e8m0_rounding;
    bool truncates_bf16;             /* f32 and f64 to bf16: lower bits are dropped, not rounded: up to opset 15 */
};

/* Numbers that operators compute with, and bool; not strings, blocks, or types of fewer than 8 bits or small floats. */
bool cast_is_number(enum dtype dtype);
/* Whatever Cast takes on either side but strings: cast_is_number, floats of 4 and 8 bits, integers of 2 and 4 bits. */
bool cast_takes(enum dtype dtype);

/* from (any strides) into to (contiguous, same shape); cast_takes both. rules may be NULL: all false, E8M0_UP.
 *   integer to integer: upper bits are dropped.       float to integer: toward zero; out of range saturates, NaN is 0; to 2
 *   anything to bool: whether it is not 0.            and 4 bits, where ONNX's reference wraps, upper bits are dropped.
 *   anything to float: rounded once, to nearest, ties to even; too large is infinite. To floats of 4 and 8 bits: as
 *   quant/small_float.h says. */
void cast_apply_rules(struct op_context *ctx, const struct tensor *from, const struct tensor *to,
                      const struct cast_rules *rules);
void cast_apply(struct op_context *ctx, const struct tensor *from, const struct tensor *to);

/* run of Cast and CastLike, input 0 to output 0, where one of them holds strings.
 * Reading takes C's spelling of numbers ("3.14", "1e-5", "INF", "+NaN"); fails: HOB_BAD_ARGUMENT. Writing gives Python's: the
 * shortest digits that read back to the same float ("0.1", "1e-05", "2.0", "nan"), "True" and "False". */
HOB_MUST_CHECK hob_status cast_from_strings(struct op_context *ctx, const struct cast_rules *rules);
HOB_MUST_CHECK hob_status cast_to_strings(struct op_context *ctx);

#endif
