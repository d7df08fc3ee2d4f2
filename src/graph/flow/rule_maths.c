/* Operators that compute: each row of what they make hangs on the same row of what they take, or else nothing is said. */
#include "graph/flow/rule.h"
#include "graph/pattern.h"

#include <string.h>

static void set_change(struct flows *flows, uint32_t node, enum flow_change change)
{
    flows->changes[node] = change;
}

/* ---- item by item ---- */

/* Rows meet rows of their own kind on the same axis; what else there is has no items of its own along it. */
static bool join_rows(const struct flows *flows, const struct node *node, struct flow *ret_rows)
{
    struct flow joined = {.kind = FLOW_UNKNOWN};
    int from_right = -1;
    for (uint32_t i = 0; i < node->n_inputs; i++) {
        if (node->inputs[i] == VALUE_NONE) continue;
        const struct flow *input = &flows->values[node->inputs[i]];
        if (!flow_is_rows(input)) continue;
        int axis = input->rank - 1 - input->axis;
        if (joined.kind != FLOW_UNKNOWN && (joined.kind != input->kind || from_right != axis)) return false;
        if (joined.kind == FLOW_UNKNOWN) joined = *input;
        else if (!flow_broadcast(&joined, input)) return false;
        from_right = axis;
    }
    *ret_rows = joined;
    return joined.kind != FLOW_UNKNOWN;
}

/* A uniform operand may be read as one number instead of what it is made of: then it must not widen the rows. */
static bool join_others(const struct flows *flows, const struct node *node, struct flow *rows)
{
    for (uint32_t i = 0; i < node->n_inputs; i++) {
        if (node->inputs[i] == VALUE_NONE) continue;
        const struct flow *input = &flows->values[node->inputs[i]];
        if (flow_is_rows(input)) continue;
        struct flow before = *rows;
        if ((input->kind != FLOW_CONSTANT && input->kind != FLOW_UNIFORM) || !flow_broadcast(rows, input)) return false;
        if (input->kind == FLOW_CONSTANT) continue;
        if (rows->rank != before.rank) return false;
        for (int d = 0; d < rows->rank; d++)
            if (!size_is_same(rows->dims[d], before.dims[d])) return false;
    }
    return true;
}

void rule_elementwise(struct flows *flows, uint32_t node)
{
    const struct node *n = &flows->graph->nodes[node];
    struct flow rows;
    bool has_rows = false, has_uniform = false;
    for (uint32_t i = 0; i < n->n_inputs; i++) {
        const struct flow *input = flow_input(flows, node, i);
        has_rows |= flow_is_rows(input);
        has_uniform |= input && input->kind == FLOW_UNIFORM;
    }
    if (!has_rows) {
        flow_compute(flows, node);
    } else if (join_rows(flows, n, &rows) && join_others(flows, n, &rows)) {
        if (has_uniform) set_change(flows, node, CHANGE_NUMBERS);
        flow_set(flows, node, 0, &rows);
    }
}

/* hob.RotateHalves turns the items of the last axis. */
void rule_rotate(struct flows *flows, uint32_t node)
{
    const struct flow *x = flow_input(flows, node, 0);
    if (flow_is_rows(x) && x->axis < x->rank - 1) rule_elementwise(flows, node);
}

/* ---- along the last axes of each row ---- */

static bool is_vector_at_most(const struct flow *flow)
{
    return !flow || flow->rank <= 1;
}

/* Norms and softmax: from `axis` on, or along it. Old softmaxes take all axes from theirs on for one. */
void rule_per_row(struct flows *flows, uint32_t node)
{
    const struct node *n = &flows->graph->nodes[node];
    const struct flow *x = flow_input(flows, node, 0);
    bool is_softmax = strstr(n->op_type, "Softmax");
    int axis;
    if (!flow_is_rows(x) || !flow_has_constants(flows, node, 1)) return;
    for (uint32_t i = 1; i < n->n_inputs; i++)
        if (!is_vector_at_most(flow_input(flows, node, i))) return;
    int64_t stated = attributes_int(&n->attributes, "axis", is_softmax && n->opset < 13 ? 1 : -1);
    if (!shape_normalize_axis(stated, x->rank, &axis) || axis <= x->axis) return;
    flow_set(flows, node, 0, x);
}

