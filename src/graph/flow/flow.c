/* What rules share: sizes, broadcasting, and computing what has but one number. */
#include "graph/evaluate.h"
#include "graph/flow/rule.h"
#include "graph/pattern.h"

#include <string.h>

/* ---- looking ---- */

uint32_t flow_value(const struct flows *flows, uint32_t node, uint32_t i)
{
    const struct node *n = &flows->graph->nodes[node];
    return i < n->n_inputs ? n->inputs[i] : VALUE_NONE;
}

const struct flow *flow_input(const struct flows *flows, uint32_t node, uint32_t i)
{
    uint32_t value = flow_value(flows, node, i);
    return value == VALUE_NONE ? NULL : &flows->values[value];
}

void flow_set(struct flows *flows, uint32_t node, uint32_t output, const struct flow *flow)
{
    const struct node *n = &flows->graph->nodes[node];
    if (output < n->n_outputs && n->outputs[output] != VALUE_NONE) flows->values[n->outputs[output]] = *flow;
}

bool flow_is_rows(const struct flow *flow)
{
    return flow && (flow->kind == FLOW_TOKENS || flow->kind == FLOW_TEXTS);
}

bool flow_has_constant(const struct flows *flows, uint32_t node, uint32_t i)
{
    const struct flow *flow = flow_input(flows, node, i);
    return !flow || flow->kind == FLOW_CONSTANT;
}

bool flow_has_constants(const struct flows *flows, uint32_t node, uint32_t first)
{
    for (uint32_t i = first; i < flows->graph->nodes[node].n_inputs; i++)
        if (!flow_has_constant(flows, node, i)) return false;
    return true;
}

/* ---- sizes ---- */

struct flow_size size_of(int64_t number)
{
    return (struct flow_size){.fixed = number};
}

bool size_is_fixed(struct flow_size size)
{
    return !size.tokens && !size.texts && !size.past;
}

bool size_is(struct flow_size size, int64_t number)
{
    return size_is_fixed(size) && size.fixed == number;
}

bool size_is_same(struct flow_size a, struct flow_size b)
{
    return a.tokens == b.tokens && a.texts == b.texts && a.past == b.past && a.fixed == b.fixed;
}

bool sum_sizes(struct flow_size a, struct flow_size b, struct flow_size *ret_sum)
{
    return !__builtin_add_overflow(a.tokens, b.tokens, &ret_sum->tokens) && !__builtin_add_overflow(a.texts, b.texts, &ret_sum->texts) &&
           !__builtin_add_overflow(a.past, b.past, &ret_sum->past) && !__builtin_add_overflow(a.fixed, b.fixed, &ret_sum->fixed);
}

bool scale_size(struct flow_size a, int64_t by, struct flow_size *ret_product)
{
    return !__builtin_mul_overflow(a.tokens, by, &ret_product->tokens) && !__builtin_mul_overflow(a.texts, by, &ret_product->texts) &&
           !__builtin_mul_overflow(a.past, by, &ret_product->past) && !__builtin_mul_overflow(a.fixed, by, &ret_product->fixed);
}

static bool size_multiply(struct flow_size a, struct flow_size b, struct flow_size *ret_product)
{
    if (size_is_fixed(b)) return scale_size(a, b.fixed, ret_product);
    return size_is_fixed(a) && scale_size(b, a.fixed, ret_product);
}

/* Only where nothing is rounded, whatever the sizes. */
static bool size_divide(struct flow_size a, struct flow_size b, struct flow_size *ret_quotient)
{
    int64_t by = b.fixed;
    if (!size_is_fixed(b) || by <= 0 || a.tokens % by || a.texts % by || a.past % by || a.fixed % by) return false;
    *ret_quotient = (struct flow_size){a.tokens / by, a.texts / by, a.past / by, a.fixed / by};
    return true;
}

