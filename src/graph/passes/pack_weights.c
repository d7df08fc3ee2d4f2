/* The weights of hob.Linear, whatever the file's type and order, become f32 panels in the order the kernels read
 * (kernels/panel.h). Done once; a weight that several nodes share is packed once. */
#include "base/error.h"
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

static hob_status pack(struct packing *packing, uint32_t value, const struct panel_source *source, uint32_t *ret_packed)
{
    hob_error *error = packing->context->error;
    struct tensor panels;
    hob_status status = packing_new(packing->graph, source->n, source->k, &panels, error);
    if (status != HOB_OK) return error_prefix(error, status, "%s", packing->graph->values[value].name);
    panel_pack(source, DTYPE_F32, 0, panel_count(source->n), panels.data);
    return graph_add_constant(packing->graph, "", &panels, ret_packed, error);
}

static hob_status pack_node(struct packing *packing, uint32_t index)
{
    struct node *node = &packing->graph->nodes[index];
    uint32_t value = node->inputs[1];
    struct panel_source source;
    if (!packing_describe(packing->graph->values[value].constant, &source)) return HOB_OK;
    if (packing->packed[value] == VALUE_NONE) TRY(pack(packing, value, &source, &packing->packed[value]));
    uint32_t *inputs = (uint32_t *)(uintptr_t)node->inputs; /* the graph's own arena memory */
    inputs[1] = packing->packed[value];
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
        if (node_is(node, "hob", "Linear") && node->inputs[1] < packing.n_values) TRY(pack_node(&packing, i));
    }
    for (uint32_t s = 0; s < graph->n_subgraphs; s++) TRY(apply(graph->subgraphs[s], context));
    return HOB_OK;
}

const struct pass_def pass_pack_weights = {
    .name = "pack_weights", .summary = "lays weights out in the order the kernels read them", .apply = apply};
