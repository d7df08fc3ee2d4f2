/* Operators that only show the same elements in another way, or in another type and back, are joined or dropped:
 *
 *     Transpose(Transpose(x))           one Transpose, or x
 *     Reshape(Reshape | Squeeze | Unsqueeze | Flatten of x, constant shape)      Reshape(x, that shape)
 *     Squeeze(Unsqueeze(x, axes), axes), Unsqueeze(Squeeze(x, axes), axes)       x
 *     Cast(Cast(x, wider type), type)   Cast(x, type), or x when it has that type
 *     Concat, Sum, Max, Min or Mean of one value; Mul or Div by one number 1     that value
 *     Where(Expand(x, Shape(y)), number, y) and other broadcasting operators     x itself, which they expand themselves
 *
 * Exports write such chains where a library's layers meet. Exact: no element's bits change. */
#include "base/error.h"
#include "graph/fusion.h"

#include <string.h>

/* What stands for a node's output instead: `value` as it is, or after one operator with `attribute` or `operand`. */
struct simpler {
    uint32_t value, operand;     /* operand: second input, or VALUE_NONE */
    const char *op;              /* NULL: value as it is */
    struct attribute attribute;  /* kind 0: none */
    int64_t numbers[TENSOR_MAX_RANK];
};

static const struct node *producer_of(const struct fusion *fusion, uint32_t value)
{
    uint32_t producer = value < fusion->readers.n_values ? fusion->graph->values[value].producer : NODE_NONE;
    return producer == NODE_NONE ? NULL : &fusion->graph->nodes[producer];
}

/* ---- transposes ---- */

static bool permutation_of(const struct fusion *fusion, const struct node *transpose, int64_t *ret_order, size_t *ret_rank)
{
    size_t n_axes;
    const int64_t *order = attributes_ints(&transpose->attributes, "perm", &n_axes);
    const struct tensor *shape = fusion_shape(fusion, transpose->inputs[0]);
    if (!shape || (order && n_axes != shape->rank)) return false;
    *ret_rank = shape->rank;
    for (size_t i = 0; i < shape->rank; i++) ret_order[i] = order ? order[i] : (int64_t)(shape->rank - 1 - i);
    return true;
}

static bool is_in_order(const int64_t *order, size_t rank)
{
    for (size_t i = 0; i < rank; i++)
        if (order[i] != (int64_t)i) return false;
    return true;
}

static bool simplify_transpose(const struct fusion *fusion, const struct node *node, struct simpler *simpler)
{
    int64_t outer[TENSOR_MAX_RANK], inner[TENSOR_MAX_RANK];
    size_t rank, inner_rank;
    if (!permutation_of(fusion, node, outer, &rank)) return false;
    simpler->value = node->inputs[0];
    if (is_in_order(outer, rank)) return true;
    const struct node *before = producer_of(fusion, node->inputs[0]);
    if (!before || !node_is(before, "", "Transpose") || !permutation_of(fusion, before, inner, &inner_rank) || inner_rank != rank) return false;
    for (size_t i = 0; i < rank; i++) simpler->numbers[i] = inner[outer[i]];
    simpler->value = before->inputs[0];
    if (is_in_order(simpler->numbers, rank)) return true;
    simpler->op = "Transpose";
    simpler->attribute = attribute_ints("perm", simpler->numbers, rank);
    return true;
}

/* ---- shapes ---- */

/* A 0 in a shape copies a dim of the tensor that is reshaped: that would be another one. */
static bool is_shape_of_its_own(const struct fusion *fusion, uint32_t value)
{
    const struct tensor *shape = pattern_constant(fusion->graph, value);
    if (!shape || shape->dtype != DTYPE_I64) return false;
    for (int64_t i = 0; i < tensor_n_items(shape); i++)
        if (tensor_get_int(shape, i) == 0) return false;
    return true;
}

static bool simplify_reshape(const struct fusion *fusion, const struct node *node, struct simpler *simpler)
{
    const struct node *before = producer_of(fusion, node->inputs[0]);
    if (node->n_inputs != 2 || !before || !is_shape_of_its_own(fusion, node->inputs[1])) return false;
    if (!node_is(before, "", "Reshape") && !node_is(before, "", "Squeeze") && !node_is(before, "", "Unsqueeze") && !node_is(before, "", "Flatten"))
        return false;
    *simpler = (struct simpler){.value = before->inputs[0], .operand = node->inputs[1], .op = "Reshape"};
    return true;
}

