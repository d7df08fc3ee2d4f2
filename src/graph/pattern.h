/* Looking at a graph from a pass: what a node is, who makes a value, what constant it is. VALUE_NONE is taken everywhere. */
#ifndef GRAPH_PATTERN_H
#define GRAPH_PATTERN_H

#include "graph/graph.h"

bool node_is(const struct node *node, const char *domain, const char *op_type); /* false for a removed one */
/* The node that makes value, if it is an ai.onnx op_type; else NULL. */
const struct node *pattern_producer(const struct graph *graph, uint32_t value, const char *op_type);
/* NULL when value is no constant. */
const struct tensor *pattern_constant(const struct graph *graph, uint32_t value);
/* An f32 constant of one item, whatever its rank. */
bool pattern_number(const struct graph *graph, uint32_t value, float *ret_number);
/* A plain f32 vector constant; its length. */
bool pattern_vector(const struct graph *graph, uint32_t value, int64_t *ret_n_items);

#endif
