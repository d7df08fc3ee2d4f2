#include "graph/evaluate.h"
#include "base/error.h"

/* The context with its op last, so that the allocator finds its arena. */
struct evaluation_context {
    struct op_context op;
    const struct evaluation *evaluation;
    const struct step *step;
};

void *evaluation_planner(const struct op_context *ctx, const struct step **ret_step)
{
    const struct evaluation_context *context = (const struct evaluation_context *)ctx;
    *ret_step = context->step;
    return context->evaluation->planner;
}

static hob_status allocate(struct op_context *ctx, size_t size_bytes, void **ret_bytes)
{
    struct evaluation_context *context = (struct evaluation_context *)ctx;
    *ret_bytes = arena_alloc(context->evaluation->results, size_bytes, 64);
    if (!*ret_bytes) OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory for %zu bytes", size_bytes);
    return HOB_OK;
}

static hob_status run_no_subgraph(struct op_context *ctx, int index, int n_inputs, const struct tensor *const *inputs, int n_outputs,
                                  struct tensor *ret_outputs)
{
    (void)index, (void)n_inputs, (void)inputs, (void)n_outputs, (void)ret_outputs;
    OP_FAIL(ctx, HOB_UNKNOWN, "control flow is not followed here");
}

static hob_status run_no_iteration(struct op_context *ctx, int index, int n_inputs, const struct tensor *const *inputs, int n_outputs,
                                   int n_carried, struct tensor *ret_outputs)
{
    (void)n_carried;
    return run_no_subgraph(ctx, index, n_inputs, inputs, n_outputs, ret_outputs);
}

static hob_status make_context(const struct evaluation *evaluation, const struct step *step, const struct tensor *const *inputs,
                               struct tensor *outputs, struct evaluation_context *ret_context)
{
    struct tensor **wanted = ARENA_NEW(evaluation->scratch, struct tensor *, step->n_outputs);
    if (!wanted) FAIL(evaluation->error, HOB_NO_MEMORY, "%s: out of memory", step->name);
    for (uint32_t i = 0; i < step->n_outputs; i++) {
        outputs[i] = (struct tensor){0};
        wanted[i] = step->outputs[i] == VALUE_NONE ? NULL : &outputs[i];
    }
    ret_context->evaluation = evaluation;
    ret_context->step = step;
    ret_context->op = (struct op_context){
        .op = step->op, .params = step->params, .n_inputs = (int)step->n_inputs, .n_outputs = (int)step->n_outputs,
        .inputs = inputs, .outputs = wanted, .node_name = step->name, .kernels = evaluation->kernels,
        .scratch = evaluation->scratch, .error = evaluation->error, .allocate = allocate, .run_subgraph = run_no_subgraph,
        .run_iteration = run_no_iteration,
        .infer_subgraph = evaluation->infer_subgraph};
    return HOB_OK;
}

hob_status evaluate_infer(const struct evaluation *evaluation, const struct step *step, const struct tensor *const *inputs,
                          struct op_state *state, struct tensor *outputs)
{
    struct evaluation_context context;
    TRY(make_context(evaluation, step, inputs, outputs, &context));
    context.op.state = state;
    return op_infer(&context.op);
}

/* Ops without OP_STRIDED_INPUTS get contiguous copies. */
static hob_status make_contiguous(struct evaluation_context *context, const struct step *step)
{
    if (step->op->flags & OP_STRIDED_INPUTS) return HOB_OK;
    struct arena *scratch = context->evaluation->scratch;
    const struct tensor **inputs = ARENA_NEW(scratch, const struct tensor *, step->n_inputs);
    struct tensor *copies = ARENA_NEW(scratch, struct tensor, step->n_inputs);
    if (!inputs || !copies) OP_FAIL(&context->op, HOB_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < step->n_inputs; i++) {
        inputs[i] = context->op.inputs[i];
        if (!inputs[i] || inputs[i]->layout != LAYOUT_STRIDED || tensor_is_contiguous(inputs[i])) continue;
        copies[i] = *inputs[i];
        copies[i].data = arena_alloc(scratch, tensor_n_bytes(inputs[i]), 64);
        if (!copies[i].data) OP_FAIL(&context->op, HOB_NO_MEMORY, "out of memory");
        tensor_set_contiguous(&copies[i]);
        tensor_copy_contiguous(inputs[i], copies[i].data);
        inputs[i] = &copies[i];
    }
    context->op.inputs = inputs;
    return HOB_OK;
}

hob_status evaluate_step(const struct evaluation *evaluation, const struct step *step, const struct tensor *const *inputs,
                         struct tensor *outputs)
{
    struct evaluation_context context;
    TRY(make_context(evaluation, step, inputs, outputs, &context));
    TRY(make_contiguous(&context, step));
    hob_status status = op_infer(&context.op);
    if (status != HOB_OK && !(status == HOB_UNKNOWN && (step->op->flags & OP_ALLOCATES))) return status;
    bool is_done = !(step->op->flags & OP_ALLOCATES);
    for (uint32_t i = 0; i < step->n_outputs; i++) {
        if (step->outputs[i] == VALUE_NONE || outputs[i].is_view || (step->op->flags & OP_ALLOCATES)) continue;
        is_done = false;
        TRY(allocate(&context.op, tensor_n_bytes(&outputs[i]), &outputs[i].data));
    }
    return is_done ? HOB_OK : step->op->run(&context.op);
}
