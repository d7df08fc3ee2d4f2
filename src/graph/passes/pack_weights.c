/* The weights of hob.Linear are laid into panels, in the order the kernels read them (kernels/panel.h): block formats in their own
 * blocks, the rest as packing_type says. Done once; a weight that several nodes share is packed once, and a token table that is the
 * head's weight too (hob.Embedding) is read from the panels, so that there is one copy. */
#include "base/available_memory.h"
#include "base/error.h"
#include "graph/packing.h"
#include "graph/pass.h"
#include "graph/pattern.h"
#include "graph/weight_errors.h"
#include "ops/matrix/panel_product.h"

#include <string.h>

/* Weights are leaves: each packed tensor, by the value it came from. */
struct packing {
    struct graph *graph;
    struct pass_context *context;
    uint32_t *packed; /* a value each: the packed constant, or VALUE_NONE */
    bool *is_head;    /* a value each */
    uint32_t n_values;
};

/* hob.Linear's weight, hob.Embedding's table; VALUE_NONE for other nodes and for later values. */
static uint32_t weight_of(const struct packing *packing, const struct node *node)
{
    uint32_t value = node_is(node, "hob", "Linear") ? node->inputs[1] : node_is(node, "hob", "Embedding") ? node->inputs[0] : VALUE_NONE;
    return value < packing->n_values ? value : VALUE_NONE;
}

static void find_heads(struct packing *packing)
{
    const struct graph *graph = packing->graph;
    for (uint32_t i = 0; i < graph->n_nodes; i++) {
        uint32_t weight = weight_of(packing, &graph->nodes[i]);
        if (weight == VALUE_NONE) continue;
        if (node_is(&graph->nodes[i], "hob", "Embedding") || graph->values[graph->nodes[i].outputs[0]].is_output)
            packing->is_head[weight] = true;
    }
}

/* name: for messages and errors; what merging made has none of its own. */
static hob_status pack(struct packing *packing, const char *name, uint32_t value, const struct panel_source *source, uint32_t *ret_packed)
{
    const struct pass_options *options = packing->context->options;
    hob_error *error = packing->context->error;
    enum dtype dtype = packing_type(options, source, packing->is_head[value]);
    struct tensor panels;
    hob_status status = packing_new(packing->graph, dtype, source->n, source->k, &panels, error);
    if (status == HOB_OK) status = packing_fill(options, source, dtype, panels.data, error);
    if (status != HOB_OK) return error_prefix(error, status, "%s", name);
    TRY(weight_errors_add(options->weight_errors, name, source, dtype, panels.data, NULL, error));
    return graph_add_constant(packing->graph, "", &panels, ret_packed, error);
}

static hob_status pack_node(struct packing *packing, uint32_t index)
{
    struct node *node = &packing->graph->nodes[index];
    uint32_t value = weight_of(packing, node);
    bool is_table = node_is(node, "hob", "Embedding");
    struct panel_source source;
    if (value == VALUE_NONE || !packing_describe(packing->graph->values[value].constant, &source)) return HOB_OK;
    if (packing->packed[value] == VALUE_NONE) {
        /* A table of its own is read a row at a time where it lies, unless it is to become smaller. */
        if (is_table && packing_type(packing->context->options, &source, true) == panel_product_type(&source)) return HOB_OK;
        const char *name = packing->graph->values[value].name;
        TRY(pack(packing, *name ? name : node->name, value, &source, &packing->packed[value]));
    }
    uint32_t *inputs = (uint32_t *)(uintptr_t)node->inputs; /* the graph's own arena memory */
    inputs[is_table ? 0 : 1] = packing->packed[value];
    packing->context->n_changes++;
    return HOB_OK;
}

/* Products first: then it is known which tables are packed anyway. */
static hob_status pack_nodes(struct packing *packing, const char *op_type)
{
    for (uint32_t i = 0; i < packing->graph->n_nodes; i++)
        if (node_is(&packing->graph->nodes[i], "hob", op_type)) TRY(pack_node(packing, i));
    return HOB_OK;
}

/* What all panels together take, each weight once. */
static uint64_t count_bytes(const struct packing *packing, bool *is_counted)
{
    const struct graph *graph = packing->graph;
    uint64_t n_all = 0;
    for (uint32_t i = 0; i < graph->n_nodes; i++) {
        size_t n_bytes;
        struct panel_source source;
        uint32_t value = node_is(&graph->nodes[i], "hob", "Linear") ? weight_of(packing, &graph->nodes[i]) : VALUE_NONE;
        if (value == VALUE_NONE || is_counted[value] || !packing_describe(graph->values[value].constant, &source)) continue;
        is_counted[value] = true;
        if (panel_bytes(packing_type(packing->context->options, &source, packing->is_head[value]), source.n, source.k, &n_bytes)) n_all += n_bytes;
    }
    return n_all;
}

/* Told before, with numbers: a process that takes more than there is gets killed. */
static hob_status check_room(const struct packing *packing)
{
    const struct pass_context *context = packing->context;
    uint64_t available_bytes = available_memory(""), max_bytes = context->options->max_weight_bytes;
    bool *is_counted = ARENA_NEW(context->scratch, bool, packing->n_values);
    if (!is_counted) FAIL(context->error, HOB_NO_MEMORY, "packing weights: out of memory");
    uint64_t n_bytes = count_bytes(packing, is_counted);
    if (max_bytes && max_bytes < available_bytes) available_bytes = max_bytes;
    if (n_bytes <= available_bytes) return HOB_OK;
    FAIL(context->error, HOB_LIMIT, "memory: the weights need %.1f MiB, found %.1f MiB available; a pack (hob import) takes none for them",
         (double)n_bytes / (1 << 20), (double)available_bytes / (1 << 20));
}

static hob_status apply(struct graph *graph, struct pass_context *context)
{
    struct packing packing = {.graph = graph, .context = context, .n_values = graph->n_values};
    packing.packed = ARENA_NEW(context->scratch, uint32_t, graph->n_values);
    packing.is_head = ARENA_NEW(context->scratch, bool, graph->n_values);
    if (!packing.packed || !packing.is_head) FAIL(context->error, HOB_NO_MEMORY, "packing weights: out of memory");
    memset(packing.packed, 0xff, graph->n_values * sizeof *packing.packed);
    find_heads(&packing);
    TRY(check_room(&packing));
    TRY(pack_nodes(&packing, "Linear"));
    TRY(pack_nodes(&packing, "Embedding"));
    for (uint32_t s = 0; s < graph->n_subgraphs; s++) TRY(apply(graph->subgraphs[s], context));
    return HOB_OK;
}

const struct pass_def pass_pack_weights = {
    .name = "pack_weights", .summary = "lays weights out in the order the kernels read them", .apply = apply};
