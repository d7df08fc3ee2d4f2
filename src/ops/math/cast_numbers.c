/* Casts between numbers. One loop for each pair of stored types but the 16-bit floats, which go through f32: from f64 by way of
 * a rounding to odd, so that rounding twice gives what rounding once does. */
#include "ops/math/cast.h"

#include "ops/elementwise.h"
#include "ops/numbers.h"

#include <math.h>
#include <string.h>

/* ---- the loops: CAST_TO_<type>(x) converts from a float F or an integer I ---- */

/* Limits that the float type holds exactly: -2^(b-1) and 2^b; between them the cast is defined. */
#define SATURATE(x, type, low, high, lowest, highest)                                                      \
    ((x) != (x) ? 0 : (x) < (low) ? (lowest) : (x) >= (high) ? (highest) : (type)(x))

#define FLOAT_TO_I8(x) SATURATE(x, int8_t, -0x1p7f, 0x1p7f, INT8_MIN, INT8_MAX)
#define FLOAT_TO_I16(x) SATURATE(x, int16_t, -0x1p15f, 0x1p15f, INT16_MIN, INT16_MAX)
#define FLOAT_TO_I32(x) SATURATE(x, int32_t, -0x1p31f, 0x1p31f, INT32_MIN, INT32_MAX)
#define FLOAT_TO_I64(x) SATURATE(x, int64_t, -0x1p63f, 0x1p63f, INT64_MIN, INT64_MAX)
#define FLOAT_TO_U8(x) SATURATE(x, uint8_t, 0.0f, 0x1p8f, 0, UINT8_MAX)
#define FLOAT_TO_U16(x) SATURATE(x, uint16_t, 0.0f, 0x1p16f, 0, UINT16_MAX)
#define FLOAT_TO_U32(x) SATURATE(x, uint32_t, 0.0f, 0x1p32f, 0, UINT32_MAX)
#define FLOAT_TO_U64(x) SATURATE(x, uint64_t, 0.0f, 0x1p64f, 0, UINT64_MAX)

