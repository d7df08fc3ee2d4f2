/* Nodes whose outputs nobody reads, and those that only they read. Stateful nodes stay only if read: a cache nobody looks at is
 * nobody's. */
#include "base/error.h"
#include "graph/graph.h"

static bool is_read(const struct node *node, const uint32_t *n_readers)
{
    for (uint32_t i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] != VALUE_NONE && n_readers[node->outputs[i]]) return true;
    return false;
}

/* Captures of a node's subgraphs keep their producers alive: such nodes' inputs are released, captured values are not. */
hob_status graph_remove_dead(struct graph *graph, struct arena *scratch, uint32_t *ret_n_removed, hob_error *error)
{
    uint32_t *n_readers, *order, n_nodes, n_removed = 0;
    TRY(graph_count_readers(graph, scratch, &n_readers, error));
    TRY(graph_sort(graph, scratch, &order, &n_nodes, error));
    for (uint32_t i = n_nodes; i-- > 0;) {
        const struct node *node = &graph->nodes[order[i]];
        if (is_read(node, n_readers)) continue;
        for (uint32_t j = 0; j < node->n_inputs; j++)
            if (node->inputs[j] != VALUE_NONE) n_readers[node->inputs[j]]--;
        graph_remove_node(graph, order[i]);
        n_removed++;
    }
    for (uint32_t s = 0; s < graph->n_subgraphs; s++) {
        uint32_t n_below;
        TRY(graph_remove_dead(graph->subgraphs[s], scratch, &n_below, error));
        n_removed += n_below;
    }
    *ret_n_removed = n_removed;
    return HOB_OK;
}
