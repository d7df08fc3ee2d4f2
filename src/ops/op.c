/* The table of operators, and the small services every operator uses. */
#include "ops/op.h"

#include <stdio.h>
#include <string.h>

#define OP(name) extern const struct op_def op_##name;
#include "ops/ops.def"
#undef OP

static const struct op_def *const ops[] = {
#define OP(name) &op_##name,
#include "ops/ops.def"
#undef OP
    NULL};

size_t op_count(void)
{
    return sizeof ops / sizeof ops[0] - 1;
}

const struct op_def *op_at(size_t index)
{
    return ops[index];
}

static bool is_named(const struct op_def *op, const char *domain, const char *name)
{
    if (!domain || !strcmp(domain, "ai.onnx")) domain = "";
    return op->name[0] == name[0] && !strcmp(op->name, name) && !strcmp(op->domain, domain);
}

const struct op_def *op_find(const char *domain, const char *name, int opset)
{
    for (size_t i = 0; i < op_count(); i++)
        if (is_named(ops[i], domain, name) && opset >= ops[i]->since && (!ops[i]->until || opset <= ops[i]->until))
            return ops[i];
    return NULL;
}

const struct op_def *op_find_any_opset(const char *domain, const char *name)
{
    for (size_t i = 0; i < op_count(); i++)
        if (is_named(ops[i], domain, name)) return ops[i];
    return NULL;
}

bool op_types_have(uint64_t types, enum dtype dtype)
{
    if (dtype == DTYPE_SEQUENCE) return types & TYPE_SEQUENCE;
    return (unsigned)dtype < 63 && types >> dtype & 1;
}

static hob_status check_not_empty(struct op_context *ctx)
{
    for (int i = 0; i < ctx->n_inputs; i++)
        if (ctx->inputs[i] && ctx->inputs[i]->dtype == DTYPE_NONE)
            OP_FAIL(ctx, HOB_BAD_TYPE, "input %d: found an empty optional, expected a value", i);
    return HOB_OK;
}

static bool is_plain(const struct tensor *input)
{
    return input->layout == LAYOUT_STRIDED && dtype_block_items(input->dtype) == 1;
}

static hob_status check_not_paged(struct op_context *ctx)
{
    for (int i = 0; i < ctx->n_inputs; i++)
        if (ctx->inputs[i] && ctx->inputs[i]->layout == LAYOUT_PAGED)
            OP_FAIL(ctx, HOB_BAD_TYPE, "input %d: found a cache in blocks, expected plain items", i);
    return HOB_OK;
}

/* Weights in panels or blocks are no rows of items to whoever does not know them. A pack may hold them anywhere. */
static hob_status check_not_packed(struct op_context *ctx)
{
    for (int i = 0; i < ctx->n_inputs; i++) {
        const struct tensor *input = ctx->inputs[i];
        if (input && input->layout != LAYOUT_PAGED && !is_plain(input))
            OP_FAIL(ctx, HOB_BAD_TYPE, "input %d: found a packed weight of %s %s, expected plain items", i, dtype_name(input->dtype),
                    OP_SHAPE(input));
    }
    return HOB_OK;
}

enum { TYPES_TEXT_BYTES = 320 }; /* leaves room for the rest of the message */

/* "float32, float64"; cut where it gets too long. */
static const char *types_text(uint64_t types, char text[TYPES_TEXT_BYTES])
{
    size_t n_bytes = 0;
    text[0] = '\0';
    for (int id = 1; id < 63; id++) {
        if (!(types >> id & 1) || !dtype_is_known(id)) continue;
        int n_more = snprintf(text + n_bytes, TYPES_TEXT_BYTES - n_bytes, "%s%s", n_bytes ? ", " : "", dtype_name((enum dtype)id));
        if (n_more < 0 || (size_t)n_more >= TYPES_TEXT_BYTES - n_bytes) break;
        n_bytes += (size_t)n_more;
    }
    return text;
}

hob_status op_infer(struct op_context *ctx)
{
    const struct op_def *op = ctx->op;
    if (!(op->flags & OP_EMPTY_OPTIONALS)) TRY(check_not_empty(ctx));
    if (!(op->flags & OP_PACKED_INPUTS)) TRY(check_not_packed(ctx));
    if (!(op->flags & OP_PAGED_INPUTS)) TRY(check_not_paged(ctx));
    const struct tensor *input = op->types ? op_input(ctx, op->typed_input) : NULL;
    if (input && !op_types_have(op->types, input->dtype)) {
        char text[TYPES_TEXT_BYTES];
        OP_FAIL(ctx, HOB_BAD_TYPE, "input %d: found %s, expected %s", op->typed_input, dtype_name(input->dtype),
                types_text(op->types, text));
    }
    return op->infer(ctx);
}

hob_status op_set_output(struct op_context *ctx, int i, enum dtype dtype, int rank, const int64_t *dims)
{
    if (i >= ctx->n_outputs || !ctx->outputs[i]) return HOB_OK;
    hob_status status = tensor_init(ctx->outputs[i], dtype, rank, dims, NULL, ctx->error);
    if (status != HOB_OK) return error_prefix(ctx->error, status, "%s (%s): output %d", ctx->node_name, ctx->op->name, i);
    return HOB_OK;
}

void op_set_view(struct op_context *ctx, int i, const struct tensor *view)
{
    if (i >= ctx->n_outputs || !ctx->outputs[i]) return;
    *ctx->outputs[i] = *view;
    ctx->outputs[i]->is_view = true;
}

hob_status op_unknown(struct op_context *ctx, int i)
{
    OP_FAIL(ctx, HOB_UNKNOWN, "the value of input %d is not known yet", i);
}

hob_status op_check_dtype(struct op_context *ctx, int i, enum dtype dtype)
{
    if (i >= ctx->n_inputs || !ctx->inputs[i] || ctx->inputs[i]->dtype == dtype) return HOB_OK;
    OP_FAIL(ctx, HOB_BAD_TYPE, "input %d: found %s, expected %s", i, dtype_name(ctx->inputs[i]->dtype), dtype_name(dtype));
}

hob_status op_read_ints(struct op_context *ctx, int i, size_t max_items, int64_t *ret_values, size_t *ret_n_values)
{
    const struct tensor *input = op_input(ctx, i);
    if (!input) OP_FAIL(ctx, HOB_BAD_GRAPH, "input %d is missing", i);
    if (input->dtype != DTYPE_I64 && input->dtype != DTYPE_I32)
        OP_FAIL(ctx, HOB_BAD_TYPE, "input %d: found %s, expected int64 or int32", i, dtype_name(input->dtype));
    if (input->rank > 1) OP_FAIL(ctx, HOB_BAD_SHAPE, "input %d: found rank %d, expected at most 1", i, input->rank);
    size_t n_values = (size_t)tensor_n_items(input);
    if (n_values > max_items)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input %d: found %zu values, expected at most %zu", i, n_values, max_items);
    if (n_values && !input->data) return op_unknown(ctx, i);
    for (size_t item = 0; item < n_values; item++) ret_values[item] = tensor_get_int(input, (int64_t)item);
    *ret_n_values = n_values;
    return HOB_OK;
}

hob_status op_allocate_output(struct op_context *ctx, int i, enum dtype dtype, int rank, const int64_t *dims)
{
    TRY(op_set_output(ctx, i, dtype, rank, dims));
    if (i >= ctx->n_outputs || !ctx->outputs[i]) return HOB_OK;
    return ctx->allocate(ctx, tensor_n_bytes(ctx->outputs[i]), &ctx->outputs[i]->data);
}
