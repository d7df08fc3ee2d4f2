/* Cast, CastLike: numbers are cast_numbers.c's, strings cast_strings.c's. saturate (opset 19) concerns 8-bit floats only, which
 * are not supported. */
#include "ops/math/cast.h"

struct cast_params {
    enum dtype to;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct cast_params *params = ARENA_NEW(node->arena, struct cast_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    int64_t to = attributes_int(node->attributes, "to", 0);
    if (to <= 0 || to >= DTYPE_END || !dtype_is_known((int)to))
        FAIL(node->error, HOB_BAD_GRAPH, "%s: to: found %lld, expected a type", node->node_name, (long long)to);
    params->to = (enum dtype)to;
    *ret_params = params;
    return HOB_OK;
}

static hob_status infer_to(struct op_context *ctx, enum dtype to)
{
    const struct tensor *x = ctx->inputs[0];
    if (x->dtype == to) {
        op_set_view(ctx, 0, x);
        return HOB_OK;
    }
    if ((!cast_is_number(to) && to != DTYPE_STRING) || (!cast_is_number(x->dtype) && x->dtype != DTYPE_STRING))
        OP_FAIL(ctx, HOB_UNSUPPORTED, "a cast from %s to %s is not implemented", dtype_name(x->dtype), dtype_name(to));
    return op_set_output(ctx, 0, to, x->rank, x->dims);
}

static hob_status infer_cast(struct op_context *ctx)
{
    const struct cast_params *params = ctx->params;
    return infer_to(ctx, params->to);
}

static hob_status infer_cast_like(struct op_context *ctx)
{
    return infer_to(ctx, ctx->inputs[1]->dtype);
}

static hob_status run(struct op_context *ctx)
{
    if (ctx->inputs[0]->dtype == DTYPE_STRING) return cast_from_strings(ctx);
    if (ctx->outputs[0]->dtype == DTYPE_STRING) return cast_to_strings(ctx);
    cast_apply(ctx, ctx->inputs[0], ctx->outputs[0]);
    return HOB_OK;
}

const struct op_def op_cast = {.name = "Cast", .domain = "", .since = 6, .min_inputs = 1, .max_inputs = 1, .min_outputs = 1,
                               .max_outputs = 1, .flags = OP_STRIDED_INPUTS, .prepare = prepare, .infer = infer_cast, .run = run};
const struct op_def op_cast_like = {.name = "CastLike", .domain = "", .since = 15, .min_inputs = 2, .max_inputs = 2,
                                    .min_outputs = 1, .max_outputs = 1, .flags = OP_STRIDED_INPUTS, .infer = infer_cast_like,
                                    .run = run};
