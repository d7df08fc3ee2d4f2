/* Loop: inputs M?, cond?, carried…; body: (iteration, cond, carried…) -> (cond, carried…, scanned…).
 *
 * Carried values live for two turns; scanned ones are copied into one growing block each, so that memory grows with what is
 * given out and not with the number of iterations. */
#include "ops/control/body.h"

#include "base/size.h"

#include <string.h>

struct loop_params {
    int body;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct loop_params *params = ARENA_NEW(node->arena, struct loop_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    TRY(body_require(node, "body", &params->body));
    if (node->n_outputs < node->n_inputs - 2)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: found %d outputs, expected one for each of %d carried values",
             node->node_name, node->n_outputs, node->n_inputs - 2);
    *ret_params = params;
    return HOB_OK;
}

/* The iterations' values of one output, one behind the other along a new first axis. */
struct stack {
    struct tensor element; /* type and shape of the first */
    size_t element_bytes;
    int64_t capacity;      /* elements that data has room for */
    unsigned char *data;
};

struct loop {
    int n_carried, n_scanned;
    const struct tensor **inputs;                           /* of the body */
    struct tensor iteration, condition, *carried, *results; /* results: the body's outputs */
    int64_t n_iteration, n_iterations;                      /* the counts that iteration and max trip count point to */
    bool is_going_on;
    struct stack *stacks; /* n_scanned */
};

static hob_status make_room(struct op_context *ctx, struct loop *loop)
{
    loop->n_carried = ctx->n_inputs > 2 ? ctx->n_inputs - 2 : 0;
    loop->n_scanned = ctx->n_outputs - loop->n_carried;
    loop->inputs = ARENA_NEW(ctx->scratch, const struct tensor *, (size_t)loop->n_carried + 2);
    loop->carried = ARENA_NEW(ctx->scratch, struct tensor, (size_t)loop->n_carried + 1);
    loop->results = ARENA_NEW(ctx->scratch, struct tensor, (size_t)ctx->n_outputs + 1);
    loop->stacks = ARENA_NEW(ctx->scratch, struct stack, (size_t)loop->n_scanned + 1);
    if (!loop->inputs || !loop->carried || !loop->results || !loop->stacks) OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
    return HOB_OK;
}

static hob_status read_limits(struct op_context *ctx, struct loop *loop)
{
    size_t n_values = 1;
    loop->n_iterations = INT64_MAX;
    loop->is_going_on = true;
    if (op_input(ctx, 0)) TRY(op_read_ints(ctx, 0, 1, &loop->n_iterations, &n_values));
    if (!n_values) OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found no value, expected one");
    if (op_input(ctx, 1)) TRY(body_read_condition(ctx, ctx->inputs[1], &loop->is_going_on));
    return HOB_OK;
}

static hob_status start(struct op_context *ctx, struct loop *loop)
{
    TRY(make_room(ctx, loop));
    TRY(read_limits(ctx, loop));
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

/* Room for one element more; twice as much at each turn, but never more than iterations can come. */
static hob_status grow(struct op_context *ctx, const struct loop *loop, struct stack *stack)
{
    enum { FIRST = 16 };
    if (loop->n_iteration < stack->capacity) return HOB_OK;
    int64_t capacity = stack->capacity ? 2 * stack->capacity : FIRST;
    if (capacity > loop->n_iterations) capacity = loop->n_iterations;
    size_t n_bytes;
    void *data;
    if (!size_mul((size_t)capacity, stack->element_bytes, &n_bytes))
        OP_FAIL(ctx, HOB_LIMIT, "found %lld iterations of %s, expected fewer", (long long)capacity, OP_SHAPE(&stack->element));
    TRY(ctx->allocate(ctx, n_bytes + 1, &data));
    if (stack->capacity) memcpy(data, stack->data, (size_t)stack->capacity * stack->element_bytes);
    stack->data = data;
    stack->capacity = capacity;
    return HOB_OK;
}

static hob_status push(struct op_context *ctx, const struct loop *loop, int i, const struct tensor *value)
{
    struct stack *stack = &loop->stacks[i];
    int output = loop->n_carried + i;
    if (!ctx->outputs[output]) return HOB_OK;
    if (!loop->n_iteration) {
        if (value->dtype == DTYPE_SEQUENCE || value->dtype == DTYPE_NONE || value->rank == TENSOR_MAX_RANK)
            OP_FAIL(ctx, HOB_BAD_TYPE, "output %d: found %s %s in the body, expected a tensor of at most %d axes", output,
                    dtype_name(value->dtype), OP_SHAPE(value), TENSOR_MAX_RANK - 1);
        stack->element = *value;
        stack->element_bytes = tensor_n_bytes(value);
    }
    if (!tensor_same_shape(value, &stack->element) || value->dtype != stack->element.dtype)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "output %d: found %s in a later iteration, expected %s as in the first", output,
                OP_SHAPE(value), OP_SHAPE(&stack->element));
    TRY(grow(ctx, loop, stack));
    tensor_copy_contiguous(value, stack->data + (size_t)loop->n_iteration * stack->element_bytes);
    return HOB_OK;
}

static hob_status iterate(struct op_context *ctx, struct loop *loop)
{
    const struct loop_params *params = ctx->params;
    TRY(ctx->run_iteration(ctx, params->body, loop->n_carried + 2, loop->inputs, ctx->n_outputs + 1, ctx->n_outputs + 1,
                           loop->results));
    TRY(body_read_condition(ctx, &loop->results[0], &loop->is_going_on));
    for (int i = 0; i < loop->n_carried; i++) loop->carried[i] = loop->results[i + 1];
    for (int i = 0; i < loop->n_scanned; i++) TRY(push(ctx, loop, i, &loop->results[1 + loop->n_carried + i]));
    loop->n_iteration++;
    return HOB_OK;
}

/* Without an iteration, what the body would have given tells the other dims. */
static hob_status give_scanned(struct op_context *ctx, const struct loop *loop, int i)
{
    const struct loop_params *params = ctx->params;
    const struct stack *stack = &loop->stacks[i];
    int output = loop->n_carried + i;
    struct tensor element = stack->element;
    if (!ctx->outputs[output]) return HOB_OK;
    if (!loop->n_iteration)
        TRY(ctx->subgraph_shape(ctx, params->body, loop->n_carried + 2, loop->inputs, 1 + output, &element));
    int64_t dims[TENSOR_MAX_RANK + 1] = {loop->n_iteration};
    for (int axis = 0; axis < element.rank; axis++) dims[axis + 1] = element.dims[axis];
    if (!loop->n_iteration) return op_allocate_output(ctx, output, element.dtype, element.rank + 1, dims);
    return tensor_init(ctx->outputs[output], element.dtype, element.rank + 1, dims, stack->data, ctx->error);
}

static hob_status run(struct op_context *ctx)
{
    struct loop loop = {0};
    TRY(start(ctx, &loop));
    while (loop.is_going_on && loop.n_iteration < loop.n_iterations) TRY(iterate(ctx, &loop));
    for (int i = 0; i < loop.n_carried; i++) {
        if (loop.n_iteration) body_set_output(ctx, i, &loop.carried[i]);
        else TRY(body_copy_output(ctx, i, &loop.carried[i]));
    }
    for (int i = 0; i < loop.n_scanned; i++) TRY(give_scanned(ctx, &loop, i));
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
    .types = TYPE(I64),
    .flags = OP_ALLOCATES | OP_STRIDED_INPUTS | OP_NOT_FOLDABLE | OP_EMPTY_OPTIONALS,
    .prepare = prepare,
    .infer = body_infer_nothing,
    .run = run,
};