#define CASTS_FROM_FLOAT(name, type)                                                                       \
    SPAN_UNARY(name##_to_i8, type, int8_t, FLOAT_TO_I8(x))                                                 \
    SPAN_UNARY(name##_to_i16, type, int16_t, FLOAT_TO_I16(x))                                              \
    SPAN_UNARY(name##_to_i32, type, int32_t, FLOAT_TO_I32(x))                                              \
    SPAN_UNARY(name##_to_i64, type, int64_t, FLOAT_TO_I64(x))                                              \
    SPAN_UNARY(name##_to_u8, type, uint8_t, FLOAT_TO_U8(x))                                                \
    SPAN_UNARY(name##_to_u16, type, uint16_t, FLOAT_TO_U16(x))                                             \
    SPAN_UNARY(name##_to_u32, type, uint32_t, FLOAT_TO_U32(x))                                             \
    SPAN_UNARY(name##_to_u64, type, uint64_t, FLOAT_TO_U64(x))                                             \
    CASTS_TO_THE_REST(name, type)
#define CASTS_FROM_INTEGER(name, type)                                                                     \
    SPAN_UNARY(name##_to_u8, type, uint8_t, x)                                                             \
    SPAN_UNARY(name##_to_u16, type, uint16_t, x)                                                           \
    SPAN_UNARY(name##_to_u32, type, uint32_t, x)                                                           \
    SPAN_UNARY(name##_to_u64, type, uint64_t, x)                                                           \
    CASTS_TO_THE_REST(name, type)
#define CASTS_TO_THE_REST(name, type)                                                                      \
    SPAN_UNARY(name##_to_f32, type, float, x)                                                              \
    SPAN_UNARY(name##_to_f64, type, double, x)                                                             \
    SPAN_UNARY(name##_to_bool, type, uint8_t, x != 0)

CASTS_FROM_FLOAT(f32, float)
CASTS_FROM_FLOAT(f64, double)
CASTS_FROM_INTEGER(i8, int8_t)
CASTS_FROM_INTEGER(i16, int16_t)
CASTS_FROM_INTEGER(i32, int32_t)
CASTS_FROM_INTEGER(i64, int64_t)
CASTS_FROM_INTEGER(u8, uint8_t)
CASTS_FROM_INTEGER(u16, uint16_t)
CASTS_FROM_INTEGER(u32, uint32_t)
CASTS_FROM_INTEGER(u64, uint64_t)

/* The f32 next to x on the side of zero with an odd last bit, unless x is an f32 already: rounded once more, to a float of at
 * most 22 bits of fraction, it lands where x itself would. */
static float round_to_odd(double x)
{
    float near = (float)x;
    if ((double)near == x || x != x || isinf(near)) return near;
    if (fabs((double)near) > fabs(x)) near = nextafterf(near, 0);
    uint32_t bits;
    memcpy(&bits, &near, sizeof bits);
    bits |= 1;
    memcpy(&near, &bits, sizeof near);
    return near;
}
SPAN_UNARY(f64_to_f16, double, uint16_t, number_to_f16(round_to_odd(x)))
SPAN_UNARY(f64_to_bf16, double, uint16_t, number_to_bf16(round_to_odd(x)))

/* [from][to]. Signed targets share the loops of unsigned ones: the bits are the same. */
#define TO_ALL(name, s8, s16, s32, s64)                                                                    \
    {                                                                                                      \
        [DTYPE_F32] = name##_to_f32, [DTYPE_F64] = name##_to_f64, [DTYPE_BOOL] = name##_to_bool,           \
        [DTYPE_U8] = name##_to_u8, [DTYPE_U16] = name##_to_u16, [DTYPE_U32] = name##_to_u32,               \
        [DTYPE_U64] = name##_to_u64, [DTYPE_I8] = name##_to_##s8, [DTYPE_I16] = name##_to_##s16,           \
        [DTYPE_I32] = name##_to_##s32, [DTYPE_I64] = name##_to_##s64                                       \
    }
#define FROM_FLOAT(name) TO_ALL(name, i8, i16, i32, i64)
#define FROM_INTEGER(name) TO_ALL(name, u8, u16, u32, u64)

static span_function *const casts[DTYPE_BF16 + 1][DTYPE_BF16 + 1] = {
    [DTYPE_F32] = FROM_FLOAT(f32),  [DTYPE_F64] = FROM_FLOAT(f64),  [DTYPE_I8] = FROM_INTEGER(i8),
    [DTYPE_I16] = FROM_INTEGER(i16), [DTYPE_I32] = FROM_INTEGER(i32), [DTYPE_I64] = FROM_INTEGER(i64),
    [DTYPE_U8] = FROM_INTEGER(u8),   [DTYPE_U16] = FROM_INTEGER(u16), [DTYPE_U32] = FROM_INTEGER(u32),
    [DTYPE_U64] = FROM_INTEGER(u64), [DTYPE_BOOL] = FROM_INTEGER(u8),
};

static bool is_half(enum dtype dtype)
{
    return dtype == DTYPE_F16 || dtype == DTYPE_BF16;
}

bool cast_is_number(enum dtype dtype)
{
    return dtype <= DTYPE_BF16 && (casts[dtype][DTYPE_F32] || is_half(dtype));
}

/* The walk widens and narrows 16-bit floats by itself: for it they are f32. */
static span_function *find_cast(enum dtype from, enum dtype to, bool *ret_is_widened)
{
    *ret_is_widened = false;
    if (from == DTYPE_F64 && is_half(to)) return to == DTYPE_F16 ? f64_to_f16 : f64_to_bf16;
    *ret_is_widened = is_half(from) || is_half(to);
    return casts[is_half(from) ? DTYPE_F32 : from][is_half(to) ? DTYPE_F32 : to];
}

void cast_apply(struct op_context *ctx, const struct tensor *from, const struct tensor *to)
{
    struct elementwise_walk walk = {.n_inputs = 1, .inputs = {from}, .out = to};
    walk.function = find_cast(from->dtype, to->dtype, &walk.is_widened);
    elementwise_apply(ctx, &walk);
}
