/* Products with a constant matrix become hob.Linear, with the bias that is added behind them:
 *
 *     MatMul(x, W [K,N])               -> Linear(x, Wt)
 *     Gemm(x, W, C), alpha = beta = 1  -> Linear(x, W or Wt, C)
 *     Add(Linear(x, W), C [N])         -> Linear(x, W, C)
 *
 * The weight stays where it is: Wt is a transposed view. Same bytes as before: Linear adds the bias last, too. */
#include "base/error.h"
#include "graph/builder.h"
#include "graph/pass.h"
#include "graph/pattern.h"

#include <string.h>

static bool is_weight(const struct tensor *constant)
{
    return constant && constant->dtype == DTYPE_F32 && constant->rank == 2;
}

/* f32 [N] or [1,N]. */
static bool is_bias(const struct tensor *constant, int64_t n_columns)
{
    return constant && constant->dtype == DTYPE_F32 && constant->layout == LAYOUT_STRIDED && constant->rank >= 1 &&
           constant->rank <= 2 && tensor_n_items(constant) == n_columns && constant->dims[constant->rank - 1] == n_columns;
}

static hob_status add_constant_view(struct graph *graph, const struct tensor *view, uint32_t *ret_value, hob_error *error)
{
    struct tensor constant = *view;
    constant.is_view = !tensor_is_contiguous(view);
    return graph_add_constant(graph, "", &constant, ret_value, error);
}

/* The node's output is now made by Linear(x, weight, bias). */
static hob_status replace_by_linear(struct graph *graph, uint32_t index, uint32_t x, uint32_t weight, uint32_t bias, hob_error *error)
{
    const struct node *node = &graph->nodes[index];
    uint32_t output = node->outputs[0];
    char name[96];
    memset(name, 0, sizeof name);
    memcpy(name, node->name, strnlen(node->name, sizeof name - 1));
    graph_remove_node(graph, index);
    struct node_spec spec = {.name = name, .domain = "hob", .op_type = "Linear", .inputs = (uint32_t[]){x, weight, bias},
                             .n_inputs = bias == VALUE_NONE ? 2 : 3, .outputs = &output, .n_outputs = 1, .state = STATE_NONE};
    return graph_add_node(graph, &spec, NULL, error);
}

static hob_status fuse_matmul(struct graph *graph, uint32_t index, struct pass_context *context)
{
    const struct node *node = &graph->nodes[index];
    const struct tensor *weight = pattern_constant(graph, node->inputs[1]);
    if (!is_weight(weight) || pattern_constant(graph, node->inputs[0])) return HOB_OK;
    struct tensor transposed = tensor_transpose(weight, (int[]){1, 0});
    uint32_t value;
    TRY(add_constant_view(graph, &transposed, &value, context->error));
    context->n_changes++;
    return replace_by_linear(graph, index, node->inputs[0], value, VALUE_NONE, context->error);
}

static hob_status fuse_gemm(struct graph *graph, uint32_t index, struct pass_context *context)
{
    const struct node *node = &graph->nodes[index];
    const struct attributes *attributes = &node->attributes;
    const struct tensor *weight = pattern_constant(graph, node->inputs[1]);
    if (!is_weight(weight) || attributes_float(attributes, "alpha", 1.0f) != 1.0f ||
        attributes_float(attributes, "beta", 1.0f) != 1.0f || attributes_int(attributes, "transA", 0))
        return HOB_OK;
    struct tensor by_rows = attributes_int(attributes, "transB", 0) ? *weight : tensor_transpose(weight, (int[]){1, 0});
    uint32_t bias = node->n_inputs > 2 ? node->inputs[2] : VALUE_NONE, value;
    if (bias != VALUE_NONE) {
        const struct tensor *added = pattern_constant(graph, bias);
        if (!is_bias(added, by_rows.dims[0])) return HOB_OK;
        struct tensor flat;
        if (!tensor_reshape(added, 1, by_rows.dims, &flat)) return HOB_OK;
        TRY(add_constant_view(graph, &flat, &bias, context->error));
    }
    TRY(add_constant_view(graph, &by_rows, &value, context->error));
    context->n_changes++;
    return replace_by_linear(graph, index, node->inputs[0], value, bias, context->error);
}

/* Which input of the Add is a Linear without bias that nobody else reads; -1 when neither. */
static int find_linear(const struct graph *graph, const struct node *add, const uint32_t *n_readers)
{
    for (int i = 0; i < 2; i++) {
        uint32_t value = add->inputs[i];
        uint32_t producer = value == VALUE_NONE ? NODE_NONE : graph->values[value].producer;
        if (producer == NODE_NONE || n_readers[value] != 1) continue;
        const struct node *linear = &graph->nodes[producer];
        if (node_is(linear, "hob", "Linear") && linear->n_inputs == 2) return i;
    }
    return -1;
}

static hob_status fuse_bias(struct graph *graph, uint32_t index, const uint32_t *n_readers, struct pass_context *context)
{
    const struct node *add = &graph->nodes[index];
    int side = find_linear(graph, add, n_readers);
    if (side < 0) return HOB_OK;
    uint32_t producer = graph->values[add->inputs[side]].producer, bias = add->inputs[1 - side];
    const struct node *linear = &graph->nodes[producer];
    const struct tensor *added = pattern_constant(graph, bias), *weight = pattern_constant(graph, linear->inputs[1]);
    if (!weight || !added || added->rank != 1 || !is_bias(added, weight->dims[0])) return HOB_OK;
    uint32_t x = linear->inputs[0], w = linear->inputs[1];
    graph_remove_node(graph, producer);
    context->n_changes++;
    return replace_by_linear(graph, index, x, w, bias, context->error);
}

static hob_status apply(struct graph *graph, struct pass_context *context)
{
    uint32_t n_nodes = graph->n_nodes; /* new nodes stand behind */
    for (uint32_t i = 0; i < n_nodes; i++) {
        if (node_is(&graph->nodes[i], "", "MatMul")) TRY(fuse_matmul(graph, i, context));
        else if (node_is(&graph->nodes[i], "", "Gemm")) TRY(fuse_gemm(graph, i, context));
    }
    uint32_t *n_readers, n_values = graph->n_values;
    TRY(graph_count_readers(graph, context->scratch, &n_readers, context->error));
    for (uint32_t i = 0; i < n_nodes; i++)
        if (node_is(&graph->nodes[i], "", "Add")) TRY(fuse_bias(graph, i, n_readers, context));
    HOB_ASSERT(graph->n_values == n_values); /* n_readers still covers every value */
    for (uint32_t s = 0; s < graph->n_subgraphs; s++) TRY(apply(graph->subgraphs[s], context));
    return HOB_OK;
}

const struct pass_def pass_fuse_linear = {
    .name = "fuse_linear", .summary = "turns products with constant matrices, and their biases, into Linear",
    .makes = "hob.Linear",
    .apply = apply};
