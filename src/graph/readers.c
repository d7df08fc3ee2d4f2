#include "graph/readers.h"

#include "base/error.h"

#include <string.h>

hob_status value_readers_init(struct value_readers *ret_readers, const struct graph *graph, struct arena *arena,
                              hob_error *error)
{
    uint32_t *n_readers;
    TRY(graph_count_readers(graph, arena, &n_readers, error));
    uint32_t *first = ARENA_NEW(arena, uint32_t, graph->n_values), *last = ARENA_NEW(arena, uint32_t, graph->n_values);
    if (!first || !last) FAIL(error, HOB_NO_MEMORY, "readers of values: out of memory");
    memset(first, 0xff, graph->n_values * sizeof *first);
    memset(last, 0xff, graph->n_values * sizeof *last);
    for (uint32_t i = 0; i < graph->n_nodes; i++)
        for (uint32_t j = 0; !graph->nodes[i].is_removed && j < graph->nodes[i].n_inputs; j++) {
            uint32_t value = graph->nodes[i].inputs[j];
            if (value == VALUE_NONE) continue;
            if (first[value] == NODE_NONE) first[value] = i;
            last[value] = i;
        }
    *ret_readers =
        (struct value_readers){.n_readers = n_readers, .first = first, .last = last, .n_values = graph->n_values};
    return HOB_OK;
}

static const struct node *live_node(const struct graph *graph, uint32_t index)
{
    return index != NODE_NONE && !graph->nodes[index].is_removed ? &graph->nodes[index] : NULL;
}

const struct node *value_only_reader(const struct graph *graph, const struct value_readers *readers, uint32_t value)
{
    if (value >= readers->n_values || readers->n_readers[value] != 1) return NULL;
    return live_node(graph, readers->first[value]);
}

bool value_two_readers(const struct graph *graph, const struct value_readers *readers, uint32_t value,
                       const struct node **ret_first, const struct node **ret_last)
{
    if (value >= readers->n_values || readers->n_readers[value] != 2) return false;
    *ret_first = live_node(graph, readers->first[value]);
    *ret_last = live_node(graph, readers->last[value]);
    return *ret_first && *ret_last && *ret_first != *ret_last;
}

uint32_t node_other_input(const struct node *node, uint32_t value)
{
    return node->inputs[0] == value ? node->inputs[1] : node->inputs[0];
}
