/* Convolutions of bytes, exact in int32 (which wraps): what ConvInteger and QLinearConv share.
 *
 * The inputs under a block of output positions become columns of a matrix (none are copied for 1x1 windows), which the widened
 * weights multiply; the sums of a block go to the operator's `finish`, on whichever thread made them.
 *
 *     struct integer_conv conv = {.x = x, .w = w, .x_zero = 128, .w_zero = zero_or_null, .params = params};
 *     TRY(integer_conv_run(ctx, &conv, finish, &job));
 */
#ifndef OPS_QUANT_INTEGER_CONV_H
#define OPS_QUANT_INTEGER_CONV_H

#include "ops/vision/window.h"

struct integer_conv_params {
    struct window_params window;
    int64_t group;
};

struct integer_conv {
    const struct tensor *x, *w;    /* uint8 or int8: [B,C,D1,…] and [M,C/group,K1,…]; contiguous */
    int32_t x_zero;                /* also what pads hold */
    const struct tensor *w_zero;   /* one number or [M]; NULL: 0 */
    const struct integer_conv_params *params;
};

/* Sums of n_channels output channels from `channel` on, at n_positions from `position` on (of the flat spatial axes). */
struct integer_conv_block {
    int64_t image, channel, n_channels, position, n_positions;
    int32_t *sums;  /* [n_channels, n_positions]; finish may change them */
    int64_t stride; /* from channel to channel */
};
typedef void integer_conv_finish(const void *context, const struct integer_conv_block *block);

HOB_MUST_CHECK hob_status integer_conv_prepare(const struct op_prepare *node, void **ret_params);
/* Checks x, w and their zero points; output dims [B,M,…] of x's rank. Fails: HOB_BAD_TYPE, HOB_BAD_SHAPE. */
HOB_MUST_CHECK hob_status integer_conv_infer(struct op_context *ctx, const struct integer_conv *conv, int64_t *ret_dims);
HOB_MUST_CHECK hob_status integer_conv_run(struct op_context *ctx, const struct integer_conv *conv,
                                           integer_conv_finish *finish, const void *context);

#endif
