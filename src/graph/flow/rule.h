/* Rules of the flow: for a node, what its outputs are, from what its inputs are. A rule that says nothing leaves them unknown. */
#ifndef GRAPH_FLOW_RULE_H
#define GRAPH_FLOW_RULE_H

#include "graph/flow/flow.h"

typedef void flow_rule(struct flows *flows, uint32_t node);

/* rule_maths.c: operators that keep rows, products, reductions, attention. */
flow_rule rule_elementwise, rule_rotate, rule_per_row, rule_skip_norm, rule_linear, rule_matmul, rule_gemm, rule_reduce, rule_attention,
    rule_embed_norm, rule_cum_sum;
/* rule_masks.c: caches, positions that are compared, and masks made of them. */
flow_rule rule_cache_append, rule_cache_past, rule_compare, rule_not, rule_where, rule_add;
/* false: the constant is no square triangle of what queries see, or the part of it is not what they see. */
bool flow_slice_triangle(struct flows *flows, uint32_t node, int axis, struct flow_size start, struct flow_size end);

/* rule_bytes.c: numbers as bytes, and products of bytes. */
flow_rule rule_quantize, rule_dynamic_quantize, rule_linear_int8, rule_matmul_nbits;
/* rule_moves.c: operators that move items, and shape arithmetic. */
flow_rule rule_shape, rule_constant_of_shape, rule_unsqueeze, rule_squeeze, rule_reshape, rule_expand, rule_transpose, rule_slice,
    rule_split, rule_concat, rule_gather, rule_embedding, rule_range;

/* ---- what rules share ---- */

/* Of input i; VALUE_NONE and NULL when it is not given. */
uint32_t flow_value(const struct flows *flows, uint32_t node, uint32_t i);
const struct flow *flow_input(const struct flows *flows, uint32_t node, uint32_t i);
void flow_set(struct flows *flows, uint32_t node, uint32_t output, const struct flow *flow);
bool flow_is_rows(const struct flow *flow);
/* Input i, or every one from i on, is a constant or not given. */
bool flow_has_constant(const struct flows *flows, uint32_t node, uint32_t i);
bool flow_has_constants(const struct flows *flows, uint32_t node, uint32_t first);

bool size_is(struct flow_size size, int64_t number);
bool size_is_fixed(struct flow_size size);
bool size_is_same(struct flow_size a, struct flow_size b);
struct flow_size size_of(int64_t number);
bool sum_sizes(struct flow_size a, struct flow_size b, struct flow_size *ret_sum); /* false: too large */
bool scale_size(struct flow_size a, int64_t by, struct flow_size *ret_product);

/* Broadcasts dims as NumPy does; for rows of `flow`, its axis follows. false: they do not fit, or it cannot be told. */
bool flow_broadcast(struct flow *flow, const struct flow *other);
/* VALUE_NONE is no number and no sizes.
 * The value as one number, if all its items are equal whatever the sizes. The result has no shape. */
bool flow_as_number(const struct flows *flows, uint32_t value, struct flow *ret_number);
/* The value as sizes: shape arithmetic, or few constant whole numbers. */
bool flow_as_sizes(const struct flows *flows, uint32_t value, struct flow *ret_sizes);
/* The constant whole numbers of a short list: axes, starts. false: no such thing. */
bool flow_as_ints(const struct flows *flows, uint32_t value, int64_t ret_items[FLOW_MAX_ITEMS], int *ret_n_items);
/* Sizes or a uniform value, made by the node's operator from its inputs, all of which are such. */
void flow_compute(struct flows *flows, uint32_t node);
/* A list of axes by attribute or as input i. ret_n_items 0: not given. false: not constant. */
bool flow_axes(const struct flows *flows, uint32_t node, uint32_t i, const char *name, int64_t ret_axes[FLOW_MAX_ITEMS], int *ret_n_axes);

#endif
