/* Each step infers its outputs' shapes from what its inputs really are, takes their memory from the plan (or, where the plan
 * could not tell, from an overflow arena that lives for one run) and runs. Inferring at every run keeps dynamic shapes exact
 * while the plan, made for the largest shapes, stays as it is: no re-planning as a KV cache grows.
 *
 * Contexts with their pointer arrays are laid out once, so a step's own cost is its infer and its run. */
#include "graph/executor.h"
#include "base/error.h"
#include "base/memory.h"
#include "graph/body_output.h"

#include <string.h>

enum { MAX_PLANS = 4, ARENA_CHUNK_BYTES = 64 * 1024 };

/* One step's context, ready to run; op first, so that callbacks find the rest. */
struct step_context {
    struct op_context op;
    struct executor *executor;
    const struct step *step;
    struct executor **bodies; /* a node's subgraphs */
    struct arena carried[2];  /* what a loop carries: this iteration's and the one's before */
    int turn;
    uint64_t n_body_runs; /* since the node began to run */
};

struct executor {
    const struct program *program;
    struct provider *provider;
    struct executor *parent; /* of a subgraph's executor */
    struct executor *root;   /* the outermost parent; itself when it has none */
    struct executor_guard guard; /* the root's counts */
    struct arena arena;      /* life of the executor */
    struct arena scratch;    /* life of a step */
    struct arena overflow;   /* life of a run */
    struct tensor *values;   /* one a value */
    bool *has_free_shape;    /* one an input: nothing depends on its shape */
    struct op_state *states;
    const struct paged_layout *layout; /* of states in blocks; NULL: each has a buffer */
    struct paged_state *paged;         /* one a state */
    struct paged_run texts;    /* of the next run */
    struct step_context *contexts;
    unsigned char *block; /* the plan's memory */
    size_t block_bytes, state_bytes;
    struct plan *plans[MAX_PLANS]; /* most recently used first */
    struct plan *plan;
    void **state_blocks;
    int64_t n_used, state_capacity;
    uint64_t iteration; /* of a subgraph's executor */
};

static hob_status no_memory(const struct executor *executor, hob_error *error)
{
    FAIL(error, HOB_NO_MEMORY, "graph %s: out of memory for a session", executor->program->graph->name);
}

/* ---- limits ---- */

void executor_set_guard(struct executor *executor, const struct executor_guard *guard)
{
    executor->guard = *guard;
}

static bool is_stopped(const struct executor *executor)
{
    const struct executor_guard *guard = &executor->root->guard;
    return guard->is_stopped && guard->is_stopped(guard->context);
}

static hob_status check_bytes(const struct executor *executor, size_t n_bytes, size_t n_used_bytes, hob_error *error)
{
    size_t max_bytes = executor->root->guard.max_bytes;
    if (max_bytes && (n_bytes > max_bytes || n_used_bytes > max_bytes - n_bytes))
        FAIL(error, HOB_LIMIT, "found %zu bytes of activations and %zu in use, expected at most %zu", n_bytes,
             n_used_bytes, max_bytes);
    return HOB_OK;
}

/* ---- memory for outputs ---- */

/* A value that grows a little at every iteration would find each chunk of a cleared arena a little too small, and leave them all
 * behind. Untouched pages cost nothing. */
static size_t roomy(size_t size_bytes)
{
    if (size_bytes <= ARENA_CHUNK_BYTES || size_bytes > SIZE_MAX / 4) return size_bytes;
    return (size_t)1 << (64 - __builtin_clzll(size_bytes - 1));
}

static hob_status overflow_allocate(struct op_context *ctx, size_t size_bytes, void **ret_bytes)
{
    struct step_context *context = (struct step_context *)ctx;
    TRY(check_bytes(context->executor, size_bytes, context->executor->overflow.total_bytes, ctx->error));
    *ret_bytes = arena_alloc(&context->executor->overflow, roomy(size_bytes), 64);
    if (!*ret_bytes) OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory for %zu bytes", size_bytes);
    return HOB_OK;
}

