/* Who reads each value of a graph, for passes that take several nodes for one: what goes between them may have no other reader.
 *
 *     struct value_readers readers;
 *     TRY(value_readers_init(&readers, graph, scratch, error));
 *     const struct node *next = value_only_reader(graph, &readers, node->outputs[0]);
 */
#ifndef GRAPH_READERS_H
#define GRAPH_READERS_H

#include "graph/graph.h"

/* Who reads each value, as the graph stood when this was made. In the arena. */
struct value_readers {
    const uint32_t *n_readers;    /* as graph_count_readers counts */
    const uint32_t *first, *last; /* the first and last node in the file's order that reads it; NODE_NONE */
    uint32_t n_values;            /* later values are not known */
};

HOB_MUST_CHECK hob_status value_readers_init(struct value_readers *ret_readers, const struct graph *graph,
                                             struct arena *arena, hob_error *error);
/* The node that reads value and is its only use; NULL when there are others, or it was removed since. */
const struct node *value_only_reader(const struct graph *graph, const struct value_readers *readers, uint32_t value);
/* The two nodes that read value, once each, and are its only uses. */
bool value_two_readers(const struct graph *graph, const struct value_readers *readers, uint32_t value,
                       const struct node **ret_first, const struct node **ret_last);
/* The other input of a node with two, one of which is value. */
uint32_t node_other_input(const struct node *node, uint32_t value);

#endif
