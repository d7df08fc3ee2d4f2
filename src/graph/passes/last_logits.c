/* A decoder's logits for the positions that somebody asks for: a prompt's are wanted at its end only, and a vocabulary's matrix is often
 * the largest of all.
 *
 *     logits = MatMul(norm(x), W)     ->     logits = MatMul(norm(Gather(x, rows, axis 1)), W)
 *
 * `rows` is an input that hob adds, as its own decoders have it. Operators that work on each row by itself give the same whether rows
 * are picked before or behind them, so the picking moves up from the output as far as it meets nothing else. */
#include "base/error.h"
#include "graph/builder.h"
#include "graph/io_role.h"
#include "graph/pass.h"
#include "graph/pattern.h"

#include <string.h>

enum { POSITIONS_AXIS = 1, LOGITS_RANK = 3, MAX_CHAIN = 16, MAX_INPUTS = 8, NAME_BYTES = 128 };

/* What works on each row of its first input, when all others are constant and have none of their own. */
enum work { WORK_ELEMENTWISE, WORK_NORM, WORK_PRODUCT, WORK_BYTES };
static const struct {
    const char *domain, *op;
    enum work work;
} row_ops[] = {
    {"", "Cast", WORK_ELEMENTWISE},
    {"", "Identity", WORK_ELEMENTWISE},
    {"", "Add", WORK_ELEMENTWISE},
    {"", "Mul", WORK_ELEMENTWISE},
    {"", "Div", WORK_ELEMENTWISE},
    {"", "Tanh", WORK_ELEMENTWISE},
    {"", "LayerNormalization", WORK_NORM},
    {"", "SimplifiedLayerNormalization", WORK_NORM},
    {"", "RMSNormalization", WORK_NORM},
    {"hob", "RMSNorm", WORK_NORM},
    {"", "MatMul", WORK_PRODUCT},
    {"hob", "Linear", WORK_PRODUCT},
    {"com.microsoft", "MatMulNBits", WORK_PRODUCT},
    {"hob", "LinearInt8", WORK_BYTES},
};

/* From the logits up: nodes that work on rows, the last first. */
struct chain {
    uint32_t nodes[MAX_CHAIN];
    uint32_t n_nodes;
    bool has_product;
};

static int find_row_op(const struct node *node)
{
    for (size_t i = 0; i < sizeof row_ops / sizeof row_ops[0]; i++)
        if (node_is(node, row_ops[i].domain, row_ops[i].op)) return (int)i;
    return -1;
}

static bool is_low_constant(const struct graph *graph, uint32_t value, int most_axes)
{
    const struct tensor *constant = pattern_constant(graph, value);
    return value == VALUE_NONE || (constant && constant->rank <= most_axes);
}

/* Scales and zero points of bytes: one, or one a row. Which of the two, the quantising operator tells. */
static bool is_row_fact(const struct graph *graph, uint32_t value)
{
    if (value == VALUE_NONE || is_low_constant(graph, value, 0)) return true;
    uint32_t producer = graph->values[value].producer;
    return producer != NODE_NONE && node_is(&graph->nodes[producer], "hob", "DynamicQuantize");
}

static bool keeps_rows(const struct graph *graph, const struct node *node, enum work work)
{
    enum { SCALES = 1, ZEROS = 4 };
    if (node->n_inputs < 1 || node->n_inputs > MAX_INPUTS || pattern_constant(graph, node->inputs[0]) || node->inputs[0] == VALUE_NONE) return false;
    for (uint32_t i = 1; i < node->n_outputs; i++)
        if (node->outputs[i] != VALUE_NONE) return false;
    for (uint32_t i = 1; i < node->n_inputs; i++) {
        bool is_fact = work == WORK_BYTES && (i == SCALES || i == ZEROS);
        int most_axes = work == WORK_PRODUCT || work == WORK_BYTES ? TENSOR_MAX_RANK : 1;
        if (is_fact ? !is_row_fact(graph, node->inputs[i]) : !is_low_constant(graph, node->inputs[i], most_axes)) return false;
    }
    const struct tensor *weight = work == WORK_PRODUCT ? pattern_constant(graph, node->inputs[1]) : NULL;
    if (node_is(node, "", "MatMul") && (!weight || weight->rank != 2)) return false; /* of more axes, it would give them to the rows */
    int64_t axis = work == WORK_NORM ? attributes_int(&node->attributes, "axis", -1) : -1;
    return axis == -1 || axis == LOGITS_RANK - 1;
}

