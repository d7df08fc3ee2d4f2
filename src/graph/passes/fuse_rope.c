/* Rotary position embedding written out, as exports of transformers write it for halves of a head, becomes hob.RotateHalves:
 *
 *     x * cos + Concat(-x[..., K/2:], x[..., :K/2]) * sin
 *
 * with the halves taken by Slice or by an even Split. cos and sin stay whatever the model computes: [.., T, K]. */
#include "base/error.h"
#include "graph/fusion.h"

#include <string.h>

/* value = x[..., begin : begin + half] of the last axis. */
static bool is_slice(const struct fusion *fusion, uint32_t value, uint32_t x, int64_t begin, int64_t half)
{
    const struct node *slice = pattern_producer(fusion->graph, value, "Slice");
    const struct tensor *part = fusion_shape(fusion, value), *whole = fusion_shape(fusion, x);
    int64_t start, axis = 0, step = 1;
    if (!slice || slice->inputs[0] != x || slice->n_inputs < 4 || part->dims[part->rank - 1] != half) return false;
    if (!fusion_int(fusion, slice->inputs[1], 0, &start) || !fusion_int(fusion, slice->inputs[3], 0, &axis)) return false;
    if (slice->n_inputs > 4 && !fusion_int(fusion, slice->inputs[4], 0, &step)) return false;
    const struct tensor *starts = fusion_shape(fusion, slice->inputs[1]);
    bool is_one_axis = (starts ? tensor_n_items(starts) : tensor_n_items(pattern_constant(fusion->graph, slice->inputs[1]))) == 1;
    return is_one_axis && step == 1 && (axis == -1 || axis == whole->rank - 1) && start == begin;
}

/* value = output `index` of a Split of x into two even parts of the last axis. */
static bool is_split(const struct fusion *fusion, uint32_t value, uint32_t x, uint32_t index, int64_t half)
{
    const struct node *split = pattern_producer(fusion->graph, value, "Split");
    const struct tensor *part = fusion_shape(fusion, value);
    if (!split || split->inputs[0] != x || split->n_outputs != 2 || split->outputs[index] != value) return false;
    int64_t axis = attributes_int(&split->attributes, "axis", 0);
    return (axis == -1 || axis == part->rank - 1) && part->dims[part->rank - 1] == half;
}

static bool is_half(const struct fusion *fusion, uint32_t value, uint32_t x, uint32_t index)
{
    const struct tensor *whole = fusion_shape(fusion, x);
    if (!fusion_shape(fusion, value) || !whole || whole->rank < 1 || whole->dims[whole->rank - 1] % 2 || !fusion_is_fixed(fusion, x, whole->rank - 1))
        return false;
    int64_t half = whole->dims[whole->rank - 1] / 2;
    return is_slice(fusion, value, x, index ? half : 0, half) || is_split(fusion, value, x, index, half);
}

/* value = Concat(-second half of x, first half of x) */
static bool is_turned(const struct fusion *fusion, uint32_t value, uint32_t x)
{
    const struct node *concat = pattern_producer(fusion->graph, value, "Concat");
    const struct tensor *whole = fusion_shape(fusion, x);
    if (!concat || !whole || concat->n_inputs != 2) return false;
    int64_t axis = attributes_int(&concat->attributes, "axis", 0);
    const struct node *negated = pattern_producer(fusion->graph, concat->inputs[0], "Neg");
    return negated && (axis == -1 || axis == whole->rank - 1) && is_half(fusion, negated->inputs[0], x, 1) &&
           is_half(fusion, concat->inputs[1], x, 0);
}

/* The table must broadcast to x's shape without changing it, and cover the whole width. */
static bool is_table_in(const struct fusion *fusion, int sample, uint32_t table, uint32_t x)
{
    const struct tensor *t = fusion_shape_in(fusion, sample, table), *whole = fusion_shape_in(fusion, sample, x);
    int64_t dims[TENSOR_MAX_RANK];
    int rank;
    if (!t || !whole) return sample > 0;
    return t->dtype == DTYPE_F32 && t->rank >= 1 && t->dims[t->rank - 1] == whole->dims[whole->rank - 1] &&
           shape_broadcast(whole->rank, whole->dims, t->rank, t->dims, &rank, dims) && tensor_has_shape(whole, rank, dims);
}

static bool is_table(const struct fusion *fusion, uint32_t table, uint32_t x)
{
    return is_table_in(fusion, 0, table, x) && is_table_in(fusion, 1, table, x);
}

/* sum = x * cos + turned(x) * sin; ret_inputs: x, cos, sin. */
static bool match(const struct fusion *fusion, const struct node *sum, uint32_t *ret_inputs)
{
    const struct graph *graph = fusion->graph;
    for (int choice = 0; choice < 8; choice++) {
        const struct node *straight = pattern_producer(graph, sum->inputs[choice & 1], "Mul");
        const struct node *turned = pattern_producer(graph, sum->inputs[!(choice & 1)], "Mul");
        if (!straight || !turned) return false;
        int x_side = choice >> 1 & 1, turned_side = choice >> 2 & 1;
        uint32_t x = straight->inputs[x_side];
        if (!fusion_is_f32(fusion, x) || !is_turned(fusion, turned->inputs[turned_side], x)) continue;
        memcpy(ret_inputs, (uint32_t[]){x, straight->inputs[1 - x_side], turned->inputs[1 - turned_side]}, 3 * sizeof *ret_inputs);
        if (is_table(fusion, ret_inputs[1], x) && is_table(fusion, ret_inputs[2], x)) return true;
    }
    return false;
}

static hob_status apply(struct graph *graph, struct pass_context *context)
{
    struct fusion fusion;
    uint32_t inputs[3];
    TRY(fusion_init(&fusion, graph, context));
    for (uint32_t i = 0; i < fusion.n_nodes; i++)
        if (node_is(&graph->nodes[i], "", "Add") && match(&fusion, &graph->nodes[i], inputs))
            TRY(fusion_replace(&fusion, i, "hob.RotateHalves", inputs, 3, NULL, 0));
    return HOB_OK;
}

const struct pass_def pass_fuse_rope = {
    .name = "fuse_rope", .summary = "recognises rotary position embedding that an export wrote out",
    .makes = "hob.RotateHalves",
    .apply = apply};
