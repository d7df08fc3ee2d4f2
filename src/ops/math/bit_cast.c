/* BitCast: the same bits under another type of the same width. A view, but for types of fewer than 8 bits, which have a byte each in memory
 * whose upper bits follow the type (tensor/sub_byte.h). */
#include "ops/elementwise.h"
#include "tensor/sub_byte.h"

struct bit_cast_params {
    enum dtype to;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct bit_cast_params *params = ARENA_NEW(node->arena, struct bit_cast_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    int64_t to = attributes_int(node->attributes, "to", 0);
    if (to <= 0 || to > 63 || !dtype_is_known((int)to) || to == DTYPE_STRING)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: to: found %lld, expected a type that is not string", node->node_name,
             (long long)to);
    params->to = (enum dtype)to;
    *ret_params = params;
    return HOB_OK;
}

static size_t width_bits(enum dtype dtype)
{
    int narrow = sub_byte_bits(dtype);
    return narrow ? (size_t)narrow : 8 * dtype_block_bytes(dtype);
}

static hob_status infer(struct op_context *ctx)
{
    const struct bit_cast_params *params = ctx->params;
    struct tensor view = *ctx->inputs[0];
    if (width_bits(view.dtype) != width_bits(params->to))
        OP_FAIL(ctx, HOB_BAD_TYPE, "input 0: found %s, expected a type as wide as %s", dtype_name(view.dtype),
                dtype_name(params->to));
    if (sub_byte_bits(params->to)) return op_set_output(ctx, 0, params->to, view.rank, view.dims);
    view.dtype = params->to;
    op_set_view(ctx, 0, &view);
    return HOB_OK;
}

static void rewrap(const struct span *span)
{
    const uint8_t *xs = span->in[0];
    uint8_t *out = span->out;
    const enum dtype to = *(const enum dtype *)span->params;
    for (int64_t i = 0; i < span->n; i++) out[i] = sub_byte_wrap(to, xs[i * span->step[0]]);
}

static hob_status run(struct op_context *ctx)
{
    const struct bit_cast_params *params = ctx->params;
    struct elementwise_walk walk = {
        .function = rewrap, .params = &params->to, .n_inputs = 1, .inputs = {ctx->inputs[0]}, .out = ctx->outputs[0]};
    elementwise_apply(ctx, &walk);
    return HOB_OK;
}

const struct op_def op_bit_cast = {.name = "BitCast",
                                   .domain = "",
                                   .since = 26,
                                   .min_inputs = 1,
                                   .max_inputs = 1,
                                   .min_outputs = 1,
                                   .max_outputs = 1,
                                   .types = TYPES_ALL & ~TYPE(STRING),
                                   .flags = OP_STRIDED_INPUTS,
                                   .prepare = prepare,
                                   .infer = infer,
                                   .run = run};
