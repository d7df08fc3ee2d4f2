/* A layer norm of embeddings that are added up, as encoders begin, becomes com.microsoft.EmbedLayerNormalization:
 *
 *     SkipLayerNormalization(Gather(words, ids) + Gather(segments, segment ids), Gather(positions, position ids), gamma, beta)
 *
 * in any order of the terms, with or without segments. The row of each sum is normalised while it is in the cache. Runs behind
 * fuse_skip_norm. The sum is taken in another order: a rounding's difference. */
#include "base/error.h"
#include "graph/fusion.h"

enum { MAX_TABLES = 3 };

struct embeddings {
    const struct node *gathers[MAX_TABLES];
    uint32_t n_gathers;
};

/* A Gather of whole rows of a constant [V,D] by ids [B,T]. */
static bool is_embedding(const struct fusion *fusion, const struct node *gather)
{
    const struct tensor *table = pattern_constant(fusion->graph, gather->inputs[0]), *ids = fusion_shape(fusion, gather->inputs[1]);
    return table && table->dtype == DTYPE_F32 && table->rank == 2 && ids && ids->rank == 2 && attributes_int(&gather->attributes, "axis", 0) == 0;
}

/* Rows of one width, picked by ids of one shape; those of the positions may be the same for all of the batch. */
static bool fit(const struct fusion *fusion, const struct embeddings *embeddings)
{
    const struct node *words = embeddings->gathers[0], *positions = embeddings->gathers[embeddings->n_gathers - 1];
    for (uint32_t i = 1; i < embeddings->n_gathers; i++) {
        const struct node *gather = embeddings->gathers[i];
        if (pattern_constant(fusion->graph, gather->inputs[0])->dims[1] != pattern_constant(fusion->graph, words->inputs[0])->dims[1])
            return false;
        for (int sample = 0; sample < FUSION_SAMPLES; sample++) {
            const struct tensor *ids = fusion_shape_in(fusion, sample, words->inputs[1]);
            const struct tensor *others = fusion_shape_in(fusion, sample, gather->inputs[1]);
            if (!ids || !others) continue;
            if (ids->dims[1] != others->dims[1]) return false;
            if (ids->dims[0] != others->dims[0] && (gather != positions || others->dims[0] != 1)) return false;
        }
    }
    return true;
}

static bool collect(const struct fusion *fusion, uint32_t value, struct embeddings *embeddings)
{
    if (!fusion_is_private(fusion, value)) return false;
    const struct node *node = pattern_producer(fusion->graph, value, "Add");
    if (node) return collect(fusion, node->inputs[0], embeddings) && collect(fusion, node->inputs[1], embeddings);
    node = pattern_producer(fusion->graph, value, "Gather");
    if (!node || embeddings->n_gathers == MAX_TABLES || !is_embedding(fusion, node)) return false;
    embeddings->gathers[embeddings->n_gathers++] = node;
    return true;
}

/* Positions are counted by the graph, while words and segments are the caller's: so the one table whose ids are no input is that of
 * the positions, and only its ids may be the same for all of the batch. Sets it last. */
static bool put_positions_last(const struct fusion *fusion, struct embeddings *embeddings)
{
    uint32_t n_counted = 0, last = embeddings->n_gathers - 1;
    for (uint32_t i = 0; i <= last; i++) {
        if (fusion->graph->values[embeddings->gathers[i]->inputs[1]].is_input) continue;
        const struct node *positions = embeddings->gathers[i];
        embeddings->gathers[i] = embeddings->gathers[last];
        embeddings->gathers[last] = positions;
        if (n_counted++) return false;
    }
    return n_counted == 1;
}

static bool match(const struct fusion *fusion, const struct node *norm, struct embeddings *embeddings)
{
    embeddings->n_gathers = 0;
    if (!node_is(norm, "com.microsoft", "SkipLayerNormalization") || norm->n_inputs != 4 || norm->inputs[3] == VALUE_NONE)
        return false;
    for (uint32_t i = 1; i < norm->n_outputs; i++)
        if (i != 3 && norm->outputs[i] != VALUE_NONE) return false; /* somebody wants the statistics */
    return collect(fusion, norm->inputs[0], embeddings) && collect(fusion, norm->inputs[1], embeddings) && put_positions_last(fusion, embeddings) &&
           fit(fusion, embeddings);
}

/* The sum, where somebody reads it, is the fourth output of the one and the third of the other. */
static hob_status fuse_node(struct fusion *fusion, uint32_t index, const struct embeddings *embeddings)
{
    const struct node *norm = &fusion->graph->nodes[index], *words = embeddings->gathers[0];
    const struct node *segments = embeddings->n_gathers == 3 ? embeddings->gathers[1] : NULL;
    const struct node *positions = embeddings->gathers[embeddings->n_gathers - 1];
    uint32_t inputs[] = {words->inputs[1], segments ? segments->inputs[1] : VALUE_NONE, words->inputs[0], positions->inputs[0],
                         segments ? segments->inputs[0] : VALUE_NONE, norm->inputs[2], norm->inputs[3], VALUE_NONE, positions->inputs[1]};
    uint32_t outputs[] = {norm->outputs[0], VALUE_NONE, norm->n_outputs == 4 ? norm->outputs[3] : VALUE_NONE};
    struct attribute epsilon = attribute_float("epsilon", attributes_float(&norm->attributes, "epsilon", 1e-12f));
    struct builder builder;
    const char *name = norm->name;
    builder_init(&builder, fusion->graph);
    graph_remove_node(fusion->graph, index);
    builder_op_into(&builder, name, "com.microsoft.EmbedLayerNormalization", inputs, 9, &epsilon, 1, outputs, 3);
    fusion->context->n_changes++;
    return builder_finish(&builder, fusion->context->error);
}

static hob_status apply(struct graph *graph, struct pass_context *context)
{
    struct fusion fusion;
    struct embeddings embeddings;
    TRY(fusion_init(&fusion, graph, context));
    for (uint32_t i = 0; i < fusion.n_nodes; i++)
        if (match(&fusion, &graph->nodes[i], &embeddings)) TRY(fuse_node(&fusion, i, &embeddings));
    return HOB_OK;
}

const struct pass_def pass_fuse_embed_norm = {
    .name = "fuse_embed_norm", .summary = "joins the embeddings of an encoder with the norm behind them",
    .makes = "com.microsoft.EmbedLayerNormalization",
    .apply = apply};
