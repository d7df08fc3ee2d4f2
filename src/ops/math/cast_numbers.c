/* Casts between numbers. One loop for each pair of stored types but
 *   the 16-bit floats, which go through f32: from f64 and wide integers by way of a rounding to odd, so that rounding twice
 *   gives what rounding once does;
 *   floats of 4 and 8 bits, which are decoded into a tile of f32 and encoded from a tile of f64;
 *   integers of 2 and 4 bits, which are read as those of 8 bits and made of i64. */
#include "ops/math/cast.h"

#include "ops/elementwise.h"
#include "ops/numbers.h"
#include "tensor/sub_byte.h"

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

/* ---- rounding once to few bits ---- */

/* The f32 next to x on the side of zero with an odd last bit, unless x is an f32 already: rounded once more, to a float of at
 * most 22 bits of fraction, it lands where x itself would; so does one that is cut off. */
static float round_to_odd(double x)
{
    float near = (float)x;
    if ((double)near == x || x != x || isinf(x)) return near;
    if (isinf(near) || fabs((double)near) > fabs(x)) near = nextafterf(near, 0);
    uint32_t bits;
    memcpy(&bits, &near, sizeof bits);
    bits |= 1;
    memcpy(&near, &bits, sizeof near);
    return near;
}

/* The same for an integer that f64 may not hold: the last of 48 bits stands for all below it. */
static double f64_odd_of_u64(uint64_t x)
{
    return x >> 48 ? (double)(x >> 16 | ((x & 0xffff) != 0)) * 0x1p16 : (double)x;
}

static double f64_odd_of_i64(int64_t x)
{
    return x < 0 ? -f64_odd_of_u64(-(uint64_t)x) : f64_odd_of_u64((uint64_t)x);
}

static uint16_t cut_to_bf16(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return x != x ? number_to_bf16(x) : (uint16_t)(bits >> 16);
}

SPAN_UNARY(f64_to_f16, double, uint16_t, number_to_f16(round_to_odd(x)))
SPAN_UNARY(f64_to_bf16, double, uint16_t, number_to_bf16(round_to_odd(x)))
SPAN_UNARY(i32_to_bf16, int32_t, uint16_t, number_to_bf16(round_to_odd((double)x)))
SPAN_UNARY(u32_to_bf16, uint32_t, uint16_t, number_to_bf16(round_to_odd((double)x)))
SPAN_UNARY(i64_to_bf16, int64_t, uint16_t, number_to_bf16(round_to_odd(f64_odd_of_i64(x))))
SPAN_UNARY(u64_to_bf16, uint64_t, uint16_t, number_to_bf16(round_to_odd(f64_odd_of_u64(x))))
SPAN_UNARY(f32_cut_to_bf16, float, uint16_t, cut_to_bf16(x))
SPAN_UNARY(f64_cut_to_bf16, double, uint16_t, cut_to_bf16(round_to_odd(x)))
SPAN_UNARY(i64_to_f64_odd, int64_t, double, f64_odd_of_i64(x))
SPAN_UNARY(u64_to_f64_odd, uint64_t, double, f64_odd_of_u64(x))

/* ---- the table ---- */

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

static bool is_sub_byte_integer(enum dtype dtype)
{
    return sub_byte_bits(dtype) && dtype != DTYPE_F4E2M1;
}

bool cast_takes(enum dtype dtype)
{
    return cast_is_number(dtype) || is_sub_byte_integer(dtype) || small_float_is(dtype);
}

/* ---- small types, a tile at a time ---- */

enum { TILE_ITEMS = 64 };

struct small_cast {
    enum dtype from, to;
    struct cast_rules rules;
};

/* What the elements are once a tile is read: small floats are decoded, 16-bit floats the walk has widened. */
static enum dtype read_as(enum dtype dtype)
{
    switch (dtype) {
    case DTYPE_F16:
    case DTYPE_BF16:
        return DTYPE_F32;
    case DTYPE_I4:
    case DTYPE_I2:
        return DTYPE_I8;
    case DTYPE_U4:
    case DTYPE_U2:
        return DTYPE_U8;
    default:
        return small_float_is(dtype) ? DTYPE_F32 : dtype;
    }
}

static void decode_tile(enum dtype dtype, struct span *tile, float *ret_items)
{
    const uint8_t *bits = tile->in[0];
    for (int64_t i = 0; i < tile->n; i++) ret_items[i] = small_float_decode(dtype, bits[i * tile->step[0]]);
    tile->in[0] = ret_items;
    tile->step[0] = 1;
}

