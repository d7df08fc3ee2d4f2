/* What fusing passes share: a look at the graph that knows sampled shapes and how often each value is read, and the exchange of
 * a pattern's last node for one node that makes the same value.
 *
 *     struct fusion fusion;
 *     TRY(fusion_init(&fusion, graph, context));
 *     for (uint32_t i = 0; i < fusion.n_nodes; i++)
 *         if (match(&fusion, i, &found))
 *             TRY(fusion_replace(&fusion, i, "hob.Gelu", &found.x, 1, NULL, 0));
 *
 * What earlier fusions left behind is dropped first, or its reading would count. Lives as long as the pass's scratch. Values and nodes that the pass itself adds lie beyond n_values and n_nodes, and have no
 * sampled shape. */
#ifndef GRAPH_FUSION_H
#define GRAPH_FUSION_H

#include "graph/builder.h"
#include "graph/pass.h"
#include "graph/pattern.h"

struct fusion {
    struct graph *graph;
    struct pass_context *context;
    const struct tensor *shapes;  /* of the values there were at the start */
    const uint32_t *n_readers;
    uint32_t n_values, n_nodes;
};

HOB_MUST_CHECK hob_status fusion_init(struct fusion *ret_fusion, struct graph *graph, struct pass_context *context);
/* The sampled shape; NULL when it is not known. */
const struct tensor *fusion_shape(const struct fusion *fusion, uint32_t value);
bool fusion_is_f32(const struct fusion *fusion, uint32_t value);
/* Both f32 and of one shape. */
bool fusion_same_f32(const struct fusion *fusion, uint32_t a, uint32_t b);
/* Item `index` of a small integer tensor: a constant, or one that the sample run could follow. */
bool fusion_int(const struct fusion *fusion, uint32_t value, int64_t index, int64_t *ret_number);
/* Only the pattern reads it: nothing else needs the value. */
bool fusion_is_private(const struct fusion *fusion, uint32_t value);
/* The node goes; a new one makes its first output. Its inputs that nobody reads any more are left to remove_dead. */
HOB_MUST_CHECK hob_status fusion_replace(struct fusion *fusion, uint32_t node, const char *op, const uint32_t *inputs,
                                         uint32_t n_inputs, const struct attribute *attributes, size_t n_attributes);

#endif