static hob_status give_memory(struct step_context *context, uint32_t value)
{
    struct executor *executor = context->executor;
    struct tensor *tensor = &executor->values[value];
    size_t n_bytes = tensor_n_bytes(tensor);
    const struct plan_slot *slot = &executor->plan->slots[value];
    if (n_bytes <= slot->n_bytes && slot->n_bytes) {
        tensor->data = executor->block + slot->offset_bytes;
        return HOB_OK;
    }
    return overflow_allocate(&context->op, n_bytes, &tensor->data);
}

/* A view that the plan did not foresee would outlive its root's memory: it becomes a copy. */
static hob_status keep_view(struct step_context *context, uint32_t value)
{
    struct executor *executor = context->executor;
    if (executor->plan->slots[value].root != value) return HOB_OK;
    const struct step *step = context->step;
    uint32_t source = step->n_inputs ? step->inputs[0] : VALUE_NONE;
    if (source == VALUE_NONE) return HOB_OK;
    uint32_t root = executor->plan->slots[source].root;
    bool is_lasting = executor->program->graph->values[root].producer == NODE_NONE || (step->op->flags & OP_STATEFUL) ||
                      !executor->plan->slots[root].n_bytes; /* a state's or the overflow arena's */
    if (is_lasting || !executor->values[value].data) return HOB_OK;
    struct tensor view = executor->values[value];
    tensor_set_contiguous(&executor->values[value]);
    executor->values[value].is_view = false;
    TRY(give_memory(context, value));
    tensor_copy_contiguous(&view, executor->values[value].data);
    return HOB_OK;
}

/* ---- steps ---- */

/* Ops that take no strides get contiguous copies of what is not. Returns whether any input was replaced. */
static hob_status make_contiguous(struct step_context *context, const struct tensor **replaced, struct tensor *copies)
{
    struct arena *scratch = &context->executor->scratch;
    for (int i = 0; i < context->op.n_inputs; i++) {
        const struct tensor *input = context->op.inputs[i];
        replaced[i] = input;
        if (!input || input->layout != LAYOUT_STRIDED || tensor_is_contiguous(input)) continue;
        copies[i] = *input;
        tensor_set_contiguous(&copies[i]);
        copies[i].data = arena_alloc(scratch, tensor_n_bytes(input), 64);
        if (!copies[i].data) return no_memory(context->executor, context->op.error);
        tensor_copy_contiguous(input, copies[i].data);
        replaced[i] = &copies[i];
    }
    return HOB_OK;
}

static bool needs_contiguous(const struct step_context *context)
{
    if (context->step->op->flags & OP_STRIDED_INPUTS) return false;
    for (int i = 0; i < context->op.n_inputs; i++) {
        const struct tensor *input = context->op.inputs[i];
        if (input && input->layout == LAYOUT_STRIDED && !tensor_is_contiguous(input)) return true;
    }
    return false;
}

static hob_status infer_and_run(struct step_context *context)
{
    struct op_context *op = &context->op;
    unsigned flags = op->op->flags;
    hob_status status = op_infer(op);
    context->n_body_runs = 0;
    if (flags & OP_ALLOCATES) return status == HOB_OK || status == HOB_UNKNOWN ? op->op->run(op) : status;
    if (__builtin_expect(status != HOB_OK, 0)) return status;
    bool is_run = flags & OP_STATEFUL;
    for (int i = 0; i < op->n_outputs; i++) {
        uint32_t value = context->step->outputs[i];
        if (value == VALUE_NONE) continue;
        if (op->outputs[i]->is_view) {
            TRY(keep_view(context, value));
        } else {
            TRY(give_memory(context, value));
            is_run = true;
        }
    }
    return is_run ? op->op->run(op) : HOB_OK;
}

static hob_status run_contiguous(struct step_context *context)
{
    struct arena *scratch = &context->executor->scratch;
    const struct tensor *const *inputs = context->op.inputs;
    const struct tensor **replaced = arena_alloc(scratch, (size_t)context->op.n_inputs * sizeof *replaced, 16);
    struct tensor *copies = arena_alloc(scratch, (size_t)context->op.n_inputs * sizeof *copies, 16);
    if (!replaced || !copies) return no_memory(context->executor, context->op.error);
    TRY(make_contiguous(context, replaced, copies));
    context->op.inputs = replaced;
    hob_status status = infer_and_run(context);
    context->op.inputs = inputs;
    return status;
}

