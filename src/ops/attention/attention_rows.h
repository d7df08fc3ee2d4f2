/* Attention a query row at a time: what kernels->attention_f32 does not know (sinks, a softmax of another type,
 * scores written out) and f64. Readable before fast; a row's bytes depend on that row and the keys it sees only. */
#ifndef OPS_ATTENTION_ROWS_H
#define OPS_ATTENTION_ROWS_H

#include "ops/attention/attention.h"

/* As attention_run, without segments. Items of a q, k and v row lie next to each other. Thread-safe. */
HOB_MUST_CHECK hob_status attention_rows_run(struct op_context *ctx, const struct attention *attention);

#endif
