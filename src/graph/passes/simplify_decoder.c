/* What a decoder's export computes anew at every layer and token although a session knows it: shapes to reshape to, made of the inputs'
 * shapes, become constants; masks that say that nobody sees what comes later become hob.Attention's is_causal.
 *
 * For decoders with their caches in a session (attach_kv_cache), which run with a batch of 1 and a mask of ones, positions counted on
 * from those in the cache. graph/flow says what is what; where it does not know, the node stays. */
#include "base/error.h"
#include "graph/flow/exchange.h"
#include "graph/pass.h"

static void make_causal(struct builder *builder, uint32_t index)
{
    struct node node = builder->graph->nodes[index];
    struct attribute attributes[] = {attribute_float("scale", attributes_float(&node.attributes, "scale", 0)), attribute_int("is_causal", 1)};
    exchange_inputs(builder, index, node.inputs, 3, attributes, 2);
}

static hob_status apply(struct graph *graph, struct pass_context *context)
{
    struct flows flows;
    struct builder builder;
    uint32_t n_removed;
    if (!context->options->is_for_generation || graph->parent || graph->n_subgraphs || !graph->n_states) return HOB_OK;
    TRY(flows_find(graph, context->options->kernels, context->scratch, &flows, context->error));
    builder_init(&builder, graph);
    for (uint32_t i = 0; i < flows.n_nodes; i++) {
        if (graph->nodes[i].is_removed || (flows.changes[i] != CHANGE_SHAPE && flows.changes[i] != CHANGE_CAUSAL)) continue;
        if (flows.changes[i] == CHANGE_SHAPE) exchange_shape(&builder, &flows, i);
        else make_causal(&builder, i);
        context->n_changes++;
    }
    TRY(builder_finish(&builder, context->error));
    return graph_remove_dead(graph, context->scratch, &n_removed, context->error);
}

const struct pass_def pass_simplify_decoder = {
    .name = "simplify_decoder", .summary = "spares a decoder the shapes and causal masks that its export computes at every layer",
    .apply = apply};
