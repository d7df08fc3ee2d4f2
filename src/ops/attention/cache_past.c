/* hob.CachePast: the positions that earlier steps appended to a session's cache, as a view. What a graph read from its past
 * input before the cache became the session's: its length, mostly. */
#include "ops/op.h"

static hob_status infer(struct op_context *ctx)
{
    if (!ctx->state) OP_FAIL(ctx, HOB_UNKNOWN, "there is no session whose cache could be looked at");
    struct tensor view = tensor_slice(&ctx->state->buffer, ctx->state->axis, 0, ctx->state->n_used, 1);
    op_set_view(ctx, 0, &view);
    return HOB_OK;
}

/* infer has made the view. */
static hob_status run(struct op_context *ctx)
{
    (void)ctx;
    return HOB_OK;
}

const struct op_def op_cache_past = {
    .name = "CachePast",
    .domain = "hob",
    .since = 1,
    .min_inputs = 0,
    .max_inputs = 0,
    .min_outputs = 1,
    .max_outputs = 1,
    .flags = OP_STATEFUL | OP_NOT_FOLDABLE,
    .infer = infer,
    .run = run,
};