/* Runs have at least one token and one text, but perhaps nothing cached: only a difference that grows with the former is one for sure. */
static bool size_equal(struct flow_size a, struct flow_size b, struct flow_size *ret_is_equal)
{
    struct flow_size minus, difference;
    if (!scale_size(b, -1, &minus) || !sum_sizes(a, minus, &difference)) return false;
    bool is_above = difference.tokens >= 0 && difference.texts >= 0 && difference.past >= 0 && difference.fixed >= 0;
    bool is_below = difference.tokens <= 0 && difference.texts <= 0 && difference.past <= 0 && difference.fixed <= 0;
    bool is_same = size_is(difference, 0), is_sure = difference.tokens || difference.texts || difference.fixed || is_same;
    *ret_is_equal = size_of(is_same);
    return is_sure && (is_above || is_below);
}

/* ---- numbers ---- */

static struct tensor number_tensor(const struct flow *flow)
{
    return (struct tensor){.dtype = flow->dtype, .data = (void *)(uintptr_t)flow->number};
}

static bool set_number(struct flow *flow, enum dtype dtype, const void *bytes)
{
    size_t n_bytes = dtype_block_bytes(dtype);
    if (!n_bytes || n_bytes > sizeof flow->number || dtype_block_items(dtype) != 1 || dtype == DTYPE_STRING || dtype == DTYPE_SEQUENCE) return false;
    flow->kind = FLOW_UNIFORM;
    flow->dtype = dtype;
    memset(flow->number, 0, sizeof flow->number);
    memcpy(flow->number, bytes, n_bytes);
    return true;
}

static bool constant_as_number(const struct tensor *constant, struct flow *ret_number)
{
    int64_t n_items = tensor_n_items(constant);
    size_t n_bytes = dtype_block_bytes(constant->dtype);
    const char *bytes = constant->data;
    if (n_items < 1 || !bytes || constant->layout != LAYOUT_STRIDED || !tensor_is_contiguous(constant)) return false;
    for (int64_t i = 1; i < n_items; i++)
        if (memcmp(bytes, bytes + (size_t)i * n_bytes, n_bytes)) return false;
    return set_number(ret_number, constant->dtype, bytes);
}

static bool size_as_number(const struct flow *sizes, struct flow *ret_number)
{
    int64_t n_items = sizes->rank ? sizes->dims[0].fixed : 1;
    if (n_items < 1) return false;
    for (int64_t i = 0; i < n_items; i++)
        if (!size_is(sizes->items[i], sizes->items[0].fixed)) return false;
    int64_t wide = sizes->items[0].fixed;
    int32_t narrow = (int32_t)wide;
    bool is_bool = wide != 0;
    if (sizes->dtype == DTYPE_I32 && narrow == wide) return set_number(ret_number, DTYPE_I32, &narrow);
    if (sizes->dtype == DTYPE_BOOL) return set_number(ret_number, DTYPE_BOOL, &is_bool);
    return sizes->dtype == DTYPE_I64 && set_number(ret_number, DTYPE_I64, &wide);
}

bool flow_as_number(const struct flows *flows, uint32_t value, struct flow *ret_number)
{
    if (value == VALUE_NONE) return false;
    const struct flow *flow = &flows->values[value];
    struct flow number = {.rank = -1};
    bool is_number = flow->kind == FLOW_CONSTANT ? constant_as_number(flows->graph->values[value].constant, &number)
                     : flow->kind == FLOW_SIZES  ? size_as_number(flow, &number)
                                                 : flow->kind == FLOW_UNIFORM && set_number(&number, flow->dtype, flow->number);
    if (is_number) *ret_number = number;
    return is_number;
}

/* ---- lists of sizes ---- */

static bool is_list(const struct flow *flow)
{
    return flow->rank == 0 || (flow->rank == 1 && size_is_fixed(flow->dims[0]) && flow->dims[0].fixed >= 0 && flow->dims[0].fixed <= FLOW_MAX_ITEMS);
}

static bool is_whole(enum dtype dtype)
{
    return dtype == DTYPE_I64 || dtype == DTYPE_I32 || dtype == DTYPE_BOOL;
}

