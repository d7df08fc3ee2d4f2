/* Add, Sub, Mul, Div and the variadic Max, Min, Sum, Mean. Integers wrap around, so signed types use the unsigned loops. Float
 * Max and Min give NaN when either operand is NaN, as NumPy does. Integer Div truncates toward zero. */
#include "ops/math/arithmetic.h"

#include <math.h>
#include <stdatomic.h>

static bool are_steps_of_kernels(const struct span *span)
{
    return (uint64_t)span->step[0] <= 1 && (uint64_t)span->step[1] <= 1;
}

/* f32 goes through the kernel table unless an operand is strided. */
#define SPAN_KERNEL(name, expression)                                                                      \
    SPAN_BINARY(name##_strided_f32, float, float, expression)                                              \
    static void name##_f32(const struct span *span)                                                        \
    {                                                                                                      \
        if (are_steps_of_kernels(span))                                                                    \
            span->kernels->name##_f32(span->n, span->in[0], (int)span->step[0], span->in[1],               \
                                      (int)span->step[1], span->out);                                      \
        else                                                                                               \
            name##_strided_f32(span);                                                                      \
    }

SPAN_KERNEL(add, x + y)
SPAN_KERNEL(sub, x - y)
SPAN_KERNEL(mul, x *y)
SPAN_KERNEL(div, x / y)
SPAN_BINARY_SAME(add_f64, double, x + y)
SPAN_BINARY_SAME(sub_f64, double, x - y)
SPAN_BINARY_SAME(mul_f64, double, x *y)
SPAN_BINARY_SAME(div_f64, double, x / y)
EACH_UNSIGNED(SPAN_BINARY_SAME, add, x + y)
EACH_UNSIGNED(SPAN_BINARY_SAME, sub, x - y)
/* 1u *: two uint16 would be multiplied as int and overflow. */
EACH_UNSIGNED(SPAN_BINARY_SAME, mul, 1u * x * y)

const struct span_table arithmetic_add = {{SPANS_FLOAT(add), SPANS_WRAPPING(add)}};
static const struct span_table sub = {{SPANS_FLOAT(sub), SPANS_WRAPPING(sub)}};
const struct span_table arithmetic_mul = {{SPANS_FLOAT(mul), SPANS_WRAPPING(mul)}};

/* Integer division reports a zero divisor through params; the lowest number by -1 wraps around to itself. */
#define SPAN_DIVIDE(function, type, expression)                                                            \
    static void function(const struct span *span)                                                          \
    {                                                                                                      \
        const type *xs = span->in[0], *ys = span->in[1];                                                   \
        type *out = span->out;                                                                             \
        bool is_by_zero = false;                                                                           \
        for (int64_t i = 0; i < span->n; i++) {                                                            \
            const type x = xs[i * span->step[0]], y = ys[i * span->step[1]];                               \
            is_by_zero |= y == 0;                                                                          \
            out[i] = (type)(y == 0 ? 0 : (expression));                                                    \
        }                                                                                                  \
        if (is_by_zero) atomic_store_explicit(*(atomic_bool *const *)span->params, true, memory_order_relaxed); \
    }
EACH_UNSIGNED(SPAN_DIVIDE, div, x / y)
SPAN_DIVIDE(div_i8, int8_t, x / y)
SPAN_DIVIDE(div_i16, int16_t, x / y)
SPAN_DIVIDE(div_i32, int32_t, y == -1 ? (int32_t)(0u - (uint32_t)x) : x / y)
SPAN_DIVIDE(div_i64, int64_t, y == -1 ? (int64_t)(0u - (uint64_t)x) : x / y)
static const struct span_table divide = {{SPANS_FLOAT(div), SPANS_SIGNED(div), SPANS_UNSIGNED(div)}};

static hob_status run_add(struct op_context *ctx)
{
    return elementwise_run(ctx, &arithmetic_add, NULL);
}

static hob_status run_sub(struct op_context *ctx)
{
    return elementwise_run(ctx, &sub, NULL);
}

static hob_status run_mul(struct op_context *ctx)
{
    return elementwise_run(ctx, &arithmetic_mul, NULL);
}

static hob_status run_div(struct op_context *ctx)
{
    atomic_bool is_by_zero = false, *params = &is_by_zero;
    TRY(elementwise_run(ctx, &divide, &params));
    if (atomic_load(&is_by_zero)) OP_FAIL(ctx, HOB_BAD_ARGUMENT, "input 1: found 0, expected no integer division by zero");
    return HOB_OK;
}

