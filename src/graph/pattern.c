#include "graph/pattern.h"

#include <string.h>

bool node_is(const struct node *node, const char *domain, const char *op_type)
{
    return !node->is_removed && !strcmp(node->domain, domain) && !strcmp(node->op_type, op_type);
}

const struct node *pattern_producer(const struct graph *graph, uint32_t value, const char *op_type)
{
    uint32_t producer = value == VALUE_NONE ? NODE_NONE : graph->values[value].producer;
    if (producer == NODE_NONE) return NULL;
    const struct node *node = &graph->nodes[producer];
    return node_is(node, "", op_type) ? node : NULL;
}

const struct tensor *pattern_constant(const struct graph *graph, uint32_t value)
{
    const struct tensor *constant = value == VALUE_NONE ? NULL : graph->values[value].constant;
    return constant && constant->layout == LAYOUT_STRIDED ? constant : NULL;
}

bool pattern_number(const struct graph *graph, uint32_t value, float *ret_number)
{
    const struct tensor *constant = pattern_constant(graph, value);
    if (!constant || constant->dtype != DTYPE_F32 || tensor_n_items(constant) != 1) return false;
    memcpy(ret_number, constant->data, sizeof *ret_number);
    return true;
}

bool pattern_vector(const struct graph *graph, uint32_t value, int64_t *ret_n_items)
{
    const struct tensor *constant = pattern_constant(graph, value);
    if (!constant || constant->dtype != DTYPE_F32 || constant->rank != 1) return false;
    *ret_n_items = constant->dims[0];
    return true;
}
