/* The activation behind a product with a constant matrix goes into it: hob.Linear then applies it to each block of sums while
 * they are in the cache. The same bytes as before, but for a written-out hard swish, whose factors are
 * rounded in another order. Runs when nothing else looks for a bare activation or Linear any more. */
#include "base/error.h"
#include "graph/activation_pattern.h"
#include "graph/builder.h"
#include "graph/pass.h"
#include "graph/pattern.h"
#include "ops/activation.h"

static hob_status finish(struct graph *graph, uint32_t index, const struct activation_match *match, struct pass_context *context)
{
    const struct node *linear = &graph->nodes[index];
    const float params[] = {match->alpha, match->beta};
    struct attribute attributes[] = {attribute_string("activation", activation_name(match->kind)),
                                     {.name = "activation_params", .kind = ATTRIBUTE_FLOATS, .n_items = 2, .numbers = params}};
    const uint32_t *inputs = linear->inputs, n_inputs = linear->n_inputs;
    const char *name = linear->name;
    struct builder builder;
    builder_init(&builder, graph);
    graph_remove_node(graph, index);
    for (uint32_t i = 0; i < match->n_nodes; i++) graph_remove_node(graph, match->nodes[i]);
    builder_op_into(&builder, name, "hob.Linear", inputs, n_inputs, attributes, 2, &match->output, 1);
    context->n_changes++;
    return builder_finish(&builder, context->error);
}

static hob_status apply(struct graph *graph, struct pass_context *context)
{
    struct value_readers readers;
    struct activation_match match;
    TRY(value_readers_init(&readers, graph, context->scratch, context->error));
    uint32_t n_nodes = graph->n_nodes; /* new nodes stand behind */
    for (uint32_t i = 0; i < n_nodes; i++) {
        const struct node *node = &graph->nodes[i];
        if (!node_is(node, "hob", "Linear") || node->attributes.n_items || !activation_match(graph, &readers, node->outputs[0], &match)) continue;
        TRY(finish(graph, i, &match, context));
    }
    for (uint32_t s = 0; s < graph->n_subgraphs; s++) TRY(apply(graph->subgraphs[s], context));
    return HOB_OK;
}

const struct pass_def pass_finish_linear = {
    .name = "finish_linear", .summary = "lets products with constant matrices apply the activation behind them", .apply = apply};