/* The axes of a Squeeze or Unsqueeze, all of them counted from the front. */
static bool axes_of(const struct fusion *fusion, const struct node *node, int64_t *ret_axes, size_t *ret_n_axes)
{
    const int64_t *axes = attributes_ints(&node->attributes, "axes", ret_n_axes);
    const struct tensor *given = node->n_inputs > 1 ? pattern_constant(fusion->graph, node->inputs[1]) : NULL;
    if (given && given->dtype != DTYPE_I64) return false;
    if (given) *ret_n_axes = (size_t)tensor_n_items(given);
    if ((!axes && !given) || *ret_n_axes > TENSOR_MAX_RANK) return false;
    for (size_t i = 0; i < *ret_n_axes; i++) {
        ret_axes[i] = given ? tensor_get_int(given, (int64_t)i) : axes[i];
        if (ret_axes[i] < 0) return false;
    }
    return true;
}

static bool simplify_squeeze(const struct fusion *fusion, const struct node *node, const char *opposite, struct simpler *simpler)
{
    int64_t axes[TENSOR_MAX_RANK], before_axes[TENSOR_MAX_RANK];
    size_t n_axes, n_before;
    const struct node *before = producer_of(fusion, node->inputs[0]);
    if (!before || !node_is(before, "", opposite) || !axes_of(fusion, node, axes, &n_axes) || !axes_of(fusion, before, before_axes, &n_before))
        return false;
    simpler->value = before->inputs[0];
    return n_axes == n_before && !memcmp(axes, before_axes, n_axes * sizeof *axes);
}

/* ---- casts ---- */

/* Every number of one type is a number of the other. */
static bool is_wider(enum dtype from, enum dtype to)
{
    switch (to) {
    case DTYPE_F32: return from == DTYPE_F16 || from == DTYPE_BF16 || from == DTYPE_I8 || from == DTYPE_U8 || from == DTYPE_I16 || from == DTYPE_U16 || from == DTYPE_BOOL;
    case DTYPE_F64: return from == DTYPE_F32 || from == DTYPE_I32 || from == DTYPE_U32 || is_wider(from, DTYPE_F32);
    case DTYPE_I16: return from == DTYPE_I8 || from == DTYPE_U8 || from == DTYPE_BOOL;
    case DTYPE_I32: return from == DTYPE_U16 || from == DTYPE_I16 || is_wider(from, DTYPE_I16);
    case DTYPE_I64: return from == DTYPE_U32 || from == DTYPE_I32 || is_wider(from, DTYPE_I32);
    default: return false;
    }
}

/* Whole numbers to smaller ones wrap and floats saturate, so only a cast back to a float, or to the type itself, is the same
 * from both. */
static bool simplify_cast(const struct fusion *fusion, const struct node *node, struct simpler *simpler)
{
    const struct node *before = producer_of(fusion, node->inputs[0]);
    if (!before || !node_is(before, "", "Cast")) return false;
    const struct tensor *x = fusion_shape(fusion, before->inputs[0]), *wide = fusion_shape(fusion, node->inputs[0]);
    enum dtype to = (enum dtype)attributes_int(&node->attributes, "to", DTYPE_NONE);
    if (!x || !wide || !is_wider(x->dtype, wide->dtype)) return false;
    simpler->value = before->inputs[0];
    if (to == x->dtype) return true;
    if (!dtype_is_float(x->dtype) || !dtype_is_float(to) || node->attributes.n_items != 1) return false; /* "saturate" stays */
    if (to == DTYPE_BF16) return false; /* up to opset 17 f32 is cut to it, other types are rounded */
    simpler->op = "Cast";
    simpler->attribute = attribute_int("to", (int64_t)to);
    return true;
}

/* ---- nothing to do ---- */

static bool is_alone(const struct node *node)
{
    static const char *const joining[] = {"Concat", "Sum", "Max", "Min", "Mean"};
    for (size_t i = 0; i < sizeof joining / sizeof joining[0]; i++)
        if (node->n_inputs == 1 && node_is(node, "", joining[i])) return true;
    return false;
}

/* By a number without axes of its own, which changes no shape. */
static bool simplify_product(const struct fusion *fusion, const struct node *node, bool is_division, struct simpler *simpler)
{
    for (int side = is_division; side < 2; side++) {
        const struct tensor *number = pattern_constant(fusion->graph, node->inputs[side]);
        float one;
        if (!number || number->rank > 0 || !pattern_number(fusion->graph, node->inputs[side], &one) || one != 1.0f) continue;
        simpler->value = node->inputs[1 - side];
        return true;
    }
    return false;
}

