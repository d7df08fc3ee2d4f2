/* Numbers of any type as f32 or f64, for operators that look at single items here and there and compute in f64. What is f32 or f64 is
 * read where it lies; the rest is converted in the node's scratch, into the narrower of the two that holds it exactly.
 *
 *     struct reals x;
 *     TRY(reals_load(ctx, ctx->inputs[0], &x));
 *     reals_store(ctx->outputs[0], i, 2 * reals_at(&x, j));
 */
#ifndef OPS_VISION_REALS_H
#define OPS_VISION_REALS_H

#include "ops/op.h"

struct reals {
    const float *f32; /* NULL: f64 */
    const double *f64;
};

/* x is contiguous, of one of TYPES_NUMBER; NULL gives none. */
HOB_MUST_CHECK hob_status reals_load(struct op_context *ctx, const struct tensor *x, struct reals *ret_reals);

static inline double reals_at(const struct reals *reals, int64_t i)
{
    return reals->f32 ? (double)reals->f32[i] : reals->f64[i];
}

/* Item i of a contiguous tensor: rounded for float types; for integers cut off and kept in range, NaN as 0. */
void reals_store(const struct tensor *y, int64_t i, double number);

#endif
