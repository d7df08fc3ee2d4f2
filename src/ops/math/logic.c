/* And, Or, Xor, Not on bool; their bitwise kin and BitShift on integers. A bool is true when its byte is not 0; outputs are
 * 0 or 1. A shift by the width of the type or more gives 0, where C leaves it undefined. */
#include "ops/elementwise.h"

#include <string.h>

SPAN_BINARY_BOOL(and_bool, uint8_t, x && y)
SPAN_BINARY_BOOL(or_bool, uint8_t, x || y)
SPAN_BINARY_BOOL(xor_bool, uint8_t, !x != !y)
SPAN_UNARY_BOOL(not_bool, uint8_t, !x)
EACH_UNSIGNED(SPAN_BINARY_SAME, bitwise_and, x & y)
EACH_UNSIGNED(SPAN_BINARY_SAME, bitwise_or, x | y)
EACH_UNSIGNED(SPAN_BINARY_SAME, bitwise_xor, x ^ y)
EACH_UNSIGNED(SPAN_UNARY_SAME, bitwise_not, ~x)
EACH_UNSIGNED(SPAN_BINARY_SAME, shift_left, y < sizeof x * 8 ? (uint64_t)x << y : 0)
EACH_UNSIGNED(SPAN_BINARY_SAME, shift_right, y < sizeof x * 8 ? x >> y : 0)

#define LOGIC_OP(symbol, Name, first_opset, op_types, n_operands, op_infer, ...)                           \
    static hob_status run_##symbol(struct op_context *ctx)                                                 \
    {                                                                                                      \
        static const struct span_table table = {{__VA_ARGS__}};                                            \
        return elementwise_run(ctx, &table, NULL);                                                         \
    }                                                                                                      \
    const struct op_def op_##symbol = {                                                                    \
        .name = Name, .domain = "", .since = first_opset, .min_inputs = n_operands,                        \
        .max_inputs = n_operands, .min_outputs = 1, .max_outputs = 1, .types = op_types,                   \
        .flags = OP_STRIDED_INPUTS | OP_INPLACE, .infer = op_infer, .run = run_##symbol}
LOGIC_OP(and, "And", 7, TYPE(BOOL), 2, elementwise_infer_broadcast, [DTYPE_BOOL] = and_bool);
LOGIC_OP(or, "Or", 7, TYPE(BOOL), 2, elementwise_infer_broadcast, [DTYPE_BOOL] = or_bool);
LOGIC_OP(xor, "Xor", 7, TYPE(BOOL), 2, elementwise_infer_broadcast, [DTYPE_BOOL] = xor_bool);
LOGIC_OP(not, "Not", 1, TYPE(BOOL), 1, elementwise_infer_same, [DTYPE_BOOL] = not_bool);
LOGIC_OP(bitwise_and, "BitwiseAnd", 18, TYPES_INTEGER, 2, elementwise_infer_broadcast, SPANS_WRAPPING(bitwise_and));
LOGIC_OP(bitwise_or, "BitwiseOr", 18, TYPES_INTEGER, 2, elementwise_infer_broadcast, SPANS_WRAPPING(bitwise_or));
LOGIC_OP(bitwise_xor, "BitwiseXor", 18, TYPES_INTEGER, 2, elementwise_infer_broadcast, SPANS_WRAPPING(bitwise_xor));
LOGIC_OP(bitwise_not, "BitwiseNot", 18, TYPES_INTEGER, 1, elementwise_infer_same, SPANS_WRAPPING(bitwise_not));

static const struct span_table shift_left = {{SPANS_UNSIGNED(shift_left)}};
static const struct span_table shift_right = {{SPANS_UNSIGNED(shift_right)}};

static hob_status prepare_shift(const struct op_prepare *node, void **ret_params)
{
    const char *direction = attributes_string(node->attributes, "direction", "");
    bool is_left = !strcmp(direction, "LEFT");
    if (!is_left && strcmp(direction, "RIGHT"))
        FAIL(node->error, HOB_BAD_GRAPH, "%s: direction: found \"%s\", expected LEFT or RIGHT", node->node_name, direction);
    const struct span_table **params = ARENA_NEW(node->arena, const struct span_table *, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    *params = is_left ? &shift_left : &shift_right;
    *ret_params = params;
    return HOB_OK;
}

static hob_status run_shift(struct op_context *ctx)
{
    return elementwise_run(ctx, *(const struct span_table *const *)ctx->params, NULL);
}

const struct op_def op_bit_shift = {
    .name = "BitShift", .domain = "", .since = 11, .min_inputs = 2, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1,
    .types = TYPES_UNSIGNED, .flags = OP_STRIDED_INPUTS | OP_INPLACE, .prepare = prepare_shift, .infer = elementwise_infer_broadcast,
    .run = run_shift};
