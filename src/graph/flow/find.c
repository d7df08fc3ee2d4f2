/* The walk over the graph, and the table that says which rule an operator has. */
#include "base/error.h"
#include "base/size.h"
#include "graph/flow/rule.h"
#include "graph/io_role.h"
#include "ops/op.h"

#include <string.h>

#define HOB "hob"
#define MS "com.microsoft"

static const struct {
    const char *domain, *op;
    flow_rule *rule;
} rules[] = {
    {"", "Abs", rule_elementwise},        {"", "Add", rule_add},
    {"", "And", rule_add},                {"", "Cast", rule_elementwise},
    {"", "Ceil", rule_elementwise},       {"", "Clip", rule_elementwise},
    {"", "Cos", rule_elementwise},        {"", "Div", rule_elementwise},
    {"", "Elu", rule_elementwise},        {"", "Equal", rule_elementwise},
    {"", "Erf", rule_elementwise},        {"", "Exp", rule_elementwise},
    {"", "Floor", rule_elementwise},      {"", "Gelu", rule_elementwise},
    {"", "Greater", rule_compare},    {"", "GreaterOrEqual", rule_compare},
    {"", "HardSigmoid", rule_elementwise}, {"", "HardSwish", rule_elementwise},
    {"", "Identity", rule_elementwise},   {"", "IsNaN", rule_elementwise},
    {"", "LeakyRelu", rule_elementwise},  {"", "Less", rule_compare},
    {"", "LessOrEqual", rule_compare}, {"", "Log", rule_elementwise},
    {"", "Max", rule_elementwise},        {"", "Min", rule_elementwise},
    {"", "Mish", rule_elementwise},       {"", "Mul", rule_elementwise},
    {"", "Neg", rule_elementwise},        {"", "Not", rule_not},
    {"", "Or", rule_elementwise},         {"", "Pow", rule_elementwise},
    {"", "Reciprocal", rule_elementwise}, {"", "Relu", rule_elementwise},
    {"", "Selu", rule_elementwise},       {"", "Sigmoid", rule_elementwise},
    {"", "Sign", rule_elementwise},       {"", "Sin", rule_elementwise},
    {"", "Softplus", rule_elementwise},   {"", "Softsign", rule_elementwise},
    {"", "Sqrt", rule_elementwise},       {"", "Sub", rule_add},
    {"", "Swish", rule_elementwise},      {"", "Tanh", rule_elementwise},
    {"", "Where", rule_where},      {"", "Xor", rule_elementwise},
    {HOB, "Gelu", rule_elementwise},      {HOB, "SwiGLU", rule_elementwise},
    {MS, "Gelu", rule_elementwise},       {MS, "FastGelu", rule_elementwise},
    {MS, "BiasGelu", rule_elementwise},   {MS, "QuickGelu", rule_elementwise},
    {"", "LayerNormalization", rule_per_row},
    {"", "SimplifiedLayerNormalization", rule_per_row},
    {"", "RMSNormalization", rule_per_row},
    {"", "LpNormalization", rule_per_row},
    {"", "Softmax", rule_per_row},
    {"", "LogSoftmax", rule_per_row},
    {HOB, "RMSNorm", rule_per_row},
    {MS, "SkipLayerNormalization", rule_skip_norm},
    {MS, "SkipSimplifiedLayerNormalization", rule_skip_norm},
    {HOB, "RotateHalves", rule_rotate},
    {HOB, "Linear", rule_linear},
    {"", "MatMul", rule_matmul},
    {"", "Gemm", rule_gemm},
    {"", "ReduceSum", rule_reduce},
    {"", "ReduceMean", rule_reduce},
    {"", "ReduceMax", rule_reduce},
    {"", "ReduceMin", rule_reduce},
    {"", "ReduceL1", rule_reduce},
    {"", "ReduceL2", rule_reduce},
    {"", "ReduceSumSquare", rule_reduce},
    {"", "CumSum", rule_cum_sum},
    {HOB, "Attention", rule_attention},
    {MS, "EmbedLayerNormalization", rule_embed_norm},
    {"", "Shape", rule_shape},
    {"", "ConstantOfShape", rule_constant_of_shape},
    {"", "Range", rule_range},
    {"", "Unsqueeze", rule_unsqueeze},
    {"", "Squeeze", rule_squeeze},
    {"", "Reshape", rule_reshape},
    {"", "Expand", rule_expand},
    {"", "Transpose", rule_transpose},
    {"", "Slice", rule_slice},
    {"", "Split", rule_split},
    {"", "Concat", rule_concat},
    {"", "Gather", rule_gather},
    {HOB, "Embedding", rule_embedding},
    {HOB, "CacheAppend", rule_cache_append},
    {HOB, "CachePast", rule_cache_past},
    {"", "QuantizeLinear", rule_quantize},
    {"", "DequantizeLinear", rule_quantize},
    {HOB, "DynamicQuantize", rule_dynamic_quantize},
    {HOB, "LinearInt8", rule_linear_int8},
    {MS, "MatMulNBits", rule_matmul_nbits},
};

/* ---- where the walk begins ---- */

