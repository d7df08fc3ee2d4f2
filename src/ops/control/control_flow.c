/* If and Loop: operators whose bodies are graphs. The executor runs a body (ctx->run_subgraph); this decides which, how often,
 * and what becomes of its outputs. Bodies see outer values by themselves, so only declared inputs are passed. */
#include "ops/op.h"

static hob_status require_graph(const struct op_prepare *node, const char *name, int *ret_index)
{
    *ret_index = attributes_graph_index(node->attributes, name);
    if (*ret_index < 0) FAIL(node->error, HOB_BAD_GRAPH, "%s: graph attribute %s is missing", node->node_name, name);
    return HOB_OK;
}

static hob_status not_before_run(struct op_context *ctx)
{
    OP_FAIL(ctx, HOB_UNKNOWN, "the shapes of the outputs are only known when the body has run");
}

/* The truth of a one-item bool. */
static hob_status read_condition(struct op_context *ctx, const struct tensor *condition, bool *ret_is_true)
{
    if (condition->dtype != DTYPE_BOOL || tensor_n_items(condition) != 1)
        OP_FAIL(ctx, HOB_BAD_TYPE, "condition: found %s %s, expected one bool", dtype_name(condition->dtype),
                OP_SHAPE(condition));
    *ret_is_true = tensor_get_int(condition, 0) != 0;
    return HOB_OK;
}

static void set_output(struct op_context *ctx, int i, const struct tensor *value)
{
    if (ctx->outputs[i]) *ctx->outputs[i] = *value;
}

/* ---- If ---- */

struct if_params {
    int then_branch, else_branch;
};

