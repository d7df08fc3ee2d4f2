/* Operators that move items, and the shape arithmetic around them. Rows stay whole: what cuts or mixes them is not known any more,
 * but for the few ways in which an export takes a row of each text, or a row for each position. */
#include "graph/flow/rule.h"
#include "graph/pattern.h"

#include <string.h>

static const struct flow_size all_tokens = {.tokens = 1}, all_texts = {.texts = 1}, all_keys = {.tokens = 1, .past = 1};

static bool is_movable(const struct flow *flow)
{
    return flow && (flow_is_rows(flow) || flow->kind == FLOW_UNIFORM || flow->kind == FLOW_COUNT || flow->kind == FLOW_SHAPED);
}

/* ---- shapes ---- */

/* Part start..end of a list; bounds as ONNX counts them. */
static void set_sizes(struct flows *flows, uint32_t node, const struct flow_size *items, int n_items)
{
    struct flow sizes = {.kind = FLOW_SIZES, .dtype = DTYPE_I64, .rank = 1, .dims = {size_of(n_items)}};
    memcpy(sizes.items, items, (size_t)n_items * sizeof *items);
    flow_set(flows, node, 0, &sizes);
}

static int clamp(int64_t at, int n)
{
    if (at < 0) at += n;
    return at < 0 ? 0 : at > n ? n : (int)at;
}

void rule_shape(struct flows *flows, uint32_t node)
{
    const struct attributes *attributes = &flows->graph->nodes[node].attributes;
    const struct flow *x = flow_input(flows, node, 0);
    if (x->kind == FLOW_UNKNOWN || x->rank < 0) return;
    int start = clamp(attributes_int(attributes, "start", 0), x->rank), end = clamp(attributes_int(attributes, "end", x->rank), x->rank);
    set_sizes(flows, node, x->dims + start, end > start ? end - start : 0);
}

/* Dims as a list of sizes says; false: it does not. */
static bool dims_from(const struct flows *flows, uint32_t value, struct flow *flow)
{
    struct flow sizes;
    if (!flow_as_sizes(flows, value, &sizes) || sizes.rank != 1 || sizes.dims[0].fixed > TENSOR_MAX_RANK) return false;
    flow->rank = (int)sizes.dims[0].fixed;
    memcpy(flow->dims, sizes.items, sizeof sizes.items);
    return true;
}

void rule_constant_of_shape(struct flows *flows, uint32_t node)
{
    const struct node *n = &flows->graph->nodes[node];
    const struct attribute *value = attributes_find(&n->attributes, "value");
    struct flow flow = {.kind = FLOW_UNIFORM, .dtype = DTYPE_F32, .rank = -1};
    if (value) {
        if (value->kind != ATTRIBUTE_TENSOR || tensor_n_items(value->tensor) != 1 || !value->tensor->data) return;
        size_t n_bytes = dtype_block_bytes(value->tensor->dtype);
        if (n_bytes > FLOW_NUMBER_BYTES || value->tensor->dtype == DTYPE_STRING) return;
        flow.dtype = value->tensor->dtype;
        memcpy(flow.number, value->tensor->data, n_bytes);
    }
    if (!dims_from(flows, flow_value(flows, node, 0), &flow)) flow.rank = -1;
    flow_set(flows, node, 0, &flow);
}

/* Range(first, first + n, 1), n the tokens or all keys. */
void rule_range(struct flows *flows, uint32_t node)
{
    struct flow start, limit, step;
    struct flow_size minus, n;
    if (!flow_as_sizes(flows, flow_value(flows, node, 0), &start) || !flow_as_sizes(flows, flow_value(flows, node, 1), &limit) ||
        !flow_as_sizes(flows, flow_value(flows, node, 2), &step) || !size_is(step.items[0], 1))
        return;
    if (!scale_size(start.items[0], -1, &minus) || !sum_sizes(limit.items[0], minus, &n)) return;
    bool is_tokens = size_is_same(n, all_tokens), is_counted = size_is(start.items[0], 0) || flows->has_past;
    if (!is_counted || (!is_tokens && !size_is_same(n, all_keys))) return;
    struct flow count = {.kind = is_tokens ? FLOW_TOKENS : FLOW_COUNT, .dtype = limit.dtype, .rank = 1, .dims = {n}, .is_count = is_tokens,
                         .first = start.items[0]};
    flows->changes[node] = CHANGE_COUNT;
    flow_set(flows, node, 0, &count);
}