static struct flow constant_flow(const struct tensor *constant)
{
    struct flow flow = {.kind = FLOW_CONSTANT, .dtype = constant->dtype, .rank = constant->rank};
    for (int d = 0; d < constant->rank; d++) flow.dims[d] = size_of(constant->dims[d]);
    return flow;
}

/* [B,S] ids and the like; the mask, for the cached positions too, is ones. */
static struct flow input_flow(const struct value *input, bool has_past)
{
    struct flow flow = {.kind = FLOW_TOKENS, .dtype = input->dtype, .rank = 2, .axis = 1, .dims = {size_of(1), {.tokens = 1}}};
    float one = 1;
    int64_t integer = 1; /* narrower ones begin with its bytes: all machines hob runs on are little-endian */
    switch (input_role_find(input)) {
    case INPUT_IDS:
    case INPUT_TOKEN_TYPES: break;
    case INPUT_POSITIONS:
        flow.is_count = has_past; /* texts of a batch begin anew */
        flow.first.past = 1;
        break;
    case INPUT_MASK:
        flow.kind = FLOW_UNIFORM;
        flow.dims[1].past = has_past;
        if (input->dtype == DTYPE_F32) memcpy(flow.number, &one, sizeof one);
        else if (dtype_is_integer(input->dtype) || input->dtype == DTYPE_BOOL) memcpy(flow.number, &integer, sizeof integer);
        else flow.kind = FLOW_UNKNOWN;
        break;
    default: flow.kind = FLOW_UNKNOWN;
    }
    bool is_open = input->rank == 2 && input->dims[1] == DIM_UNKNOWN && (input->dims[0] == DIM_UNKNOWN || input->dims[0] == 1);
    if (!is_open) flow.kind = FLOW_UNKNOWN;
    return flow;
}

static void start(struct flows *flows)
{
    const struct graph *graph = flows->graph;
    for (uint32_t i = 0; i < graph->n_values; i++)
        if (graph->values[i].constant) flows->values[i] = constant_flow(graph->values[i].constant);
    for (uint32_t i = 0; i < graph->n_inputs; i++) flows->values[graph->inputs[i]] = input_flow(&graph->values[graph->inputs[i]], flows->has_past);
}

/* Rules may count on the inputs that the operator must have. */
static bool is_whole(const struct node *node)
{
    for (uint32_t i = 0; i < node->n_inputs && (int)i < node->op->min_inputs; i++)
        if (node->inputs[i] == VALUE_NONE) return false;
    return true;
}

/* What is counted stays so only where it is moved; rules that copy what they know of an input need not mind. */
static void forget_counts(struct flows *flows, const struct node *node)
{
    static const char *const movers[] = {"Unsqueeze", "Squeeze", "Reshape", "Identity", "Range", "Add", "Sub", "Cast"};
    for (size_t i = 0; i < ARRAY_LENGTH(movers); i++)
        if (!*node->domain && !strcmp(node->op_type, movers[i])) return;
    for (uint32_t i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] != VALUE_NONE) flows->values[node->outputs[i]].is_count = false;
}

/* A row as long as there are tokens or texts would be longer among others than alone. */
static void forget_growing_rows(struct flows *flows, uint32_t index)
{
    const struct node *node = &flows->graph->nodes[index];
    for (uint32_t i = 0; i < node->n_outputs; i++) {
        if (node->outputs[i] == VALUE_NONE) continue;
        struct flow *flow = &flows->values[node->outputs[i]];
        bool is_whole = true;
        for (int d = 0; d < flow->rank; d++) is_whole &= d == flow->axis || size_is_fixed(flow->dims[d]);
        if (is_whole || !flow_is_rows(flow)) continue;
        flow->kind = FLOW_UNKNOWN;
        flows->changes[index] = CHANGE_NONE;
    }
}

static flow_rule *find_rule(const struct node *node)
{
    if (node->op->flags & OP_LEGACY || !is_whole(node)) return NULL;
    for (size_t i = 0; i < ARRAY_LENGTH(rules); i++)
        if (!strcmp(node->domain, rules[i].domain) && !strcmp(node->op_type, rules[i].op)) return rules[i].rule;
    return NULL;
}

hob_status flows_find(struct graph *graph, const struct kernels *kernels, struct arena *arena, struct flows *ret_flows, hob_error *error)
{
    uint32_t *order;
    struct flows flows = {.graph = graph, .kernels = kernels, .arena = arena, .n_values = graph->n_values, .n_nodes = graph->n_nodes,
                          .has_past = graph->n_states > 0};
    TRY(graph_resolve_ops(graph, error));
    TRY(graph_sort(graph, arena, &order, &flows.n_order, error));
    flows.order = order;
    flows.values = ARENA_NEW(arena, struct flow, flows.n_values);
    flows.changes = ARENA_NEW(arena, enum flow_change, flows.n_nodes);
    if (!flows.values || !flows.changes) FAIL(error, HOB_NO_MEMORY, "following the tokens of a graph: out of memory");
    start(&flows);
    for (uint32_t i = 0; i < flows.n_order; i++) {
        flow_rule *rule = find_rule(&graph->nodes[order[i]]);
        if (!rule) continue;
        rule(&flows, order[i]);
        forget_counts(&flows, &graph->nodes[order[i]]);
        forget_growing_rows(&flows, order[i]);
    }
    *ret_flows = flows;
    return HOB_OK;
}
