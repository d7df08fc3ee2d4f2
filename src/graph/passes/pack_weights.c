/* The weights of hob.Linear, whatever the file's type and order, become f32 panels in the order the kernels read
 * (kernels/panel.h). Done once; a weight that several nodes share is packed once. */
#include "base/error.h"
#include "graph/pass.h"
#include "graph/pattern.h"
#include "kernels/panel.h"

#include <string.h>

/* Weights are leaves: each packed tensor, by the value it came from. */
struct packing {
    struct graph *graph;
    struct pass_context *context;
    uint32_t *packed; /* a value each: the packed constant, or VALUE_NONE */
    uint32_t n_values;
};

static bool describe(const struct tensor *weight, struct panel_source *ret_source)
{
    if (!weight || weight->rank != 2 || weight->layout != LAYOUT_STRIDED) return false;
    *ret_source = (struct panel_source){.data = weight->data, .dtype = weight->dtype, .n = weight->dims[0], .k = weight->dims[1],
                                        .n_stride = weight->strides[0], .k_stride = weight->strides[1]};
    return panel_can_pack(ret_source);
}

static hob_status pack(struct packing *packing, uint32_t value, const struct panel_source *source, uint32_t *ret_packed)
{
    hob_error *error = packing->context->error;
    size_t n_bytes;
    if (!panel_bytes(source->n, source->k, &n_bytes)) FAIL(error, HOB_LIMIT, "%s: the weight is too large", packing->graph->values[value].name);
    float *panels = arena_alloc(&packing->graph->arena, n_bytes, PANEL_ALIGNMENT);
    if (!panels) FAIL(error, HOB_NO_MEMORY, "%s: no memory for %zu bytes of weights", packing->graph->values[value].name, n_bytes);
    panel_pack_f32(source, 0, panel_count(source->n), panels);
    struct tensor tensor;
    TRY(tensor_init(&tensor, DTYPE_F32, 2, (int64_t[]){source->n, source->k}, panels, error));
    tensor.layout = LAYOUT_PANELS;
    return graph_add_constant(packing->graph, "", &tensor, ret_packed, error);
}

static hob_status pack_node(struct packing *packing, uint32_t index)
{
    struct node *node = &packing->graph->nodes[index];
    uint32_t value = node->inputs[1];
    struct panel_source source;
    if (!describe(packing->graph->values[value].constant, &source)) return HOB_OK;
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