/* Outputs 0 and 3, the sum. */
void rule_skip_norm(struct flows *flows, uint32_t node)
{
    const struct flow *x = flow_input(flows, node, 0), *skip = flow_input(flows, node, 1);
    if (!flow_is_rows(x) || !skip || skip->kind != x->kind || skip->axis != x->axis || skip->rank != x->rank || x->axis >= x->rank - 1) return;
    for (int d = 0; d < x->rank; d++)
        if (!size_is_same(x->dims[d], skip->dims[d])) return;
    if (!flow_has_constants(flows, node, 2)) return;
    flow_set(flows, node, 0, x);
    flow_set(flows, node, 3, x);
}

/* ---- products ---- */

/* hob.Linear: weight [N,K]. */
void rule_linear(struct flows *flows, uint32_t node)
{
    const struct flow *x = flow_input(flows, node, 0), *w = flow_input(flows, node, 1);
    if (!flow_is_rows(x) || x->axis >= x->rank - 1 || w->kind != FLOW_CONSTANT || w->rank != 2 || !flow_has_constants(flows, node, 1)) return;
    struct flow y = *x;
    y.dims[y.rank - 1] = w->dims[0];
    flow_set(flows, node, 0, &y);
}

/* The side that is constant has no item of its own along the rows: as a matrix it stands across them. */
static bool multiply(const struct flow *a, const struct flow *b, struct flow *ret_product)
{
    bool is_left = flow_is_rows(a);
    const struct flow *rows = is_left ? a : b, *other = is_left ? b : a;
    if (!flow_is_rows(rows) || other->kind != FLOW_CONSTANT || a->rank < 2 || b->rank < 2) return false;
    if (rows->axis == (is_left ? rows->rank - 1 : rows->rank - 2)) return false; /* summed over */
    if (!size_is_same(a->dims[a->rank - 1], b->dims[b->rank - 2])) return false;
    struct flow product = *rows, batch = *other;
    for (int d = 1; d <= 2; d++) product.dims[product.rank - d] = batch.dims[batch.rank - d] = size_of(1);
    if (!flow_broadcast(&product, &batch)) return false;
    product.dims[product.rank - 2] = a->dims[a->rank - 2];
    product.dims[product.rank - 1] = b->dims[b->rank - 1];
    *ret_product = product;
    return true;
}

void rule_matmul(struct flows *flows, uint32_t node)
{
    struct flow product;
    if (multiply(flow_input(flows, node, 0), flow_input(flows, node, 1), &product)) flow_set(flows, node, 0, &product);
}

void rule_gemm(struct flows *flows, uint32_t node)
{
    const struct attributes *attributes = &flows->graph->nodes[node].attributes;
    const struct flow *a = flow_input(flows, node, 0), *b = flow_input(flows, node, 1), *c = flow_input(flows, node, 2);
    if (!flow_is_rows(a) || a->rank != 2 || a->axis != 0 || attributes_int(attributes, "transA", 0)) return;
    if (b->kind != FLOW_CONSTANT || b->rank != 2 || !flow_has_constant(flows, node, 2)) return;
    struct flow y = *a;
    y.dims[1] = b->dims[attributes_int(attributes, "transB", 0) ? 0 : 1];
    if (c && !flow_broadcast(&y, c)) return;
    if (y.rank == 2) flow_set(flows, node, 0, &y);
}

/* ---- reductions ---- */

static const struct {
    const char *op;
    enum flow_change change;
} poolings[] = {
    {"ReduceSum", CHANGE_POOL_SUM},
    {"ReduceMean", CHANGE_POOL_MEAN},
    {"ReduceMax", CHANGE_POOL_MAX},
};

static enum flow_change find_pooling(const char *op)
{
    for (size_t i = 0; i < sizeof poolings / sizeof poolings[0]; i++)
        if (!strcmp(op, poolings[i].op)) return poolings[i].change;
    return CHANGE_NONE;
}

