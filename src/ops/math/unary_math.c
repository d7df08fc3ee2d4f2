/* Functions of one number without parameters. f32 runs through the kernel table where it has the function and through libm
 * elsewhere; 16-bit floats through f32; f64 through libm. Round is to nearest, ties to even. Sign of NaN is NaN. */
#include "ops/elementwise.h"

#include <math.h>

#define UNARY_OP_BY(symbol, Name, first_opset, op_types, ...)                                              \
    static hob_status run_##symbol(struct op_context *ctx)                                                 \
    {                                                                                                      \
        static const struct span_table table = {{__VA_ARGS__}};                                            \
        return elementwise_run(ctx, &table, NULL);                                                         \
    }                                                                                                      \
    const struct op_def op_##symbol = {                                                                    \
        .name = Name, .domain = "", .since = first_opset, .min_inputs = 1, .max_inputs = 1,                \
        .min_outputs = 1, .max_outputs = 1, .types = op_types, .flags = OP_STRIDED_INPUTS | OP_INPLACE,     \
        .infer = elementwise_infer_same, .run = run_##symbol}

/* Both float types by libm. */
#define LIBM_OP(symbol, Name, first_opset, function)                                                       \
    SPAN_UNARY_SAME(symbol##_f32, float, function##f(x))                                                   \
    SPAN_UNARY_SAME(symbol##_f64, double, function(x))                                                     \
    UNARY_OP_BY(symbol, Name, first_opset, TYPES_FLOAT, SPANS_FLOAT(symbol))
LIBM_OP(acos, "Acos", 7, acos);
LIBM_OP(acosh, "Acosh", 9, acosh);
LIBM_OP(asin, "Asin", 7, asin);
LIBM_OP(asinh, "Asinh", 9, asinh);
LIBM_OP(atan, "Atan", 7, atan);
LIBM_OP(atanh, "Atanh", 9, atanh);
LIBM_OP(ceil, "Ceil", 1, ceil);
LIBM_OP(cos, "Cos", 7, cos);
LIBM_OP(cosh, "Cosh", 9, cosh);
LIBM_OP(floor, "Floor", 1, floor);
LIBM_OP(round, "Round", 11, rint);
LIBM_OP(sin, "Sin", 7, sin);
LIBM_OP(sinh, "Sinh", 9, sinh);
LIBM_OP(tan, "Tan", 7, tan);

/* f32 by kernel, f64 by expression. */
#define KERNEL_OP(symbol, Name, first_opset, kernel, expression)                                           \
    SPAN_VECTOR(symbol##_f32, kernel)                                                                      \
    SPAN_UNARY_SAME(symbol##_f64, double, expression)                                                      \
    UNARY_OP_BY(symbol, Name, first_opset, TYPES_FLOAT, SPANS_FLOAT(symbol))
KERNEL_OP(erf, "Erf", 9, erf_f32, erf(x));
KERNEL_OP(exp, "Exp", 1, exp_f32, exp(x));
KERNEL_OP(log, "Log", 1, log_f32, log(x));
KERNEL_OP(reciprocal, "Reciprocal", 1, reciprocal_f32, 1 / x);
KERNEL_OP(sigmoid, "Sigmoid", 1, sigmoid_f32, 1 / (1 + exp(-x)));
KERNEL_OP(sqrt, "Sqrt", 1, sqrt_f32, sqrt(x));
KERNEL_OP(tanh, "Tanh", 1, tanh_f32, tanh(x));

EACH_FLOAT(SPAN_UNARY_SAME, sign, x > 0 ? 1 : x < 0 ? -1 : x)
EACH_SIGNED(SPAN_UNARY_SAME, sign, (x > 0) - (x < 0))
EACH_UNSIGNED(SPAN_UNARY_SAME, sign, x > 0)
UNARY_OP_BY(sign, "Sign", 9, TYPES_NUMBER, SPANS_FLOAT(sign), SPANS_SIGNED(sign), SPANS_UNSIGNED(sign));

/* The lowest signed number has no positive twin and stays itself. */
#define SPAN_ABS_WRAPPING(function, type, wide) SPAN_UNARY_SAME(function, type, x < 0 ? 0 - (wide)x : (wide)x)
SPAN_ABS_WRAPPING(abs_i8, int8_t, uint32_t)
SPAN_ABS_WRAPPING(abs_i16, int16_t, uint32_t)
SPAN_ABS_WRAPPING(abs_i32, int32_t, uint32_t)
SPAN_ABS_WRAPPING(abs_i64, int64_t, uint64_t)
EACH_UNSIGNED(SPAN_UNARY_SAME, abs, x)
SPAN_UNARY_SAME(abs_f32, float, fabsf(x))
SPAN_UNARY_SAME(abs_f64, double, fabs(x))
UNARY_OP_BY(abs, "Abs", 1, TYPES_NUMBER, SPANS_FLOAT(abs), SPANS_SIGNED(abs), SPANS_UNSIGNED(abs));

EACH_FLOAT(SPAN_UNARY_SAME, neg, -x)
EACH_UNSIGNED(SPAN_UNARY_SAME, neg, 0 - x)
UNARY_OP_BY(neg, "Neg", 1, TYPES_NUMBER, SPANS_FLOAT(neg), SPANS_WRAPPING(neg));

/* ---- tests of floats ---- */

EACH_FLOAT(SPAN_UNARY_BOOL, is_nan, x != x)
SPAN_UNARY_BOOL(is_nan_f8e4m3fn, uint8_t, (x & 0x7f) == 0x7f)
SPAN_UNARY_BOOL(is_nan_f8e5m2, uint8_t, (x & 0x7f) > 0x7c)
SPAN_UNARY_BOOL(is_nan_f8_uz, uint8_t, x == 0x80)

/* Floats of 8 bits, which lie beyond a span_table. */
static hob_status run_f8(struct op_context *ctx, span_function *function)
{
    struct elementwise_walk walk = {
        .function = function, .params = ctx->params, .n_inputs = 1, .inputs = {ctx->inputs[0]}, .out = ctx->outputs[0]};
    elementwise_apply(ctx, &walk);
    return HOB_OK;
}

static hob_status infer_test(struct op_context *ctx)
{
    return op_set_output(ctx, 0, DTYPE_BOOL, ctx->inputs[0]->rank, ctx->inputs[0]->dims);
}

static hob_status run_is_nan(struct op_context *ctx)
{
    static const struct span_table table = {{SPANS_FLOAT(is_nan)}};
    enum dtype dtype = ctx->inputs[0]->dtype;
    if (dtype == DTYPE_F8E4M3FN) return run_f8(ctx, is_nan_f8e4m3fn);
    if (dtype == DTYPE_F8E5M2) return run_f8(ctx, is_nan_f8e5m2);
    if (op_types_have(TYPES_F8, dtype)) return run_f8(ctx, is_nan_f8_uz);
    return elementwise_run(ctx, &table, NULL);
}

const struct op_def op_is_nan = {.name = "IsNaN", .domain = "", .since = 9, .min_inputs = 1, .max_inputs = 1,
                                 .min_outputs = 1, .max_outputs = 1, .types = TYPES_FLOAT | TYPES_F8, .flags = OP_STRIDED_INPUTS,
                                 .infer = infer_test, .run = run_is_nan};

struct is_inf_params {
    bool is_negative_found, is_positive_found;
};

#define IS_INF(x)                                                                                          \
    (((const struct is_inf_params *)span->params)->is_positive_found && (x) == INFINITY) ||                \
        (((const struct is_inf_params *)span->params)->is_negative_found && (x) == -INFINITY)
EACH_FLOAT(SPAN_UNARY_BOOL, is_inf, IS_INF(x))
/* Of the floats of 8 bits only E5M2 has infinities. */
SPAN_UNARY_BOOL(is_inf_f8e5m2, uint8_t, IS_INF(x == 0x7c ? (float)INFINITY : x == 0xfc ? -(float)INFINITY : 0))
SPAN_UNARY_BOOL(is_inf_never, uint8_t, x && false)

static hob_status prepare_is_inf(const struct op_prepare *node, void **ret_params)
{
    struct is_inf_params *params = ARENA_NEW(node->arena, struct is_inf_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->is_negative_found = attributes_int(node->attributes, "detect_negative", 1) != 0;
    params->is_positive_found = attributes_int(node->attributes, "detect_positive", 1) != 0;
    *ret_params = params;
    return HOB_OK;
}

static hob_status run_is_inf(struct op_context *ctx)
{
    static const struct span_table table = {{SPANS_FLOAT(is_inf)}};
    if (op_types_have(TYPES_F8, ctx->inputs[0]->dtype))
        return run_f8(ctx, ctx->inputs[0]->dtype == DTYPE_F8E5M2 ? is_inf_f8e5m2 : is_inf_never);
    return elementwise_run(ctx, &table, ctx->params);
}

const struct op_def op_is_inf = {.name = "IsInf", .domain = "", .since = 10, .min_inputs = 1, .max_inputs = 1,
                                 .min_outputs = 1, .max_outputs = 1, .types = TYPES_FLOAT | TYPES_F8, .flags = OP_STRIDED_INPUTS,
                                 .prepare = prepare_is_inf, .infer = infer_test, .run = run_is_inf};
