/* MaxPool with its second output: where each window's maximum lies. */
#ifndef OPS_VISION_ARGMAX_POOL_H
#define OPS_VISION_ARGMAX_POOL_H

#include "ops/vision/window.h"

/* Output 0 (if wanted) gets the maxima of input 0's windows, output 1 the flat index of each in the whole input, pads not
 * counted; of equals the first in row-major order. is_column_major: within a plane the first spatial axis runs fastest.
 * A window without any input gives the least number and index -1. NaN items are skipped; a window of nothing else gives the least
 * number and its first item's index. */
HOB_MUST_CHECK hob_status argmax_pool_run(struct op_context *ctx, const struct window *window, bool is_column_major);

#endif
