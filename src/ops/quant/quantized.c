#include "ops/quant/quantized.h"

#include "ops/numbers.h"

struct bounds {
    float least, most;
};

static struct bounds bounds_of(enum dtype dtype)
{
    switch (dtype) {
    case DTYPE_U8:
        return (struct bounds){0, 255};
    case DTYPE_I8:
        return (struct bounds){-128, 127};
    case DTYPE_U16:
        return (struct bounds){0, 65535};
    case DTYPE_I16:
        return (struct bounds){-32768, 32767};
    case DTYPE_U4:
        return (struct bounds){0, 15};
    case DTYPE_I4:
        return (struct bounds){-8, 7};
    case DTYPE_U2:
        return (struct bounds){0, 3};
    case DTYPE_I2:
        return (struct bounds){-2, 1};
    default:
        return (struct bounds){0, 0};
    }
}

bool quantized_is_integer(enum dtype dtype)
{
    return bounds_of(dtype).most != 0;
}

bool quantized_is_byte(enum dtype dtype)
{
    return dtype == DTYPE_U8 || dtype == DTYPE_I8;
}

hob_status quantized_check(struct op_context *ctx, int scale_input, int zero_input, enum dtype dtype)
{
    const struct tensor *scale = op_input(ctx, scale_input), *zero = op_input(ctx, zero_input);
    if (!scale) OP_FAIL(ctx, HOB_BAD_GRAPH, "input %d, a scale, is missing", scale_input);
    if (!numbers_is_float(scale->dtype))
        OP_FAIL(ctx, HOB_BAD_TYPE, "input %d: found %s, expected a float type", scale_input, dtype_name(scale->dtype));
    if (tensor_n_items(scale) != 1)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input %d: found %s, expected one scale", scale_input, OP_SHAPE(scale));
    TRY(op_check_dtype(ctx, zero_input, dtype));
    if (zero && tensor_n_items(zero) != 1)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input %d: found %s, expected one zero point", zero_input, OP_SHAPE(zero));
    return HOB_OK;
}

struct quantized quantized_read(const struct op_context *ctx, int scale_input, int zero_input)
{
    const struct tensor *scale = scale_input < 0 ? NULL : op_input(ctx, scale_input);
    const struct tensor *zero = zero_input < 0 ? NULL : op_input(ctx, zero_input);
    struct quantized q = {1, 0};
    if (scale) numbers_load_f32(scale, 0, 1, 1, &q.scale);
    if (zero) numbers_load_f32(zero, 0, 1, 1, &q.zero);
    return q;
}

void quantized_load(enum dtype dtype, int64_t n, const void *integers, struct quantized q, float *ret_numbers)
{
    const struct tensor flat = {.data = (void *)(uintptr_t)integers, .dtype = dtype};
    numbers_load_f32(&flat, 0, 1, (size_t)n, ret_numbers);
    for (int64_t i = 0; i < n; i++) ret_numbers[i] = (ret_numbers[i] - q.zero) * q.scale;
}

/* The bounds hold before rounding as well as after it: they and the zero point are whole numbers. NaN fails the first comparison
 * and becomes the bound. */
static inline int32_t saturate(float quotient, float zero, struct bounds bounds)
{
    const float least = bounds.least - zero, most = bounds.most - zero;
    float near = quotient > least ? quotient : least;
    near = near < most ? near : most;
    return (int32_t)(quantized_round(near) + zero);
}

/* The loops over one zero and over zeros are separate, so that each becomes a loop over vectors. */
#define STORE_ALL(type, zero)                                       \
    {                                                               \
        type *integers = ret_integers;                              \
        for (int64_t i = 0; i < n; i++)                             \
            integers[i] = (type)saturate(quotients[i], zero, bounds); \
    }

void quantized_store(enum dtype dtype, int64_t n, const float *quotients, float zero, void *ret_integers)
{
    const struct bounds bounds = bounds_of(dtype);
    if (dtype_block_bytes(dtype) == 1) STORE_ALL(uint8_t, zero)
    else STORE_ALL(uint16_t, zero)
}

void quantized_store_each(enum dtype dtype, int64_t n, const float *quotients, const float *zeros, void *ret_integers)
{
    const struct bounds bounds = bounds_of(dtype);
    if (dtype_block_bytes(dtype) == 1) STORE_ALL(uint8_t, zeros[i])
    else STORE_ALL(uint16_t, zeros[i])
}

void requantize(const struct requantize_args *args)
{
    float quotients[NUMBERS_RUN];
    const int64_t item_bytes = (int64_t)dtype_block_bytes(args->dtype);
    for (int64_t begin = 0, n; begin < args->n; begin += n) {
        n = args->n - begin < NUMBERS_RUN ? args->n - begin : NUMBERS_RUN;
        const int32_t *acc = args->acc + begin;
        const float *multipliers = args->multipliers + (args->step ? begin : 0);
        if (args->step)
            for (int64_t i = 0; i < n; i++) quotients[i] = (float)acc[i] * multipliers[i];
        else
            for (int64_t i = 0; i < n; i++) quotients[i] = (float)acc[i] * *multipliers;
        quantized_store(args->dtype, n, quotients, args->zero, (char *)args->ret_integers + begin * item_bytes);
    }
}