/* Failures from below the op, such as a shape that overflows, do not know where they are. */
static hob_status name_failure(const struct step_context *context, hob_status status)
{
    const char *name = context->op.node_name;
    hob_error *error = context->op.error;
    if (!error || !strncmp(error->message, name, strlen(name))) return status;
    return error_prefix(error, status, "%s (%s)", name, context->op.op->name);
}

hob_status executor_run_steps(struct executor *executor, hob_error *error)
{
    for (uint32_t s = 0; s < executor->program->n_steps; s++) {
        struct step_context *context = &executor->contexts[s];
        context->op.error = error;
        context->op.iteration = executor->iteration;
        if (is_stopped(executor)) FAIL(error, HOB_CANCELLED, "stopped before %s", context->op.node_name);
        arena_clear(&executor->scratch);
        hob_status status = needs_contiguous(context) ? run_contiguous(context) : infer_and_run(context);
        if (__builtin_expect(status != HOB_OK, 0)) return name_failure(context, status);
    }
    return HOB_OK;
}

/* ---- inputs ---- */

static const char *declared_shape_text(const struct value *declared, char text[TENSOR_SHAPE_TEXT_BYTES])
{
    return declared->rank < 0 ? "of any shape" : tensor_shape_text(declared->rank, declared->dims, text);
}

static hob_status check_input(const struct executor *executor, uint32_t index, const struct tensor *tensor,
                              hob_error *error)
{
    const struct graph *graph = executor->program->graph;
    const struct value *declared = &graph->values[graph->inputs[index]];
    char found[TENSOR_SHAPE_TEXT_BYTES], expected[TENSOR_SHAPE_TEXT_BYTES];
    if (tensor->dtype == DTYPE_NONE && declared->is_optional) return HOB_OK;
    if (tensor->dtype == DTYPE_NONE)
        FAIL(error, HOB_NOT_FOUND, "input %s: missing, expected %s %s", declared->name, dtype_name(declared->dtype),
             declared_shape_text(declared, expected));
    if (declared->dtype != DTYPE_NONE && tensor->dtype != declared->dtype)
        FAIL(error, HOB_BAD_TYPE, "input %s: found %s, expected %s", declared->name, dtype_name(tensor->dtype),
             dtype_name(declared->dtype));
    if (declared->rank < 0 || executor->has_free_shape[index]) return HOB_OK;
    bool fits = tensor->rank == declared->rank;
    for (int d = 0; fits && d < declared->rank; d++)
        fits = declared->dims[d] == DIM_UNKNOWN || declared->dims[d] == tensor->dims[d];
    if (!fits)
        FAIL(error, HOB_BAD_SHAPE, "input %s: found %s, expected %s", declared->name,
             tensor_shape_text(tensor->rank, tensor->dims, found), declared_shape_text(declared, expected));
    return HOB_OK;
}

static void find_plan(struct executor *executor, const struct tensor *inputs)
{
    uint32_t n_inputs = executor->program->graph->n_inputs;
    executor->plan = NULL;
    for (int i = 0; i < MAX_PLANS && executor->plans[i]; i++) {
        struct plan *plan = executor->plans[i];
        if (!plan_covers(plan, inputs, n_inputs, executor->n_used)) continue;
        memmove(&executor->plans[1], &executor->plans[0], (size_t)i * sizeof plan);
        executor->plans[0] = plan;
        executor->plan = plan;
        return;
    }
}

