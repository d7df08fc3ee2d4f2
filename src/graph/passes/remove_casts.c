/* Readers of a Cast to the type its input has already read the input instead. Exports cast to float32 around every norm. Types do
 * not depend on sizes, so one sample of shapes tells them all. */
#include "base/error.h"
#include "graph/pass.h"
#include "graph/pattern.h"
#include "graph/sample_shapes.h"

static bool is_no_cast(const struct node *node, const struct tensor *shapes)
{
    if (!node_is(node, "", "Cast") || node->inputs[0] == VALUE_NONE) return false;
    enum dtype dtype = shapes[node->inputs[0]].dtype;
    return dtype != DTYPE_NONE && attributes_int(&node->attributes, "to", DTYPE_NONE) == (int64_t)dtype;
}

static hob_status apply(struct graph *graph, struct pass_context *context)
{
    const struct tensor *shapes;
    uint32_t *replacements;
    TRY(sample_shapes(graph, context->options->kernels, context->scratch, &shapes, context->error));
    TRY(graph_new_replacements(graph, context->scratch, &replacements, context->error));
    for (uint32_t i = 0; i < graph->n_nodes; i++) {
        const struct node *node = &graph->nodes[i];
        if (!is_no_cast(node, shapes)) continue;
        replacements[node->outputs[0]] = node->inputs[0];
        graph_remove_node(graph, i);
        context->n_changes++;
    }
    graph_replace_values(graph, replacements);
    return HOB_OK;
}

const struct pass_def pass_remove_casts = {
    .name = "remove_casts", .summary = "reads through casts to the same type", .apply = apply};
