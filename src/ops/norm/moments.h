/* Mean and variance of runs of neighbours in a contiguous float tensor, and what normalises such a run with them: what Batch-,
 * Instance- and GroupNormalization and global pooling are made of.
 *
 * f32, f16 and bf16 items are summed as f32 in short stretches, the stretches' sums as f64. The second walk sums deviations from the
 * mean that the first one found, and so mends what that had lost: a channel of a million items around 1000 keeps its digits. f64
 * items are summed as f64. The order of additions is that of the items. Nothing to release. Thread-safe.
 *
 *     struct moments moments;
 *     moments_init(&moments, ctx->kernels, x);
 *     moments_add(&moments, offset, n_items);              as often as there are runs
 *     moments_add_deviations(&moments, offset, n_items);   then all of them again
 *     double factor = scale / sqrt(moments_variance(&moments) + epsilon);
 *     affine_run(ctx->kernels, x, y, offset, n_items, moments_mean(&moments), factor, shift);
 */
#ifndef OPS_NORM_MOMENTS_H
#define OPS_NORM_MOMENTS_H

#include "ops/op.h"

struct moments {
    const struct kernels *kernels;
    const struct tensor *x;
    double sum, n_items;                      /* first walk */
    double deviations, squares, n_deviations; /* second walk: from the first one's mean, rounded to x's precision */
};

void moments_init(struct moments *ret_moments, const struct kernels *kernels, const struct tensor *x);
void moments_add(struct moments *moments, int64_t offset, int64_t n_items);
void moments_add_deviations(struct moments *moments, int64_t offset, int64_t n_items);
/* NaN without items. Good for most uses after one walk already. */
double moments_mean(const struct moments *moments);
/* After both walks: the population's, divided by n. */
double moments_variance(const struct moments *moments);

/* y = (x - mean) * factor + shift for items [offset,offset+n). x and y have the same type and may be the same. */
void affine_run(const struct kernels *kernels, const struct tensor *x, const struct tensor *y, int64_t offset,
                int64_t n_items, double mean, double factor, double shift);

#endif
