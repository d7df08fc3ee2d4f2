/* What operators with bodies share. The executor runs a body (ctx->run_subgraph, ctx->run_iteration); the operators decide which,
 * how often, and what becomes of its outputs. Bodies see outer values by themselves, so only declared inputs are passed. */
#ifndef OPS_CONTROL_BODY_H
#define OPS_CONTROL_BODY_H

#include "ops/op.h"

/* Which of the node's graphs the attribute `name` is. Fails: HOB_BAD_GRAPH. */
HOB_MUST_CHECK hob_status body_require(const struct op_prepare *node, const char *name, int *ret_index);
/* infer: HOB_UNKNOWN. */
HOB_MUST_CHECK hob_status body_infer_nothing(struct op_context *ctx);
/* The truth of a one-item bool. */
HOB_MUST_CHECK hob_status body_read_condition(struct op_context *ctx, const struct tensor *condition, bool *ret_is_true);
/* Output i, if it is wanted, is this value that run_subgraph or run_iteration gave. */
void body_set_output(struct op_context *ctx, int i, const struct tensor *value);
/* Output i, if it is wanted, is a copy of this value of anybody's memory and strides. */
HOB_MUST_CHECK hob_status body_copy_output(struct op_context *ctx, int i, const struct tensor *value);

#endif
