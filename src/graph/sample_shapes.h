/* Shapes that a pass can reason with: every value's shape for one made-up run, with symbolic input dims given telling sizes (a
 * batch, some cached and some new positions, all different). Good for recognising structure that holds for every size, when
 * the pattern's dims are told apart; no proof for sizes that the graph computes from values. */
#ifndef GRAPH_SAMPLE_SHAPES_H
#define GRAPH_SAMPLE_SHAPES_H

#include "graph/graph.h"

struct kernels;

/* The made-up run: graph->n_inputs tensors without data, in arena (dtype DTYPE_NONE where the model does not say), and the
 * positions in its states. Fails: HOB_BAD_SHAPE, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status sample_inputs(const struct graph *graph, struct arena *arena, struct tensor **ret_inputs, int64_t *ret_n_used,
                                        hob_error *error);
/* ret_shapes: a tensor a value, dtype DTYPE_NONE where unknown; in arena. Compiles the graph as it stands.
 * Fails: what program_new says, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status sample_shapes(struct graph *graph, const struct kernels *kernels, struct arena *arena,
                                        const struct tensor **ret_shapes, hob_error *error);

/* Two such runs, the second with other sizes for all that the model leaves open: what is the same in both hangs on no size, where
 * one sample alone takes a batch of 1 for a dim that is broadcast. ret_second: NULL when the model leaves nothing open, or takes
 * no such sizes. */
HOB_MUST_CHECK hob_status sample_shapes_twice(struct graph *graph, const struct kernels *kernels, struct arena *arena,
                                              const struct tensor **ret_first, const struct tensor **ret_second,
                                              hob_error *error);

#endif
