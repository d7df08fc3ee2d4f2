#include "quant/small_float.h"

#include "quant/half.h"

#include <math.h>

enum { E8M0_NAN = 0xff, E8M0_MOST = 0xfe, E8M0_BIAS = 127 };

struct format {
    int fraction_bits, bias;
    uint8_t sign;     /* its bit; the magnitude stands below it */
    uint8_t largest;  /* magnitude of the largest finite number */
    uint8_t infinity; /* magnitude; 0: none */
    uint8_t nan;      /* magnitude of a NaN; the bare sign bit is the only NaN of FNUZ types, and what E2M1 makes of one */
    bool is_fnuz;
};

static const struct format formats[] = {
    [DTYPE_F8E4M3FN] = {3, 7, 0x80, 0x7e, 0, 0x7f, false},  [DTYPE_F8E4M3FNUZ] = {3, 8, 0x80, 0x7f, 0, 0x80, true},
    [DTYPE_F8E5M2] = {2, 15, 0x80, 0x7b, 0x7c, 0x7e, false}, [DTYPE_F8E5M2FNUZ] = {2, 16, 0x80, 0x7f, 0, 0x80, true},
    [DTYPE_F4E2M1] = {1, 1, 0x08, 0x07, 0, 0x08, false},
};

bool small_float_is(enum dtype dtype)
{
    return dtype == DTYPE_F8E8M0 || ((size_t)dtype < sizeof formats / sizeof formats[0] && formats[dtype].sign);
}

static float decode_e8m0(uint8_t bits)
{
    if (bits == E8M0_NAN) return NAN;
    return bits ? float_from_bits((uint32_t)bits << 23) : 0x1p-127f;
}

float small_float_decode(enum dtype dtype, uint8_t bits)
{
    if (dtype == DTYPE_F8E8M0) return decode_e8m0(bits);
    const struct format *format = &formats[dtype];
    uint32_t magnitude = bits & (format->sign - 1u), is_negative = (bits & format->sign) != 0;
    if (format->is_fnuz && is_negative && !magnitude) return NAN;
    float size;
    if (magnitude > format->largest) {
        size = magnitude == format->infinity ? INFINITY : NAN;
    } else {
        /* Exponent and fraction in f32's places leave the exponent too small by the difference of the biases; a product mends
         * it, for subnormals too. */
        float scale = float_from_bits((uint32_t)(127 + 127 - format->bias) << 23);
        size = float_from_bits(magnitude << (23 - format->fraction_bits)) * scale;
    }
    return is_negative ? -size : size;
}

static double power_of_two(int exponent)
{
    uint64_t bits = (uint64_t)(exponent + 1023) << 52;
    double power;
    memcpy(&power, &bits, sizeof power);
    return power;
}

/* Of a size from 2^-40 to 2^20, counted on beyond the largest number. */
static unsigned encode_magnitude(const struct format *format, double size)
{
    uint64_t bits;
    memcpy(&bits, &size, sizeof bits);
    int least = 1 - format->bias; /* exponent of the subnormals and of the smallest normal numbers */
    int own = (int)(bits >> 52) - 1023, exponent = own > least ? own : least;
    /* Whole steps of the last bit, by an addition that leaves no room for fractions; a normal number's leading one adds 1 to
     * the exponent, as does a carry. */
    double steps = (size * power_of_two(format->fraction_bits - exponent) + 0x1p52) - 0x1p52;
    return ((unsigned)(exponent - least) << format->fraction_bits) + (unsigned)steps;
}

uint8_t small_float_encode(enum dtype dtype, double x, bool saturates)
{
    const struct format *format = &formats[dtype];
    uint8_t sign = signbit(x) ? format->sign : 0;
    if (isnan(x)) return dtype == DTYPE_F4E2M1 ? format->nan : sign | format->nan;
    /* The bounds keep the exponent small; 2^20 is too large for all of them, 2^-40 less than half of any step. */
    double size = fmin(fabs(x), 0x1p20);
    unsigned magnitude = size < 0x1p-40 ? 0 : encode_magnitude(format, size);
    if (magnitude > format->largest) {
        bool is_kept = saturates || dtype == DTYPE_F4E2M1;
        magnitude = is_kept ? format->largest : format->infinity ? format->infinity : format->nan;
    }
    if (format->is_fnuz && !magnitude) return 0;
    return (uint8_t)(sign | magnitude);
}

uint8_t small_float_encode_e8m0(double x, bool saturates, enum e8m0_rounding rounding)
{
    int exponent;
    double size = fabs(x);
    if (isnan(x)) return E8M0_NAN;
    if (size < 0x1p-127) return saturates ? 0 : E8M0_NAN;
    if (size > 0x1p128) return saturates ? E8M0_MOST : E8M0_NAN;
    double fraction = frexp(size, &exponent); /* in [0.5, 1): size lies between 2^(exponent - 1) and 2^exponent */
    bool is_up = rounding == E8M0_UP ? fraction > 0.5 : rounding == E8M0_NEAREST && fraction >= 0.75;
    int bits = exponent - 1 + is_up + E8M0_BIAS;
    if (bits > E8M0_MOST) return saturates ? E8M0_MOST : E8M0_NAN;
    return (uint8_t)bits;
}