/* ---- axes of one item ---- */

static void mark_axes(const int64_t *axes, int n_axes, int rank, bool *ret_is_marked, bool *ret_fits)
{
    memset(ret_is_marked, 0, TENSOR_MAX_RANK * sizeof *ret_is_marked);
    for (int i = 0; i < n_axes; i++) {
        int axis;
        *ret_fits &= shape_normalize_axis(axes[i], rank, &axis);
        if (*ret_fits) ret_is_marked[axis] = true;
    }
}

/* Lists of sizes become scalars and back. */
static void set_list_rank(struct flows *flows, uint32_t node, const struct flow *sizes, int rank)
{
    struct flow flow = *sizes;
    flow.rank = rank;
    flow.dims[0] = size_of(1);
    if (sizes->rank == 0 || size_is(sizes->dims[0], 1)) flow_set(flows, node, 0, &flow);
}

void rule_unsqueeze(struct flows *flows, uint32_t node)
{
    const struct flow *x = flow_input(flows, node, 0);
    int64_t axes[FLOW_MAX_ITEMS];
    int n_axes;
    bool is_new[TENSOR_MAX_RANK], fits = true;
    if (!flow_axes(flows, node, 1, "axes", axes, &n_axes)) return;
    if (x->kind == FLOW_SIZES && x->rank == 0 && n_axes == 1) set_list_rank(flows, node, x, 1);
    bool is_mask = x->kind == FLOW_CAUSAL || x->kind == FLOW_MASK;
    if (!is_movable(x) && !is_mask) return;
    struct flow y = *x;
    if (x->rank >= 0) {
        if (x->rank + n_axes > TENSOR_MAX_RANK) return;
        y.rank = x->rank + n_axes;
        mark_axes(axes, n_axes, y.rank, is_new, &fits);
        if (is_mask && (is_new[y.rank - 1] || is_new[y.rank - 2])) return; /* the last two stay queries and keys */
        for (int d = 0, from = 0; fits && d < y.rank; d++) {
            if (!is_new[d] && from == x->rank) return;
            if (!is_new[d] && from == x->axis) y.axis = d;
            y.dims[d] = is_new[d] ? size_of(1) : x->dims[from++];
        }
    }
    if (fits) flow_set(flows, node, 0, &y);
}

void rule_squeeze(struct flows *flows, uint32_t node)
{
    const struct flow *x = flow_input(flows, node, 0);
    int64_t axes[FLOW_MAX_ITEMS];
    int n_axes;
    bool is_gone[TENSOR_MAX_RANK], fits = true;
    if (!flow_axes(flows, node, 1, "axes", axes, &n_axes) || !n_axes) return;
    if (x->kind == FLOW_SIZES && x->rank == 1 && n_axes == 1) set_list_rank(flows, node, x, 0);
    if (!is_movable(x)) return;
    struct flow y = *x;
    if (x->rank >= 0) {
        mark_axes(axes, n_axes, x->rank, is_gone, &fits);
        y.rank = 0;
        for (int d = 0; fits && d < x->rank; d++) {
            if (is_gone[d] && !size_is(x->dims[d], 1)) return;
            if (d == x->axis) y.axis = y.rank;
            if (!is_gone[d]) y.dims[y.rank++] = x->dims[d];
        }
    }
    if (fits) flow_set(flows, node, 0, &y);
}

/* ---- other shapes ---- */

/* The product of fixed dims; false when one is not, or it overflows. */
static bool multiply_dims(const struct flow_size *dims, int n_dims, int64_t *ret_product)
{
    int64_t product = 1;
    for (int d = 0; d < n_dims; d++)
        if (!size_is_fixed(dims[d]) || __builtin_mul_overflow(product, dims[d].fixed, &product)) return false;
    *ret_product = product;
    return true;
}

