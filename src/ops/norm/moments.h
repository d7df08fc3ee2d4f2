/* Mean and variance of runs of neighbours in a contiguous float tensor, and what normalises such a run with them: what Batch-,
 * Instance- and GroupNormalization and global pooling are made of.
 *
 * f32, f16 and bf16 items are summed as f32 in short stretches, the stretches' sums as f64, so a channel of a million items
 * loses no digits; f64 items are summed as f64. The order of additions is that of the items. Nothing to release. Thread-safe.
 *
 *     struct moments moments;
 *     moments_init(&moments, ctx->kernels, x);
 *     moments_add(&moments, offset, n_items);              as often as there are runs
 *     double mean = moments_mean(&moments);
 *     moments_add_deviations(&moments, mean, offset, n_items);
 *     affine_run(ctx->kernels, x, y, offset, n_items, mean, scale / sqrt(moments_variance(&moments) + epsilon), shift);
 */
#ifndef OPS_NORM_MOMENTS_H
#define OPS_NORM_MOMENTS_H

#include "ops/op.h"

struct moments {
    const struct kernels *kernels;
    const struct tensor *x;
    double sum, squares; /* squares: of deviations from the mean */
    double n_items, n_deviations;
};

void moments_init(struct moments *ret_moments, const struct kernels *kernels, const struct tensor *x);
void moments_add(struct moments *moments, int64_t offset, int64_t n_items);
void moments_add_deviations(struct moments *moments, double mean, int64_t offset, int64_t n_items);
/* NaN without items. The variance is the population's: divided by n. */
double moments_mean(const struct moments *moments);
double moments_variance(const struct moments *moments);

/* y = (x - mean) * factor + shift for items [offset,offset+n). x and y have the same type and may be the same. */
void affine_run(const struct kernels *kernels, const struct tensor *x, const struct tensor *y, int64_t offset,
                int64_t n_items, double mean, double factor, double shift);

#endif
