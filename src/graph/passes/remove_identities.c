/* Readers of Identity (and of Dropout, which does nothing at inference) read its input instead. */
#include "base/error.h"
#include "graph/pass.h"

#include <string.h>

static bool is_identity(const struct graph *graph, const struct node *node)
{
    if (*node->domain || node->n_inputs < 1 || node->inputs[0] == VALUE_NONE) return false;
    if (!strcmp(node->op_type, "Identity")) return true;
    if (strcmp(node->op_type, "Dropout")) return false;
    if (node->n_outputs > 1 && node->outputs[1] != VALUE_NONE) return false; /* the mask is wanted */
    const struct attribute *is_test = attributes_find(&node->attributes, "is_test");
    if (node->opset < 7) return is_test && is_test->kind == ATTRIBUTE_INT && is_test->integer;
    if (node->n_inputs < 3 || node->inputs[2] == VALUE_NONE) return true;
    const struct tensor *is_training = graph->values[node->inputs[2]].constant;
    return is_training && is_training->dtype == DTYPE_BOOL && tensor_n_items(is_training) == 1 && tensor_get_int(is_training, 0) == 0;
}

static hob_status apply(struct graph *graph, struct pass_context *context)
{
    uint32_t *replacements;
    TRY(graph_new_replacements(graph, context->scratch, &replacements, context->error));
    for (uint32_t i = 0; i < graph->n_nodes; i++) {
        const struct node *node = &graph->nodes[i];
        if (node->is_removed || !is_identity(graph, node)) continue;
        replacements[node->outputs[0]] = node->inputs[0];
        graph_remove_node(graph, i);
        context->n_changes++;
    }
    graph_replace_values(graph, replacements);
    for (uint32_t s = 0; s < graph->n_subgraphs; s++) TRY(apply(graph->subgraphs[s], context));
    return HOB_OK;
}

const struct pass_def pass_remove_identities = {
    .name = "remove_identities", .summary = "reads through Identity and inference-time Dropout", .apply = apply};