static hob_status make_plan(struct executor *executor, const struct executor_bounds *bounds, hob_error *error)
{
    struct plan *plan;
    TRY(plan_new(executor->program, executor->provider->kernels, bounds->inputs, bounds->n_used, executor->layout, &plan, error));
    hob_status status = check_bytes(executor, plan->n_bytes, 0, error);
    if (status != HOB_OK) {
        plan_free(plan);
        return status;
    }
    if (plan->n_bytes > executor->block_bytes) {
        unsigned char *block = memory_large(plan->n_bytes);
        if (!block) {
            size_t n_bytes = plan->n_bytes;
            plan_free(plan);
            FAIL(error, HOB_NO_MEMORY, "out of memory: the activations need %zu bytes", n_bytes);
        }
        memory_free(executor->block);
        executor->block = block;
        executor->block_bytes = plan->n_bytes;
    }
    plan_free(executor->plans[MAX_PLANS - 1]);
    memmove(&executor->plans[1], &executor->plans[0], (MAX_PLANS - 1) * sizeof plan);
    executor->plans[0] = executor->plan = plan;
    return HOB_OK;
}

/* The bound inputs as an array in graph->inputs' order, in scratch. */
static struct tensor *bound_inputs(struct executor *executor)
{
    const struct graph *graph = executor->program->graph;
    struct tensor *inputs = arena_alloc(&executor->scratch, (graph->n_inputs + 1) * sizeof *inputs, 16);
    for (uint32_t i = 0; inputs && i < graph->n_inputs; i++) inputs[i] = executor->values[graph->inputs[i]];
    return inputs;
}

hob_status executor_run(struct executor *executor, const struct executor_bounds *bounds, hob_error *error)
{
    const struct graph *graph = executor->program->graph;
    if (is_stopped(executor)) FAIL(error, HOB_CANCELLED, "stopped before graph %s", graph->name);
    for (uint32_t i = 0; i < graph->n_inputs; i++)
        TRY(check_input(executor, i, &executor->values[graph->inputs[i]], error));
    arena_clear(&executor->scratch);
    arena_clear(&executor->overflow);
    struct tensor *inputs = bound_inputs(executor);
    if (!inputs) return no_memory(executor, error);
    find_plan(executor, inputs);
    struct executor_bounds exact = {inputs, executor->n_used};
    if (!executor->plan) TRY(make_plan(executor, bounds ? bounds : &exact, error));
    for (uint32_t i = 0; i < graph->n_states; i++) executor->states[i].n_used = executor->n_used;
    return executor->provider->def->run(executor->provider, executor, error);
}

void executor_bind(struct executor *executor, uint32_t i, const struct tensor *tensor)
{
    struct tensor *value = &executor->values[executor->program->graph->inputs[i]];
    *value = *tensor;
    value->is_view = true; /* any strides; looked at when an op wants them contiguous */
}

void executor_bind_texts(struct executor *executor, const struct paged_run *run)
{
    executor->texts = *run;
}

const struct tensor *executor_output(const struct executor *executor, uint32_t i)
{
    return &executor->values[executor->program->graph->outputs[i]];
}

int64_t executor_n_used(const struct executor *executor)
{
    return executor->n_used;
}

void executor_set_n_used(struct executor *executor, int64_t n_used)
{
    executor->n_used = n_used;
}

/* In memory a state is runs of positions (see set_state_strides), each run with room for the whole capacity. */
static void copy_state(const struct op_state *from, int64_t n_used, const struct op_state *to)
{
    const struct tensor *buffer = &from->buffer;
    int last = buffer->rank - 1;
    size_t position_bytes = dtype_block_bytes(buffer->dtype) * (from->axis == last ? 1 : (size_t)buffer->dims[last]);
    size_t run_bytes = position_bytes * (size_t)buffer->dims[from->axis];
    size_t n_runs = run_bytes ? tensor_n_bytes(buffer) / run_bytes : 0;
    for (size_t i = 0; i < n_runs; i++)
        memcpy((char *)to->buffer.data + i * run_bytes, (const char *)buffer->data + i * run_bytes, (size_t)n_used * position_bytes);
}

void executor_copy_states(const struct executor *from, int64_t n_used, struct executor *to)
{
    for (uint32_t i = 0; i < from->program->graph->n_states; i++) copy_state(&from->states[i], n_used, &to->states[i]);
}

/* ---- what it has taken ---- */