bool flow_as_sizes(const struct flows *flows, uint32_t value, struct flow *ret_sizes)
{
    if (value == VALUE_NONE) return false;
    const struct flow *flow = &flows->values[value];
    struct flow sizes = *flow;
    bool is_known = flow->kind == FLOW_SIZES || flow->kind == FLOW_CONSTANT || flow->kind == FLOW_UNIFORM;
    if (!is_known || !is_list(flow)) return false;
    if (flow->kind != FLOW_SIZES) {
        struct tensor number = number_tensor(flow);
        const struct tensor *from = flow->kind == FLOW_CONSTANT ? flows->graph->values[value].constant : &number;
        if (!is_whole(from->dtype) || !from->data) return false;
        sizes.dtype = from->dtype;
        int64_t n_items = sizes.rank ? sizes.dims[0].fixed : 1;
        for (int64_t i = 0; i < n_items; i++) sizes.items[i] = size_of(tensor_get_int(from, from == &number ? 0 : i));
    }
    sizes.kind = FLOW_SIZES;
    *ret_sizes = sizes;
    return true;
}

bool flow_as_ints(const struct flows *flows, uint32_t value, int64_t ret_items[FLOW_MAX_ITEMS], int *ret_n_items)
{
    struct flow sizes;
    if (!flow_as_sizes(flows, value, &sizes)) return false;
    int n_items = sizes.rank ? (int)sizes.dims[0].fixed : 1;
    for (int i = 0; i < n_items; i++) {
        if (!size_is_fixed(sizes.items[i])) return false;
        ret_items[i] = sizes.items[i].fixed;
    }
    *ret_n_items = n_items;
    return true;
}

bool flow_axes(const struct flows *flows, uint32_t node, uint32_t i, const char *name, int64_t ret_axes[FLOW_MAX_ITEMS], int *ret_n_axes)
{
    const struct node *n = &flows->graph->nodes[node];
    size_t n_axes;
    const int64_t *axes = attributes_ints(&n->attributes, name, &n_axes);
    if (!axes && flow_input(flows, node, i)) return flow_as_ints(flows, n->inputs[i], ret_axes, ret_n_axes);
    if (n_axes > FLOW_MAX_ITEMS) return false;
    if (axes) memcpy(ret_axes, axes, n_axes * sizeof *axes);
    *ret_n_axes = (int)n_axes;
    return true;
}

/* ---- broadcasting ---- */

bool flow_broadcast(struct flow *flow, const struct flow *other)
{
    if (flow->rank < 0 || other->rank < 0) return false;
    int rank = flow->rank > other->rank ? flow->rank : other->rank;
    struct flow_size dims[TENSOR_MAX_RANK];
    for (int d = 0; d < rank; d++) { /* from the right */
        struct flow_size a = d < flow->rank ? flow->dims[flow->rank - 1 - d] : size_of(1);
        struct flow_size b = d < other->rank ? other->dims[other->rank - 1 - d] : size_of(1);
        if (!size_is_same(a, b) && !size_is(a, 1) && !size_is(b, 1)) return false;
        dims[rank - 1 - d] = size_is(a, 1) ? b : a;
    }
    if (rank > 0) memcpy(flow->dims, dims, (size_t)rank * sizeof *dims);
    flow->axis += rank - flow->rank;
    flow->rank = rank;
    return true;
}

/* ---- computing ---- */

static bool compute_size(const char *op, const struct flow_size *operands, struct flow_size *ret_size)
{
    struct flow_size negated;
    if (!strcmp(op, "Cast")) *ret_size = operands[0];
    else if (!strcmp(op, "Add")) return sum_sizes(operands[0], operands[1], ret_size);
    else if (!strcmp(op, "Sub")) return scale_size(operands[1], -1, &negated) && sum_sizes(operands[0], negated, ret_size);
    else if (!strcmp(op, "Mul")) return size_multiply(operands[0], operands[1], ret_size);
    else if (!strcmp(op, "Div")) return size_divide(operands[0], operands[1], ret_size);
    else if (!strcmp(op, "Equal")) return size_equal(operands[0], operands[1], ret_size);
    else if (!strcmp(op, "Where") && size_is_fixed(operands[0])) *ret_size = operands[operands[0].fixed ? 1 : 2];
    else return false;
    return true;
}

