/* Numbers as small integers with a scale and a zero point, number = (integer - zero) * scale: what the quantised operators
 * share. Quotients are rounded to nearest, ties to even, then the zero point is added, then the type's bounds hold.
 *
 * Owns nothing. Thread-safe.
 *
 *     TRY(quantized_check(ctx, 1, 2, x->dtype));                     in infer: scale in input 1, zero point in input 2
 *     struct quantized x = quantized_read(ctx, 1, 2);                in run
 *     quantized_store(y->dtype, n, quotients, y_zero, bytes);
 */
#ifndef OPS_QUANT_QUANTIZED_H
#define OPS_QUANT_QUANTIZED_H

#include "ops/op.h"

#define TYPES_BYTE (TYPE(U8) | TYPE(I8))

struct quantized {
    float scale, zero;
};

/* Integers of 2, 4, 8 and 16 bits. */
bool quantized_is_integer(enum dtype dtype);
/* uint8, int8 */
bool quantized_is_byte(enum dtype dtype);

/* To nearest, ties to even, without a call; |x| at most 2^22. */
static inline float quantized_round(float x)
{
    return (x + 0x1.8p23f) - 0x1.8p23f;
}

/* One scale of a float type, and a zero point (which may be missing) of dtype. Fails: HOB_BAD_SHAPE, HOB_BAD_TYPE. */
HOB_MUST_CHECK hob_status quantized_check(struct op_context *ctx, int scale_input, int zero_input, enum dtype dtype);
/* Either may be missing, or not asked for (-1): a scale of 1, a zero point of 0. */
struct quantized quantized_read(const struct op_context *ctx, int scale_input, int zero_input);

/* n integers of one of the types, and back. NaN becomes the least number. */
void quantized_load(enum dtype dtype, int64_t n, const void *integers, struct quantized q, float *ret_numbers);
void quantized_store(enum dtype dtype, int64_t n, const float *quotients, float zero, void *ret_integers);
/* The same with a zero point for each. */
void quantized_store_each(enum dtype dtype, int64_t n, const float *quotients, const float *zeros, void *ret_integers);

/* acc[i] * multipliers[i * step] rounded, plus zero, within the bounds of dtype. */
struct requantize_args {
    const int32_t *acc;
    int64_t n;
    const float *multipliers;
    int step; /* 0 or 1 */
    float zero;
    enum dtype dtype;
    void *ret_integers;
};
void requantize(const struct requantize_args *args);

#endif