/* The shape without the axes, or with ones in their place. false: axes are unknown, or all. */
static bool reduce_dims(const struct flows *flows, uint32_t node, const struct flow *x, bool *is_reduced, struct flow *ret_reduced)
{
    const struct attributes *attributes = &flows->graph->nodes[node].attributes;
    int64_t axes[FLOW_MAX_ITEMS];
    int n_axes, axis;
    bool keeps = attributes_int(attributes, "keepdims", 1) != 0;
    if (x->rank < 0 || !flow_axes(flows, node, 1, "axes", axes, &n_axes) || !n_axes) return false;
    memset(is_reduced, 0, TENSOR_MAX_RANK * sizeof *is_reduced);
    for (int i = 0; i < n_axes; i++) {
        if (!shape_normalize_axis(axes[i], x->rank, &axis)) return false;
        is_reduced[axis] = true;
    }
    struct flow reduced = *x;
    reduced.rank = 0;
    for (int d = 0; d < x->rank; d++) {
        if (d == x->axis) reduced.axis = reduced.rank;
        if (!is_reduced[d]) reduced.dims[reduced.rank++] = x->dims[d];
        else if (keeps) reduced.dims[reduced.rank++] = size_of(1);
    }
    *ret_reduced = reduced;
    return true;
}

/* [1,S,D] over the tokens alone: the batch, of one text, becomes the texts. */
static void pool(struct flows *flows, uint32_t node, enum flow_change change, struct flow *reduced)
{
    if (change == CHANGE_NONE || !size_is(reduced->dims[0], 1)) return;
    reduced->kind = FLOW_TEXTS;
    reduced->axis = 0;
    reduced->dims[0] = (struct flow_size){.texts = 1};
    set_change(flows, node, change);
    flow_set(flows, node, 0, reduced);
}

/* Ones, as many as there are tokens: their sum is the text's length. */
static bool is_one(const struct flow *uniform)
{
    float number;
    int64_t integer;
    memcpy(&number, uniform->number, sizeof number);
    memcpy(&integer, uniform->number, sizeof integer);
    if (uniform->dtype == DTYPE_F32) return number == 1.0f;
    return (uniform->dtype == DTYPE_I64 && integer == 1) || (uniform->dtype == DTYPE_I32 && (int32_t)integer == 1);
}

static void reduce_uniform(struct flows *flows, uint32_t node, const struct flow *x)
{
    bool is_reduced[TENSOR_MAX_RANK];
    struct flow reduced;
    const char *op = flows->graph->nodes[node].op_type;
    if (strcmp(op, "ReduceSum") || !is_one(x) || !reduce_dims(flows, node, x, is_reduced, &reduced)) return;
    for (int d = 0; d < x->rank; d++)
        if (is_reduced[d] != (d == 1) || (d == 1 && !size_is_same(x->dims[d], (struct flow_size){.tokens = 1}))) return;
    if (reduced.rank >= 2) {
        pool(flows, node, CHANGE_LENGTHS, &reduced);
    } else if (size_is(reduced.dims[0], 1) && x->dtype != DTYPE_F32) { /* keys that count, of each text */
        reduced.kind = FLOW_SIZES;
        reduced.items[0] = (struct flow_size){.tokens = 1};
        flow_set(flows, node, 0, &reduced);
    }
}

void rule_reduce(struct flows *flows, uint32_t node)
{
    const struct flow *x = flow_input(flows, node, 0);
    bool is_reduced[TENSOR_MAX_RANK];
    struct flow reduced;
    if (!x) return;
    if (x->kind == FLOW_UNIFORM) reduce_uniform(flows, node, x);
    if (!flow_is_rows(x) || !reduce_dims(flows, node, x, is_reduced, &reduced)) return;
    if (!is_reduced[x->axis]) {
        flow_set(flows, node, 0, &reduced);
        return;
    }
    for (int d = 0; d < x->rank; d++)
        if (is_reduced[d] != (d == 1)) return;
    if (x->kind == FLOW_TOKENS && x->rank == 3 && x->axis == 1) pool(flows, node, find_pooling(flows->graph->nodes[node].op_type), &reduced);
}

/* ---- along the tokens ---- */

static bool is_heads(const struct flow *flow)
{
    return flow->kind == FLOW_TOKENS && flow->rank == 4 && flow->axis == 2 && size_is(flow->dims[0], 1);
}

static bool is_zero(const struct flow *uniform)
{
    float number;
    memcpy(&number, uniform->number, sizeof number);
    return uniform->kind == FLOW_UNIFORM && uniform->dtype == DTYPE_F32 && number == 0.0f;
}

