/* Pow: base and exponent may have different types; the result has the base's. Floats go through f32 or f64; integers with an
 * integer exponent through int64, by squaring, wrapping around; a negative exponent gives what 1 / x^n truncates to, and 0 for
 * x = 0. Integers with a float exponent go through f64. */
#include "ops/math/cast.h"
#include "ops/elementwise.h"
#include "ops/numbers.h"

#include <math.h>

/* The exponents that models use, 2, 3 and 1/2, need no logarithm. */
static inline float power_f32(float x, float y)
{
    if (y == 2) return x * x;
    if (y == 3) return (float)((double)x * x * x);
    if (y == 0.5f) return x == -INFINITY ? INFINITY : sqrtf(x + 0.0f);
    return powf(x, y);
}

static int64_t power_i64(int64_t x, int64_t y)
{
    if (y < 0) return x == 1 ? 1 : x == -1 ? (y & 1 ? -1 : 1) : 0;
    uint64_t product = 1, square = (uint64_t)x;
    for (; y; y >>= 1, square *= square)
        if (y & 1) product *= square;
    return (int64_t)product;
}

SPAN_BINARY_SAME(pow_general_f32, float, powf(x, y))
SPAN_BINARY_SAME(pow_special_f32, float, power_f32(x, y))
SPAN_BINARY_SAME(pow_f64, double, pow(x, y))
SPAN_BINARY_SAME(pow_i64, int64_t, power_i64(x, y))
SPAN_UNARY_SAME(square_f32, float, x *x)
SPAN_UNARY_SAME(cube_f32, float, (double)x *x *x)

/* One exponent for the whole span, the usual case, is looked at once. */
static void pow_f32(const struct span *span)
{
    float exponent = *(const float *)span->in[1];
    if (span->step[1] != 0 || exponent == 0.5f) pow_special_f32(span);
    else if (exponent == 2) square_f32(span);
    else if (exponent == 3) cube_f32(span);
    else pow_general_f32(span);
}

static const struct span_table table = {{[DTYPE_F32] = pow_f32, [DTYPE_F64] = pow_f64, [DTYPE_I64] = pow_i64}};

static hob_status infer(struct op_context *ctx)
{
    int rank;
    int64_t dims[TENSOR_MAX_RANK];
    for (int i = 0; i < 2; i++)
        if (!cast_is_number(ctx->inputs[i]->dtype) || ctx->inputs[i]->dtype == DTYPE_BOOL)
            OP_FAIL(ctx, HOB_BAD_TYPE, "input %d: found %s, expected a number", i, dtype_name(ctx->inputs[i]->dtype));
    TRY(elementwise_shape(ctx, &rank, dims));
    return op_set_output(ctx, 0, ctx->inputs[0]->dtype, rank, dims);
}

/* The type to compute in. */
static enum dtype computed_dtype(enum dtype base, enum dtype exponent)
{
    bool are_integers = numbers_is_integer(base) && numbers_is_integer(exponent);
    if (are_integers) return DTYPE_I64;
    return numbers_is_integer(base) || base == DTYPE_F64 || exponent == DTYPE_F64 ? DTYPE_F64 : DTYPE_F32;
}

/* x as dtype: itself, or a converted copy in scratch. */
static hob_status converted(struct op_context *ctx, const struct tensor *x, enum dtype dtype, struct tensor *ret_tensor)
{
    if (x->dtype == dtype) {
        *ret_tensor = *x;
        return HOB_OK;
    }
    struct tensor copy;
    TRY(tensor_init(&copy, dtype, x->rank, x->dims, NULL, ctx->error));
    copy.data = arena_alloc(ctx->scratch, tensor_n_bytes(&copy), 64);
    if (!copy.data) OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
    cast_apply(ctx, x, &copy);
    *ret_tensor = copy;
    return HOB_OK;
}

static hob_status run(struct op_context *ctx)
{
    struct tensor *out = ctx->outputs[0];
    struct tensor operands[2], computed;
    struct elementwise_walk walk = {.n_inputs = 2, .inputs = {&operands[0], &operands[1]}, .out = out};
    enum dtype dtype = computed_dtype(ctx->inputs[0]->dtype, ctx->inputs[1]->dtype);
    HOB_ASSERT(elementwise_find(&table, dtype, &walk));
    for (int i = 0; i < 2; i++) TRY(converted(ctx, ctx->inputs[i], dtype, &operands[i]));
    if (dtype == out->dtype) {
        elementwise_apply(ctx, &walk);
        return HOB_OK;
    }
    TRY(tensor_init(&computed, dtype, out->rank, out->dims, NULL, ctx->error));
    computed.data = arena_alloc(ctx->scratch, tensor_n_bytes(&computed), 64);
    if (!computed.data) OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
    walk.out = &computed;
    elementwise_apply(ctx, &walk);
    cast_apply(ctx, &computed, out);
    return HOB_OK;
}

const struct op_def op_pow = {.name = "Pow", .domain = "", .since = 7, .min_inputs = 2, .max_inputs = 2, .min_outputs = 1,
                              .max_outputs = 1, .types = TYPES_NUMBER, .flags = OP_STRIDED_INPUTS | OP_INPLACE, .infer = infer, .run = run};
