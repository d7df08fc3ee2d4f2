#include "graph/flow/exchange.h"

#include <stdio.h>

void exchange_inputs(struct builder *builder, uint32_t index, const uint32_t *inputs, uint32_t n_inputs, const struct attribute *attributes,
                     size_t n_attributes)
{
    enum { NAME_BYTES = 128 };
    struct node node = builder->graph->nodes[index];
    char op_type[NAME_BYTES];
    snprintf(op_type, sizeof op_type, "%s%s%s", node.domain, *node.domain ? "." : "", node.op_type);
    graph_remove_node(builder->graph, index);
    builder_op_into(builder, node.name, op_type, inputs, n_inputs, attributes, n_attributes, node.outputs, node.n_outputs);
}

void exchange_shape(struct builder *builder, const struct flows *flows, uint32_t index)
{
    struct node node = builder->graph->nodes[index];
    const struct flow *flow = &flows->values[node.outputs[0]];
    int64_t dims[TENSOR_MAX_RANK];
    for (int d = 0; d < flow->rank; d++) dims[d] = d == flow->axis ? -1 : flow->dims[d].fixed;
    uint32_t inputs[] = {node.inputs[0], builder_ints(builder, dims, (size_t)flow->rank)};
    exchange_inputs(builder, index, inputs, 2, node.attributes.items, node.attributes.n_items);
}