/* Keys of a cache, and a mask that says what being causal says: of one batch row and for all heads. */
static void attend_past(struct flows *flows, uint32_t node)
{
    const struct flow *q = flow_input(flows, node, 0), *v = flow_input(flows, node, 2), *mask = flow_input(flows, node, 3);
    if (!is_heads(q) || v->kind != FLOW_SHAPED || v->rank != 4 || !size_is_fixed(v->dims[3])) return;
    bool is_causal = mask && mask->kind == FLOW_MASK;
    for (int d = 0; is_causal && d < mask->rank - 2; d++) is_causal = size_is(mask->dims[d], 1);
    if (is_causal) set_change(flows, node, CHANGE_CAUSAL);
    struct flow y = *q;
    y.dims[3] = v->dims[3];
    flow_set(flows, node, 0, &y);
}

/* A mask of nothing but zeros hides no key of a text that runs alone. */
void rule_attention(struct flows *flows, uint32_t node)
{
    const struct node *n = &flows->graph->nodes[node];
    const struct flow *q = flow_input(flows, node, 0), *k = flow_input(flows, node, 1), *v = flow_input(flows, node, 2);
    const struct flow *mask = flow_input(flows, node, 3);
    if (flows->has_past) attend_past(flows, node);
    if (flows->has_past || !is_heads(q) || !is_heads(k) || !is_heads(v) || flow_input(flows, node, 4)) return;
    if ((mask && !is_zero(mask)) || attributes_int(&n->attributes, "is_causal", 0)) return;
    struct flow y = *q;
    y.dims[3] = v->dims[3];
    set_change(flows, node, CHANGE_ATTENTION);
    flow_set(flows, node, 0, &y);
}

static bool is_ids(const struct flow *flow)
{
    return flow->kind == FLOW_TOKENS && flow->rank == 2 && flow->axis == 1;
}

/* Positions that are not given are counted from 0: in each text anew. The mask only makes output 1, of which nothing is said. */
void rule_embed_norm(struct flows *flows, uint32_t node)
{
    enum { INPUT_TYPES = 1, INPUT_WORDS, INPUT_BETA = 6, INPUT_POSITION_IDS = 8 };
    const struct flow *ids = flow_input(flows, node, 0), *types = flow_input(flows, node, INPUT_TYPES);
    const struct flow *words = flow_input(flows, node, INPUT_WORDS), *positions = flow_input(flows, node, INPUT_POSITION_IDS);
    if (!is_ids(ids) || (types && !is_ids(types)) || (positions && !is_ids(positions)) || !words || words->rank != 2) return;
    for (uint32_t i = INPUT_WORDS; i <= INPUT_BETA; i++)
        if (!flow_has_constant(flows, node, i)) return;
    struct flow y = *ids;
    y.rank = 3;
    y.dims[2] = words->dims[1];
    set_change(flows, node, CHANGE_EMBEDDINGS);
    flow_set(flows, node, 0, &y);
    flow_set(flows, node, 2, &y);
}

/* As it was declared, or as it was just made. */
static enum dtype dtype_of(const struct flows *flows, uint32_t value)
{
    const struct node *cast = pattern_producer(flows->graph, value, "Cast");
    return cast ? (enum dtype)attributes_int(&cast->attributes, "to", DTYPE_NONE) : flows->graph->values[value].dtype;
}

/* Of whole numbers, whose sums can be taken apart again; of the mask's ones, the position. */
void rule_cum_sum(struct flows *flows, uint32_t node)
{
    const struct node *n = &flows->graph->nodes[node];
    const struct flow *x = flow_input(flows, node, 0);
    int64_t axes[FLOW_MAX_ITEMS];
    int n_axes, axis;
    if (!x || x->rank < 1 || attributes_int(&n->attributes, "reverse", 0)) return;
    if (!flow_as_ints(flows, flow_value(flows, node, 1), axes, &n_axes) || n_axes != 1) return;
    if (!shape_normalize_axis(axes[0], x->rank, &axis)) return;
    struct flow y = *x;
    y.axis = axis;
    y.kind = FLOW_TOKENS;
    if (x->kind == FLOW_UNIFORM ? !size_is_same(x->dims[axis], (struct flow_size){.tokens = 1}) : x->kind != FLOW_TOKENS || x->axis != axis) return;
    for (int d = 0; d < x->rank; d++)
        if (d != axis && !size_is_fixed(x->dims[d])) return;
    enum dtype dtype = x->kind == FLOW_UNIFORM ? x->dtype : dtype_of(flows, n->inputs[0]);
    if (dtype != DTYPE_I64 && dtype != DTYPE_I32) return;
    set_change(flows, node, CHANGE_SUM_SO_FAR);
    flow_set(flows, node, 0, &y);
}