static void add_usage(const struct executor *executor, struct executor_usage *usage)
{
    usage->activation_bytes += executor->block_bytes + executor->overflow.total_bytes + executor->scratch.total_bytes;
    usage->state_bytes += executor->state_bytes;
    usage->other_bytes += executor->arena.total_bytes;
    for (int i = 0; i < MAX_PLANS && executor->plans[i]; i++) usage->other_bytes += executor->plans[i]->arena.total_bytes;
    for (uint32_t s = 0; s < executor->program->n_steps; s++) {
        const struct step_context *context = &executor->contexts[s];
        for (int i = 0; i < 2; i++) usage->activation_bytes += context->carried[i].total_bytes;
        for (uint32_t i = 0; context->bodies && i < context->step->n_bodies; i++) add_usage(context->bodies[i], usage);
    }
}

struct executor_usage executor_usage(const struct executor *executor)
{
    struct executor_usage usage = {0};
    add_usage(executor, &usage);
    return usage;
}

size_t executor_n_bytes(const struct executor *executor)
{
    struct executor_usage usage = executor_usage(executor);
    return usage.activation_bytes + usage.state_bytes + usage.other_bytes;
}

static void renew(struct arena *arena)
{
    arena_release(arena);
    arena_init(arena, ARENA_CHUNK_BYTES);
}

void executor_trim(struct executor *executor)
{
    for (int i = 0; i < MAX_PLANS; i++) {
        plan_free(executor->plans[i]);
        executor->plans[i] = NULL;
    }
    executor->plan = NULL;
    memory_free(executor->block);
    executor->block = NULL;
    executor->block_bytes = 0;
    renew(&executor->overflow);
    renew(&executor->scratch);
    for (uint32_t s = 0; s < executor->program->n_steps; s++) {
        struct step_context *context = &executor->contexts[s];
        for (int i = 0; i < 2; i++) renew(&context->carried[i]);
        for (uint32_t i = 0; context->bodies && i < context->step->n_bodies; i++) executor_trim(context->bodies[i]);
    }
}

/* ---- control flow ---- */

static void copy_outer_values(struct executor *body)
{
    const struct graph *graph = body->program->graph;
    for (uint32_t i = 0; i < graph->n_values; i++) {
        if (graph->values[i].outer == VALUE_NONE) continue;
        body->values[i] = body->parent->values[graph->values[i].outer];
        body->values[i].is_view = true;
    }
}

static hob_status carried_allocate(struct op_context *ctx, size_t size_bytes, void **ret_bytes)
{
    struct step_context *context = (struct step_context *)ctx;
    TRY(check_bytes(context->executor, size_bytes, context->carried[context->turn].total_bytes, ctx->error));
    *ret_bytes = arena_alloc(&context->carried[context->turn], roomy(size_bytes), 64);
    if (!*ret_bytes) OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory for %zu bytes", size_bytes);
    return HOB_OK;
}

/* The first run of a body counts as its node's own: an If in a loop draws what its branch would in its place. */
static uint64_t next_iteration(struct step_context *context)
{
    uint64_t outer = context->executor->iteration, i = context->n_body_runs++;
    return i ? (outer ^ i) * UINT64_C(0x9E3779B97F4A7C15) + i : outer;
}

/* Outputs at the end that nobody wants may be left off. */
static hob_status check_body(struct op_context *ctx, const struct graph *graph, int n_inputs, int n_outputs)
{
    if ((uint32_t)n_inputs != graph->n_inputs || (uint32_t)n_outputs > graph->n_outputs)
        OP_FAIL(ctx, HOB_BAD_GRAPH, "subgraph %s: found %u inputs and %u outputs, expected %d and %d", graph->name,
                graph->n_inputs, graph->n_outputs, n_inputs, n_outputs);
    return HOB_OK;
}

