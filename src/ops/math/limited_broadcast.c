/* Element-wise operators as they were before operands broadcast as NumPy's do: in opsets 1 to 6 the second operand of Add and its
 * like only does so when the attribute broadcast says so, and then stands at `axis` of the first one's dims (at the last ones when
 * there is none); Max, Min, Sum and Mean take operands of one shape below opset 8; PRelu's slope is a number a channel.
 *
 * Each row lays its operands out as the later operator wants them, a view, and lets that one do the rest. */
#include "ops/op.h"

struct broadcast_params {
    const struct op_def *later; /* the operator of a later opset */
    bool broadcasts, has_axis;
    int64_t axis;
};

static hob_status prepare(const struct op_prepare *node, const char *name, struct broadcast_params **ret_params)
{
    enum { FIRST_NUMPY_OPSET = 8 };
    struct broadcast_params *params = ARENA_NEW(node->arena, struct broadcast_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->later = op_find("", name, FIRST_NUMPY_OPSET);
    params->broadcasts = attributes_int(node->attributes, "broadcast", 0) != 0;
    params->axis = attributes_int(node->attributes, "axis", -1);
    params->has_axis = params->axis >= 0; /* -1 is how some exporters say that there is none */
    *ret_params = params;
    return HOB_OK;
}

/* y under x's rank: its dims from `axis` on, 1 elsewhere. One item alone fits anywhere. */
static hob_status align(struct op_context *ctx, struct tensor *ret_y)
{
    const struct broadcast_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0], *y = ctx->inputs[1];
    struct tensor aligned = *y;
    int64_t axis = params->has_axis ? params->axis : x->rank - y->rank;
    bool is_one = params->broadcasts && tensor_n_items(y) == 1;
    bool is_fitting = params->broadcasts ? axis >= 0 && axis <= x->rank - y->rank : tensor_same_shape(x, y);
    if (is_one) aligned.rank = 0;
    for (int d = 0; d < x->rank && is_fitting && !is_one; d++) {
        int own = params->broadcasts ? d - (int)axis : d;
        bool is_own = own >= 0 && own < y->rank;
        aligned.dims[d] = is_own ? y->dims[own] : 1;
        aligned.strides[d] = is_own ? y->strides[own] : 0;
        aligned.rank = x->rank;
        is_fitting = aligned.dims[d] == 1 || aligned.dims[d] == x->dims[d];
    }
    if (!is_one && !is_fitting)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "found shapes %s and %s with broadcast %d and axis %lld, which do not fit", OP_SHAPE(x),
                OP_SHAPE(y), params->broadcasts, (long long)params->axis);
    *ret_y = aligned;
    return HOB_OK;
}

static hob_status apply(struct op_context *ctx, bool is_run)
{
    const struct broadcast_params *params = ctx->params;
    struct tensor y;
    struct op_context later = *ctx;
    TRY(align(ctx, &y));
    later.inputs = (const struct tensor *[]){ctx->inputs[0], &y};
    later.params = NULL; /* none of these has any */
    return is_run ? params->later->run(&later) : params->later->infer(&later);
}

static hob_status infer_binary(struct op_context *ctx)
{
    return apply(ctx, false);
}

static hob_status run_binary(struct op_context *ctx)
{
    return apply(ctx, true);
}

/* PRelu has no attributes: its slope always stands at the channels. */
static void set_channels(struct broadcast_params *params)
{
    params->broadcasts = params->has_axis = true;
    params->axis = 1;
}

static void keep(struct broadcast_params *params)
{
    (void)params;
}

#define LIMITED_ROW(symbol, Name, last_opset, n_most, allowed, row_flags, change, op_infer, op_run)        \
    static hob_status prepare_##symbol(const struct op_prepare *node, void **ret_params)                   \
    {                                                                                                      \
        struct broadcast_params *params;                                                                   \
        TRY(prepare(node, Name, &params));                                                                 \
        change(params);                                                                                    \
        *ret_params = params;                                                                              \
        return HOB_OK;                                                                                     \
    }                                                                                                      \
    const struct op_def op_##symbol##_1 = {                                                                \
        .name = Name, .domain = "", .since = 1, .until = last_opset, .min_inputs = n_most < 0 ? 1 : 2,     \
        .max_inputs = n_most, .min_outputs = 1, .max_outputs = 1, .types = allowed,                        \
        .flags = OP_STRIDED_INPUTS | row_flags, .prepare = prepare_##symbol, .infer = op_infer,            \
        .run = op_run}
#define LIMITED_BINARY(symbol, Name, allowed, change)                                                      \
    LIMITED_ROW(symbol, Name, 6, 2, allowed, OP_LEGACY, change, infer_binary, run_binary)
LIMITED_BINARY(add, "Add", TYPES_NUMBER, keep);
LIMITED_BINARY(and, "And", TYPE(BOOL), keep);
LIMITED_BINARY(div, "Div", TYPES_NUMBER, keep);
LIMITED_BINARY(equal, "Equal", TYPES_NUMBER | TYPE(BOOL), keep);
LIMITED_BINARY(greater, "Greater", TYPES_NUMBER, keep);
LIMITED_BINARY(less, "Less", TYPES_NUMBER, keep);
LIMITED_BINARY(mul, "Mul", TYPES_NUMBER, keep);
LIMITED_BINARY(or, "Or", TYPE(BOOL), keep);
LIMITED_BINARY(pow, "Pow", TYPES_NUMBER, keep);
LIMITED_BINARY(prelu, "PRelu", TYPES_NUMBER, set_channels);
LIMITED_BINARY(sub, "Sub", TYPES_NUMBER, keep);
LIMITED_BINARY(xor, "Xor", TYPE(BOOL), keep);

/* ---- variadic ---- */

static hob_status check_one_shape(struct op_context *ctx)
{
    for (int i = 1; i < ctx->n_inputs; i++)
        if (ctx->inputs[i] && !tensor_same_shape(ctx->inputs[i], ctx->inputs[0]))
            OP_FAIL(ctx, HOB_BAD_SHAPE, "input %d: found shape %s, expected %s as input 0 has: nothing broadcasts before opset 8",
                    i, OP_SHAPE(ctx->inputs[i]), OP_SHAPE(ctx->inputs[0]));
    return HOB_OK;
}

static hob_status infer_variadic(struct op_context *ctx)
{
    const struct broadcast_params *params = ctx->params;
    struct op_context later = *ctx;
    TRY(check_one_shape(ctx));
    later.params = NULL;
    return params->later->infer(&later);
}

static hob_status run_variadic(struct op_context *ctx)
{
    const struct broadcast_params *params = ctx->params;
    struct op_context later = *ctx;
    later.params = NULL;
    return params->later->run(&later);
}

#define LIMITED_VARIADIC(symbol, Name) \
    LIMITED_ROW(symbol, Name, 7, -1, TYPES_FLOAT, 0, keep, infer_variadic, run_variadic)
LIMITED_VARIADIC(max, "Max");
LIMITED_VARIADIC(mean, "Mean");
LIMITED_VARIADIC(min, "Min");
LIMITED_VARIADIC(sum, "Sum");
