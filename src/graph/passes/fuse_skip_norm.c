/* A norm of a sum takes both terms, and gives the sum too where others read it:
 *
 *     Add(x, skip) -> LayerNorm     becomes com.microsoft.SkipLayerNormalization
 *     Add(x, skip) -> RMSNorm       becomes com.microsoft.SkipSimplifiedLayerNormalization
 *
 * for terms of one shape [T,D] or [B,T,D] (one of them may be [1,T,D]), normalised over the last axis. The same bytes as before. */
#include "base/error.h"
#include "graph/fusion.h"

struct norm {
    uint32_t add;  /* node */
    bool is_rms;
};

static bool is_over_last_axis(const struct node *node, int rank)
{
    int64_t axis = attributes_int(&node->attributes, "axis", -1);
    return axis == -1 || axis == rank - 1;
}

/* Statistics that somebody wants are left to the norm itself. */
static bool has_other_outputs(const struct fusion *fusion, const struct node *node)
{
    for (uint32_t i = 1; i < node->n_outputs; i++)
        if (node->outputs[i] != VALUE_NONE && fusion->readers.n_readers[node->outputs[i]]) return true;
    return false;
}

static bool is_norm(const struct node *node, bool *ret_is_rms)
{
    *ret_is_rms = node_is(node, "hob", "RMSNorm") || node_is(node, "", "SimplifiedLayerNormalization") || node_is(node, "", "RMSNormalization");
    return *ret_is_rms || node_is(node, "hob", "LayerNorm") || node_is(node, "", "LayerNormalization");
}

/* Terms [T,D] or [B,T,D] of one shape; one of them may be the same for all of the batch. */
static bool are_terms(const struct fusion *fusion, int sample, uint32_t a, uint32_t b)
{
    const struct tensor *x = fusion_shape_in(fusion, sample, a), *y = fusion_shape_in(fusion, sample, b);
    if (!x || !y) return sample > 0;
    if (x->dtype != DTYPE_F32 || y->dtype != DTYPE_F32 || x->rank != y->rank || (x->rank != 2 && x->rank != 3)) return false;
    bool has_one_batch = x->rank == 3 && (x->dims[0] == 1 || y->dims[0] == 1);
    for (int axis = has_one_batch; axis < x->rank; axis++)
        if (x->dims[axis] != y->dims[axis]) return false;
    return true;
}

/* Weights and bias, where there is one, have a number for each item of a row. */
static bool has_whole_rows(const struct fusion *fusion, const struct node *node)
{
    const struct tensor *x = fusion_shape(fusion, node->inputs[0]);
    int64_t width;
    for (uint32_t i = 1; i < node->n_inputs; i++)
        if (node->inputs[i] != VALUE_NONE &&
            (!pattern_vector(fusion->graph, node->inputs[i], &width) || !x || width != x->dims[x->rank - 1]))
            return false;
    return true;
}

static bool match(const struct fusion *fusion, const struct node *node, struct norm *norm)
{
    if (!is_norm(node, &norm->is_rms) || has_other_outputs(fusion, node)) return false;
    const struct node *add = pattern_producer(fusion->graph, node->inputs[0], "Add");
    if (!add) return false;
    for (int sample = 0; sample < FUSION_SAMPLES; sample++)
        if (!are_terms(fusion, sample, add->inputs[0], add->inputs[1])) return false;
    norm->add = fusion->graph->values[node->inputs[0]].producer;
    return has_whole_rows(fusion, node) && is_over_last_axis(node, fusion_shape(fusion, add->inputs[0])->rank);
}

/* The sum keeps its value: whoever read the Add reads the new node's fourth output. */
static hob_status fuse_node(struct fusion *fusion, uint32_t index, const struct norm *norm)
{
    struct graph *graph = fusion->graph;
    const struct node *node = &graph->nodes[index], *add = &graph->nodes[norm->add];
    uint32_t sum = node->inputs[0], outputs[] = {node->outputs[0], VALUE_NONE, VALUE_NONE, sum};
    uint32_t inputs[] = {add->inputs[0], add->inputs[1], node->inputs[1], node->n_inputs > 2 ? node->inputs[2] : VALUE_NONE};
    bool is_sum_read = !fusion_is_private(fusion, sum), has_bias = inputs[3] != VALUE_NONE;
    struct attribute epsilon = attribute_float("epsilon", attributes_float(&node->attributes, "epsilon", 1e-5f));
    const char *name = node->name;
    struct builder builder;
    builder_init(&builder, graph);
    graph_remove_node(graph, index);
    graph_remove_node(graph, norm->add);
    builder_op_into(&builder, name, norm->is_rms ? "com.microsoft.SkipSimplifiedLayerNormalization" : "com.microsoft.SkipLayerNormalization",
                    inputs, has_bias ? 4 : 3, &epsilon, 1, outputs, is_sum_read ? 4 : 1);
    fusion->context->n_changes++;
    return builder_finish(&builder, fusion->context->error);
}

/* A sum may feed two norms (parallel attention and feed-forward): the first takes it, the second reads it. */
static hob_status apply(struct graph *graph, struct pass_context *context)
{
    struct fusion fusion;
    struct norm norm;
    TRY(fusion_init(&fusion, graph, context));
    for (uint32_t i = 0; i < fusion.n_nodes; i++)
        if (match(&fusion, &graph->nodes[i], &norm)) TRY(fuse_node(&fusion, i, &norm));
    return HOB_OK;
}

const struct pass_def pass_fuse_skip_norm = {
    .name = "fuse_skip_norm", .summary = "joins a residual sum with the norm behind it",
    .makes = "com.microsoft.SkipLayerNormalization com.microsoft.SkipSimplifiedLayerNormalization",
    .apply = apply};