static hob_status run_iteration(struct op_context *ctx, int index, int n_inputs, const struct tensor *const *inputs,
                                int n_outputs, int n_carried, struct tensor *ret_outputs)
{
    struct step_context *context = (struct step_context *)ctx;
    struct executor *body = context->bodies[index];
    TRY(check_body(ctx, body->program->graph, n_inputs, n_outputs));
    copy_outer_values(body);
    body->iteration = next_iteration(context);
    for (int i = 0; i < n_inputs; i++) executor_bind(body, (uint32_t)i, inputs[i]);
    TRY(executor_run(body, NULL, ctx->error));
    context->turn ^= 1;
    arena_clear(&context->carried[context->turn]);
    for (int i = 0; i < n_outputs; i++)
        TRY(body_output_copy(ctx, executor_output(body, (uint32_t)i), &body->overflow,
                             i < n_carried ? carried_allocate : overflow_allocate, &ret_outputs[i]));
    return HOB_OK;
}

static hob_status run_subgraph(struct op_context *ctx, int index, int n_inputs, const struct tensor *const *inputs,
                               int n_outputs, struct tensor *ret_outputs)
{
    return run_iteration(ctx, index, n_inputs, inputs, n_outputs, 0, ret_outputs);
}

static hob_status subgraph_shape(struct op_context *ctx, int index, int n_inputs, const struct tensor *const *inputs,
                                 int output, struct tensor *ret_shape)
{
    const struct executor *body = ((struct step_context *)ctx)->bodies[index];
    const struct graph *graph = body->program->graph;
    const struct tensor *shapes;
    TRY(check_body(ctx, graph, n_inputs, output + 1));
    struct tensor *given = ARENA_NEW(ctx->scratch, struct tensor, (size_t)n_inputs + 1);
    if (!given) return no_memory(body, ctx->error);
    for (int i = 0; i < n_inputs; i++) given[i] = *inputs[i];
    TRY(plan_infer_shapes(body->program, ctx->kernels, given, 0, ctx->scratch, &shapes, ctx->error));
    *ret_shape = shapes[graph->outputs[output]];
    ret_shape->data = NULL;
    if (ret_shape->dtype != DTYPE_NONE) return HOB_OK;
    const struct value *declared = &graph->values[graph->outputs[output]];
    if (declared->dtype == DTYPE_NONE || declared->rank < 0)
        OP_FAIL(ctx, HOB_UNKNOWN, "subgraph %s, output %d: its type and shape are only known when it has run", graph->name, output);
    int64_t dims[TENSOR_MAX_RANK] = {0};
    for (int d = 0; d < declared->rank; d++) dims[d] = declared->dims[d] == DIM_UNKNOWN ? 0 : declared->dims[d];
    return tensor_init(ret_shape, declared->dtype, declared->rank, dims, NULL, ctx->error);
}

/* ---- life ---- */

static hob_status executor_new_body(const struct program *program, struct executor *parent,
                                    struct executor **ret_executor, hob_error *error);

static hob_status make_context(struct executor *executor, const struct step *step, struct step_context *context,
                               hob_error *error)
{
    struct arena *arena = &executor->arena;
    const struct tensor **inputs = ARENA_NEW(arena, const struct tensor *, step->n_inputs);
    struct tensor **outputs = ARENA_NEW(arena, struct tensor *, step->n_outputs);
    if (!inputs || !outputs) return no_memory(executor, error);
    for (uint32_t i = 0; i < step->n_inputs; i++)
        inputs[i] = step->inputs[i] == VALUE_NONE ? NULL : &executor->values[step->inputs[i]];
    for (uint32_t i = 0; i < step->n_outputs; i++)
        outputs[i] = step->outputs[i] == VALUE_NONE ? NULL : &executor->values[step->outputs[i]];
    *context = (struct step_context){.executor = executor, .step = step};
    context->op = (struct op_context){.op = step->op,
                                      .params = step->params,
                                      .n_inputs = (int)step->n_inputs,
                                      .n_outputs = (int)step->n_outputs,
                                      .inputs = inputs,
                                      .outputs = outputs,
                                      .node_name = step->name,
                                      .kernels = executor->provider->kernels,
                                      .pool = executor->provider->pool,
                                      .scratch = &executor->scratch,
                                      .allocate = overflow_allocate,
                                      .run_subgraph = run_subgraph,
                                      .run_iteration = run_iteration,
                                      .subgraph_shape = subgraph_shape,
                                      .state = step->state == STATE_NONE ? NULL : &executor->states[step->state]};
    if (!step->n_bodies) return HOB_OK;
    for (int i = 0; i < 2; i++) arena_init(&context->carried[i], ARENA_CHUNK_BYTES);
    context->bodies = ARENA_NEW(arena, struct executor *, step->n_bodies);
    if (!context->bodies) return no_memory(executor, error);
    for (uint32_t i = 0; i < step->n_bodies; i++)
        TRY(executor_new_body(step->bodies[i], executor, &context->bodies[i], error));
    return HOB_OK;
}

