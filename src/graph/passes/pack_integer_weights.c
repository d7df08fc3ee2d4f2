/* Constant matrices of bytes that integer products multiply by become int8 panels, in the order the kernels read (kernels/panel.h), their zero
 * points int8 too. Done once; a weight that several nodes share is packed once. hob.LinearInt8 has its panels from fuse_int8. */
#include "base/error.h"
#include "graph/packing.h"
#include "graph/pass.h"
#include "graph/pattern.h"

#include <string.h>

/* Which inputs are the weight and its zero point. */
static const struct target {
    const char *domain, *op_type;
    uint32_t weight, zero;
    bool may_be_transposed; /* by attribute transB */
} targets[] = {
    {"", "MatMulInteger", 1, 3, false},
    {"", "QLinearMatMul", 3, 5, false},
    {"com.microsoft", "QGemm", 3, 5, true},
    {"com.microsoft", "MatMulIntegerToFloat", 1, 5, false},
    {"com.microsoft", "DynamicQuantizeMatMul", 1, 3, false},
    {"com.microsoft", "QAttention", 1, 7, false},
};

/* Weights are leaves: each packed tensor, by the value it came from; apart for the two ways a matrix may lie. */
struct packing {
    struct graph *graph;
    struct pass_context *context;
    uint32_t *packed[2], *zeros; /* a value each, or VALUE_NONE */
    uint32_t n_values;
};

static const struct target *find_target(const struct node *node)
{
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++)
        if (node_is(node, targets[i].domain, targets[i].op_type)) return &targets[i];
    return NULL;
}

static bool is_bytes(enum dtype dtype)
{
    return dtype == DTYPE_U8 || dtype == DTYPE_I8;
}

static hob_status pack(struct packing *packing, const struct tensor *w, bool is_transposed, uint32_t *ret_value)
{
    hob_error *error = packing->context->error;
    const int columns = is_transposed ? 0 : 1, rows = 1 - columns;
    const struct panel_source source = {.data = w->data,
                                        .dtype = w->dtype,
                                        .n = w->dims[columns],
                                        .k = w->dims[rows],
                                        .n_stride = w->strides[columns],
                                        .k_stride = w->strides[rows]};
    struct tensor panels;
    TRY(packing_new(packing->graph, DTYPE_I8, source.n, source.k, &panels, error));
    panel_pack_i8(&source, 0, panel_count(source.n), panels.data);
    return graph_add_constant(packing->graph, "", &panels, ret_value, error);
}

/* An unsigned weight's codes lose 128 in panels, and so do its zero points; without any they were 0. */
static hob_status shift_zeros(struct packing *packing, const struct tensor *zero, uint32_t *ret_value)
{
    struct tensor shifted;
    hob_error *error = packing->context->error;
    TRY(tensor_init(&shifted, DTYPE_I8, zero ? zero->rank : 0, zero ? zero->dims : NULL, NULL, error));
    int8_t *items = arena_alloc(&packing->graph->arena, tensor_n_bytes(&shifted) + 1, 16);
    if (!items) FAIL(error, HOB_NO_MEMORY, "packing weights: out of memory");
    for (int64_t i = 0; i < tensor_n_items(&shifted); i++)
        items[i] = (int8_t)((zero ? tensor_get_int(zero, i) : 0) - 128);
    shifted.data = items;
    return graph_add_constant(packing->graph, "", &shifted, ret_value, error);
}

static hob_status find_zeros(struct packing *packing, enum dtype dtype, uint32_t zero, uint32_t *ret_zero)
{
    *ret_zero = zero;
    if (dtype == DTYPE_I8) return HOB_OK;
    if (zero == VALUE_NONE) return shift_zeros(packing, NULL, ret_zero);
    if (packing->zeros[zero] == VALUE_NONE)
        TRY(shift_zeros(packing, pattern_constant(packing->graph, zero), &packing->zeros[zero]));
    *ret_zero = packing->zeros[zero];
    return HOB_OK;
}

/* The node's inputs, up to its zero point at least, which it may lack. */
static hob_status set_inputs(struct packing *packing, struct node *node, const struct target *target, uint32_t weight,
                             uint32_t zero)
{
    uint32_t n_inputs = zero != VALUE_NONE && node->n_inputs <= target->zero ? target->zero + 1 : node->n_inputs;
    uint32_t *inputs = ARENA_NEW(&packing->graph->arena, uint32_t, n_inputs);
    if (!inputs) FAIL(packing->context->error, HOB_NO_MEMORY, "packing weights: out of memory");
    for (uint32_t i = 0; i < n_inputs; i++) inputs[i] = i < node->n_inputs ? node->inputs[i] : VALUE_NONE;
    inputs[target->weight] = weight;
    if (target->zero < n_inputs) inputs[target->zero] = zero;
    node->inputs = inputs;
    node->n_inputs = n_inputs;
    packing->context->n_changes++;
    return HOB_OK;
}

static hob_status pack_node(struct packing *packing, struct node *node, const struct target *target)
{
    uint32_t value = node->inputs[target->weight],
             zero = target->zero < node->n_inputs ? node->inputs[target->zero] : VALUE_NONE;
    const struct tensor *w = pattern_constant(packing->graph, value), *zeros = pattern_constant(packing->graph, zero);
    if (!w || value >= packing->n_values || w->rank != 2 || !is_bytes(w->dtype)) return HOB_OK;
    if (zero != VALUE_NONE && (!zeros || zero >= packing->n_values || zeros->dtype != w->dtype)) return HOB_OK;
    bool is_transposed = target->may_be_transposed && attributes_int(&node->attributes, "transB", 0);
    uint32_t *packed = &packing->packed[is_transposed][value];
    if (*packed == VALUE_NONE) TRY(pack(packing, w, is_transposed, packed));
    TRY(find_zeros(packing, w->dtype, zero, &zero));
    return set_inputs(packing, node, target, *packed, zero);
}

static hob_status new_map(struct packing *packing, uint32_t **ret_map)
{
    uint32_t *map = ARENA_NEW(packing->context->scratch, uint32_t, packing->n_values);
    if (!map) FAIL(packing->context->error, HOB_NO_MEMORY, "packing weights: out of memory");
    memset(map, 0xff, packing->n_values * sizeof *map);
    *ret_map = map;
    return HOB_OK;
}

static hob_status apply(struct graph *graph, struct pass_context *context)
{
    struct packing packing = {.graph = graph, .context = context, .n_values = graph->n_values};
    TRY(new_map(&packing, &packing.packed[0]));
    TRY(new_map(&packing, &packing.packed[1]));
    TRY(new_map(&packing, &packing.zeros));
    for (uint32_t i = 0; i < graph->n_nodes; i++) {
        const struct target *target = find_target(&graph->nodes[i]);
        if (target) TRY(pack_node(&packing, &graph->nodes[i], target));
    }
    for (uint32_t s = 0; s < graph->n_subgraphs; s++) TRY(apply(graph->subgraphs[s], context));
    return HOB_OK;
}

const struct pass_def pass_pack_integer_weights = {.name = "pack_integer_weights",
                                                   .summary =
                                                       "lays matrices of bytes out in the order the kernels read them",
                                                   .apply = apply};
