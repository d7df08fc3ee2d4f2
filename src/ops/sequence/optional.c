/* Optional, OptionalGetElement, OptionalHasElement. A full optional is what it holds; an empty one is a tensor of DTYPE_NONE. So
 * the first two are views, and tensors and sequences pass where an optional is expected, as opset 18 wants. */
#include "ops/op.h"

#include <string.h>

static hob_status infer_optional(struct op_context *ctx)
{
    const struct tensor empty = {.dtype = DTYPE_NONE}, *held = op_input(ctx, 0);
    op_set_view(ctx, 0, held ? held : &empty);
    return HOB_OK;
}

static hob_status run_nothing(struct op_context *ctx)
{
    (void)ctx;
    return HOB_OK;
}

const struct op_def op_optional = {
    .name = "Optional", .domain = "", .since = 15, .min_inputs = 0, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1,
    .types = TYPES_WHOLE | TYPE_SEQUENCE, .flags = OP_STRIDED_INPUTS | OP_NOT_FOLDABLE, .infer = infer_optional,
    .run = run_nothing};

static hob_status infer_get_element(struct op_context *ctx)
{
    if (ctx->inputs[0]->dtype == DTYPE_NONE)
        OP_FAIL(ctx, HOB_BAD_ARGUMENT, "input 0: found an empty optional, expected one that holds something");
    op_set_view(ctx, 0, ctx->inputs[0]);
    return HOB_OK;
}

const struct op_def op_optional_get_element = {
    .name = "OptionalGetElement", .domain = "", .since = 15, .min_inputs = 1, .max_inputs = 1, .min_outputs = 1,
    .max_outputs = 1, .types = TYPES_WHOLE | TYPE_SEQUENCE | TYPE(NONE), .flags = OP_STRIDED_INPUTS | OP_EMPTY_OPTIONALS,
    .infer = infer_get_element, .run = run_nothing};

static hob_status infer_has_element(struct op_context *ctx)
{
    return op_set_output(ctx, 0, DTYPE_BOOL, 0, NULL);
}

static hob_status run_has_element(struct op_context *ctx)
{
    const struct tensor *optional = op_input(ctx, 0);
    uint8_t has_element = optional && optional->dtype != DTYPE_NONE;
    memcpy(ctx->outputs[0]->data, &has_element, sizeof has_element);
    return HOB_OK;
}

const struct op_def op_optional_has_element = {
    .name = "OptionalHasElement", .domain = "", .since = 15, .min_inputs = 0, .max_inputs = 1, .min_outputs = 1,
    .max_outputs = 1, .types = TYPES_WHOLE | TYPE_SEQUENCE | TYPE(NONE), .flags = OP_STRIDED_INPUTS | OP_EMPTY_OPTIONALS,
    .infer = infer_has_element, .run = run_has_element};
