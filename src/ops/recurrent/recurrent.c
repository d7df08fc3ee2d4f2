/* RNN, GRU and LSTM: what the attributes say and which shapes go together. */
#include "ops/recurrent/recurrent.h"

#include <math.h>
#include <string.h>

/* ---- attributes ---- */

static const struct kind {
    int n_gates, n_functions;
    const char *functions[RECURRENT_MAX_FUNCTIONS]; /* defaults */
} kinds[] = {
    [RECURRENT_RNN] = {1, 1, {"Tanh"}},
    [RECURRENT_GRU] = {3, 2, {"Sigmoid", "Tanh"}},
    [RECURRENT_LSTM] = {4, 3, {"Sigmoid", "Tanh", "Tanh"}},
};

static hob_status read_direction(const struct op_prepare *node, struct recurrent_params *params)
{
    const char *direction = attributes_string(node->attributes, "direction", "forward");
    params->n_directions = 1;
    if (!strcmp(direction, "bidirectional")) params->is_reverse[params->n_directions++] = true;
    else if (!strcmp(direction, "reverse")) params->is_reverse[0] = true;
    else if (strcmp(direction, "forward"))
        FAIL(node->error, HOB_BAD_GRAPH, "%s: direction: found \"%s\", expected forward, reverse or bidirectional",
             node->node_name, direction);
    return HOB_OK;
}

static hob_status read_functions(const struct op_prepare *node, struct recurrent_params *params)
{
    const struct kind *kind = &kinds[params->kind];
    const struct attribute *given = attributes_find(node->attributes, "activations");
    struct gate_numbers alphas, betas;
    alphas.items = attributes_floats(node->attributes, "activation_alpha", &alphas.n_items);
    betas.items = attributes_floats(node->attributes, "activation_beta", &betas.n_items);
    size_t n_expected = (size_t)kind->n_functions * (size_t)params->n_directions;
    if (given && (given->kind != ATTRIBUTE_STRINGS || given->n_items != n_expected))
        FAIL(node->error, HOB_BAD_GRAPH, "%s: activations: found %zu, expected a list of %zu names", node->node_name,
             given->n_items, n_expected);
    for (int d = 0; d < params->n_directions; d++)
        for (int i = 0; i < kind->n_functions; i++) {
            const char *name = given ? given->strings[d * kind->n_functions + i].bytes : kind->functions[i];
            if (!gate_init(name, &alphas, &betas, &params->functions[d][i]))
                FAIL(node->error, HOB_BAD_GRAPH, "%s: activations: found \"%s\", expected one that ONNX names",
                     node->node_name, name);
        }
    return HOB_OK;
}

static hob_status read_clip(const struct op_prepare *node, struct recurrent_params *params)
{
    params->clip = attributes_float(node->attributes, "clip", INFINITY);
    if (!(params->clip >= 0))
        FAIL(node->error, HOB_BAD_GRAPH, "%s: clip: found %g, expected 0 or more", node->node_name, (double)params->clip);
    return HOB_OK;
}

static hob_status read_layout(const struct op_prepare *node, struct recurrent_params *params)
{
    int64_t layout = attributes_int(node->attributes, "layout", 0);
    if (layout != 0 && layout != 1)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: layout: found %lld, expected 0 or 1", node->node_name, (long long)layout);
    params->is_batch_first = layout == 1;
    return HOB_OK;
}

static hob_status prepare(const struct op_prepare *node, enum recurrent_kind kind, void **ret_params)
{
    struct recurrent_params *params = ARENA_NEW(node->arena, struct recurrent_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->kind = kind;
    params->n_gates = kinds[kind].n_gates;
    params->hidden_size = attributes_int(node->attributes, "hidden_size", 0);
    TRY(read_direction(node, params));
    TRY(read_functions(node, params));
    TRY(read_clip(node, params));
    TRY(read_layout(node, params));
    if (kind == RECURRENT_GRU)
        params->is_linear_before_reset = attributes_int(node->attributes, "linear_before_reset", 0) != 0;
    if (kind == RECURRENT_LSTM)
        params->couples_input_forget = attributes_int(node->attributes, "input_forget", 0) != 0;
    *ret_params = params;
    return HOB_OK;
}

static hob_status prepare_rnn(const struct op_prepare *node, void **ret_params)
{
    return prepare(node, RECURRENT_RNN, ret_params);
}

static hob_status prepare_gru(const struct op_prepare *node, void **ret_params)
{
    return prepare(node, RECURRENT_GRU, ret_params);
}

static hob_status prepare_lstm(const struct op_prepare *node, void **ret_params)
{
    return prepare(node, RECURRENT_LSTM, ret_params);
}

/* ---- shapes ---- */

/* Weights in panels are f32 whatever they were. */
static hob_status check_types(struct op_context *ctx)
{
    enum dtype dtype = ctx->inputs[RECURRENT_X]->dtype;
    for (int i = RECURRENT_W; i < ctx->n_inputs; i++) {
        const struct tensor *input = ctx->inputs[i];
        if (!input || i == RECURRENT_LENGTHS) continue;
        bool is_packed = input->layout == LAYOUT_PANELS && i <= RECURRENT_R && dtype != DTYPE_F64;
        TRY(op_check_dtype(ctx, i, is_packed ? DTYPE_F32 : dtype));
    }
    return op_check_dtype(ctx, RECURRENT_LENGTHS, DTYPE_I32);
}

static hob_status check_shape(struct op_context *ctx, int i, int rank, const int64_t *dims)
{
    const struct tensor *input = op_input(ctx, i);
    if (input && !tensor_has_shape(input, rank, dims))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input %d: found %s, expected %s", i, OP_SHAPE(input),
                tensor_shape_text(rank, dims, (char[TENSOR_SHAPE_TEXT_BYTES]){0}));
    return HOB_OK;
}

