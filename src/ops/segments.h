/* Segments: several sequences laid end to end, told apart by their borders, as packed batches have them. An int64 input [n+1] that rises
 * from 0 to the number of rows; rows segments[i] … segments[i + 1] - 1 belong to sequence i, which may be empty.
 *
 *     TRY(segments_check(ctx, INPUT_SEGMENTS));                                in infer
 *     TRY(segments_read(ctx, INPUT_SEGMENTS, n_rows, &segments));              in run
 */
#ifndef OPS_SEGMENTS_H
#define OPS_SEGMENTS_H

#include "ops/op.h"

struct segments {
    const int64_t *borders; /* n + 1; in the node's scratch */
    int64_t n;
};

/* Type and shape. An input that is not given passes. */
HOB_MUST_CHECK hob_status segments_check(struct op_context *ctx, int input);
/* Not given: one segment of all rows. Fails: HOB_BAD_ARGUMENT, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status segments_read(struct op_context *ctx, int input, int64_t n_rows,
                                        struct segments *ret_segments);

#endif
