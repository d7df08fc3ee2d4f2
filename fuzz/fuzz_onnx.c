/* ONNX models; constants, attributes and names are walked through, so that the sanitizers see every pointer used. External data
 * is looked for in a folder that does not exist. */
#include "base/error.h"
#include "formats/onnx.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static volatile uint64_t sink; /* volatile: reading what was parsed must not be optimised away */

static uint64_t walk_tensor(const struct tensor *tensor)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < tensor_n_bytes(tensor); i++) sum += ((const uint8_t *)tensor->data)[i];
    return sum;
}

static uint64_t walk_attribute(const struct attribute *attribute)
{
    uint64_t sum = strlen(attribute->name);
    switch (attribute->kind) {
    case ATTRIBUTE_STRING:
        return sum + strlen(attribute->string.bytes);
    case ATTRIBUTE_TENSOR:
    case ATTRIBUTE_TENSORS:
        for (size_t i = 0; i < attribute->n_items; i++) sum += walk_tensor(&attribute->tensor[i]);
        return sum;
    case ATTRIBUTE_INTS:
        for (size_t i = 0; i < attribute->n_items; i++) sum += (uint64_t)attribute->integers[i];
        return sum;
    case ATTRIBUTE_FLOATS:
        for (size_t i = 0; i < attribute->n_items; i++) sum += attribute->numbers[i] > 0;
        return sum;
    case ATTRIBUTE_STRINGS:
        for (size_t i = 0; i < attribute->n_items; i++) sum += strlen(attribute->strings[i].bytes);
        return sum;
    default:
        return sum;
    }
}

static uint64_t walk_graph(const struct graph *graph)
{
    uint64_t sum = strlen(graph->name);
    for (uint32_t i = 0; i < graph->n_values; i++) {
        const struct value *value = &graph->values[i];
        sum += strlen(value->name);
        for (int axis = 0; axis < value->rank; axis++) sum += (uint64_t)value->dims[axis];
        if (value->constant) sum += walk_tensor(value->constant);
        if (value->outer != VALUE_NONE) sum += strlen(graph->parent->values[value->outer].name);
    }
    for (uint32_t i = 0; i < graph->n_nodes; i++) {
        const struct node *node = &graph->nodes[i];
        sum += strlen(node->name) + strlen(node->op_type) + strlen(node->domain);
        for (size_t a = 0; a < node->attributes.n_items; a++) sum += walk_attribute(&node->attributes.items[a]);
    }
    for (uint32_t i = 0; i < graph->n_subgraphs; i++) sum += walk_graph(graph->subgraphs[i]);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct graph *graph;
    hob_error error;
    if (onnx_parse(bytes, n_bytes, "no-such-folder/fuzz.onnx", &graph, &error) != HOB_OK) return 0;
    sink += walk_graph(graph);
    graph_free(graph);
    return 0;
}