/* Counts of rows and the width of one must be numbers, even where a dim of 0 makes the tensors empty. */
static hob_status check_sizes(struct op_context *ctx, const struct recurrent_shape *shape)
{
    enum { MOST_GATES = 16 }; /* two directions, two biases, four gates */
    int64_t width, rows, product;
    if (!int64_mul(shape->n_hidden, MOST_GATES, &width) || !int64_mul(shape->n_sequences, MOST_GATES, &rows) ||
        !int64_mul(shape->n_steps, rows, &product) || !int64_mul(rows, width, &product) ||
        !int64_mul(shape->n_steps, MOST_GATES, &product))
        OP_FAIL(ctx, HOB_LIMIT, "found x %s and r %s, expected fewer items", OP_SHAPE(ctx->inputs[RECURRENT_X]),
                OP_SHAPE(ctx->inputs[RECURRENT_R]));
    return HOB_OK;
}

/* Once H is known from r, everything else follows. */
static hob_status check_shapes(struct op_context *ctx)
{
    const struct recurrent_params *params = ctx->params;
    struct recurrent_shape shape = recurrent_shape(ctx);
    TRY(check_sizes(ctx, &shape));
    int64_t d = params->n_directions, n = shape.n_hidden, batch = shape.n_sequences;
    int64_t width = params->n_gates * n, twice = 2 * width;
    const int64_t *state = params->is_batch_first ? (int64_t[]){batch, d, n} : (int64_t[]){d, batch, n};
    TRY(check_shape(ctx, RECURRENT_W, 3, (int64_t[]){d, width, shape.n_inputs}));
    TRY(check_shape(ctx, RECURRENT_R, 3, (int64_t[]){d, width, n}));
    TRY(check_shape(ctx, RECURRENT_BIAS, 2, (int64_t[]){d, twice}));
    TRY(check_shape(ctx, RECURRENT_LENGTHS, 1, (int64_t[]){batch}));
    TRY(check_shape(ctx, RECURRENT_H, 3, state));
    TRY(check_shape(ctx, RECURRENT_C, 3, state));
    TRY(check_shape(ctx, RECURRENT_PEEPHOLES, 2, (int64_t[]){d, 3 * n}));
    if (params->hidden_size && params->hidden_size != n)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "hidden_size: found %lld, expected %lld as the weights have",
                (long long)params->hidden_size, (long long)n);
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    const struct recurrent_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[RECURRENT_X], *r = ctx->inputs[RECURRENT_R];
    TRY(check_types(ctx));
    if (x->rank != 3 || r->rank != 3)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "found x %s and r %s, expected three axes each", OP_SHAPE(x), OP_SHAPE(r));
    TRY(check_shapes(ctx));
    struct recurrent_shape shape = recurrent_shape(ctx);
    int64_t d = params->n_directions, n = shape.n_hidden, batch = shape.n_sequences, steps = shape.n_steps;
    bool is_batch_first = params->is_batch_first;
    const int64_t *y = is_batch_first ? (int64_t[]){batch, steps, d, n} : (int64_t[]){steps, d, batch, n};
    const int64_t *state = is_batch_first ? (int64_t[]){batch, d, n} : (int64_t[]){d, batch, n};
    TRY(op_set_output(ctx, 0, x->dtype, 4, y));
    for (int i = 1; i < ctx->n_outputs; i++) TRY(op_set_output(ctx, i, x->dtype, 3, state));
    return HOB_OK;
}

static hob_status run(struct op_context *ctx)
{
    return ctx->inputs[RECURRENT_X]->dtype == DTYPE_F64 ? recurrent_run_f64(ctx) : recurrent_run_f32(ctx);
}

/* ---- rows ---- */

const struct op_def op_rnn = {
    .name = "RNN",
    .domain = "",
    .since = 1,
    .min_inputs = 3,
    .max_inputs = 6,
    .min_outputs = 0,
    .max_outputs = 2,
    .types = TYPES_FLOAT,
    .flags = OP_STRIDED_INPUTS | OP_PACKED_INPUTS,
    .prepare = prepare_rnn,
    .infer = infer,
    .run = run,
};

const struct op_def op_gru = {
    .name = "GRU",
    .domain = "",
    .since = 1,
    .min_inputs = 3,
    .max_inputs = 6,
    .min_outputs = 0,
    .max_outputs = 2,
    .types = TYPES_FLOAT,
    .flags = OP_STRIDED_INPUTS | OP_PACKED_INPUTS,
    .prepare = prepare_gru,
    .infer = infer,
    .run = run,
};

const struct op_def op_lstm = {
    .name = "LSTM",
    .domain = "",
    .since = 1,
    .min_inputs = 3,
    .max_inputs = 8,
    .min_outputs = 0,
    .max_outputs = 3,
    .types = TYPES_FLOAT,
    .flags = OP_STRIDED_INPUTS | OP_PACKED_INPUTS,
    .prepare = prepare_lstm,
    .infer = infer,
    .run = run,
};
