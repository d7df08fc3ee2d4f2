/* What a decoder's export computes to say that no query sees a later key: positions that are compared, or a constant triangle that is
 * cut, then numbers chosen by it. Followed exactly as far as hob.Attention's is_causal says the same. */
#include "graph/flow/rule.h"
#include "graph/pattern.h"

#include <string.h>

static const struct flow_size all_tokens = {.tokens = 1}, cached = {.past = 1}, all_keys = {.tokens = 1, .past = 1};

/* A constant this low masks: what is added to it, and exp of it, vanish in f32. */
static const float MASKED = -1e30f;

/* ---- caches ---- */

void rule_cache_append(struct flows *flows, uint32_t node)
{
    const struct flow *x = flow_input(flows, node, 0);
    int64_t axis = attributes_int(&flows->graph->nodes[node].attributes, "axis", 0);
    if (!flows->has_past || x->kind != FLOW_TOKENS || x->axis != axis) return;
    struct flow all = *x;
    all.kind = FLOW_SHAPED;
    all.dims[axis] = all_keys;
    flow_set(flows, node, 0, &all);
}

void rule_cache_past(struct flows *flows, uint32_t node)
{
    const struct node *n = &flows->graph->nodes[node];
    if (!flows->has_past || n->state >= flows->graph->n_states) return;
    const struct graph_state *state = &flows->graph->states[n->state];
    struct flow past = {.kind = FLOW_SHAPED, .dtype = state->dtype, .rank = state->rank};
    for (int d = 0; d < state->rank; d++) past.dims[d] = size_of(state->dims[d] == DIM_UNKNOWN ? 1 : state->dims[d]);
    past.dims[state->axis] = cached;
    flow_set(flows, node, 0, &past);
}

/* ---- triangles ---- */

/* bool, or numbers that are 0 and others, of [..,n,n]: query i sees key j <= i. */
static bool is_triangle(const struct tensor *constant)
{
    if (!constant || constant->rank < 2 || constant->dtype != DTYPE_BOOL || !constant->data || !tensor_is_contiguous(constant)) return false;
    int64_t n = constant->dims[constant->rank - 1];
    const uint8_t *items = constant->data;
    if (n < 2 || constant->dims[constant->rank - 2] != n || tensor_n_items(constant) != n * n) return false;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++)
            if ((items[i * n + j] != 0) != (j <= i)) return false;
    return true;
}

/* Rows P..P+S first, then columns 0..P+S. */
bool flow_slice_triangle(struct flows *flows, uint32_t node, int axis, struct flow_size start, struct flow_size end)
{
    uint32_t value = flow_value(flows, node, 0);
    const struct flow *x = &flows->values[value];
    struct flow part = *x;
    if (!flows->has_past || !size_is_same(end, all_keys)) return false;
    part.dims[axis] = size_is_same(start, cached) ? all_tokens : all_keys;
    if (x->kind == FLOW_CONSTANT && axis == x->rank - 2 && size_is_same(start, cached) && is_triangle(pattern_constant(flows->graph, value)))
        part.kind = FLOW_TRIANGLE;
    else if (x->kind == FLOW_TRIANGLE && axis == x->rank - 1 && size_is(start, 0)) part.kind = FLOW_CAUSAL;
    else return false;
    part.is_seen = true;
    flow_set(flows, node, 0, &part);
    return true;
}

/* ---- comparing ---- */

/* Positions of the new tokens as queries, on the axis before the last: item t is P + t + ret_more. */
static bool is_queries(const struct flow *flow, int rank, int64_t *ret_more)
{
    *ret_more = flow->first.fixed;
    return flow->kind == FLOW_TOKENS && flow->is_count && flow->rank - flow->axis == 2 && flow->rank <= rank &&
           size_is_same((struct flow_size){.past = flow->first.past, .tokens = flow->first.tokens, .texts = flow->first.texts}, cached);
}

/* Those of all keys, on the last axis: item j is j + ret_more. */
static bool is_keys(const struct flow *flow, int64_t *ret_more)
{
    *ret_more = flow->first.fixed;
    return flow->kind == FLOW_COUNT && flow->rank - flow->axis == 1 && size_is_fixed(flow->first);
}

/* As keys < queries + more, or its contrary, where it can be said so. */
static bool compare_positions(const char *op, const struct flow *a, const struct flow *b, bool *ret_is_seen)
{
    int rank = a->rank > b->rank ? a->rank : b->rank;
    int64_t key_more, query_more;
    bool is_less = !strncmp(op, "Less", 4), has_equal = strlen(op) > strlen("Greater");
    bool is_key_first = is_keys(a, &key_more) && is_queries(b, rank, &query_more);
    if (!is_key_first && !(is_queries(a, rank, &query_more) && is_keys(b, &key_more))) return false;
    *ret_is_seen = is_less == is_key_first;
    /* seen: j + k <= P + t + q, or < with one more; unseen: the contrary of the same */
    bool counts_equal = *ret_is_seen ? has_equal : !has_equal;
    return query_more - key_more == (counts_equal ? 0 : 1);
}

