/* What a subgraph made, copied to where the node that ran it can keep it.
 *
 * A body's memory is used again at its next run (a Loop's next iteration), so its outputs go into the memory of the graph around
 * it. Elements of sequences and the bytes of strings that lie elsewhere already (a constant's, the caller's, an outer graph's) last
 * long enough and are shared: a Loop that grows a sequence copies each element once, not at every iteration. */
#ifndef GRAPH_BODY_OUTPUT_H
#define GRAPH_BODY_OUTPUT_H

#include "ops/op.h"

/* output: any strides. overflow: the body's arena, all of whose bytes are about to go. ret_copy's own memory comes from allocate,
 * that of elements and strings from ctx->allocate: they are shared by later copies, so they must last as long as the run.
 * Fails: HOB_NO_MEMORY, HOB_LIMIT (sequences in sequences, too deep). */
HOB_MUST_CHECK hob_status body_output_copy(struct op_context *ctx, const struct tensor *output, const struct arena *overflow,
                                           hob_status (*allocate)(struct op_context *ctx, size_t size_bytes, void **ret_bytes),
                                           struct tensor *ret_copy);

#endif
