/* DynamicQuantizeLinear: a tensor of numbers as uint8, with the scale and zero point that its range asks for. */
#include "ops/quant/dynamic_range.h"

static hob_status infer(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0];
    TRY(op_set_output(ctx, 0, DTYPE_U8, x->rank, x->dims));
    TRY(op_set_output(ctx, 1, DTYPE_F32, 0, NULL));
    return op_set_output(ctx, 2, DTYPE_U8, 0, NULL);
}

static hob_status run(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0];
    const int64_t n_items = tensor_n_items(x);
    uint8_t *codes = ctx->outputs[0] ? ctx->outputs[0]->data : arena_alloc(ctx->scratch, (size_t)n_items + 1, 64);
    if (!codes) OP_FAIL(ctx, HOB_NO_MEMORY, "no memory for %lld bytes", (long long)n_items);
    struct quantized q = dynamic_range_quantize(ctx, n_items, x->data, codes);
    if (op_output(ctx, 1)) *(float *)ctx->outputs[1]->data = q.scale;
    if (op_output(ctx, 2)) *(uint8_t *)ctx->outputs[2]->data = (uint8_t)q.zero;
    return HOB_OK;
}

const struct op_def op_dynamic_quantize_linear = {
    .name = "DynamicQuantizeLinear",
    .domain = "",
    .since = 11,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 3,
    .max_outputs = 3,
    .types = TYPE(F32),
    .infer = infer,
    .run = run,
};