/* 0 copies a dim; -1 is what the others leave. */
static bool resolve_target(const struct flow *x, const struct flow *target, bool is_zero_kept, struct flow_size *ret_dims, int *ret_rest)
{
    *ret_rest = -1;
    for (int d = 0; d < target->rank; d++) {
        ret_dims[d] = target->dims[d];
        if (size_is(ret_dims[d], 0) && !is_zero_kept) {
            if (d >= x->rank) return false;
            ret_dims[d] = x->dims[d];
        } else if (size_is(ret_dims[d], -1)) {
            if (*ret_rest >= 0) return false;
            *ret_rest = d;
        }
    }
    return true;
}

/* Rows stay rows when as many items stand before their axis as before: then what stands behind is whole, too. */
static bool reshape_rows(const struct flow *x, struct flow_size *dims, int rank, int rest, struct flow *ret_y)
{
    int64_t before, behind, new_before, new_behind;
    struct flow_size rows = x->dims[x->axis];
    if (!multiply_dims(x->dims, x->axis, &before) || !multiply_dims(x->dims + x->axis + 1, x->rank - x->axis - 1, &behind)) return false;
    int axis = -1;
    for (int d = 0; d < rank; d++)
        if (size_is_same(dims[d], rows)) axis = axis < 0 ? d : rank;
    if (axis == rank) return false;
    if (axis < 0) { /* then only what is left can be the rows */
        if (rest < 0) return false;
        axis = rest;
        dims[rest] = rows;
    } else if (rest >= 0) {
        int64_t others;
        dims[rest] = size_of(1);
        struct flow_size kept = dims[axis];
        dims[axis] = size_of(1);
        if (!multiply_dims(dims, rank, &others) || others <= 0 || before * behind % others) return false;
        dims[axis] = kept;
        dims[rest] = size_of(before * behind / others);
    }
    if (!multiply_dims(dims, axis, &new_before) || !multiply_dims(dims + axis + 1, rank - axis - 1, &new_behind)) return false;
    if (new_before != before || new_behind != behind || behind <= 0) return false;
    *ret_y = *x;
    ret_y->rank = rank;
    ret_y->axis = axis;
    memcpy(ret_y->dims, dims, (size_t)rank * sizeof *dims);
    return true;
}

void rule_reshape(struct flows *flows, uint32_t node)
{
    const struct node *n = &flows->graph->nodes[node];
    const struct flow *x = flow_input(flows, node, 0);
    struct flow target = {.kind = FLOW_UNKNOWN}, y = *x;
    struct flow_size dims[FLOW_MAX_ITEMS];
    int rest = -1;
    if (x->kind == FLOW_SIZES && x->rank == 0) set_list_rank(flows, node, x, 1);
    if (!is_movable(x)) return;
    bool is_told = flow_input(flows, node, 1) && dims_from(flows, flow_value(flows, node, 1), &target) && x->rank >= 0 &&
                   resolve_target(x, &target, attributes_int(&n->attributes, "allowzero", 0) != 0, dims, &rest);
    if (x->kind == FLOW_SHAPED || x->kind == FLOW_COUNT) return;
    if (flow_is_rows(x)) {
        if (!is_told || !reshape_rows(x, dims, target.rank, rest, &y)) return;
        if (flow_input(flows, node, 1)->kind != FLOW_CONSTANT) flows->changes[node] = CHANGE_SHAPE;
        flow_set(flows, node, 0, &y);
        return;
    }
    y.rank = is_told && rest < 0 ? target.rank : -1;
    if (y.rank >= 0) memcpy(y.dims, dims, sizeof dims);
    flow_set(flows, node, 0, &y);
}

void rule_expand(struct flows *flows, uint32_t node)
{
    const struct flow *x = flow_input(flows, node, 0);
    struct flow target = {.kind = FLOW_UNKNOWN}, y = *x;
    if (!is_movable(x)) return;
    bool fits = dims_from(flows, flow_value(flows, node, 1), &target) && flow_broadcast(&y, &target);
    if (!fits && x->kind != FLOW_UNIFORM) return;
    if (!fits) y.rank = -1;
    flow_set(flows, node, 0, &y);
}

