/* One loop per (stored type, wanted type), made by macro so that each is a plain vectorisable loop. */
#include "ops/numbers.h"

#include "base/error.h"
#include "quant/small_float.h"

#include <string.h>

bool numbers_is_float(enum dtype dtype)
{
    return dtype == DTYPE_F32 || dtype == DTYPE_F64 || dtype == DTYPE_F16 || dtype == DTYPE_BF16;
}

bool numbers_is_integer(enum dtype dtype)
{
    return dtype == DTYPE_I64 || dtype == DTYPE_I32 || dtype == DTYPE_I16 || dtype == DTYPE_I8 || dtype == DTYPE_U64 ||
           dtype == DTYPE_U32 || dtype == DTYPE_U16 || dtype == DTYPE_U8 || dtype == DTYPE_BOOL;
}

static float float_of_bits(uint32_t bits)
{
    float number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

static uint32_t bits_of_float(float number)
{
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

float number_from_f16(uint16_t bits)
{
    uint32_t sign = (uint32_t)(bits & 0x8000u) << 16;
    uint32_t magnitude = bits & 0x7fffu;
    if (magnitude >= 0x7c00u) return float_of_bits(sign | 0x7f800000u | (magnitude & 0x3ffu) << 13);
    /* Shifting exponent and fraction into f32's places leaves the exponent 112 too small; a product with 2^112 mends it,
     * for subnormal halves too. */
    float scaled = float_of_bits(magnitude << 13) * 0x1p112f;
    return float_of_bits(sign | bits_of_float(scaled));
}

uint16_t number_to_f16(float number)
{
    uint32_t bits = bits_of_float(number);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000u);
    uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return (uint16_t)(sign | 0x7e00u);
    if (magnitude >= 0x477ff000u) return (uint16_t)(sign | 0x7c00u); /* 65520 and above round to infinity */
    if (magnitude < 0x38800000u) {
        /* Below 2^-14: adding 0.5 puts the half's fraction in the lowest bits, rounded by the addition itself. */
        float aligned = float_of_bits(magnitude) + 0.5f;
        return (uint16_t)(sign | (bits_of_float(aligned) - bits_of_float(0.5f)));
    }
    uint32_t odd = magnitude >> 13 & 1u;
    return (uint16_t)(sign | (magnitude - (112u << 23) + 0xfffu + odd) >> 13);
}

float number_from_bf16(uint16_t bits)
{
    return float_of_bits((uint32_t)bits << 16);
}

uint16_t number_to_bf16(float number)
{
    uint32_t bits = bits_of_float(number);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return (uint16_t)(bits >> 16 | 0x40u);
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

#define SAME(x) (x)
#define LOAD_RUN(type, wanted, convert)                                                                   \
    {                                                                                                     \
        const type *source = (const type *)tensor->data + offset;                                         \
        for (size_t k = 0; k < n_items; k++) ret_items[k] = (wanted)convert(source[(int64_t)k * stride]); \
        break;                                                                                            \
    }
#define STORE_RUN(type, convert)                                                                    \
    {                                                                                               \
        type *target = (type *)tensor->data + offset;                                               \
        for (size_t k = 0; k < n_items; k++) target[(int64_t)k * stride] = (type)convert(items[k]); \
        break;                                                                                      \
    }

#define LOAD_INTEGERS(wanted)            \
    case DTYPE_I64:                      \
        LOAD_RUN(int64_t, wanted, SAME)  \
    case DTYPE_I32:                      \
        LOAD_RUN(int32_t, wanted, SAME)  \
    case DTYPE_I16:                      \
        LOAD_RUN(int16_t, wanted, SAME)  \
    case DTYPE_I8:                       \
    case DTYPE_I4:                       \
    case DTYPE_I2:                       \
        LOAD_RUN(int8_t, wanted, SAME)   \
    case DTYPE_U64:                      \
        LOAD_RUN(uint64_t, wanted, SAME) \
    case DTYPE_U32:                      \
        LOAD_RUN(uint32_t, wanted, SAME) \
    case DTYPE_U16:                      \
        LOAD_RUN(uint16_t, wanted, SAME) \
    case DTYPE_U8:                       \
    case DTYPE_U4:                       \
    case DTYPE_U2:                       \
    case DTYPE_BOOL:                     \
        LOAD_RUN(uint8_t, wanted, SAME)
#define DECODE(bits) small_float_decode(tensor->dtype, bits)
#define LOAD_FLOATS(wanted)                         \
    case DTYPE_F32:                                 \
        LOAD_RUN(float, wanted, SAME)               \
    case DTYPE_F64:                                 \
        LOAD_RUN(double, wanted, SAME)              \
    case DTYPE_F16:                                 \
        LOAD_RUN(uint16_t, wanted, number_from_f16) \
    case DTYPE_BF16:                                \
        LOAD_RUN(uint16_t, wanted, number_from_bf16) \
    case DTYPE_F8E4M3FN:                            \
    case DTYPE_F8E4M3FNUZ:                          \
    case DTYPE_F8E5M2:                              \
    case DTYPE_F8E5M2FNUZ:                          \
    case DTYPE_F8E8M0:                              \
    case DTYPE_F4E2M1:                              \
        LOAD_RUN(uint8_t, wanted, DECODE)

void numbers_load_f64(const struct tensor *tensor, int64_t offset, int64_t stride, size_t n_items, double *ret_items)
{
    switch (tensor->dtype) {
        LOAD_FLOATS(double)
        LOAD_INTEGERS(double)
    default:
        HOB_ASSERT(numbers_is_float(tensor->dtype) || numbers_is_integer(tensor->dtype));
    }
}

void numbers_load_f32(const struct tensor *tensor, int64_t offset, int64_t stride, size_t n_items, float *ret_items)
{
    switch (tensor->dtype) {
        LOAD_FLOATS(float)
        LOAD_INTEGERS(float)
    default:
        HOB_ASSERT(numbers_is_float(tensor->dtype) || numbers_is_integer(tensor->dtype));
    }
}

void numbers_load_i64(const struct tensor *tensor, int64_t offset, int64_t stride, size_t n_items, int64_t *ret_items)
{
    switch (tensor->dtype) {
        LOAD_INTEGERS(int64_t)
    default:
        HOB_ASSERT(numbers_is_integer(tensor->dtype));
    }
}

static uint16_t f64_to_f16(double number)
{
    return number_to_f16((float)number);
}

static uint16_t f64_to_bf16(double number)
{
    return number_to_bf16((float)number);
}

void numbers_store_f64(const struct tensor *tensor, int64_t offset, int64_t stride, size_t n_items, const double *items)
{
    switch (tensor->dtype) {
    case DTYPE_F32:
        STORE_RUN(float, SAME)
    case DTYPE_F64:
        STORE_RUN(double, SAME)
    case DTYPE_F16:
        STORE_RUN(uint16_t, f64_to_f16)
    case DTYPE_BF16:
        STORE_RUN(uint16_t, f64_to_bf16)
    default:
        HOB_ASSERT(numbers_is_float(tensor->dtype));
    }
}

void numbers_store_f32(const struct tensor *tensor, int64_t offset, int64_t stride, size_t n_items, const float *items)
{
    switch (tensor->dtype) {
    case DTYPE_F32:
        STORE_RUN(float, SAME)
    case DTYPE_F64:
        STORE_RUN(double, SAME)
    case DTYPE_F16:
        STORE_RUN(uint16_t, number_to_f16)
    case DTYPE_BF16:
        STORE_RUN(uint16_t, number_to_bf16)
    default:
        HOB_ASSERT(numbers_is_float(tensor->dtype));
    }
}

void numbers_store_i64(const struct tensor *tensor, int64_t offset, int64_t stride, size_t n_items,
                       const int64_t *items)
{
    switch (tensor->dtype) {
    case DTYPE_I64:
        STORE_RUN(int64_t, SAME)
    case DTYPE_I32:
        STORE_RUN(int32_t, SAME)
    case DTYPE_I16:
        STORE_RUN(int16_t, SAME)
    case DTYPE_I8:
        STORE_RUN(int8_t, SAME)
    case DTYPE_U64:
        STORE_RUN(uint64_t, SAME)
    case DTYPE_U32:
        STORE_RUN(uint32_t, SAME)
    case DTYPE_U16:
        STORE_RUN(uint16_t, SAME)
    case DTYPE_U8:
    case DTYPE_BOOL:
        STORE_RUN(uint8_t, SAME)
    default:
        HOB_ASSERT(numbers_is_integer(tensor->dtype));
    }
}

static uint64_t key_of_f64(double number)
{
    uint64_t bits, sign_bit = UINT64_C(1) << 63;
    number += 0.0; /* -0 becomes 0 */
    memcpy(&bits, &number, sizeof bits);
    return bits & sign_bit ? ~bits : bits | sign_bit;
}

void numbers_load_keys(const struct tensor *tensor, int64_t offset, int64_t stride, size_t n_items, uint64_t *ret_keys)
{
    double numbers[NUMBERS_RUN];
    int64_t integers[NUMBERS_RUN];
    uint64_t flip = tensor->dtype == DTYPE_U64 ? 0 : UINT64_C(1) << 63;
    for (size_t begin = 0; begin < n_items; begin += NUMBERS_RUN) {
        size_t n = n_items - begin < NUMBERS_RUN ? n_items - begin : NUMBERS_RUN;
        int64_t first = offset + (int64_t)begin * stride;
        if (numbers_is_float(tensor->dtype)) {
            numbers_load_f64(tensor, first, stride, n, numbers);
            for (size_t k = 0; k < n; k++) ret_keys[begin + k] = key_of_f64(numbers[k]);
        } else {
            numbers_load_i64(tensor, first, stride, n, integers);
            for (size_t k = 0; k < n; k++) ret_keys[begin + k] = (uint64_t)integers[k] ^ flip;
        }
    }
}
