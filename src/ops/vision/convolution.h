/* Convolution of contiguous numbers: what Conv, FusedConv, hob.Conv and (as several convolutions, one for each phase of its
 * stride) ConvTranspose come down to.
 *
 * A group's weights [M,K] times the patches [K,P] that its windows cover: patches are made as panels for a block of output
 * pixels at a time, never as a whole. Windows that read a single channel (depthwise) have a kernel of their own. Each output is one
 * chain over channels and taps, so the bytes depend neither on blocks, batch nor threads.
 *
 *     struct convolution c = {.n_batches = B, …, .x = x, .weights = w, .y = y};
 *     convolution_set_window(&c, &window);
 *     TRY(convolution_run(ctx, &c));
 */
#ifndef OPS_VISION_CONVOLUTION_H
#define OPS_VISION_CONVOLUTION_H

#include "kernels/kernels.h"
#include "ops/op.h"
#include "ops/vision/window.h"

struct convolution {
    int64_t n_batches, n_groups;
    int64_t n_channels, n_outputs; /* of one group */
    int rank;                      /* spatial axes */
    int64_t inputs[WINDOW_MAX_RANK], outputs[WINDOW_MAX_RANK], taps[WINDOW_MAX_RANK];
    int64_t strides[WINDOW_MAX_RANK], dilations[WINDOW_MAX_RANK];
    int64_t origins[WINDOW_MAX_RANK]; /* input of the first tap of the first output: minus the pad */
    const float *x;                   /* [batch, group, channel, inputs…] */
    const float *weights;             /* [group, output, channel, taps…] */
    float *y;                         /* [batch, group, output, outputs…] unless is_spread */
    /* bias [group, output], before and after like y; the kernel's y, strides and counts are not looked at. */
    struct finish_f32_args finish;
    /* Output o of axis a lies spread_steps[a] * o behind the first of its plane of spread_plane items. No before or after then. */
    bool is_spread;
    int64_t spread_plane, spread_steps[WINDOW_MAX_RANK];
};

/* Axes, taps, strides, dilations, origins. */
void convolution_set_window(struct convolution *convolution, const struct window *window);
/* Fails: HOB_NO_MEMORY, HOB_LIMIT. */
HOB_MUST_CHECK hob_status convolution_run(struct op_context *ctx, const struct convolution *convolution);

/* The same in f64, plainly: y = chain + bias; finish is not looked at. */
struct convolution_f64 {
    struct convolution shape;         /* its pointers are not looked at */
    const double *x, *weights, *bias; /* bias may be NULL */
    double *y;
};
void convolution_run_f64(struct op_context *ctx, const struct convolution_f64 *convolution);

#endif