void rule_transpose(struct flows *flows, uint32_t node)
{
    const struct flow *x = flow_input(flows, node, 0);
    size_t n_axes;
    const int64_t *order = attributes_ints(&flows->graph->nodes[node].attributes, "perm", &n_axes);
    if (!is_movable(x)) return;
    struct flow y = *x;
    for (int d = 0; d < x->rank; d++) {
        int64_t from = order ? (d < (int)n_axes ? order[d] : -1) : x->rank - 1 - d;
        if (from < 0 || from >= x->rank) return;
        y.dims[d] = x->dims[from];
        if (from == x->axis) y.axis = d;
    }
    flow_set(flows, node, 0, &y);
}

/* ---- parts ---- */

struct cut {
    int axis;
    struct flow_size start, end;
    int64_t step;
};

/* Slice's inputs, one axis of them. */
static bool read_cut(const struct flows *flows, uint32_t node, int rank, struct cut *ret_cut)
{
    struct flow starts, ends;
    int64_t axes[FLOW_MAX_ITEMS] = {0}, steps[FLOW_MAX_ITEMS] = {1};
    int n_axes = 1, n_steps = 1;
    if (!flow_as_sizes(flows, flow_value(flows, node, 1), &starts) || !flow_as_sizes(flows, flow_value(flows, node, 2), &ends)) return false;
    if (flow_input(flows, node, 3) && !flow_as_ints(flows, flow_value(flows, node, 3), axes, &n_axes)) return false;
    if (flow_input(flows, node, 4) && !flow_as_ints(flows, flow_value(flows, node, 4), steps, &n_steps)) return false;
    if (!size_is(starts.dims[0], 1) || !size_is(ends.dims[0], 1) || n_axes != 1 || n_steps != 1) return false;
    *ret_cut = (struct cut){.start = starts.items[0], .end = ends.items[0], .step = steps[0]};
    return shape_normalize_axis(axes[0], rank, &ret_cut->axis);
}

static void slice_sizes(struct flows *flows, uint32_t node, const struct flow *x, const struct cut *cut)
{
    int n = (int)x->dims[0].fixed;
    if (!size_is_fixed(cut->start) || !size_is_fixed(cut->end) || cut->step != 1) return;
    int start = clamp(cut->start.fixed, n), end = clamp(cut->end.fixed, n);
    struct flow part = *x;
    part.dims[0] = size_of(end > start ? end - start : 0);
    memmove(part.items, x->items + start, (size_t)part.dims[0].fixed * sizeof *part.items);
    flow_set(flows, node, 0, &part);
}

/* Along the rows: all of them, or the first of each text. */
static void slice_rows(struct flows *flows, uint32_t node, const struct flow *x, const struct cut *cut)
{
    struct flow y = *x;
    bool is_to_end = size_is_same(cut->end, x->dims[cut->axis]) || (size_is_fixed(cut->end) && cut->end.fixed >= INT32_MAX);
    if (size_is(cut->start, 0) && is_to_end) {
        flow_set(flows, node, 0, &y);
        return;
    }
    bool is_first = size_is(cut->start, 0) && size_is(cut->end, 1);
    bool is_last = size_is(cut->start, -1) && size_is_fixed(cut->end) && cut->end.fixed >= INT32_MAX;
    if (x->kind != FLOW_TOKENS || x->rank != 3 || x->axis != 1 || !size_is(x->dims[0], 1) || (!is_first && !is_last)) return;
    y.kind = FLOW_TEXTS;
    y.axis = 0;
    y.dims[0] = all_texts;
    y.dims[1] = size_of(1);
    flows->changes[node] = is_first ? CHANGE_POOL_FIRST : CHANGE_POOL_LAST;
    flow_set(flows, node, 0, &y);
}

/* The first S rows of a table. One of a single row would give that for any S. */
static void slice_table(struct flows *flows, uint32_t node, const struct flow *table, const struct cut *cut)
{
    struct flow y = *table;
    if (!size_is(cut->start, 0) || !size_is_same(cut->end, all_tokens) || table->dims[cut->axis].fixed < 2) return;
    y.kind = FLOW_TOKENS;
    y.axis = cut->axis;
    y.dims[cut->axis] = all_tokens;
    flows->changes[node] = CHANGE_TABLE;
    flow_set(flows, node, 0, &y);
}

