#include "graph/pattern.h"
#include "ops/op.h"

#include <math.h>
#include <string.h>

bool node_is(const struct node *node, const char *domain, const char *op_type)
{
    if (node->is_removed || (node->op && node->op->flags & OP_LEGACY)) return false;
    return !strcmp(node->domain, domain) && !strcmp(node->op_type, op_type);
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
    if (!constant || constant->dtype != DTYPE_F32 || constant->rank > 1 || tensor_n_items(constant) != 1) return false;
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

bool pattern_with_number(const struct graph *graph, uint32_t value, const char *op_type, float *ret_number, uint32_t *ret_other)
{
    const struct node *node = pattern_producer(graph, value, op_type);
    for (int side = 0; node && side < 2; side++) {
        if (!pattern_number(graph, node->inputs[side], ret_number)) continue;
        *ret_other = node->inputs[1 - side];
        return true;
    }
    return false;
}

/* At most this many nodes deep: exporters write a handful. */
enum { MAX_PRODUCT_DEPTH = 4 };

static bool multiply(const struct graph *graph, uint32_t value, uint32_t stop, int depth, struct pattern_product *product)
{
    float number;
    const struct node *node = value == stop || !depth ? NULL : pattern_producer(graph, value, "Mul");
    if (node) return multiply(graph, node->inputs[0], stop, depth - 1, product) && multiply(graph, node->inputs[1], stop, depth - 1, product);
    node = value == stop || !depth ? NULL : pattern_producer(graph, value, "Div");
    if (node && pattern_number(graph, node->inputs[1], &number)) {
        product->number /= (double)number;
        return multiply(graph, node->inputs[0], stop, depth - 1, product);
    }
    if (pattern_number(graph, value, &number)) {
        product->number *= (double)number;
        return true;
    }
    if (product->n_factors == PATTERN_MAX_FACTORS) return false;
    product->factors[product->n_factors++] = value;
    return true;
}

bool pattern_product(const struct graph *graph, uint32_t value, uint32_t stop, struct pattern_product *ret_product)
{
    *ret_product = (struct pattern_product){.number = 1};
    return multiply(graph, value, stop, MAX_PRODUCT_DEPTH, ret_product);
}

bool pattern_take_factor(struct pattern_product *product, uint32_t factor)
{
    for (uint32_t i = 0; i < product->n_factors; i++) {
        if (product->factors[i] != factor) continue;
        product->factors[i] = product->factors[--product->n_factors];
        return true;
    }
    return false;
}

bool pattern_is_number(double found, double expected)
{
    return fabs(found - expected) <= 1e-5 * fabs(expected);
}
