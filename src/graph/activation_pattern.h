/* Activations behind a value, as one operator or written out (x * sigmoid(x), x * clip(x + 3, 0, 6) / 6), for passes that fuse them.
 *
 *     struct value_readers readers;
 *     TRY(value_readers_init(&readers, graph, scratch, error));
 *     struct activation_match match;
 *     if (activation_match(graph, &readers, value, &match)) …    match.output = kind(value); match.nodes go
 */
#ifndef GRAPH_ACTIVATION_PATTERN_H
#define GRAPH_ACTIVATION_PATTERN_H

#include "graph/readers.h"
#include "kernels/kernels.h"

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
