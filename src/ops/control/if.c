/* If: one of two bodies runs; their outputs may differ in shape. */
#include "ops/control/body.h"

struct if_params {
    int then_branch, else_branch;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct if_params *params = ARENA_NEW(node->arena, struct if_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    TRY(body_require(node, "then_branch", &params->then_branch));
    TRY(body_require(node, "else_branch", &params->else_branch));
    *ret_params = params;
    return HOB_OK;
}

static bool is_same_shape(const struct tensor *a, const struct tensor *b)
{
    return a->dtype != DTYPE_NONE && a->dtype == b->dtype && tensor_same_shape(a, b);
}

/* Known before it runs where both branches, or the one that is taken, say the same. */
static hob_status infer(struct op_context *ctx)
{
    const struct if_params *params = ctx->params;
    size_t n_outputs = (size_t)ctx->n_outputs;
    bool is_true = false, is_taken_known = ctx->inputs[0]->data;
    if (!ctx->infer_subgraph) return body_infer_nothing(ctx);
    if (is_taken_known) TRY(body_read_condition(ctx, ctx->inputs[0], &is_true));
    struct tensor *then_shapes = ARENA_NEW(ctx->scratch, struct tensor, n_outputs);
    struct tensor *else_shapes = ARENA_NEW(ctx->scratch, struct tensor, n_outputs);
    if (!then_shapes || !else_shapes) OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
    int first = is_taken_known && !is_true ? params->else_branch : params->then_branch;
    TRY(ctx->infer_subgraph(ctx, first, 0, NULL, ctx->n_outputs, then_shapes));
    if (is_taken_known) else_shapes = then_shapes; /* looked at once, or branches in branches would take exponential time */
    else TRY(ctx->infer_subgraph(ctx, params->else_branch, 0, NULL, ctx->n_outputs, else_shapes));
    for (int i = 0; i < ctx->n_outputs; i++) {
        if (ctx->outputs[i] && !is_same_shape(&then_shapes[i], &else_shapes[i])) return body_infer_nothing(ctx);
        TRY(op_set_output(ctx, i, then_shapes[i].dtype, then_shapes[i].rank, then_shapes[i].dims));
    }
    return HOB_OK;
}

static hob_status run(struct op_context *ctx)
{
    const struct if_params *params = ctx->params;
    bool is_true = false;
    TRY(body_read_condition(ctx, ctx->inputs[0], &is_true));
    struct tensor *outputs = ARENA_NEW(ctx->scratch, struct tensor, (size_t)ctx->n_outputs);
    if (!outputs) OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
    TRY(ctx->run_subgraph(ctx, is_true ? params->then_branch : params->else_branch, 0, NULL, ctx->n_outputs, outputs));
    for (int i = 0; i < ctx->n_outputs; i++) body_set_output(ctx, i, &outputs[i]);
    return HOB_OK;
}

const struct op_def op_if = {
    .name = "If",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = -1,
    .types = TYPE(BOOL),
    .flags = OP_ALLOCATES | OP_STRIDED_INPUTS | OP_NOT_FOLDABLE,
    .prepare = prepare,
    .infer = infer,
    .run = run,
};
