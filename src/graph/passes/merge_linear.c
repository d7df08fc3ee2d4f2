/* Products of one input with several constant matrices become one product, whose output is split: the query, key and value
 * projections of attention, the gate and up projections of a feed-forward layer.
 *
 *     Linear(x, W1 [N1,K], b1), Linear(x, W2 [N2,K], b2), …  ->  Split(Linear(x, [W1; W2; …], [b1; b2; …]))
 *
 * Each column is summed as before: the same bytes. The weights are laid into one set of panels right away, so that they
 * exist once; that needs panels of one type, and every Ni but the last to fill whole ones. */
#include "base/error.h"
#include "graph/fusion.h"
#include "graph/packing.h"
#include "graph/weight_errors.h"

#include <string.h>

enum { MAX_MERGED = 8 };

struct group {
    uint32_t nodes[MAX_MERGED];
    uint32_t n_nodes;
    uint32_t x;
    enum dtype dtype; /* of the panels */
    int64_t k, n_columns;
    bool has_bias;
};

static bool can_merge(const struct graph *graph, const struct node *node, struct panel_source *ret_source, bool *ret_has_bias)
{
    if (!node_is(node, "hob", "Linear") || node->attributes.n_items || graph->values[node->outputs[0]].is_output) return false;
    if (!packing_describe(pattern_constant(graph, node->inputs[1]), ret_source)) return false;
    *ret_has_bias = node->n_inputs > 2 && node->inputs[2] != VALUE_NONE;
    int64_t n_bias;
    return !*ret_has_bias || (pattern_vector(graph, node->inputs[2], &n_bias) && n_bias == ret_source->n);
}

/* A weight that another node reads as well would have to stay beside the merged one. */
static bool weight_is_private(const struct fusion *fusion, const struct node *node)
{
    return node->inputs[1] >= fusion->readers.n_values || fusion->readers.n_readers[node->inputs[1]] == 1;
}

/* For each Linear the next one, in the file's order, with the same input; NODE_NONE. */
static hob_status chain_by_input(const struct fusion *fusion, uint32_t **ret_next)
{
    const struct graph *graph = fusion->graph;
    struct arena *scratch = fusion->context->scratch;
    uint32_t *next = ARENA_NEW(scratch, uint32_t, fusion->n_nodes), *last = ARENA_NEW(scratch, uint32_t, fusion->readers.n_values);
    if (!next || !last) FAIL(fusion->context->error, HOB_NO_MEMORY, "merging products: out of memory");
    memset(next, 0xff, fusion->n_nodes * sizeof *next);
    memset(last, 0xff, fusion->readers.n_values * sizeof *last);
    for (uint32_t i = 0; i < fusion->n_nodes; i++) {
        if (!node_is(&graph->nodes[i], "hob", "Linear")) continue;
        uint32_t *before = &last[graph->nodes[i].inputs[0]];
        if (*before != NODE_NONE) next[*before] = i;
        *before = i;
    }
    *ret_next = next;
    return HOB_OK;
}

/* Looking further for what fits would take a hostile file's time. */
enum { MOST_LOOKS = 64 };

/* All that may join node `first`, itself included. */
static void collect(const struct fusion *fusion, uint32_t first, const uint32_t *next, struct group *group)
{
    const struct graph *graph = fusion->graph;
    struct panel_source source;
    bool has_bias;
    int n_looks = 0;
    *group = (struct group){.x = graph->nodes[first].inputs[0]};
    for (uint32_t i = first; i != NODE_NONE && group->n_nodes < MAX_MERGED && n_looks < MOST_LOOKS; i = next[i], n_looks++) {
        const struct node *node = &graph->nodes[i];
        if (!can_merge(graph, node, &source, &has_bias) || !weight_is_private(fusion, node)) continue;
        enum dtype dtype = packing_type(fusion->context->options, &source, false);
        if (group->n_nodes && (dtype != group->dtype || source.k != group->k || has_bias != group->has_bias || group->n_columns % PANEL_COLUMNS)) continue;
        group->dtype = dtype;
        group->k = source.k;
        group->has_bias = has_bias;
        group->n_columns += source.n;
        group->nodes[group->n_nodes++] = i;
    }
}

