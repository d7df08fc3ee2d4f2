/* Sequences made, grown, shrunk and read: SequenceConstruct, SequenceEmpty, SequenceInsert, SequenceErase, SequenceAt,
 * SequenceLength. */
#include "ops/sequence/elements.h"

#include <string.h>

static hob_status infer_length(struct op_context *ctx, int64_t n_elements)
{
    return op_set_output(ctx, 0, DTYPE_SEQUENCE, 1, &n_elements);
}

static hob_status check_same_type(struct op_context *ctx, int i, enum dtype expected)
{
    if (!ctx->inputs[i]) OP_FAIL(ctx, HOB_BAD_GRAPH, "input %d is missing", i);
    return op_check_dtype(ctx, i, expected);
}

/* ---- SequenceConstruct, SequenceEmpty ---- */

static hob_status infer_construct(struct op_context *ctx)
{
    for (int i = 1; i < ctx->n_inputs; i++) TRY(check_same_type(ctx, i, ctx->inputs[0]->dtype));
    return infer_length(ctx, ctx->n_inputs);
}

static hob_status run_construct(struct op_context *ctx)
{
    struct tensor *elements;
    TRY(sequence_allocate(ctx, 0, ctx->n_inputs, &elements));
    for (int i = 0; i < ctx->n_inputs; i++) TRY(sequence_keep(ctx, ctx->inputs[i], &elements[i]));
    return HOB_OK;
}

const struct op_def op_sequence_construct = {
    .name = "SequenceConstruct", .domain = "", .since = 11, .min_inputs = 1, .max_inputs = -1, .min_outputs = 1,
    .max_outputs = 1, .types = TYPES_WHOLE, .flags = OP_ALLOCATES | OP_STRIDED_INPUTS, .infer = infer_construct,
    .run = run_construct};

/* What an empty sequence would hold is not kept: the first element that is inserted decides. */
static hob_status prepare_empty(const struct op_prepare *node, void **ret_params)
{
    int64_t dtype = attributes_int(node->attributes, "dtype", DTYPE_F32);
    if (dtype <= DTYPE_NONE || dtype >= DTYPE_SEQUENCE || !dtype_is_known((int)dtype))
        FAIL(node->error, HOB_BAD_GRAPH, "%s: dtype: found %lld, expected a type of tensors", node->node_name, (long long)dtype);
    *ret_params = NULL;
    return HOB_OK;
}

static hob_status infer_empty(struct op_context *ctx)
{
    return infer_length(ctx, 0);
}

static hob_status run_empty(struct op_context *ctx)
{
    struct tensor *elements;
    return sequence_allocate(ctx, 0, 0, &elements);
}

const struct op_def op_sequence_empty = {
    .name = "SequenceEmpty", .domain = "", .since = 11, .min_inputs = 0, .max_inputs = 0, .min_outputs = 1, .max_outputs = 1,
    .flags = OP_ALLOCATES, .prepare = prepare_empty, .infer = infer_empty, .run = run_empty};

/* ---- SequenceInsert, SequenceErase ---- */

static hob_status infer_insert(struct op_context *ctx)
{
    const struct tensor *sequence = ctx->inputs[0], *tensor = ctx->inputs[1];
    TRY(sequence_check(ctx, 0));
    if (!op_types_have(TYPES_WHOLE, tensor->dtype))
        OP_FAIL(ctx, HOB_BAD_TYPE, "input 1: found %s, expected a tensor", dtype_name(tensor->dtype));
    if (sequence->dims[0]) TRY(check_same_type(ctx, 1, sequence_elements(sequence)[0].dtype));
    return infer_length(ctx, sequence->dims[0] + 1);
}

static hob_status run_insert(struct op_context *ctx)
{
    const struct tensor *sequence = ctx->inputs[0], *old = sequence_elements(sequence);
    int64_t n = sequence->dims[0], place;
    struct tensor *elements;
    TRY(sequence_place(ctx, 2, n, n + 1, n, &place));
    TRY(sequence_allocate(ctx, 0, n + 1, &elements));
    for (int64_t i = 0; i < n; i++) elements[i < place ? i : i + 1] = old[i];
    return sequence_keep(ctx, ctx->inputs[1], &elements[place]);
}

const struct op_def op_sequence_insert = {
    .name = "SequenceInsert", .domain = "", .since = 11, .min_inputs = 2, .max_inputs = 3, .min_outputs = 1, .max_outputs = 1,
    .types = TYPE_SEQUENCE, .flags = OP_ALLOCATES | OP_STRIDED_INPUTS, .infer = infer_insert, .run = run_insert};

static hob_status infer_erase(struct op_context *ctx)
{
    TRY(sequence_check(ctx, 0));
    if (!ctx->inputs[0]->dims[0]) OP_FAIL(ctx, HOB_BAD_ARGUMENT, "input 0: found an empty sequence, expected an element to erase");
    return infer_length(ctx, ctx->inputs[0]->dims[0] - 1);
}

static hob_status run_erase(struct op_context *ctx)
{
    const struct tensor *sequence = ctx->inputs[0], *old = sequence_elements(sequence);
    int64_t n = sequence->dims[0], place;
    struct tensor *elements;
    TRY(sequence_place(ctx, 1, n, n, n - 1, &place));
    TRY(sequence_allocate(ctx, 0, n - 1, &elements));
    for (int64_t i = 0; i < n; i++)
        if (i != place) elements[i < place ? i : i - 1] = old[i];
    return HOB_OK;
}

const struct op_def op_sequence_erase = {
    .name = "SequenceErase", .domain = "", .since = 11, .min_inputs = 1, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1,
    .types = TYPE_SEQUENCE, .flags = OP_ALLOCATES | OP_STRIDED_INPUTS, .infer = infer_erase, .run = run_erase};

/* ---- SequenceAt: a view, elements last as long as the run; SequenceLength ---- */

static hob_status infer_at(struct op_context *ctx)
{
    const struct tensor *sequence = ctx->inputs[0];
    int64_t n = sequence->dims[0], place;
    TRY(sequence_check(ctx, 0));
    TRY(sequence_place(ctx, 1, n, n, 0, &place));
    op_set_view(ctx, 0, &sequence_elements(sequence)[place]);
    return HOB_OK;
}

static hob_status run_nothing(struct op_context *ctx)
{
    (void)ctx;
    return HOB_OK;
}

const struct op_def op_sequence_at = {
    .name = "SequenceAt", .domain = "", .since = 11, .min_inputs = 2, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1,
    .types = TYPE_SEQUENCE, .flags = OP_STRIDED_INPUTS, .infer = infer_at, .run = run_nothing};

static hob_status infer_sequence_length(struct op_context *ctx)
{
    return op_set_output(ctx, 0, DTYPE_I64, 0, NULL);
}

static hob_status run_sequence_length(struct op_context *ctx)
{
    memcpy(ctx->outputs[0]->data, &ctx->inputs[0]->dims[0], sizeof(int64_t));
    return HOB_OK;
}

const struct op_def op_sequence_length = {
    .name = "SequenceLength", .domain = "", .since = 11, .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1,
    .types = TYPE_SEQUENCE, .flags = OP_STRIDED_INPUTS, .infer = infer_sequence_length, .run = run_sequence_length};
