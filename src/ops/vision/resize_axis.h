/* How one axis is resampled: which input positions each output position of Resize and Upsample reads, with what weights.
 *
 * The tables are made once a run, in f64, in the node's scratch; the passes over them are separable.h's. Taps that lie outside the
 * input show the edge's item: their weights are added to its own, so that a table never points outside. Thread-safe.
 *
 *     struct resize_taps taps;
 *     TRY(resize_taps_make(ctx, &sampling, &axis, false, &taps));
 *     job.axes[0] = (struct separable_axis){axis.n_in, axis.n_out, &taps, resize_pass_f32, resize_reads};
 */
#ifndef OPS_VISION_RESIZE_AXIS_H
#define OPS_VISION_RESIZE_AXIS_H

#include "ops/op.h"
#include "ops/vision/separable.h"

enum resize_mode { RESIZE_NEAREST, RESIZE_LINEAR, RESIZE_CUBIC };

/* coordinate_transformation_mode */
enum resize_coordinates {
    RESIZE_HALF_PIXEL,
    RESIZE_HALF_PIXEL_SYMMETRIC,
    RESIZE_PYTORCH_HALF_PIXEL,
    RESIZE_ALIGN_CORNERS,
    RESIZE_ASYMMETRIC,
    RESIZE_TF_CROP_AND_RESIZE,
    RESIZE_TF_HALF_PIXEL_FOR_NN
};

/* nearest_mode */
enum resize_rounding { RESIZE_ROUND_PREFER_FLOOR, RESIZE_ROUND_PREFER_CEIL, RESIZE_FLOOR, RESIZE_CEIL };

struct resize_sampling {
    enum resize_mode mode;
    enum resize_coordinates coordinates;
    enum resize_rounding rounding;
    bool is_antialiased, excludes_outside;
    double cubic_a;
    double outside_value; /* tf_crop_and_resize: what outputs outside the input show */
};

struct resize_axis {
    int64_t n_in, n_out;       /* n_in >= 1 where n_out is */
    double scale;              /* above 0, finite */
    double length;             /* n_out before it was rounded */
    double roi_begin, roi_end; /* tf_crop_and_resize */
};

/* Nothing changes along this axis. */
bool resize_axis_is_identity(const struct resize_sampling *sampling, const struct resize_axis *axis);

/* Nearest: the input position of each output position, or MAP_FILL (ops/moving.h) outside. */
HOB_MUST_CHECK hob_status resize_map_make(struct op_context *ctx, const struct resize_sampling *sampling,
                                          const struct resize_axis *axis, int64_t **ret_map);

/* Output o is the sum of weights[o * n_taps + t] * input[first[o] + t]. */
struct resize_taps {
    int64_t n_taps;
    const int64_t *first;
    const float *weights_f32; /* one of the two */
    const double *weights_f64;
    const bool *is_outside; /* NULL: none */
    double outside_value;
};

/* Linear and cubic. */
HOB_MUST_CHECK hob_status resize_taps_make(struct op_context *ctx, const struct resize_sampling *sampling,
                                           const struct resize_axis *axis, bool is_f64, struct resize_taps *ret_taps);

separable_pass resize_pass_f32, resize_pass_f64; /* table: a struct resize_taps */
separable_reads resize_reads;

#endif
