#include "graph/fusion.h"
#include "base/error.h"
#include "graph/sample_shapes.h"

#include <string.h>

hob_status fusion_init(struct fusion *ret_fusion, struct graph *graph, struct pass_context *context)
{
    uint32_t *n_readers, n_removed;
    struct fusion fusion = {.graph = graph, .context = context};
    TRY(graph_remove_dead(graph, context->scratch, &n_removed, context->error));
    TRY(sample_shapes(graph, context->options->kernels, context->scratch, &fusion.shapes, context->error));
    TRY(graph_count_readers(graph, context->scratch, &n_readers, context->error));
    fusion.n_readers = n_readers;
    fusion.n_values = graph->n_values;
    fusion.n_nodes = graph->n_nodes;
    *ret_fusion = fusion;
    return HOB_OK;
}

const struct tensor *fusion_shape(const struct fusion *fusion, uint32_t value)
{
    return value < fusion->n_values && fusion->shapes[value].dtype != DTYPE_NONE ? &fusion->shapes[value] : NULL;
}

bool fusion_is_f32(const struct fusion *fusion, uint32_t value)
{
    const struct tensor *shape = fusion_shape(fusion, value);
    return shape && shape->dtype == DTYPE_F32;
}

bool fusion_same_f32(const struct fusion *fusion, uint32_t a, uint32_t b)
{
    return fusion_is_f32(fusion, a) && fusion_is_f32(fusion, b) && tensor_same_shape(fusion_shape(fusion, a), fusion_shape(fusion, b));
}

bool fusion_int(const struct fusion *fusion, uint32_t value, int64_t index, int64_t *ret_number)
{
    const struct tensor *numbers = pattern_constant(fusion->graph, value);
    if (!numbers) numbers = fusion_shape(fusion, value);
    if (!numbers || !numbers->data || (numbers->dtype != DTYPE_I64 && numbers->dtype != DTYPE_I32)) return false;
    if (index >= tensor_n_items(numbers)) return false;
    *ret_number = tensor_get_int(numbers, index);
    return true;
}

bool fusion_is_private(const struct fusion *fusion, uint32_t value)
{
    return value < fusion->n_values && fusion->n_readers[value] == 1;
}

/* The new node is named after the old one. Both names live in the graph's arena. */
hob_status fusion_replace(struct fusion *fusion, uint32_t node, const char *op, const uint32_t *inputs, uint32_t n_inputs,
                          const struct attribute *attributes, size_t n_attributes)
{
    struct builder builder;
    builder_init(&builder, fusion->graph);
    uint32_t output = fusion->graph->nodes[node].outputs[0];
    const char *name = fusion->graph->nodes[node].name;
    graph_remove_node(fusion->graph, node);
    builder_op_into(&builder, name, op, inputs, n_inputs, attributes, n_attributes, &output, 1);
    fusion->context->n_changes++;
    return builder_finish(&builder, fusion->context->error);
}