static enum dtype computed_dtype(const struct node *node, const struct flow *last)
{
    if (!strcmp(node->op_type, "Equal")) return DTYPE_BOOL;
    return strcmp(node->op_type, "Cast") ? last->dtype : (enum dtype)attributes_int(&node->attributes, "to", DTYPE_NONE);
}

static void compute_sizes(struct flows *flows, uint32_t node)
{
    enum { MAX_OPERANDS = 3 };
    const struct node *n = &flows->graph->nodes[node];
    struct flow operands[MAX_OPERANDS], result = {.kind = FLOW_SIZES};
    if (n->n_inputs == 0 || n->n_inputs > MAX_OPERANDS || *n->domain) return;
    for (uint32_t i = 0; i < n->n_inputs; i++)
        if (n->inputs[i] == VALUE_NONE || !flow_as_sizes(flows, n->inputs[i], &operands[i]) || !flow_broadcast(&result, &operands[i])) return;
    result.dtype = computed_dtype(n, &operands[n->n_inputs - 1]);
    if (!is_whole(result.dtype) || !is_list(&result)) return;
    int64_t n_items = result.rank ? result.dims[0].fixed : 1;
    for (int64_t item = 0; item < n_items; item++) {
        struct flow_size taken[MAX_OPERANDS];
        for (uint32_t i = 0; i < n->n_inputs; i++)
            taken[i] = operands[i].items[operands[i].rank && operands[i].dims[0].fixed > 1 ? item : 0];
        if (!compute_size(n->op_type, taken, &result.items[item])) return;
    }
    flow_set(flows, node, 0, &result);
}

/* One element of each input, and one of the result: what all of theirs are. */
static bool compute_number(struct flows *flows, uint32_t node, struct flow *numbers, struct flow *ret_result)
{
    const struct node *n = &flows->graph->nodes[node];
    struct tensor *tensors = ARENA_NEW(flows->arena, struct tensor, n->n_inputs), *outputs = ARENA_NEW(flows->arena, struct tensor, n->n_outputs);
    const struct tensor **inputs = ARENA_NEW(flows->arena, const struct tensor *, n->n_inputs);
    struct step step;
    hob_error ignored;
    if (!tensors || !outputs || !inputs) return false;
    for (uint32_t i = 0; i < n->n_inputs; i++) {
        if (n->inputs[i] == VALUE_NONE) continue;
        tensors[i] = number_tensor(&numbers[i]);
        inputs[i] = &tensors[i];
    }
    struct evaluation evaluation = {.kernels = flows->kernels, .results = flows->arena, .scratch = flows->arena, .error = &ignored};
    if (step_make(flows->graph, n, flows->arena, &step, &ignored) != HOB_OK) return false;
    if (evaluate_step(&evaluation, &step, inputs, outputs) != HOB_OK || tensor_n_items(&outputs[0]) != 1 || !outputs[0].data) return false;
    return set_number(ret_result, outputs[0].dtype, outputs[0].data);
}

static bool compute_uniform(struct flows *flows, uint32_t node)
{
    const struct node *n = &flows->graph->nodes[node];
    struct flow *numbers = ARENA_NEW(flows->arena, struct flow, n->n_inputs), result = {.kind = FLOW_UNIFORM};
    if (!numbers || n->n_outputs != 1) return false;
    for (uint32_t i = 0; i < n->n_inputs; i++) {
        if (n->inputs[i] == VALUE_NONE) continue;
        if (!flow_as_number(flows, n->inputs[i], &numbers[i])) return false;
        if (result.rank >= 0 && !flow_broadcast(&result, &flows->values[n->inputs[i]])) result.rank = -1;
    }
    if (!compute_number(flows, node, numbers, &result)) return false;
    flow_set(flows, node, 0, &result);
    return true;
}

void flow_compute(struct flows *flows, uint32_t node)
{
    if (!compute_uniform(flows, node)) compute_sizes(flows, node);
}
