/* Equal, Greater, Less, GreaterOrEqual, LessOrEqual: bool outputs; a comparison with NaN is false, as in C. Equal takes bool and
 * strings too. */
#include "ops/elementwise.h"

#include <string.h>

EACH_FLOAT(SPAN_BINARY_BOOL, equal, x == y)
EACH_UNSIGNED(SPAN_BINARY_BOOL, equal, x == y)
EACH_FLOAT(SPAN_BINARY_BOOL, greater, x > y)
EACH_SIGNED(SPAN_BINARY_BOOL, greater, x > y)
EACH_UNSIGNED(SPAN_BINARY_BOOL, greater, x > y)
EACH_FLOAT(SPAN_BINARY_BOOL, greater_or_equal, x >= y)
EACH_SIGNED(SPAN_BINARY_BOOL, greater_or_equal, x >= y)
EACH_UNSIGNED(SPAN_BINARY_BOOL, greater_or_equal, x >= y)
EACH_FLOAT(SPAN_BINARY_BOOL, less, x < y)
EACH_SIGNED(SPAN_BINARY_BOOL, less, x < y)
EACH_UNSIGNED(SPAN_BINARY_BOOL, less, x < y)
EACH_FLOAT(SPAN_BINARY_BOOL, less_or_equal, x <= y)
EACH_SIGNED(SPAN_BINARY_BOOL, less_or_equal, x <= y)
EACH_UNSIGNED(SPAN_BINARY_BOOL, less_or_equal, x <= y)
SPAN_BINARY_BOOL(equal_bool, uint8_t, !x == !y)
SPAN_BINARY_BOOL(equal_string, struct tensor_string,
                 x.n_bytes == y.n_bytes && (!x.n_bytes || !memcmp(x.bytes, y.bytes, x.n_bytes)))

#define COMPARE_OP(symbol, Name, first_opset, op_types, ...)                                               \
    static hob_status run_##symbol(struct op_context *ctx)                                                 \
    {                                                                                                      \
        static const struct span_table table = {{SPANS_FLOAT(symbol), __VA_ARGS__}};                       \
        return elementwise_run(ctx, &table, NULL);                                                         \
    }                                                                                                      \
    const struct op_def op_##symbol = {                                                                    \
        .name = Name, .domain = "", .since = first_opset, .min_inputs = 2, .max_inputs = 2,                \
        .min_outputs = 1, .max_outputs = 1, .types = op_types, .flags = OP_STRIDED_INPUTS,                  \
        .infer = elementwise_infer_compare,                                                                \
        .run = run_##symbol}
COMPARE_OP(equal, "Equal", 7, TYPES_NUMBER | TYPE(BOOL) | TYPE(STRING), SPANS_WRAPPING(equal), [DTYPE_BOOL] = equal_bool, [DTYPE_STRING] = equal_string);
COMPARE_OP(greater, "Greater", 7, TYPES_NUMBER, SPANS_SIGNED(greater), SPANS_UNSIGNED(greater));
COMPARE_OP(greater_or_equal, "GreaterOrEqual", 12, TYPES_NUMBER, SPANS_SIGNED(greater_or_equal), SPANS_UNSIGNED(greater_or_equal));
COMPARE_OP(less, "Less", 7, TYPES_NUMBER, SPANS_SIGNED(less), SPANS_UNSIGNED(less));
COMPARE_OP(less_or_equal, "LessOrEqual", 12, TYPES_NUMBER, SPANS_SIGNED(less_or_equal), SPANS_UNSIGNED(less_or_equal));
