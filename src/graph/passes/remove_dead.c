/* Drops nodes whose outputs nobody reads, and goes on with those that only they read. Stateful nodes stay only if read: a cache
 * nobody looks at is nobody's. */
#include "base/error.h"
#include "graph/pass.h"

static bool is_read(const struct node *node, const uint32_t *n_readers)
{
    for (uint32_t i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] != VALUE_NONE && n_readers[node->outputs[i]]) return true;
    return false;
}

/* Captures of a node's subgraphs keep their producers alive: such nodes' inputs are released, captured values are not. */
static hob_status apply(struct graph *graph, struct pass_context *context)
{
    uint32_t *n_readers, *order, n_nodes;
    TRY(graph_count_readers(graph, context->scratch, &n_readers, context->error));
    TRY(graph_sort(graph, context->scratch, &order, &n_nodes, context->error));
    for (uint32_t i = n_nodes; i-- > 0;) {
        const struct node *node = &graph->nodes[order[i]];
        if (is_read(node, n_readers)) continue;
        for (uint32_t j = 0; j < node->n_inputs; j++)
            if (node->inputs[j] != VALUE_NONE) n_readers[node->inputs[j]]--;
        graph_remove_node(graph, order[i]);
        context->n_changes++;
    }
    for (uint32_t s = 0; s < graph->n_subgraphs; s++) TRY(apply(graph->subgraphs[s], context));
    return HOB_OK;
}

const struct pass_def pass_remove_dead = {
    .name = "remove_dead", .summary = "drops nodes that nothing reads", .apply = apply};
