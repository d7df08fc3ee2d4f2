/* Windows that slide over the spatial axes of [N,C,D1,D2,…]: what convolutions, their transposes and pooling share.
 *
 * window_parse reads kernel_shape, strides, dilations, pads, auto_pad, ceil_mode, output_padding and output_shape once, in prepare;
 * window_resolve makes of them and of a run's dims the output's dims and the pads that really apply. Dims are passed as an
 * array of the spatial axes alone, so any layout can ask. Plain values that own nothing. Thread-safe.
 *
 *     struct window_params *params = ARENA_NEW(node->arena, struct window_params, 1);
 *     TRY(window_parse(node, params));
 *     … in infer and run:
 *     struct window window;
 *     TRY(window_resolve(ctx, params, x->rank - 2, x->dims + 2, w->dims + 2, &window));
 *     for (int64_t o = 0; o < window.outputs[a]; o++)                         window o of axis a covers the inputs
 *         for (int64_t k = 0; k < window.kernel[a]; k++)                      i with 0 <= i < window.inputs[a], where
 *             i = o * window.strides[a] - window.pads_begin[a] + k * window.dilations[a]
 */
#ifndef OPS_VISION_WINDOW_H
#define OPS_VISION_WINDOW_H

#include "ops/op.h"

enum { WINDOW_MAX_RANK = TENSOR_MAX_RANK - 2 };

enum window_padding {
    WINDOW_PADS_GIVEN, /* auto_pad NOTSET */
    WINDOW_SAME_UPPER, /* as many outputs as ceil(input / stride); an odd pad at the end */
    WINDOW_SAME_LOWER, /* an odd pad at the beginning */
    WINDOW_VALID       /* no pads */
};

/* What the attributes say. Every number is checked: kernel, strides, dilations 1 … INT32_MAX, pads 0 … INT32_MAX. */
struct window_params {
    int rank; /* spatial axes that the attributes speak of; 0: none of the lists is there */
    enum window_padding padding;
    bool has_kernel, has_output_shape, is_ceil;
    int64_t kernel[WINDOW_MAX_RANK];
    int64_t strides[WINDOW_MAX_RANK], dilations[WINDOW_MAX_RANK]; /* 1 where not given */
    int64_t pads_begin[WINDOW_MAX_RANK], pads_end[WINDOW_MAX_RANK];
    int64_t output_padding[WINDOW_MAX_RANK], output_shape[WINDOW_MAX_RANK]; /* transposed convolutions only */
};

/* One run's windows. Pads may be larger than the kernel: such windows cover no input at all. */
struct window {
    int rank;
    int64_t inputs[WINDOW_MAX_RANK], outputs[WINDOW_MAX_RANK];
    int64_t kernel[WINDOW_MAX_RANK], strides[WINDOW_MAX_RANK], dilations[WINDOW_MAX_RANK];
    int64_t pads_begin[WINDOW_MAX_RANK], pads_end[WINDOW_MAX_RANK];
};

/* Fails: HOB_BAD_GRAPH with the attribute's name, what it holds and what it should. */
HOB_MUST_CHECK hob_status window_parse(const struct op_prepare *node, struct window_params *ret_params);

/* rank 0 … WINDOW_MAX_RANK spatial axes. kernel is a weight's dims, which must agree with kernel_shape if that is given; NULL:
 * kernel_shape it is. Outputs: floor((input + pads - extent) / stride) + 1 with extent = (kernel - 1) * dilation + 1; ceil with
 * ceil_mode, without windows that would start behind the input and its first pad. An axis with no input has no output.
 * Fails: HOB_BAD_SHAPE. */
HOB_MUST_CHECK hob_status window_resolve(struct op_context *ctx, const struct window_params *params, int rank,
                                         const int64_t *inputs, const int64_t *kernel, struct window *ret_window);

/* The transpose: the same window seen from its other side. In ret_window `inputs` are still what the caller passed and `outputs`
 * what it makes of them: each input i adds to the outputs i * stride - pad_begin + k * dilation that exist.
 * outputs = (input - 1) * stride + extent + output_padding - pads, or what output_shape says (pads are derived then, never below
 * 0), or input * stride with auto_pad SAME. */
HOB_MUST_CHECK hob_status window_resolve_transposed(struct op_context *ctx, const struct window_params *params,
                                                    int rank, const int64_t *inputs, const int64_t *kernel,
                                                    struct window *ret_window);

/* Items of one window: the kernel's product. A kernel that came from a tensor's dims does not overflow. */
static inline int64_t window_n_taps(const struct window *window)
{
    int64_t n_taps = 1;
    for (int axis = 0; axis < window->rank; axis++) n_taps *= window->kernel[axis];
    return n_taps;
}

/* Positions of an axis that one window spans. */
static inline int64_t window_extent(const struct window *window, int axis)
{
    return (window->kernel[axis] - 1) * window->dilations[axis] + 1;
}

#endif