static void encode_tile(const struct small_cast *cast, enum dtype from, struct span tile)
{
    double items[TILE_ITEMS];
    uint8_t *out = tile.out;
    tile.out = items;
    if (from == DTYPE_I64) i64_to_f64_odd(&tile);
    else if (from == DTYPE_U64) u64_to_f64_odd(&tile);
    else casts[from][DTYPE_F64](&tile);
    const bool saturates = !cast->rules.is_unsaturated;
    for (int64_t i = 0; i < tile.n; i++)
        out[i] = cast->to == DTYPE_F8E8M0 ? small_float_encode_e8m0(items[i], saturates, cast->rules.e8m0_rounding)
                                          : small_float_encode(cast->to, items[i], saturates);
}

static void wrap_tile(const struct small_cast *cast, enum dtype from, struct span tile)
{
    int64_t items[TILE_ITEMS];
    uint8_t *out = tile.out;
    tile.out = items;
    casts[from][DTYPE_I64](&tile);
    for (int64_t i = 0; i < tile.n; i++) out[i] = sub_byte_wrap(cast->to, items[i]);
}

static void cast_small(const struct span *span)
{
    const struct small_cast *cast = span->params;
    const enum dtype from = read_as(cast->from), to = is_half(cast->to) ? DTYPE_F32 : cast->to;
    const int64_t in_bytes = (int64_t)dtype_block_bytes(is_half(cast->from) ? DTYPE_F32 : cast->from);
    float decoded[TILE_ITEMS];
    struct span tile = *span;
    for (int64_t done = 0; done < span->n; done += TILE_ITEMS) {
        tile.n = span->n - done < TILE_ITEMS ? span->n - done : TILE_ITEMS;
        tile.in[0] = (const char *)span->in[0] + done * span->step[0] * in_bytes;
        tile.step[0] = span->step[0];
        tile.out = (char *)span->out + done * (int64_t)dtype_block_bytes(to);
        if (small_float_is(cast->from)) decode_tile(cast->from, &tile, decoded);
        if (small_float_is(to)) encode_tile(cast, from, tile);
        else if (is_sub_byte_integer(to)) wrap_tile(cast, from, tile);
        else casts[from][to](&tile);
    }
}

/* ---- choosing ---- */

static span_function *find_bf16_cast(enum dtype from, bool truncates)
{
    switch (from) {
    case DTYPE_F64:
        return truncates ? f64_cut_to_bf16 : f64_to_bf16;
    case DTYPE_F32:
        return truncates ? f32_cut_to_bf16 : NULL;
    case DTYPE_I32:
        return i32_to_bf16;
    case DTYPE_U32:
        return u32_to_bf16;
    case DTYPE_I64:
        return i64_to_bf16;
    case DTYPE_U64:
        return u64_to_bf16;
    default:
        return NULL;
    }
}

/* The walk widens and narrows 16-bit floats by itself: for it they are f32. */
static span_function *find_cast(const struct small_cast *cast, bool *ret_is_widened)
{
    const enum dtype from = cast->from, to = cast->to;
    span_function *direct = from == DTYPE_F64 && to == DTYPE_F16 ? f64_to_f16
                            : to == DTYPE_BF16                   ? find_bf16_cast(from, cast->rules.truncates_bf16)
                                                                 : NULL;
    *ret_is_widened = !direct && (is_half(from) || is_half(to));
    if (direct) return direct;
    if (!cast_is_number(from) || !cast_is_number(to)) return cast_small;
    return casts[is_half(from) ? DTYPE_F32 : from][is_half(to) ? DTYPE_F32 : to];
}

void cast_apply_rules(struct op_context *ctx, const struct tensor *from, const struct tensor *to,
                      const struct cast_rules *rules)
{
    struct small_cast cast = {.from = from->dtype, .to = to->dtype};
    if (rules) cast.rules = *rules;
    struct elementwise_walk walk = {.n_inputs = 1, .inputs = {from}, .out = to, .params = &cast};
    walk.function = find_cast(&cast, &walk.is_widened);
    elementwise_apply(ctx, &walk);
}

void cast_apply(struct op_context *ctx, const struct tensor *from, const struct tensor *to)
{
    cast_apply_rules(ctx, from, to, NULL);
}
