/* Drops nodes whose outputs nobody reads. */
#include "base/error.h"
#include "graph/pass.h"

static hob_status apply(struct graph *graph, struct pass_context *context)
{
    return graph_remove_dead(graph, context->scratch, &context->n_changes, context->error);
}

const struct pass_def pass_remove_dead = {
    .name = "remove_dead", .summary = "drops nodes that nothing reads", .apply = apply};
