/* Shrink: x + bias below -lambd, x - bias above lambd, 0 between. Integers are computed as floats wide enough for them, and cut toward zero. */
#include "ops/elementwise.h"

struct shrink_params {
    float bias, threshold;
};
#define PARAM(name) (((const struct shrink_params *)span->params)->name)
#define SHRINK(x, wide)                                                   \
    ((wide)(x) < -(wide)PARAM(threshold)  ? (wide)(x) + (wide)PARAM(bias) \
     : (wide)(x) > (wide)PARAM(threshold) ? (wide)(x) - (wide)PARAM(bias) \
                                          : (wide)0)

/* As int64, saturated; narrower types then drop upper bits. */
static int64_t whole(long double number)
{
    if (!(number > -0x1p63l)) return INT64_MIN;
    return number < 0x1p63l ? (int64_t)number : INT64_MAX;
}

static uint64_t whole_u64(long double number)
{
    return number < 0x1p63l ? (uint64_t)whole(number) : number < 0x1p64l ? (uint64_t)number : UINT64_MAX;
}

EACH_FLOAT(SPAN_UNARY_SAME, shrink, x<-PARAM(threshold) ? x + PARAM(bias) : x> PARAM(threshold) ? x - PARAM(bias) : 0)
EACH_SIGNED(SPAN_UNARY_SAME, shrink, whole(SHRINK(x, long double)))
EACH_UNSIGNED(SPAN_UNARY_SAME, shrink, whole_u64(SHRINK(x, long double)))

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct shrink_params *params = ARENA_NEW(node->arena, struct shrink_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->bias = attributes_float(node->attributes, "bias", 0);
    params->threshold = attributes_float(node->attributes, "lambd", 0.5f);
    *ret_params = params;
    return HOB_OK;
}

static hob_status run(struct op_context *ctx)
{
    static const struct span_table table = {{SPANS_FLOAT(shrink), SPANS_SIGNED(shrink), SPANS_UNSIGNED(shrink)}};
    return elementwise_run(ctx, &table, ctx->params);
}

const struct op_def op_shrink = {.name = "Shrink",
                                 .domain = "",
                                 .since = 9,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .types = TYPES_NUMBER,
                                 .flags = OP_STRIDED_INPUTS | OP_INPLACE,
                                 .prepare = prepare,
                                 .infer = elementwise_infer_same,
                                 .run = run};