void rule_compare(struct flows *flows, uint32_t node)
{
    const struct flow *a = flow_input(flows, node, 0), *b = flow_input(flows, node, 1);
    struct flow causal = *a;
    if (!flows->has_past || !compare_positions(flows->graph->nodes[node].op_type, a, b, &causal.is_seen)) {
        rule_elementwise(flows, node);
        return;
    }
    if (!flow_broadcast(&causal, b)) return;
    causal.kind = FLOW_CAUSAL;
    flow_set(flows, node, 0, &causal);
}

void rule_not(struct flows *flows, uint32_t node)
{
    struct flow x = *flow_input(flows, node, 0);
    x.is_seen = !x.is_seen;
    if (x.kind == FLOW_CAUSAL) flow_set(flows, node, 0, &x);
    else rule_elementwise(flows, node);
}

/* ---- choosing ---- */

static bool as_f32(const struct flows *flows, uint32_t value, float *ret_number)
{
    struct flow number;
    if (!flow_as_number(flows, value, &number) || number.dtype != DTYPE_F32) return false;
    memcpy(ret_number, number.number, sizeof *ret_number);
    return true;
}

static bool is_small(const struct flow *flow)
{
    for (int d = 0; d < flow->rank; d++)
        if (!size_is(flow->dims[d], 1)) return false;
    return flow->rank >= 0;
}

/* Where(causal, 0, very low), or the other way round. */
void rule_where(struct flows *flows, uint32_t node)
{
    const struct flow *condition = flow_input(flows, node, 0);
    float chosen[2];
    if (condition->kind != FLOW_CAUSAL) {
        rule_elementwise(flows, node);
        return;
    }
    struct flow mask = *condition;
    for (uint32_t i = 0; i < 2; i++) {
        const struct flow *choice = flow_input(flows, node, i + 1);
        if (!as_f32(flows, flow_value(flows, node, i + 1), &chosen[i]) || !is_small(choice) || choice->rank > mask.rank) return;
    }
    float seen = chosen[mask.is_seen ? 0 : 1], unseen = chosen[mask.is_seen ? 1 : 0];
    if (seen != 0.0f || !(unseen <= MASKED)) return;
    mask.kind = FLOW_MASK;
    flow_set(flows, node, 0, &mask);
}

/* What a padding mask of ones adds to a causal one: 0, or true; its shape must not widen the other's. */
static bool adds_nothing(const struct flows *flows, uint32_t value, const struct flow *to)
{
    struct flow number, wide = *to;
    float zero;
    const struct flow *flow = &flows->values[value];
    if (!flow_as_number(flows, value, &number) || !flow_broadcast(&wide, flow) || wide.rank != to->rank) return false;
    for (int d = 0; d < wide.rank; d++)
        if (!size_is_same(wide.dims[d], to->dims[d])) return false;
    memcpy(&zero, number.number, sizeof zero);
    if (to->kind == FLOW_MASK) return number.dtype == DTYPE_F32 && zero == 0.0f;
    return to->kind == FLOW_CAUSAL && to->is_seen && number.dtype == DTYPE_BOOL && number.number[0];
}

/* Positions moved by a whole number. */
static bool move_count(struct flows *flows, uint32_t node, const struct flow *count, uint32_t value)
{
    const struct node *n = &flows->graph->nodes[node];
    int64_t by[FLOW_MAX_ITEMS];
    int n_by;
    struct flow moved = *count;
    bool is_count = count->kind == FLOW_COUNT || (count->kind == FLOW_TOKENS && count->is_count);
    if (!is_count || !is_small(&flows->values[value]) || flows->values[value].rank > count->rank) return false;
    if (!flow_as_ints(flows, value, by, &n_by) || n_by != 1) return false;
    int64_t step = strcmp(n->op_type, "Sub") ? by[0] : -by[0];
    if (by[0] == INT64_MIN || !sum_sizes(count->first, size_of(step), &moved.first)) return false;
    flow_set(flows, node, 0, &moved);
    return true;
}

/* Add, Sub, And. */
void rule_add(struct flows *flows, uint32_t node)
{
    const struct node *n = &flows->graph->nodes[node];
    bool is_sub = !strcmp(n->op_type, "Sub");
    for (uint32_t side = 0; flows->has_past && side < (is_sub ? 1u : 2u); side++) {
        const struct flow *x = &flows->values[n->inputs[side]];
        uint32_t other = n->inputs[1 - side];
        if (move_count(flows, node, x, other)) return;
        if ((x->kind != FLOW_MASK && x->kind != FLOW_CAUSAL) || is_sub || !adds_nothing(flows, other, x)) continue;
        flow_set(flows, node, 0, x);
        return;
    }
    struct flow before = {.kind = FLOW_UNKNOWN};
    flow_set(flows, node, 0, &before);
    rule_elementwise(flows, node);
    if (n->outputs[0] != VALUE_NONE) flows->values[n->outputs[0]].is_count = false;
}
