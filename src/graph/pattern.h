/* Looking at a graph from a pass: what a node is, who makes a value, what constant it is. VALUE_NONE is taken everywhere. */
#ifndef GRAPH_PATTERN_H
#define GRAPH_PATTERN_H

#include "graph/graph.h"

bool node_is(const struct node *node, const char *domain, const char *op_type); /* false for a removed one */
/* The node that makes value, if it is an ai.onnx op_type; else NULL. */
const struct node *pattern_producer(const struct graph *graph, uint32_t value, const char *op_type);
/* NULL when value is no constant. */
const struct tensor *pattern_constant(const struct graph *graph, uint32_t value);
/* An f32 constant of one item, of rank 0 or 1: one of more axes would give its own to what it is combined with. */
bool pattern_number(const struct graph *graph, uint32_t value, float *ret_number);
/* The other operand of an ai.onnx op_type node that makes value, when one of its two operands is an f32 number. */
bool pattern_with_number(const struct graph *graph, uint32_t value, const char *op_type, float *ret_number, uint32_t *ret_other);
/* A plain f32 vector constant; its length. */
bool pattern_vector(const struct graph *graph, uint32_t value, int64_t *ret_n_items);

/* A value written as number * factor * factor …: Mul and Div by a number are followed, whatever their order; anything else, and
 * `stop` (may be VALUE_NONE), is a factor. */
enum { PATTERN_MAX_FACTORS = 4 };
struct pattern_product {
    double number;
    uint32_t factors[PATTERN_MAX_FACTORS];
    uint32_t n_factors;
};
/* false: more factors than fit. */
bool pattern_product(const struct graph *graph, uint32_t value, uint32_t stop, struct pattern_product *ret_product);
/* Takes one such factor out. false: there is none. */
bool pattern_take_factor(struct pattern_product *product, uint32_t factor);
/* Equal but for what exporters round constants to. */
bool pattern_is_number(double found, double expected);

#endif