/* Of another axis than the rows'. */
static void slice_other(struct flows *flows, uint32_t node, const struct flow *x, const struct cut *cut)
{
    struct flow y = *x;
    if (!size_is_fixed(x->dims[cut->axis]) || !size_is_fixed(cut->start) || !size_is_fixed(cut->end) || x->dims[cut->axis].fixed > INT32_MAX) return;
    int n = (int)x->dims[cut->axis].fixed, start = clamp(cut->start.fixed, n), end = clamp(cut->end.fixed, n);
    y.dims[cut->axis] = size_of(end > start ? end - start : 0);
    flow_set(flows, node, 0, &y);
}

void rule_slice(struct flows *flows, uint32_t node)
{
    const struct flow *x = flow_input(flows, node, 0);
    struct flow unknown = *x;
    struct cut cut;
    if (x->kind == FLOW_UNIFORM) {
        unknown.rank = -1;
        flow_set(flows, node, 0, &unknown);
    }
    if (x->kind == FLOW_UNKNOWN || x->rank < 1 || !read_cut(flows, node, x->rank, &cut) || cut.step != 1) return;
    if (x->kind == FLOW_SIZES) slice_sizes(flows, node, x, &cut);
    else if (flow_slice_triangle(flows, node, cut.axis, cut.start, cut.end)) return;
    else if (x->kind == FLOW_CONSTANT) slice_table(flows, node, x, &cut);
    else if (flow_is_rows(x) && cut.axis == x->axis) slice_rows(flows, node, x, &cut);
    else if (is_movable(x)) slice_other(flows, node, x, &cut);
}

void rule_split(struct flows *flows, uint32_t node)
{
    const struct node *n = &flows->graph->nodes[node];
    const struct flow *x = flow_input(flows, node, 0);
    int64_t sizes[FLOW_MAX_ITEMS];
    int n_sizes, axis;
    if (!flow_is_rows(x) || !shape_normalize_axis(attributes_int(&n->attributes, "axis", 0), x->rank, &axis) || axis == x->axis) return;
    if (!flow_axes(flows, node, 1, "split", sizes, &n_sizes) || !size_is_fixed(x->dims[axis]) || n->n_outputs > FLOW_MAX_ITEMS) return;
    if (n_sizes ? n_sizes != (int)n->n_outputs : x->dims[axis].fixed % n->n_outputs != 0) return;
    for (uint32_t i = 0; i < n->n_outputs; i++) {
        struct flow part = *x;
        part.dims[axis] = size_of(n_sizes ? sizes[i] : x->dims[axis].fixed / n->n_outputs);
        flow_set(flows, node, i, &part);
    }
}

/* ---- joining ---- */

static void concat_sizes(struct flows *flows, uint32_t node)
{
    const struct node *n = &flows->graph->nodes[node];
    struct flow_size items[FLOW_MAX_ITEMS] = {{0}};
    int n_items = 0;
    for (uint32_t i = 0; i < n->n_inputs; i++) {
        struct flow part;
        if (!flow_as_sizes(flows, n->inputs[i], &part) || part.rank != 1 || n_items + part.dims[0].fixed > FLOW_MAX_ITEMS) return;
        memcpy(items + n_items, part.items, (size_t)part.dims[0].fixed * sizeof *items);
        n_items += (int)part.dims[0].fixed;
    }
    set_sizes(flows, node, items, n_items);
}

static bool joins(const struct flow *a, const struct flow *b, int axis)
{
    if (b->kind != a->kind || b->rank != a->rank || b->axis != a->axis || !size_is_fixed(b->dims[axis])) return false;
    for (int d = 0; d < a->rank; d++)
        if (d != axis && !size_is_same(a->dims[d], b->dims[d])) return false;
    return true;
}

void rule_concat(struct flows *flows, uint32_t node)
{
    const struct node *n = &flows->graph->nodes[node];
    const struct flow *x = flow_input(flows, node, 0);
    int axis;
    if (!flow_is_rows(x)) {
        concat_sizes(flows, node);
        return;
    }
    if (!shape_normalize_axis(attributes_int(&n->attributes, "axis", 0), x->rank, &axis) || axis == x->axis) return;
    struct flow y = *x;
    y.dims[axis] = size_of(0);
    for (uint32_t i = 0; i < n->n_inputs; i++) {
        const struct flow *part = flow_input(flows, node, i);
        if (!joins(x, part, axis)) return;
        y.dims[axis].fixed += part->dims[axis].fixed;
    }
    flow_set(flows, node, 0, &y);
}

