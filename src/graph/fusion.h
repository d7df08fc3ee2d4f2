/* What fusing passes share: a look at the graph that knows sampled shapes and how often each value is read, and the exchange of
 * a pattern's last node for one node that makes the same value.
 *
 *     struct fusion fusion;
 *     TRY(fusion_init(&fusion, graph, context));
 *     for (uint32_t i = 0; i < fusion.n_nodes; i++)
 *         if (match(&fusion, i, &found))
 *             TRY(fusion_replace(&fusion, i, "hob.Gelu", &found.x, 1, NULL, 0));
 *
 * What earlier fusions left behind is dropped first, or its reading would count. Lives as long as the pass's scratch. Values and
 * nodes that the pass itself adds lie beyond readers.n_values and n_nodes, and have no sampled shape. */
#ifndef GRAPH_FUSION_H
#define GRAPH_FUSION_H

#include "graph/builder.h"
#include "graph/pass.h"
#include "graph/pattern.h"
#include "graph/readers.h"

enum { FUSION_SAMPLES = 2 };
struct fusion {
    struct graph *graph;
    struct pass_context *context;
    const struct tensor *shapes[FUSION_SAMPLES]; /* of the values there were at the start; NULL: unknown (sample_shapes_twice) */
    struct value_readers readers;
    uint32_t n_nodes;
};

HOB_MUST_CHECK hob_status fusion_init(struct fusion *ret_fusion, struct graph *graph, struct pass_context *context);
/* The sampled shape; NULL when it is not known. A relation of shapes that a pass relies on must hold in each sample that knows
 * both: the first has a batch of 1, the second has not. Where the model does not run with the second's sizes, the first is all
 * there is to hold. */
const struct tensor *fusion_shape(const struct fusion *fusion, uint32_t value);
const struct tensor *fusion_shape_in(const struct fusion *fusion, int sample, uint32_t value);
bool fusion_is_f32(const struct fusion *fusion, uint32_t value);
/* Both f32 and of one shape, in each sample. */
bool fusion_same_f32(const struct fusion *fusion, uint32_t a, uint32_t b);
/* The dim hangs on no size of the inputs. */
bool fusion_is_fixed(const struct fusion *fusion, uint32_t value, int axis);
/* Item `index` of a small integer tensor: a constant, or one that the sample run could follow. */
bool fusion_int(const struct fusion *fusion, uint32_t value, int64_t index, int64_t *ret_number);
/* Only the pattern reads it: nothing else needs the value. */
bool fusion_is_private(const struct fusion *fusion, uint32_t value);
/* The node goes; a new one makes its first output. Its inputs that nobody reads any more are left to remove_dead. */
HOB_MUST_CHECK hob_status fusion_replace(struct fusion *fusion, uint32_t node, const char *op, const uint32_t *inputs,
                                         uint32_t n_inputs, const struct attribute *attributes, size_t n_attributes);

#endif