#define BINARY_OP(symbol, Name)                                                                            \
    const struct op_def op_##symbol = {                                                                    \
        .name = Name, .domain = "", .since = 7, .min_inputs = 2, .max_inputs = 2, .min_outputs = 1,        \
        .max_outputs = 1, .types = TYPES_NUMBER, .flags = OP_STRIDED_INPUTS | OP_INPLACE,                 \
        .infer = elementwise_infer_broadcast, .run = run_##symbol}
BINARY_OP(add, "Add");
BINARY_OP(div, "Div");
BINARY_OP(mul, "Mul");
BINARY_OP(sub, "Sub");

/* ---- variadic ---- */

EACH_FLOAT(SPAN_BINARY_SAME, max, x > y || x != x ? x : y)
EACH_FLOAT(SPAN_BINARY_SAME, min, x < y || x != x ? x : y)
EACH_UNSIGNED(SPAN_BINARY_SAME, max, x > y ? x : y)
EACH_UNSIGNED(SPAN_BINARY_SAME, min, x < y ? x : y)
EACH_SIGNED(SPAN_BINARY_SAME, max, x > y ? x : y)
EACH_SIGNED(SPAN_BINARY_SAME, min, x < y ? x : y)
const struct span_table arithmetic_max = {{SPANS_FLOAT(max), SPANS_SIGNED(max), SPANS_UNSIGNED(max)}};
const struct span_table arithmetic_min = {{SPANS_FLOAT(min), SPANS_SIGNED(min), SPANS_UNSIGNED(min)}};

/* Divides by the number of inputs, which is exact where a product with its inverse is not. */
SPAN_UNARY_SAME(mean_f32, float, x / (float)*(const int *)span->params)
SPAN_UNARY_SAME(mean_f64, double, x / (double)*(const int *)span->params)
static const struct span_table mean = {{SPANS_FLOAT(mean)}};

static hob_status infer_variadic(struct op_context *ctx)
{
    for (int i = 1; i < ctx->n_inputs; i++)
        if (!ctx->inputs[i]) OP_FAIL(ctx, HOB_BAD_GRAPH, "input %d is missing", i);
    if (ctx->n_inputs > 1) return elementwise_infer_broadcast(ctx);
    op_set_view(ctx, 0, ctx->inputs[0]);
    return HOB_OK;
}

/* Output = input 0 op input 1, then output = output op each further input in place. */
static hob_status run_variadic(struct op_context *ctx, const struct span_table *table)
{
    struct elementwise_walk walk = {.n_inputs = 2, .inputs = {ctx->inputs[0]}, .out = ctx->outputs[0]};
    if (!elementwise_find(table, ctx->inputs[0]->dtype, &walk))
        OP_FAIL(ctx, HOB_BAD_TYPE, "input 0: %s is not a type this operator takes", dtype_name(ctx->inputs[0]->dtype));
    for (int i = 1; i < ctx->n_inputs; i++) {
        walk.inputs[1] = ctx->inputs[i];
        elementwise_apply(ctx, &walk);
        walk.inputs[0] = walk.out;
    }
    return HOB_OK;
}

static hob_status run_max(struct op_context *ctx)
{
    return run_variadic(ctx, &arithmetic_max);
}

static hob_status run_min(struct op_context *ctx)
{
    return run_variadic(ctx, &arithmetic_min);
}

static hob_status run_sum(struct op_context *ctx)
{
    return run_variadic(ctx, &arithmetic_add);
}

static hob_status run_mean(struct op_context *ctx)
{
    struct elementwise_walk walk = {
        .params = &ctx->n_inputs, .n_inputs = 1, .inputs = {ctx->outputs[0]}, .out = ctx->outputs[0]};
    if (!elementwise_find(&mean, ctx->inputs[0]->dtype, &walk))
        OP_FAIL(ctx, HOB_BAD_TYPE, "input 0: found %s, expected a float type", dtype_name(ctx->inputs[0]->dtype));
    TRY(run_variadic(ctx, &arithmetic_add));
    elementwise_apply(ctx, &walk);
    return HOB_OK;
}

#define VARIADIC_OP(symbol, Name, op_types)                                                                \
    const struct op_def op_##symbol = {                                                                    \
        .name = Name, .domain = "", .since = 8, .min_inputs = 1, .max_inputs = -1, .min_outputs = 1,       \
        .max_outputs = 1, .types = op_types, .flags = OP_STRIDED_INPUTS, .infer = infer_variadic,          \
        .run = run_##symbol}
VARIADIC_OP(max, "Max", TYPES_NUMBER);
VARIADIC_OP(mean, "Mean", TYPES_FLOAT);
VARIADIC_OP(min, "Min", TYPES_NUMBER);
VARIADIC_OP(sum, "Sum", TYPES_NUMBER);
