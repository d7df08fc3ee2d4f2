/* The weights of GRU, LSTM and RNN, [D,N,K], become f32 panels in the order the kernels read (kernels/panel.h): each direction's
 * panels behind those of the one before. Done once; a weight that several nodes share is packed once. */
#include "base/error.h"
#include "base/size.h"
#include "graph/packing.h"
#include "graph/pass.h"
#include "graph/pattern.h"

#include <string.h>

/* Weights are leaves: each packed tensor, by the value it came from. */
struct packing {
    struct graph *graph;
    struct pass_context *context;
    uint32_t *packed; /* a value each: the packed constant, or VALUE_NONE */
    uint32_t n_values;
};

/* One direction's matrix. */
static bool describe(const struct tensor *weight, int64_t direction, struct panel_source *ret_source)
{
    if (!weight || weight->rank != 3 || weight->layout != LAYOUT_STRIDED || dtype_block_items(weight->dtype) != 1) return false;
    struct tensor matrix = *weight;
    matrix.rank = 2;
    for (int axis = 0; axis < 2; axis++) {
        matrix.dims[axis] = weight->dims[axis + 1];
        matrix.strides[axis] = weight->strides[axis + 1];
    }
    matrix.data = (char *)weight->data + direction * weight->strides[0] * (int64_t)dtype_block_bytes(weight->dtype);
    return packing_describe(&matrix, ret_source) && panel_can_pack(ret_source, DTYPE_F32);
}

static hob_status pack(struct packing *packing, uint32_t value, uint32_t *ret_packed)
{
    hob_error *error = packing->context->error;
    const char *name = packing->graph->values[value].name;
    const struct tensor *weight = packing->graph->values[value].constant;
    int64_t n_panels = panel_count(weight->dims[1]), n_columns;
    if (!int64_mul(weight->dims[0], n_panels * PANEL_COLUMNS, &n_columns)) FAIL(error, HOB_LIMIT, "%s: the weight is too large", name);
    struct tensor room, panels;
    hob_status status = packing_new(packing->graph, DTYPE_F32, n_columns, weight->dims[2], &room, error);
    if (status != HOB_OK) return error_prefix(error, status, "%s", name);
    for (int64_t direction = 0; direction < weight->dims[0]; direction++) {
        struct panel_source source;
        if (!describe(weight, direction, &source)) continue;
        float *own = (float *)room.data + direction * n_panels * PANEL_COLUMNS * source.k;
        TRY(packing_fill(packing->context->options, &source, DTYPE_F32, own, error));
    }
    TRY(tensor_init(&panels, DTYPE_F32, 3, weight->dims, room.data, error));
    panels.layout = LAYOUT_PANELS;
    return graph_add_constant(packing->graph, "", &panels, ret_packed, error);
}

static hob_status pack_input(struct packing *packing, const struct node *node, uint32_t input)
{
    uint32_t value = input < node->n_inputs ? node->inputs[input] : VALUE_NONE;
    struct panel_source source;
    if (value >= packing->n_values || !describe(packing->graph->values[value].constant, 0, &source)) return HOB_OK;
    if (packing->packed[value] == VALUE_NONE) TRY(pack(packing, value, &packing->packed[value]));
    uint32_t *inputs = (uint32_t *)(uintptr_t)node->inputs; /* the graph's own arena memory */
    inputs[input] = packing->packed[value];
    packing->context->n_changes++;
    return HOB_OK;
}

static hob_status apply(struct graph *graph, struct pass_context *context)
{
    struct packing packing = {.graph = graph, .context = context, .n_values = graph->n_values};
    packing.packed = ARENA_NEW(context->scratch, uint32_t, graph->n_values);
    if (!packing.packed) FAIL(context->error, HOB_NO_MEMORY, "packing weights: out of memory");
    memset(packing.packed, 0xff, graph->n_values * sizeof *packing.packed);
    for (uint32_t i = 0; i < graph->n_nodes; i++) {
        const struct node *node = &graph->nodes[i];
        if (!node_is(node, "", "GRU") && !node_is(node, "", "LSTM") && !node_is(node, "", "RNN")) continue;
        TRY(pack_input(&packing, node, 1));
        TRY(pack_input(&packing, node, 2));
    }
    for (uint32_t s = 0; s < graph->n_subgraphs; s++) TRY(apply(graph->subgraphs[s], context));
    return HOB_OK;
}

const struct pass_def pass_pack_recurrent = {
    .name = "pack_recurrent", .summary = "lays the weights of recurrent layers out in the order the kernels read them", .apply = apply};