static void follow(const struct graph *graph, uint32_t value, struct chain *chain)
{
    while (chain->n_nodes < MAX_CHAIN && graph->values[value].producer != NODE_NONE) {
        uint32_t producer = graph->values[value].producer;
        const struct node *node = &graph->nodes[producer];
        int row_op = find_row_op(node);
        if (row_op < 0 || !keeps_rows(graph, node, row_ops[row_op].work)) return;
        chain->has_product |= row_ops[row_op].work == WORK_PRODUCT || row_ops[row_op].work == WORK_BYTES;
        chain->nodes[chain->n_nodes++] = producer;
        if (row_ops[row_op].work == WORK_BYTES) return; /* bytes have the range of all rows */
        value = node->inputs[0];
    }
}

/* ---- picking ---- */

static uint32_t pick(struct builder *builder, uint32_t value, uint32_t rows)
{
    struct attribute axis = attribute_int("axis", POSITIONS_AXIS);
    return builder_op(builder, "Gather", (uint32_t[]){value, rows}, 2, &axis, 1);
}

/* The node again, for the rows that were picked. */
static uint32_t add_node(struct builder *builder, uint32_t index, uint32_t x, uint32_t rows)
{
    struct graph *graph = builder->graph;
    struct node node = graph->nodes[index];
    uint32_t inputs[MAX_INPUTS];
    char op_type[NAME_BYTES];
    memcpy(inputs, node.inputs, node.n_inputs * sizeof *inputs);
    inputs[0] = x;
    for (uint32_t i = 1; i < node.n_inputs; i++)
        if (inputs[i] != VALUE_NONE && !pattern_constant(graph, inputs[i])) inputs[i] = pick(builder, inputs[i], rows);
    snprintf(op_type, sizeof op_type, "%s%s%s", node.domain, *node.domain ? "." : "", node.op_type);
    return builder_op(builder, op_type, inputs, node.n_inputs, node.attributes.items, node.attributes.n_items);
}

static hob_status rewrite(struct graph *graph, uint32_t logits, const struct chain *chain, struct pass_context *context)
{
    struct builder builder;
    const char *dim_name = "R";
    uint32_t n_removed;
    builder_init(&builder, graph);
    uint32_t rows = builder_input(&builder, input_rows_name, DTYPE_I64, 1, (int64_t[]){DIM_UNKNOWN}, &dim_name);
    uint32_t x = pick(&builder, graph->nodes[chain->nodes[chain->n_nodes - 1]].inputs[0], rows);
    for (uint32_t i = chain->n_nodes; i-- > 0;) x = add_node(&builder, chain->nodes[i], x, rows);
    TRY(builder_finish(&builder, context->error));
    const struct value *declared = &graph->values[graph->outputs[logits]];
    int64_t dims[LOGITS_RANK] = {declared->dims[0], DIM_UNKNOWN, declared->dims[2]};
    TRY(graph_declare(graph, x, declared->dtype, LOGITS_RANK, dims, NULL, context->error));
    graph->values[graph->outputs[logits]].is_output = false;
    graph->outputs[logits] = x;
    graph->values[x].is_output = true;
    context->n_changes++;
    return graph_remove_dead(graph, context->scratch, &n_removed, context->error);
}

/* Given twice, the old value would still be wanted whole. */
static bool is_output_once(const struct graph *graph, uint32_t output)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < graph->n_outputs; i++) n += graph->outputs[i] == graph->outputs[output];
    return n == 1;
}

static hob_status apply(struct graph *graph, struct pass_context *context)
{
    uint32_t logits = 0;
    struct chain chain = {.n_nodes = 0};
    while (logits < graph->n_outputs && output_role_find(graph, logits) != OUTPUT_LOGITS) logits++;
    if (!context->options->is_for_generation || graph->parent || logits == graph->n_outputs) return HOB_OK;
    const struct value *value = &graph->values[graph->outputs[logits]];
    if (value->rank != LOGITS_RANK || value->dims[POSITIONS_AXIS] != DIM_UNKNOWN || !is_output_once(graph, logits)) return HOB_OK;
    if (graph_find_value(graph, input_rows_name) != VALUE_NONE) return HOB_OK;
    follow(graph, graph->outputs[logits], &chain);
    return chain.has_product ? rewrite(graph, logits, &chain, context) : HOB_OK;
}

const struct pass_def pass_last_logits = {
    .name = "last_logits", .summary = "computes a decoder's logits for the positions that are asked for only",
    .makes = NULL,
    .apply = apply};
