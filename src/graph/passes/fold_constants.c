/* Nodes whose inputs are all constants are computed now. Results that would be much larger than what they come from (a big
 * ConstantOfShape or Expand) stay as they are: cheap to make again, dear to keep. */
#include "base/error.h"
#include "graph/evaluate.h"
#include "graph/pass.h"

enum { ALWAYS_FOLDED_BYTES = 64 * 1024, GROWTH = 4 };

static bool has_bodies(const struct node *node)
{
    for (size_t i = 0; i < node->attributes.n_items; i++)
        if (node->attributes.items[i].kind == ATTRIBUTE_GRAPH || node->attributes.items[i].kind == ATTRIBUTE_GRAPHS) return true;
    return false;
}

/* Fills inputs with the constants; false when one is not constant. */
static bool gather_constants(const struct graph *graph, const struct node *node, const struct tensor **inputs, size_t *ret_n_bytes)
{
    for (uint32_t i = 0; i < node->n_inputs; i++) {
        inputs[i] = NULL;
        if (node->inputs[i] == VALUE_NONE) continue;
        inputs[i] = graph->values[node->inputs[i]].constant;
        if (!inputs[i] || inputs[i]->layout != LAYOUT_STRIDED) return false;
        *ret_n_bytes += tensor_n_bytes(inputs[i]);
    }
    return true;
}

static bool is_worth_it(const struct step *step, const struct tensor *outputs, size_t input_bytes)
{
    size_t n_bytes = 0;
    for (uint32_t i = 0; i < step->n_outputs; i++)
        if (step->outputs[i] != VALUE_NONE && !outputs[i].is_view) n_bytes += tensor_n_bytes(&outputs[i]);
    return n_bytes <= ALWAYS_FOLDED_BYTES || n_bytes / GROWTH <= input_bytes;
}

/* Inputs of an op that takes block formats may be weights in the file's format: left for pack_weights. */
static bool folds(const struct node *node)
{
    return !(node->op->flags & (OP_NOT_FOLDABLE | OP_STATEFUL | OP_PACKED_INPUTS)) && !has_bodies(node);
}

static hob_status keep_results(struct graph *graph, const struct step *step, uint32_t node, struct tensor *outputs, hob_error *error)
{
    graph_remove_node(graph, node);
    for (uint32_t i = 0; i < step->n_outputs; i++) {
        if (step->outputs[i] == VALUE_NONE) continue;
        outputs[i].is_view = !tensor_is_contiguous(&outputs[i]);
        TRY(graph_set_constant(graph, step->outputs[i], &outputs[i], error));
    }
    return HOB_OK;
}

/* A node that cannot be computed stays, and says why when the graph runs. */
static hob_status fold_node(struct graph *graph, uint32_t index, struct pass_context *context, struct arena *scratch)
{
    const struct node *node = &graph->nodes[index];
    if (!folds(node)) return HOB_OK;
    arena_clear(scratch);
    size_t input_bytes = 0;
    const struct tensor **inputs = ARENA_NEW(scratch, const struct tensor *, node->n_inputs);
    struct tensor *outputs = ARENA_NEW(scratch, struct tensor, node->n_outputs);
    if (!inputs || !outputs) FAIL(context->error, HOB_NO_MEMORY, "%s: out of memory", node->name);
    if (!gather_constants(graph, node, inputs, &input_bytes)) return HOB_OK;
    struct step step;
    hob_error error;
    struct evaluation evaluation = {
        .kernels = context->options->kernels, .results = &graph->arena, .scratch = scratch, .error = &error};
    TRY(step_make(graph, node, scratch, &step, context->error));
    hob_status status = evaluate_infer(&evaluation, &step, inputs, NULL, outputs);
    bool is_ready = status == HOB_OK || (status == HOB_UNKNOWN && (step.op->flags & OP_ALLOCATES));
    if (!is_ready || !is_worth_it(&step, outputs, input_bytes)) return HOB_OK;
    if (evaluate_step(&evaluation, &step, inputs, outputs) != HOB_OK) return HOB_OK;
    context->n_changes++;
    return keep_results(graph, &step, index, outputs, context->error);
}

/* Constants of the graph around a subgraph are the subgraph's own: what a body makes of them is folded too. */
static hob_status adopt_constants(struct graph *graph, hob_error *error)
{
    for (uint32_t i = 0; graph->parent && i < graph->n_values; i++) {
        if (graph->values[i].outer == VALUE_NONE) continue;
        const struct tensor *constant = graph->parent->values[graph->values[i].outer].constant;
        if (!constant) continue;
        graph->values[i].outer = VALUE_NONE;
        TRY(graph_set_constant(graph, i, constant, error));
    }
    return HOB_OK;
}

static hob_status apply(struct graph *graph, struct pass_context *context)
{
    TRY(adopt_constants(graph, context->error));
    uint32_t *order, n_nodes;
    TRY(graph_sort(graph, context->scratch, &order, &n_nodes, context->error));
    struct arena scratch;
    arena_init(&scratch, 64 * 1024);
    hob_status status = HOB_OK;
    for (uint32_t i = 0; i < n_nodes && status == HOB_OK; i++) status = fold_node(graph, order[i], context, &scratch);
    arena_release(&scratch);
    for (uint32_t s = 0; s < graph->n_subgraphs && status == HOB_OK; s++) status = apply(graph->subgraphs[s], context);
    return status;
}

const struct pass_def pass_fold_constants = {
    .name = "fold_constants", .summary = "computes what depends on constants only", .apply = apply};
