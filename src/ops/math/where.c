/* Where: picks whole elements by size, so every type has it, strings too. */
#include "ops/elementwise.h"

struct sixteen_bytes {
    uint64_t words[2];
};

#define SPAN_PICK(function, type)                                                                          \
    static void function(const struct span *span)                                                          \
    {                                                                                                      \
        const uint8_t *is_first = span->in[0];                                                             \
        const type *xs = span->in[1], *ys = span->in[2];                                                   \
        type *out = span->out;                                                                             \
        for (int64_t i = 0; i < span->n; i++)                                                              \
            out[i] = is_first[i * span->step[0]] ? xs[i * span->step[1]] : ys[i * span->step[2]];          \
    }
SPAN_PICK(pick_1, uint8_t)
SPAN_PICK(pick_2, uint16_t)
SPAN_PICK(pick_4, uint32_t)
SPAN_PICK(pick_8, uint64_t)
SPAN_PICK(pick_16, struct sixteen_bytes)

static hob_status infer(struct op_context *ctx)
{
    int rank;
    int64_t dims[TENSOR_MAX_RANK];
    TRY(op_check_dtype(ctx, 0, DTYPE_BOOL));
    TRY(op_check_dtype(ctx, 2, ctx->inputs[1]->dtype));
    TRY(elementwise_shape(ctx, &rank, dims));
    return op_set_output(ctx, 0, ctx->inputs[1]->dtype, rank, dims);
}

static hob_status run(struct op_context *ctx)
{
    static span_function *const by_size[] = {[1] = pick_1, [2] = pick_2, [4] = pick_4, [8] = pick_8, [16] = pick_16};
    enum dtype dtype = ctx->inputs[1]->dtype;
    size_t size = dtype_block_bytes(dtype);
    if (dtype_block_items(dtype) != 1 || size >= sizeof by_size / sizeof by_size[0] || !by_size[size])
        OP_FAIL(ctx, HOB_BAD_TYPE, "input 1: %s is not a type this operator takes", dtype_name(dtype));
    struct elementwise_walk walk = {.function = by_size[size],
                                    .n_inputs = 3,
                                    .inputs = {ctx->inputs[0], ctx->inputs[1], ctx->inputs[2]},
                                    .out = ctx->outputs[0]};
    elementwise_apply(ctx, &walk);
    return HOB_OK;
}

const struct op_def op_where = {.name = "Where", .domain = "", .since = 9, .min_inputs = 3, .max_inputs = 3, .min_outputs = 1,
                                .max_outputs = 1, .types = TYPES_ALL, .typed_input = 1, .flags = OP_STRIDED_INPUTS, .infer = infer, .run = run};