/* Row-major but for the position axis, which moves in front of the last: each head's positions lie together. */
static void set_state_strides(struct tensor *buffer, int axis)
{
    int order[TENSOR_MAX_RANK], n_order = 0;
    for (int d = 0; d < buffer->rank; d++) {
        if (d == buffer->rank - 1 && axis != d) order[n_order++] = axis;
        if (d != axis || axis == buffer->rank - 1) order[n_order++] = d;
    }
    int64_t stride = 1;
    for (int i = n_order; i-- > 0;) {
        buffer->strides[order[i]] = stride;
        stride *= buffer->dims[order[i]];
    }
}

static hob_status make_state(struct executor *executor, uint32_t index, hob_error *error)
{
    const struct graph_state *spec = &executor->program->graph->states[index];
    struct op_state *state = &executor->states[index];
    int64_t dims[TENSOR_MAX_RANK];
    for (int d = 0; d < spec->rank; d++) dims[d] = spec->dims[d] == DIM_UNKNOWN ? 1 : spec->dims[d];
    dims[spec->axis] = executor->state_capacity;
    TRY(tensor_init(&state->buffer, spec->dtype, spec->rank, dims, NULL, error));
    size_t n_bytes = tensor_n_bytes(&state->buffer);
    state->buffer.data = executor->state_blocks[index] = memory_aligned(n_bytes);
    if (!state->buffer.data)
        FAIL(error, HOB_NO_MEMORY, "KV cache %s: no memory for %zu bytes (%lld positions)", spec->name, n_bytes,
             (long long)executor->state_capacity);
    state->axis = spec->axis;
    set_state_strides(&state->buffer, spec->axis);
    executor->state_bytes += n_bytes;
    return HOB_OK;
}

static hob_status page_states(struct executor *executor, hob_error *error)
{
    const struct paged_layout *layout = executor->layout;
    executor->paged = ARENA_NEW(&executor->arena, struct paged_state, layout->n_states);
    if (!executor->paged) return no_memory(executor, error);
    for (uint32_t i = 0; i < layout->n_states; i++) {
        executor->paged[i] = (struct paged_state){.place = layout->places[i], .run = &executor->texts};
        executor->states[i].paged = &executor->paged[i];
    }
    return HOB_OK;
}

static hob_status make_states(struct executor *executor, hob_error *error)
{
    if (executor->layout) return page_states(executor, error);
    for (uint32_t i = 0; i < executor->program->graph->n_states; i++) TRY(make_state(executor, i, error));
    return HOB_OK;
}

/* Which values' shapes a step depends on, through its bodies too. */
static void mark_shapes(const struct step *step, bool *is_read)
{
    for (uint32_t i = 0; i < step->n_inputs; i++)
        if (step->inputs[i] != VALUE_NONE && !(i == 1 && step->op->flags & OP_TYPE_INPUT_1)) is_read[step->inputs[i]] = true;
    for (uint32_t b = 0; b < step->n_bodies; b++) {
        const struct graph *body = step->bodies[b]->graph;
        for (uint32_t v = 0; v < body->n_values; v++)
            if (body->values[v].outer != VALUE_NONE) is_read[body->values[v].outer] = true;
    }
}

/* Inputs that nobody reads, or only for their type, may have another shape than the model declares: some of ONNX's own
 * conformance cases feed CastLike such ones. */