/* Weights of whole panels: those of the next one stand right behind. */
static hob_status pack_group(const struct fusion *fusion, const struct group *group, uint32_t *ret_weight)
{
    struct graph *graph = fusion->graph;
    struct panel_source source;
    struct tensor panels;
    bool has_bias;
    size_t n_bytes, begin = 0;
    TRY(packing_new(graph, group->dtype, group->n_columns, group->k, &panels, fusion->context->error));
    for (uint32_t i = 0; i < group->n_nodes; i++) {
        bool is_mergeable = can_merge(graph, &graph->nodes[group->nodes[i]], &source, &has_bias) &&
                            panel_bytes(group->dtype, source.n, source.k, &n_bytes);
        HOB_ASSERT(is_mergeable);
        char *own = (char *)panels.data + begin;
        const char *name = graph->values[graph->nodes[group->nodes[i]].inputs[1]].name;
        hob_error *error = fusion->context->error;
        hob_status status = packing_fill(fusion->context->options, &source, group->dtype, own, error);
        if (status != HOB_OK) return error_prefix(error, status, "%s", name);
        TRY(weight_errors_add(fusion->context->options->weight_errors, name, &source, group->dtype, own, NULL, error));
        begin += n_bytes;
    }
    return graph_add_constant(graph, "", &panels, ret_weight, fusion->context->error);
}

static hob_status join_biases(const struct fusion *fusion, const struct group *group, uint32_t *ret_bias)
{
    struct graph *graph = fusion->graph;
    hob_error *error = fusion->context->error;
    *ret_bias = VALUE_NONE;
    if (!group->has_bias) return HOB_OK;
    float *items = ARENA_NEW(&graph->arena, float, (size_t)group->n_columns);
    if (!items) FAIL(error, HOB_NO_MEMORY, "merging products: out of memory");
    int64_t column = 0;
    for (uint32_t i = 0; i < group->n_nodes; i++) {
        const struct tensor *bias = pattern_constant(graph, graph->nodes[group->nodes[i]].inputs[2]);
        tensor_copy_contiguous(bias, items + column);
        column += tensor_n_items(bias);
    }
    struct tensor joined;
    TRY(tensor_init(&joined, DTYPE_F32, 1, &group->n_columns, items, error));
    return graph_add_constant(graph, "", &joined, ret_bias, error);
}

static hob_status merge(struct fusion *fusion, const struct group *group)
{
    struct graph *graph = fusion->graph;
    uint32_t weight, bias, outputs[MAX_MERGED];
    int64_t widths[MAX_MERGED];
    TRY(pack_group(fusion, group, &weight));
    TRY(join_biases(fusion, group, &bias));
    for (uint32_t i = 0; i < group->n_nodes; i++) {
        const struct node *node = &graph->nodes[group->nodes[i]];
        widths[i] = pattern_constant(graph, node->inputs[1])->dims[0];
        outputs[i] = node->outputs[0];
    }
    const char *name = graph->nodes[group->nodes[0]].name;
    for (uint32_t i = 0; i < group->n_nodes; i++) graph_remove_node(graph, group->nodes[i]);
    struct builder builder;
    builder_init(&builder, graph);
    struct attribute attributes[] = {attribute_int("axis", -1), attribute_ints("split", widths, group->n_nodes)};
    uint32_t product = builder_op(&builder, "hob.Linear", (uint32_t[]){group->x, weight, bias}, bias == VALUE_NONE ? 2 : 3, NULL, 0);
    builder_op_into(&builder, name, "Split", &product, 1, attributes, 2, outputs, group->n_nodes);
    fusion->context->n_changes += group->n_nodes;
    return builder_finish(&builder, fusion->context->error);
}

static hob_status apply(struct graph *graph, struct pass_context *context)
{
    struct fusion fusion;
    struct group group;
    uint32_t *next;
    TRY(fusion_init(&fusion, graph, context));
    TRY(chain_by_input(&fusion, &next));
    for (uint32_t i = 0; i < fusion.n_nodes; i++) {
        if (!node_is(&graph->nodes[i], "hob", "Linear")) continue;
        collect(&fusion, i, next, &group);
        if (group.n_nodes > 1 && group.nodes[0] == i) TRY(merge(&fusion, &group));
    }
    return HOB_OK;
}

const struct pass_def pass_merge_linear = {
    .name = "merge_linear", .summary = "computes products that share their input as one",
    .makes = "hob.Linear",
    .apply = apply};
