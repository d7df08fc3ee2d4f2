/* Scratch for the bodies of a parallel loop: one piece for each thread that may be in the loop at once.
 *
 * Lives in the node's scratch arena. take and put are thread-safe; a body takes a piece at its start and puts it back at its
 * end, so there is always a free one.
 *
 *     struct thread_scratch scratch;
 *     TRY(thread_scratch_init(&scratch, ctx, n_floats));
 *     … in the body:
 *     float *piece = thread_scratch_take(&scratch);
 *     thread_scratch_put(&scratch, piece);
 */
#ifndef OPS_THREAD_SCRATCH_H
#define OPS_THREAD_SCRATCH_H

#include "ops/op.h"

#include <stdatomic.h>

enum { THREAD_SCRATCH_MAX_PIECES = 256 };

struct thread_scratch {
    float *floats;
    size_t piece_floats; /* a multiple of 16, so that every piece is aligned to 64 bytes */
    size_t n_pieces;
    atomic_bool is_taken[THREAD_SCRATCH_MAX_PIECES];
};

HOB_MUST_CHECK hob_status thread_scratch_init(struct thread_scratch *ret_scratch, struct op_context *ctx,
                                              size_t n_floats);
float *thread_scratch_take(struct thread_scratch *scratch);
void thread_scratch_put(struct thread_scratch *scratch, const float *piece);

#endif
