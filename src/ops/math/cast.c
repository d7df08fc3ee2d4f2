/* Cast, CastLike: numbers are cast_numbers.c's, strings cast_strings.c's. */
#include "ops/math/cast.h"

#include <string.h>

struct cast_params {
    enum dtype to; /* CastLike: unused */
    struct cast_rules rules;
};

static hob_status read_e8m0_rounding(const struct op_prepare *node, enum e8m0_rounding *ret_rounding)
{
    static const char *const names[] = {[E8M0_UP] = "up", [E8M0_DOWN] = "down", [E8M0_NEAREST] = "nearest"};
    const char *wanted = attributes_string(node->attributes, "round_mode", "up");
    for (int i = E8M0_UP; i <= E8M0_NEAREST; i++)
        if (!strcmp(wanted, names[i])) {
            *ret_rounding = (enum e8m0_rounding)i;
            return HOB_OK;
        }
    FAIL(node->error, HOB_BAD_GRAPH, "%s: round_mode: found \"%s\", expected up, down or nearest", node->node_name, wanted);
}

/* Up to opset 18 ONNX says nothing of how f32 and f64 become bfloat16, and everyone rounds. But the data of its release 1.12 for
 * Cast-13 and CastLike-15 was made by cutting the lower bits off, so that is what the opsets of those cases, up to 15, mean here.
 * No other type, and no operator but these two, is concerned. */
static hob_status prepare_like(const struct op_prepare *node, void **ret_params)
{
    struct cast_params *params = ARENA_NEW(node->arena, struct cast_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    TRY(read_e8m0_rounding(node, &params->rules.e8m0_rounding));
    params->rules.is_unsaturated = attributes_int(node->attributes, "saturate", 1) == 0;
    params->rules.truncates_bf16 = node->opset <= 15;
    *ret_params = params;
    return HOB_OK;
}

/* Opset 1 to 5 spell the type: "FLOAT". */
static int64_t type_named(const char *name)
{
    static const struct {
        const char *name;
        enum dtype dtype;
    } types[] = {{"FLOAT", DTYPE_F32},     {"UINT8", DTYPE_U8},    {"INT8", DTYPE_I8},     {"UINT16", DTYPE_U16},
                 {"INT16", DTYPE_I16},     {"INT32", DTYPE_I32},   {"INT64", DTYPE_I64},   {"BOOL", DTYPE_BOOL},
                 {"FLOAT16", DTYPE_F16},   {"DOUBLE", DTYPE_F64},  {"UINT32", DTYPE_U32},  {"UINT64", DTYPE_U64}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (!strcmp(types[i].name, name)) return types[i].dtype;
    return DTYPE_NONE;
}

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct cast_params *params;
    void *made;
    TRY(prepare_like(node, &made));
    params = made;
    int64_t to = node->opset < 6 ? type_named(attributes_string(node->attributes, "to", ""))
                                 : attributes_int(node->attributes, "to", 0);
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
    if ((!cast_takes(to) && to != DTYPE_STRING) || (!cast_takes(x->dtype) && x->dtype != DTYPE_STRING))
        OP_FAIL(ctx, HOB_BAD_TYPE, "found a cast from %s to %s, expected numbers, bool or strings", dtype_name(x->dtype),
                dtype_name(to));
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
    const struct cast_params *params = ctx->params;
    if (ctx->inputs[0]->dtype == DTYPE_STRING) return cast_from_strings(ctx, &params->rules);
    if (ctx->outputs[0]->dtype == DTYPE_STRING) return cast_to_strings(ctx);
    cast_apply_rules(ctx, ctx->inputs[0], ctx->outputs[0], &params->rules);
    return HOB_OK;
}

const struct op_def op_cast = {
    .name = "Cast",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPES_ALL & ~TYPES_COMPLEX,
    .flags = OP_STRIDED_INPUTS,
    .prepare = prepare,
    .infer = infer_cast,
    .run = run,
};
const struct op_def op_cast_like = {
    .name = "CastLike",
    .domain = "",
    .since = 15,
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPES_ALL & ~TYPES_COMPLEX,
    .flags = OP_STRIDED_INPUTS | OP_TYPE_INPUT_1,
    .prepare = prepare_like,
    .infer = infer_cast_like,
    .run = run,
};