/* ---- picking ---- */

static void gather_sizes(struct flows *flows, uint32_t node, const struct flow *sizes, const int64_t *at, int n_at, int rank)
{
    struct flow picked = *sizes;
    int n_items = (int)sizes->dims[0].fixed;
    picked.rank = rank;
    picked.dims[0] = size_of(n_at);
    for (int i = 0; i < n_at; i++) {
        int64_t from = at[i] < 0 ? at[i] + n_items : at[i];
        if (from < 0 || from >= n_items) return;
        picked.items[i] = sizes->items[from];
    }
    flow_set(flows, node, 0, &picked);
}

/* dims[..axis) + ids' dims + dims(axis..] */
static bool put_dims(const struct flow *x, int axis, const struct flow *ids, struct flow *y)
{
    int rank = x->rank - 1 + ids->rank;
    if (rank > TENSOR_MAX_RANK) return false;
    y->rank = rank;
    memcpy(y->dims, x->dims, (size_t)axis * sizeof *y->dims);
    memcpy(y->dims + axis, ids->dims, (size_t)ids->rank * sizeof *y->dims);
    memcpy(y->dims + axis + ids->rank, x->dims + axis + 1, (size_t)(x->rank - axis - 1) * sizeof *y->dims);
    return true;
}

/* A row of a table for each id. */
static void gather_table(struct flows *flows, uint32_t node, const struct flow *table, const struct flow *ids, int axis)
{
    struct flow y = *ids;
    if (!put_dims(table, axis, ids, &y)) return;
    y.axis = axis + ids->axis;
    flow_set(flows, node, 0, &y);
}

/* One row of each text: [1,S,D] to [n,D] or, of a list of one, [n,1,D]. */
static void gather_row(struct flows *flows, uint32_t node, const struct flow *x, int64_t at, const struct flow *ids)
{
    struct flow y = *x;
    bool is_pooled = x->kind == FLOW_TOKENS && x->rank == 3 && x->axis == 1 && size_is(x->dims[0], 1) && (at == 0 || at == -1);
    if (!is_pooled || ids->rank > 1 || !put_dims(x, 1, ids, &y)) return;
    y.kind = FLOW_TEXTS;
    y.axis = 0;
    y.dims[0] = all_texts;
    flows->changes[node] = at ? CHANGE_POOL_LAST : CHANGE_POOL_FIRST;
    flow_set(flows, node, 0, &y);
}

void rule_gather(struct flows *flows, uint32_t node)
{
    const struct node *n = &flows->graph->nodes[node];
    const struct flow *x = flow_input(flows, node, 0), *ids = flow_input(flows, node, 1);
    int64_t at[FLOW_MAX_ITEMS];
    int axis, n_at;
    if (x->rank < 1 || !shape_normalize_axis(attributes_int(&n->attributes, "axis", 0), x->rank, &axis)) return;
    if (x->kind == FLOW_CONSTANT && flow_is_rows(ids)) gather_table(flows, node, x, ids, axis);
    if (!flow_as_ints(flows, flow_value(flows, node, 1), at, &n_at)) return;
    if (x->kind == FLOW_SIZES) {
        gather_sizes(flows, node, x, at, n_at, ids->rank);
    } else if (flow_is_rows(x) && axis == x->axis) {
        if (n_at == 1) gather_row(flows, node, x, at[0], ids);
    } else if (flow_is_rows(x)) {
        struct flow y = *x;
        if (!put_dims(x, axis, ids, &y)) return;
        if (axis < x->axis) y.axis += ids->rank - 1;
        flow_set(flows, node, 0, &y);
    }
}

/* hob.Embedding(table, ids) */
void rule_embedding(struct flows *flows, uint32_t node)
{
    const struct flow *table = flow_input(flows, node, 0), *ids = flow_input(flows, node, 1);
    if (table->kind == FLOW_CONSTANT && table->rank == 2 && flow_is_rows(ids)) gather_table(flows, node, table, ids, 0);
}
