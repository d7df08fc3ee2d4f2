/* Past/present pairs become session state: present = Concat(past, new) turns into hob.CacheAppend(new), which writes only what is
 * new and shows all positions as a view; whoever else reads past (its length, mostly) reads hob.CachePast. The inputs and
 * outputs of the pair disappear from the graph.
 *
 * Pairs are found by structure (a graph output made by Concat whose first input is a graph input), whatever the exporter called
 * them. Pairs inside fused operators (com.microsoft Attention, and GroupQueryAttention where open_group_query leaves it whole) or
 * behind an If stay inputs and outputs; the engine carries those from run to run. */
#include "base/error.h"
#include "graph/builder.h"
#include "graph/pass.h"
#include "graph/pattern.h"

#include <string.h>

struct pair {
    uint32_t output;      /* index into graph->outputs */
    uint32_t node;        /* the Concat */
    uint32_t past, added; /* values */
    int axis;
};

/* Every dim but the first (batch) and the axis must be known, to size the buffer. */
static bool is_cache_shape(const struct value *past, int axis)
{
    if (!past->is_declared || past->dtype == DTYPE_NONE || past->rank < 3 || axis < 1 || axis >= past->rank) return false;
    if (past->dims[axis] != DIM_UNKNOWN) return false;
    for (int d = 1; d < past->rank; d++)
        if (d != axis && past->dims[d] == DIM_UNKNOWN) return false;
    return past->dims[0] == DIM_UNKNOWN || past->dims[0] == 1;
}

static bool find_pair(const struct graph *graph, uint32_t output, struct pair *ret_pair)
{
    const struct value *present = &graph->values[graph->outputs[output]];
    if (present->producer == NODE_NONE) return false;
    const struct node *node = &graph->nodes[present->producer];
    if (!node_is(node, "", "Concat") || node->n_inputs != 2) return false;
    const struct value *past = &graph->values[node->inputs[0]];
    int axis;
    if (!past->is_input || !shape_normalize_axis(attributes_int(&node->attributes, "axis", 0), past->rank, &axis)) return false;
    if (!is_cache_shape(past, axis)) return false;
    *ret_pair = (struct pair){.output = output, .node = present->producer, .past = node->inputs[0], .added = node->inputs[1], .axis = axis};
    return true;
}

static void remove_output(struct graph *graph, uint32_t index)
{
    uint32_t value = graph->outputs[index];
    graph->n_outputs--;
    for (uint32_t i = index; i < graph->n_outputs; i++) {
        graph->outputs[i] = graph->outputs[i + 1];
        graph->output_names[i] = graph->output_names[i + 1];
    }
    bool is_still = false;
    for (uint32_t i = 0; i < graph->n_outputs; i++) is_still |= graph->outputs[i] == value;
    graph->values[value].is_output = is_still;
}

static void remove_input(struct graph *graph, uint32_t value)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < graph->n_inputs; i++)
        if (graph->inputs[i] != value) graph->inputs[kept++] = graph->inputs[i];
    graph->n_inputs = kept;
    graph->values[value].is_input = false;
}

static hob_status add_cache_node(struct graph *graph, const char *op_type, uint32_t input, const struct pair *pair, uint32_t state,
                                 uint32_t *ret_view, hob_error *error)
{
    struct attribute *axis = ARENA_NEW(&graph->arena, struct attribute, 1);
    if (!axis) FAIL(error, HOB_NO_MEMORY, "attaching a KV cache: out of memory");
    *axis = attribute_int("axis", pair->axis);
    struct node_spec spec = {.domain = "hob", .op_type = op_type, .inputs = &input, .n_inputs = input != VALUE_NONE, .n_outputs = 1,
                             .attributes = {.items = axis, .n_items = 1}, .state = state};
    return graph_add_node(graph, &spec, ret_view, error);
}

static hob_status attach(struct graph *graph, const struct pair *pair, hob_error *error)
{
    const struct value *past = &graph->values[pair->past];
    struct graph_state state = {.name = past->name, .dtype = past->dtype, .rank = past->rank, .axis = pair->axis};
    memcpy(state.dims, past->dims, (size_t)past->rank * sizeof *state.dims);
    uint32_t index, all_view, past_view, present = graph->outputs[pair->output];
    TRY(graph_add_state(graph, &state, &index, error));
    TRY(add_cache_node(graph, "CacheAppend", pair->added, pair, index, &all_view, error));
    TRY(add_cache_node(graph, "CachePast", VALUE_NONE, pair, index, &past_view, error));
    remove_output(graph, pair->output);
    graph_remove_node(graph, pair->node);
    graph_replace_value(graph, present, all_view);
    graph_replace_value(graph, pair->past, past_view);
    remove_input(graph, pair->past);
    return HOB_OK;
}

static hob_status apply(struct graph *graph, struct pass_context *context)
{
    if (!context->options->is_for_generation) return HOB_OK;
    for (uint32_t i = 0; i < graph->n_outputs;) {
        struct pair pair;
        if (!find_pair(graph, i, &pair)) {
            i++;
            continue;
        }
        TRY(attach(graph, &pair, context->error));
        context->n_changes++;
    }
    return HOB_OK;
}

const struct pass_def pass_attach_kv_cache = {
    .name = "attach_kv_cache", .summary = "keeps past keys and values in the session, appended in place",
    .makes = "hob.CacheAppend hob.CachePast",
    .apply = apply};