/* ---- expanding what would be broadcast ---- */

static bool broadcasts(const struct node *node)
{
    static const char *const broadcasting[] = {"Where", "Add", "Sub", "Mul", "Div", "And", "Or", "Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual"};
    for (size_t i = 0; i < sizeof broadcasting / sizeof broadcasting[0]; i++)
        if (node_is(node, "", broadcasting[i])) return node->opset >= 7;
    return false;
}

/* What stands for an operand that is expanded to the shape of another operand of the same node; VALUE_NONE: nothing. */
static uint32_t unexpanded(const struct fusion *fusion, const struct node *node, uint32_t value)
{
    const struct node *expand = pattern_producer(fusion->graph, value, "Expand");
    const struct node *shape = expand ? pattern_producer(fusion->graph, expand->inputs[1], "Shape") : NULL;
    if (!shape || shape->attributes.n_items) return VALUE_NONE; /* start and end cut the shape */
    for (uint32_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] == shape->inputs[0] && node->inputs[i] != value) return expand->inputs[0];
    return VALUE_NONE;
}

static void read_unexpanded(struct fusion *fusion, uint32_t index)
{
    const struct node *node = &fusion->graph->nodes[index];
    uint32_t *inputs = (uint32_t *)(uintptr_t)node->inputs; /* the graph's own arena memory */
    if (!broadcasts(node)) return;
    for (uint32_t i = 0; i < node->n_inputs; i++) {
        uint32_t simpler = node->inputs[i] == VALUE_NONE ? VALUE_NONE : unexpanded(fusion, node, node->inputs[i]);
        if (simpler == VALUE_NONE) continue;
        inputs[i] = simpler;
        fusion->context->n_changes++;
    }
}

static bool simplify(const struct fusion *fusion, const struct node *node, struct simpler *simpler)
{
    *simpler = (struct simpler){.operand = VALUE_NONE};
    if (*node->domain || !node->n_inputs || node->inputs[0] == VALUE_NONE || node->is_removed) return false;
    if (!strcmp(node->op_type, "Transpose")) return simplify_transpose(fusion, node, simpler);
    if (!strcmp(node->op_type, "Reshape")) return simplify_reshape(fusion, node, simpler);
    if (!strcmp(node->op_type, "Squeeze")) return simplify_squeeze(fusion, node, "Unsqueeze", simpler);
    if (!strcmp(node->op_type, "Unsqueeze")) return simplify_squeeze(fusion, node, "Squeeze", simpler);
    if (!strcmp(node->op_type, "Cast")) return simplify_cast(fusion, node, simpler);
    if (!strcmp(node->op_type, "Mul")) return simplify_product(fusion, node, false, simpler);
    if (!strcmp(node->op_type, "Div")) return simplify_product(fusion, node, true, simpler);
    simpler->value = node->inputs[0];
    return is_alone(node);
}

static hob_status apply_simpler(struct fusion *fusion, uint32_t index, const struct simpler *simpler, uint32_t *replacements)
{
    if (simpler->op) {
        uint32_t inputs[] = {simpler->value, simpler->operand};
        return fusion_replace(fusion, index, simpler->op, inputs, simpler->operand == VALUE_NONE ? 1 : 2, &simpler->attribute,
                              simpler->attribute.kind ? 1 : 0);
    }
    replacements[fusion->graph->nodes[index].outputs[0]] = simpler->value;
    graph_remove_node(fusion->graph, index);
    fusion->context->n_changes++;
    return HOB_OK;
}

/* A graph's inputs and constants stay behind what they feed: an output that is the value itself is fine, the executor copies. */
static hob_status apply(struct graph *graph, struct pass_context *context)
{
    struct fusion fusion;
    struct simpler simpler;
    uint32_t *replacements;
    TRY(fusion_init(&fusion, graph, context));
    TRY(graph_new_replacements(graph, context->scratch, &replacements, context->error));
    for (uint32_t i = 0; i < fusion.n_nodes; i++) {
        graph_replace_inputs(graph, i, replacements);
        read_unexpanded(&fusion, i);
        if (simplify(&fusion, &graph->nodes[i], &simpler)) TRY(apply_simpler(&fusion, i, &simpler, replacements));
    }
    graph_replace_values(graph, replacements);
    return HOB_OK;
}

const struct pass_def pass_simplify_moves = {
    .name = "simplify_moves", .summary = "joins transposes, reshapes and casts that follow each other, drops what does nothing", .apply = apply};