static hob_status find_free_shapes(struct executor *executor, hob_error *error)
{
    const struct program *program = executor->program;
    const struct graph *graph = program->graph;
    bool *is_read = ARENA_NEW(&executor->scratch, bool, graph->n_values);
    executor->has_free_shape = ARENA_NEW(&executor->arena, bool, graph->n_inputs);
    if (!is_read || !executor->has_free_shape) return no_memory(executor, error);
    for (uint32_t s = 0; s < program->n_steps; s++) mark_shapes(&program->steps[s], is_read);
    for (uint32_t i = 0; i < graph->n_outputs; i++) is_read[graph->outputs[i]] = true;
    for (uint32_t i = 0; i < graph->n_inputs; i++) executor->has_free_shape[i] = !is_read[graph->inputs[i]];
    return HOB_OK;
}

static hob_status set_up(struct executor *executor, hob_error *error)
{
    const struct program *program = executor->program;
    const struct graph *graph = program->graph;
    struct arena *arena = &executor->arena;
    executor->values = ARENA_NEW(arena, struct tensor, graph->n_values);
    executor->states = ARENA_NEW(arena, struct op_state, graph->n_states);
    executor->state_blocks = ARENA_NEW(arena, void *, graph->n_states);
    executor->contexts = ARENA_NEW(arena, struct step_context, program->n_steps);
    if (!executor->values || !executor->states || !executor->state_blocks || !executor->contexts)
        return no_memory(executor, error);
    for (uint32_t i = 0; i < graph->n_values; i++)
        if (graph->values[i].constant) executor->values[i] = *graph->values[i].constant;
    TRY(find_free_shapes(executor, error));
    TRY(make_states(executor, error));
    for (uint32_t s = 0; s < program->n_steps; s++)
        TRY(make_context(executor, &program->steps[s], &executor->contexts[s], error));
    return HOB_OK;
}

static hob_status new_executor(const struct program *program, struct provider *provider, struct executor *parent,
                               int64_t state_capacity, const struct paged_layout *layout, struct executor **ret_executor,
                               hob_error *error)
{
    struct executor *executor = memory_new(1, sizeof *executor);
    if (!executor) FAIL(error, HOB_NO_MEMORY, "a new session: out of memory");
    executor->program = program;
    executor->provider = provider;
    executor->parent = parent;
    executor->root = parent ? parent->root : executor;
    executor->state_capacity = state_capacity;
    executor->layout = layout;
    arena_init(&executor->arena, ARENA_CHUNK_BYTES);
    arena_init(&executor->scratch, ARENA_CHUNK_BYTES);
    arena_init(&executor->overflow, ARENA_CHUNK_BYTES);
    hob_status status = set_up(executor, error);
    if (status == HOB_OK) *ret_executor = executor;
    else executor_free(executor);
    return status;
}

static hob_status executor_new_body(const struct program *program, struct executor *parent,
                                    struct executor **ret_executor, hob_error *error)
{
    return new_executor(program, parent->provider, parent, 0, NULL, ret_executor, error);
}

hob_status executor_new(const struct program *program, struct provider *provider, int64_t state_capacity,
                        struct executor **ret_executor, hob_error *error)
{
    return new_executor(program, provider, NULL, state_capacity, NULL, ret_executor, error);
}

hob_status executor_new_paged(const struct program *program, struct provider *provider, const struct paged_layout *layout,
                              struct executor **ret_executor, hob_error *error)
{
    return new_executor(program, provider, NULL, 0, layout, ret_executor, error);
}

void executor_free(struct executor *executor)
{
    if (!executor) return;
    for (uint32_t s = 0; executor->contexts && s < executor->program->n_steps; s++) {
        struct step_context *context = &executor->contexts[s];
        for (uint32_t i = 0; context->bodies && i < context->step->n_bodies; i++) executor_free(context->bodies[i]);
        for (int i = 0; i < 2; i++) arena_release(&context->carried[i]);
    }
    for (uint32_t i = 0; executor->state_blocks && i < executor->program->graph->n_states; i++)
        memory_free(executor->state_blocks[i]);
    for (int i = 0; i < MAX_PLANS; i++) plan_free(executor->plans[i]);
    memory_free(executor->block);
    arena_release(&executor->arena);
    arena_release(&executor->scratch);
    arena_release(&executor->overflow);
    memory_free(executor);
}
