#include "ops/control/body.h"

hob_status body_require(const struct op_prepare *node, const char *name, int *ret_index)
{
    *ret_index = attributes_graph_index(node->attributes, name);
    if (*ret_index < 0) FAIL(node->error, HOB_BAD_GRAPH, "%s: graph attribute %s is missing", node->node_name, name);
    return HOB_OK;
}

hob_status body_infer_nothing(struct op_context *ctx)
{
    OP_FAIL(ctx, HOB_UNKNOWN, "the shapes of the outputs are only known when the body has run");
}

hob_status body_read_condition(struct op_context *ctx, const struct tensor *condition, bool *ret_is_true)
{
    if (condition->dtype != DTYPE_BOOL || tensor_n_items(condition) != 1)
        OP_FAIL(ctx, HOB_BAD_TYPE, "condition: found %s %s, expected one bool", dtype_name(condition->dtype),
                OP_SHAPE(condition));
    *ret_is_true = tensor_get_int(condition, 0) != 0;
    return HOB_OK;
}

void body_set_output(struct op_context *ctx, int i, const struct tensor *value)
{
    if (ctx->outputs[i]) *ctx->outputs[i] = *value;
}

hob_status body_copy_output(struct op_context *ctx, int i, const struct tensor *value)
{
    TRY(op_allocate_output(ctx, i, value->dtype, value->rank, value->dims));
    if (ctx->outputs[i]) tensor_copy_contiguous(value, ctx->outputs[i]->data);
    return HOB_OK;
}
