/* Resize by repeating and leaving out: moves elements of any type, any axes. */
#ifndef OPS_VISION_RESIZE_NEAREST_H
#define OPS_VISION_RESIZE_NEAREST_H

#include "ops/op.h"

/* y[i0,i1,…] = x[maps[0][i0],maps[1][i1],…], or *fill where a map says MAP_FILL. A map NULL is the identity. x and y contiguous, of
 * the same rank >= 1 and type. */
void resize_nearest(struct op_context *ctx, const struct tensor *x, const int64_t *const *maps, const void *fill,
                    const struct tensor *y);

#endif
