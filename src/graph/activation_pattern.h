/* Activations behind a value, as one operator or written out (x * sigmoid(x), x * clip(x + 3, 0, 6) / 6), for passes that fuse them.
 *
 *     struct value_readers readers;
 *     TRY(value_readers_init(&readers, graph, scratch, error));
 *     struct activation_match match;
 *     if (activation_match(graph, &readers, value, &match)) …    match.output = kind(value); match.nodes go
 */
#ifndef GRAPH_ACTIVATION_PATTERN_H
#define GRAPH_ACTIVATION_PATTERN_H

#include "graph/graph.h"
#include "kernels/kernels.h"

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
/* The other input of a node with two, one of which is value. */
uint32_t node_other_input(const struct node *node, uint32_t value);

enum { ACTIVATION_MATCH_NODES = 4 };
struct activation_match {
    enum finish_activation kind;
    float alpha, beta;
    uint32_t output;                        /* the value that holds the result */
    uint32_t nodes[ACTIVATION_MATCH_NODES]; /* all that make it from the input */
    uint32_t n_nodes;
};

/* false: what reads value is no activation, or something else reads it (or an intermediate) too. */
bool activation_match(const struct graph *graph, const struct value_readers *readers, uint32_t value,
                      struct activation_match *ret_match);

#endif
