/* Numbers as bytes. A range that is found for a whole text must be found for each of several. */
#include "graph/flow/rule.h"

/* QuantizeLinear and DequantizeLinear by constants: one scale for all, or one for each item of another axis than the rows'. */
void rule_quantize(struct flows *flows, uint32_t node)
{
    const struct attributes *attributes = &flows->graph->nodes[node].attributes;
    const struct flow *x = flow_input(flows, node, 0), *scale = flow_input(flows, node, 1);
    int axis;
    if (!flow_is_rows(x) || !flow_has_constants(flows, node, 1) || attributes_int(attributes, "block_size", 0)) return;
    if (!shape_normalize_axis(attributes_int(attributes, "axis", 1), x->rank, &axis)) return;
    bool is_one = scale->rank == 0 || (scale->rank == 1 && size_is(scale->dims[0], 1));
    if (is_one || (scale->rank == 1 && axis != x->axis)) flow_set(flows, node, 0, x);
}

/* The items of a row lie along the last axis, and a text has no other rows than its tokens', or its one. */
static bool is_plain(const struct flow *x)
{
    for (int d = 0; d < x->rank - 1; d++)
        if (d != x->axis && !size_is(x->dims[d], 1)) return false;
    return x->axis < x->rank - 1;
}

void rule_dynamic_quantize(struct flows *flows, uint32_t node)
{
    const struct flow *x = flow_input(flows, node, 0);
    if (!flow_is_rows(x) || !is_plain(x) || flow_input(flows, node, 1)) return;
    if (!attributes_int(&flows->graph->nodes[node].attributes, "per_row", 0))
        flows->changes[node] = x->kind == FLOW_TOKENS ? CHANGE_RANGES : CHANGE_ROW_RANGES;
    struct flow facts = *x; /* of each row */
    facts.rank--;
    flow_set(flows, node, 0, x);
    flow_set(flows, node, 1, &facts);
    flow_set(flows, node, 2, &facts);
}

/* One number for all, or one for each row of codes. */
static bool is_for_rows(const struct flow *facts, const struct flow *codes)
{
    if (!facts) return true;
    if (facts->kind == FLOW_CONSTANT) return facts->rank == 0;
    return facts->kind == codes->kind && facts->rank == codes->rank - 1 && facts->axis == codes->axis;
}

void rule_linear_int8(struct flows *flows, uint32_t node)
{
    enum { SCALES = 1, WEIGHT, W_SCALES, ZEROS };
    const struct flow *codes = flow_input(flows, node, 0), *w = flow_input(flows, node, WEIGHT);
    if (!flow_is_rows(codes) || !is_plain(codes) || w->kind != FLOW_CONSTANT || w->rank != 2 || !flow_has_constant(flows, node, W_SCALES)) return;
    if (!is_for_rows(flow_input(flows, node, SCALES), codes) || !is_for_rows(flow_input(flows, node, ZEROS), codes)) return;
    if (!flow_has_constants(flows, node, ZEROS + 1)) return;
    struct flow y = *codes;
    y.dims[y.rank - 1] = w->dims[0];
    flow_set(flows, node, 0, &y);
}

void rule_matmul_nbits(struct flows *flows, uint32_t node)
{
    const struct flow *x = flow_input(flows, node, 0);
    int64_t n_columns = attributes_int(&flows->graph->nodes[node].attributes, "N", 0);
    if (!flow_is_rows(x) || x->axis >= x->rank - 1 || !flow_has_constants(flows, node, 1) || n_columns < 1) return;
    struct flow y = *x;
    y.dims[y.rank - 1] = size_of(n_columns);
    flow_set(flows, node, 0, &y);
}