static hob_status if_prepare(const struct op_prepare *node, void **ret_params)
{
    struct if_params *params = ARENA_NEW(node->arena, struct if_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    TRY(require_graph(node, "then_branch", &params->then_branch));
    TRY(require_graph(node, "else_branch", &params->else_branch));
    *ret_params = params;
    return HOB_OK;
}

static bool is_same_shape(const struct tensor *a, const struct tensor *b)
{
    return a->dtype != DTYPE_NONE && a->dtype == b->dtype && tensor_same_shape(a, b);
}

/* Known before it runs where both branches, or the one that is taken, say the same. */
static hob_status if_infer(struct op_context *ctx)
{
    const struct if_params *params = ctx->params;
    size_t n_outputs = (size_t)ctx->n_outputs;
    bool is_true = false, is_taken_known = ctx->inputs[0]->data;
    if (!ctx->infer_subgraph) return not_before_run(ctx);
    if (is_taken_known) TRY(read_condition(ctx, ctx->inputs[0], &is_true));
    struct tensor *then_shapes = ARENA_NEW(ctx->scratch, struct tensor, n_outputs);
    struct tensor *else_shapes = ARENA_NEW(ctx->scratch, struct tensor, n_outputs);
    if (!then_shapes || !else_shapes) OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
    int first = is_taken_known && !is_true ? params->else_branch : params->then_branch;
    int second = is_taken_known ? first : params->else_branch;
    TRY(ctx->infer_subgraph(ctx, first, 0, NULL, ctx->n_outputs, then_shapes));
    TRY(ctx->infer_subgraph(ctx, second, 0, NULL, ctx->n_outputs, else_shapes));
    for (int i = 0; i < ctx->n_outputs; i++) {
        if (ctx->outputs[i] && !is_same_shape(&then_shapes[i], &else_shapes[i])) return not_before_run(ctx);
        TRY(op_set_output(ctx, i, then_shapes[i].dtype, then_shapes[i].rank, then_shapes[i].dims));
    }
    return HOB_OK;
}

static hob_status if_run(struct op_context *ctx)
{
    const struct if_params *params = ctx->params;
    bool is_true = false;
    TRY(read_condition(ctx, ctx->inputs[0], &is_true));
    struct tensor *outputs = ARENA_NEW(ctx->scratch, struct tensor, (size_t)ctx->n_outputs);
    if (!outputs) OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
    TRY(ctx->run_subgraph(ctx, is_true ? params->then_branch : params->else_branch, 0, NULL, ctx->n_outputs, outputs));
    for (int i = 0; i < ctx->n_outputs; i++) set_output(ctx, i, &outputs[i]);
    return HOB_OK;
}

const struct op_def op_if = {
    .name = "If",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = -1,
    .flags = OP_ALLOCATES | OP_STRIDED_INPUTS | OP_NOT_FOLDABLE,
    .prepare = if_prepare,
    .infer = if_infer,
    .run = if_run,
};

/* ---- Loop: inputs M?, cond?, carried…; body: (iteration, cond, carried…) -> (cond, carried…, scanned…) ---- */

struct loop_params {
    int body;
};

static hob_status loop_prepare(const struct op_prepare *node, void **ret_params)
{
    struct loop_params *params = ARENA_NEW(node->arena, struct loop_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    TRY(require_graph(node, "body", &params->body));
    if (node->n_outputs < node->n_inputs - 2)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: found %d outputs, expected one for each of %d carried values",
             node->node_name, node->n_outputs, node->n_inputs - 2);
    *ret_params = params;
    return HOB_OK;
}

/* What one iteration gave for the outputs that are stacked. */
struct scan {
    struct scan *next;
    struct tensor *values;
};

struct loop {
    int n_carried, n_scanned;
    const struct tensor **inputs;                           /* of the body */
    struct tensor iteration, condition, *carried, *results; /* results: the body's outputs */
    int64_t n_iteration, n_iterations;                      /* the counts that iteration and max trip count point to */
    bool is_going_on;
    struct scan *first_scan, **last_scan;
};

static hob_status start(struct op_context *ctx, struct loop *loop)
{
    loop->n_carried = ctx->n_inputs > 2 ? ctx->n_inputs - 2 : 0;
    loop->n_scanned = ctx->n_outputs - loop->n_carried;
    loop->inputs = ARENA_NEW(ctx->scratch, const struct tensor *, (size_t)loop->n_carried + 2);
    loop->carried = ARENA_NEW(ctx->scratch, struct tensor, (size_t)loop->n_carried + 1);
    loop->results = ARENA_NEW(ctx->scratch, struct tensor, (size_t)ctx->n_outputs + 1);
    if (!loop->inputs || !loop->carried || !loop->results) OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
    loop->n_iterations = INT64_MAX;
    loop->is_going_on = true;
    loop->last_scan = &loop->first_scan;
    if (op_input(ctx, 0)) {
        size_t n_values;
        TRY(op_read_ints(ctx, 0, 1, &loop->n_iterations, &n_values));
        if (!n_values) OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found no value, expected one");
    }
    if (op_input(ctx, 1)) TRY(read_condition(ctx, ctx->inputs[1], &loop->is_going_on));
    TRY(tensor_init(&loop->iteration, DTYPE_I64, 0, NULL, &loop->n_iteration, ctx->error));
    TRY(tensor_init(&loop->condition, DTYPE_BOOL, 0, NULL, &loop->is_going_on, ctx->error));
    loop->inputs[0] = &loop->iteration;
    loop->inputs[1] = &loop->condition;
    for (int i = 0; i < loop->n_carried; i++) {
        if (!ctx->inputs[i + 2]) OP_FAIL(ctx, HOB_BAD_GRAPH, "input %d is missing", i + 2);
        loop->carried[i] = *ctx->inputs[i + 2];
        loop->inputs[i + 2] = &loop->carried[i];
    }
    return HOB_OK;
}

static hob_status iterate(struct op_context *ctx, struct loop *loop)
{
    const struct loop_params *params = ctx->params;
    TRY(ctx->run_iteration(ctx, params->body, loop->n_carried + 2, loop->inputs, ctx->n_outputs + 1, loop->n_carried + 1,
                           loop->results));
    TRY(read_condition(ctx, &loop->results[0], &loop->is_going_on));
    for (int i = 0; i < loop->n_carried; i++) loop->carried[i] = loop->results[i + 1];
    if (!loop->n_scanned) return HOB_OK;
    struct scan *scan = ARENA_NEW(ctx->scratch, struct scan, 1);
    if (scan) scan->values = ARENA_NEW(ctx->scratch, struct tensor, (size_t)loop->n_scanned);
    if (!scan || !scan->values) OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
    for (int i = 0; i < loop->n_scanned; i++) scan->values[i] = loop->results[1 + loop->n_carried + i];
    *loop->last_scan = scan;
    loop->last_scan = &scan->next;
    return HOB_OK;
}

/* Output n_carried + i: the iterations' values one behind the other, along a new first axis. */
static hob_status stack(struct op_context *ctx, const struct loop *loop, int i)
{
    int output = loop->n_carried + i;
    if (!ctx->outputs[output]) return HOB_OK;
    if (!loop->first_scan)
        OP_FAIL(ctx, HOB_UNSUPPORTED, "output %d: found no iteration, expected one to know its shape", output);
    const struct tensor *first = &loop->first_scan->values[i];
    int64_t dims[TENSOR_MAX_RANK + 1] = {loop->n_iteration};
    for (int axis = 0; axis < first->rank; axis++) dims[axis + 1] = first->dims[axis];
    TRY(op_allocate_output(ctx, output, first->dtype, first->rank + 1, dims));
    char *target = ctx->outputs[output]->data;
    for (const struct scan *scan = loop->first_scan; scan; scan = scan->next) {
        const struct tensor *value = &scan->values[i];
        if (!tensor_same_shape(value, first) || value->dtype != first->dtype)
            OP_FAIL(ctx, HOB_BAD_SHAPE, "output %d: found %s in a later iteration, expected %s as in the first", output,
                    OP_SHAPE(value), OP_SHAPE(first));
        tensor_copy_contiguous(value, target);
        target += tensor_n_bytes(value);
    }
    return HOB_OK;
}

/* A carried value that the body never replaced may be anybody's memory and strides: it is copied. */
static hob_status give_carried(struct op_context *ctx, const struct loop *loop, int i)
{
    const struct tensor *value = &loop->carried[i];
    if (loop->n_iteration) {
        set_output(ctx, i, value);
        return HOB_OK;
    }
    TRY(op_allocate_output(ctx, i, value->dtype, value->rank, value->dims));
    if (ctx->outputs[i]) tensor_copy_contiguous(value, ctx->outputs[i]->data);
    return HOB_OK;
}

static hob_status loop_run(struct op_context *ctx)
{
    struct loop loop = {0};
    TRY(start(ctx, &loop));
    while (loop.is_going_on && loop.n_iteration < loop.n_iterations) {
        TRY(iterate(ctx, &loop));
        loop.n_iteration++;
    }
    for (int i = 0; i < loop.n_carried; i++) TRY(give_carried(ctx, &loop, i));
    for (int i = 0; i < loop.n_scanned; i++) TRY(stack(ctx, &loop, i));
    return HOB_OK;
}

const struct op_def op_loop = {
    .name = "Loop",
    .domain = "",
    .since = 1,
    .min_inputs = 0,
    .max_inputs = -1,
    .min_outputs = 1,
    .max_outputs = -1,
    .flags = OP_ALLOCATES | OP_STRIDED_INPUTS | OP_NOT_FOLDABLE | OP_EMPTY_OPTIONALS,
    .prepare = loop_prepare,
    .infer = not_before_run,
    .run = loop_run,
};
