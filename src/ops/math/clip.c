/* Clip: min(max(x, low), high), in that order, so a low above high gives high; NaN stays NaN. Limits are inputs since opset 11
 * and attributes before; one that is absent is the lowest or highest number of the type. */
#include "ops/elementwise.h"
#include "ops/numbers.h"

#include <float.h>

/* low and high are broadcast operands 1 and 2 with step 0. */
#define SPAN_CLIP(function, type, unused)                                                                  \
    static void function(const struct span *span)                                                          \
    {                                                                                                      \
        const type *xs = span->in[0], low = *(const type *)span->in[1], high = *(const type *)span->in[2]; \
        type *out = span->out;                                                                             \
        for (int64_t i = 0; i < span->n; i++) {                                                            \
            type x = xs[i * span->step[0]];                                                                \
            x = x < low ? low : x;                                                                         \
            out[i] = x > high ? high : x;                                                                  \
        }                                                                                                  \
    }
EACH_FLOAT(SPAN_CLIP, clip, 0)
EACH_SIGNED(SPAN_CLIP, clip, 0)
EACH_UNSIGNED(SPAN_CLIP, clip, 0)

struct clip_params {
    bool are_attributes;
    float low, high;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct clip_params *params = ARENA_NEW(node->arena, struct clip_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->are_attributes = node->opset < 11;
    params->low = attributes_float(node->attributes, "min", -FLT_MAX);
    params->high = attributes_float(node->attributes, "max", FLT_MAX);
    *ret_params = params;
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    for (int i = 1; i < ctx->n_inputs; i++) {
        TRY(op_check_dtype(ctx, i, ctx->inputs[0]->dtype));
        if (ctx->inputs[i] && tensor_n_items(ctx->inputs[i]) != 1)
            OP_FAIL(ctx, HOB_BAD_SHAPE, "input %d: found %lld elements, expected 1", i, (long long)tensor_n_items(ctx->inputs[i]));
    }
    return elementwise_infer_same(ctx);
}

/* f16 and bf16 limits are infinities: their operands are compared as f32. */
#define LIMITS(NAME, type, low, high) [DTYPE_##NAME] = {&(const type){low}, &(const type){high}}
static const void *const default_limits[][2] = {
    LIMITS(F32, float, -INFINITY, INFINITY),     LIMITS(F64, double, -INFINITY, INFINITY),
    LIMITS(F16, uint16_t, 0xfc00, 0x7c00),       LIMITS(BF16, uint16_t, 0xff80, 0x7f80),
    LIMITS(I8, int8_t, INT8_MIN, INT8_MAX),      LIMITS(I16, int16_t, INT16_MIN, INT16_MAX),
    LIMITS(I32, int32_t, INT32_MIN, INT32_MAX),  LIMITS(I64, int64_t, INT64_MIN, INT64_MAX),
    LIMITS(U8, uint8_t, 0, UINT8_MAX),           LIMITS(U16, uint16_t, 0, UINT16_MAX),
    LIMITS(U32, uint32_t, 0, UINT32_MAX),        LIMITS(U64, uint64_t, 0, UINT64_MAX),
};

/* A limit as a scalar of x's type: the input, the attribute (stored in *storage) or the default. */
static struct tensor limit_of(const struct op_context *ctx, int i, double *storage)
{
    const struct clip_params *params = ctx->params;
    enum dtype dtype = ctx->inputs[0]->dtype;
    struct tensor limit = {.dtype = dtype, .data = (void *)(uintptr_t)default_limits[dtype][i - 1]};
    if (params->are_attributes && numbers_is_float(dtype)) {
        limit.data = storage;
        numbers_store_f32(&limit, 0, 1, 1, i == 1 ? &params->low : &params->high);
    } else if (i < ctx->n_inputs && ctx->inputs[i]) {
        limit.data = ctx->inputs[i]->data;
    }
    return limit;
}

static hob_status run(struct op_context *ctx)
{
    static const struct span_table table = {{SPANS_FLOAT(clip), SPANS_SIGNED(clip), SPANS_UNSIGNED(clip)}};
    struct elementwise_walk walk = {.n_inputs = 3, .out = ctx->outputs[0]};
    if (!elementwise_find(&table, ctx->inputs[0]->dtype, &walk))
        OP_FAIL(ctx, HOB_BAD_TYPE, "input 0: %s is not a type this operator takes", dtype_name(ctx->inputs[0]->dtype));
    double storage[2];
    struct tensor low = limit_of(ctx, 1, &storage[0]), high = limit_of(ctx, 2, &storage[1]);
    walk.inputs[0] = ctx->inputs[0];
    walk.inputs[1] = &low;
    walk.inputs[2] = &high;
    elementwise_apply(ctx, &walk);
    return HOB_OK;
}

const struct op_def op_clip = {.name = "Clip", .domain = "", .since = 1, .min_inputs = 1, .max_inputs = 3, .min_outputs = 1,
                               .max_outputs = 1, .types = TYPES_NUMBER, .flags = OP_STRIDED_INPUTS | OP_INPLACE, .prepare = prepare, .infer = infer,
                               .run = run};
