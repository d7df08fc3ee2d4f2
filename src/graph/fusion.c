#include "graph/fusion.h"
#include "base/error.h"
#include "graph/sample_shapes.h"

#include <string.h>

/* What a subgraph sees is its parent's: no shapes are known there. */
hob_status fusion_init(struct fusion *ret_fusion, struct graph *graph, struct pass_context *context)
{
    uint32_t n_removed;
    struct fusion fusion = {.graph = graph, .context = context};
    TRY(graph_remove_dead(graph, context->scratch, &n_removed, context->error));
    if (!graph->parent)
        TRY(sample_shapes_twice(graph, context->options->kernels, context->scratch, &fusion.shapes[0], &fusion.shapes[1],
                                context->error));
    TRY(value_readers_init(&fusion.readers, graph, context->scratch, context->error));
    fusion.n_nodes = graph->n_nodes;
    *ret_fusion = fusion;
    return HOB_OK;
}

const struct tensor *fusion_shape_in(const struct fusion *fusion, int sample, uint32_t value)
{
    const struct tensor *shapes = fusion->shapes[sample];
    return shapes && value < fusion->readers.n_values && shapes[value].dtype != DTYPE_NONE ? &shapes[value] : NULL;
}

const struct tensor *fusion_shape(const struct fusion *fusion, uint32_t value)
{
    return fusion_shape_in(fusion, 0, value);
}

bool fusion_is_f32(const struct fusion *fusion, uint32_t value)
{
    const struct tensor *shape = fusion_shape(fusion, value);
    return shape && shape->dtype == DTYPE_F32;
}

bool fusion_same_f32(const struct fusion *fusion, uint32_t a, uint32_t b)
{
    for (int sample = 0; sample < FUSION_SAMPLES; sample++) {
        const struct tensor *x = fusion_shape_in(fusion, sample, a), *y = fusion_shape_in(fusion, sample, b);
        if (x && y && !tensor_same_shape(x, y)) return false;
    }
    return fusion_is_f32(fusion, a) && fusion_is_f32(fusion, b);
}

bool fusion_is_fixed(const struct fusion *fusion, uint32_t value, int axis)
{
    const struct tensor *first = fusion_shape(fusion, value), *second = fusion_shape_in(fusion, 1, value);
    return first && axis < first->rank && (!second || second->dims[axis] == first->dims[axis]);
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
    return value < fusion->readers.n_values && fusion->readers.n_readers[value] == 1;
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
