/* A convolution and what follows it become one hob.Conv (or hob.ConvTranspose):
 *
 *     conv -> linear* -> [+ before] -> [activation] -> scaling* -> [+ after]
 *
 * linear   BatchNormalization, or Mul, Add, Sub, Div with a constant number or one for each channel: folded into weights and
 *          bias, in f64, rounded once;
 * before, after   a tensor of the output's shape (a residual);
 * scaling  Mul, Add, Sub, Div with a constant number behind an activation.
 *
 * Each step is taken only if nobody else reads what goes between. Transposed convolutions take no residuals. The shapes of
 * residuals come from a sample run; where there is none they are left alone. */
#include "base/error.h"
#include "graph/activation_pattern.h"
#include "graph/fusion.h"
#include "ops/numbers.h"
#include "ops/activation.h"

#include <math.h>
#include <string.h>

enum { MOST_ATTRIBUTES = 32, FUSED_ATTRIBUTES = 4, MOST_NODES = 64 };

/* What has been gathered behind one convolution. */
struct tail {
    const struct tensor *weights, *bias; /* as the convolution has them; bias may be NULL */
    bool is_transposed;
    int rank;
    int64_t n_groups, n_outputs;
    double *scales, *shifts; /* for each output */
    bool is_folded;          /* not all scales are 1 and shifts the bias */
    struct activation_match activation;
    double scale, shift;                 /* behind the activation */
    uint32_t before, after, output;      /* values */
    uint32_t nodes[MOST_NODES], n_nodes; /* taken; they go. The first few only of a very long tail */
};

/* ---- constants ---- */

/* One number, or one for each channel of a [N,C,…] value of that rank: item c is data[c * stride]. */
static bool match_channels(const struct graph *graph, uint32_t value, int rank, int64_t n_channels,
                           struct tensor *ret_items, int64_t *ret_stride)
{
    const struct tensor *constant = pattern_constant(graph, value);
    if (!constant || constant->dtype != DTYPE_F32 || constant->rank > rank) return false;
    *ret_items = *constant;
    *ret_stride = 0;
    for (int axis = 0; axis < constant->rank; axis++) {
        if (constant->dims[axis] == 1) continue;
        if (axis + rank - constant->rank != 1 || constant->dims[axis] != n_channels) return false;
        *ret_stride = constant->strides[axis];
    }
    return true;
}

static double item(const struct tensor *tensor, int64_t offset)
{
    double number;
    numbers_load_f64(tensor, offset, 1, 1, &number);
    return number;
}

/* ---- linear steps ---- */

/* y = x * scale + shift for one output. */
static void fold(struct tail *tail, int64_t output, double scale, double shift)
{
    tail->scales[output] *= scale;
    tail->shifts[output] = tail->shifts[output] * scale + shift;
}

/* Vectors of n_outputs floats at inputs 1 … 4, and no training. */
static bool is_plain_norm(const struct graph *graph, const struct node *node, const struct tail *tail, uint32_t value)
{
    if (!node_is(node, "", "BatchNormalization") || node->inputs[0] != value || node->n_inputs < 5) return false;
    for (uint32_t i = 1; i < node->n_outputs; i++)
        if (node->outputs[i] != VALUE_NONE) return false;
    for (uint32_t i = 1; i < 5; i++) {
        const struct tensor *row = pattern_constant(graph, node->inputs[i]);
        if (!row || !numbers_is_float(row->dtype) || row->rank != 1 || row->dims[0] != tail->n_outputs) return false;
    }
    if (node->opset < 7)
        return attributes_int(&node->attributes, "is_test", 0) && attributes_int(&node->attributes, "spatial", 1);
    if (node->opset < 9) return attributes_int(&node->attributes, "spatial", 1);
    return !attributes_int(&node->attributes, "training_mode", 0);
}

static bool fold_norm(const struct graph *graph, const struct node *node, uint32_t value, struct tail *tail)
{
    if (!is_plain_norm(graph, node, tail, value)) return false;
    const struct tensor *rows[5] = {NULL};
    for (int i = 1; i < 5; i++) rows[i] = pattern_constant(graph, node->inputs[i]);
    double epsilon = (double)attributes_float(&node->attributes, "epsilon", 1e-5f);
    for (int64_t o = 0; o < tail->n_outputs; o++) {
        double variance = item(rows[4], o * rows[4]->strides[0]), mean = item(rows[3], o * rows[3]->strides[0]);
        double scale = item(rows[1], o * rows[1]->strides[0]) / sqrt(variance + epsilon);
        fold(tail, o, scale, item(rows[2], o * rows[2]->strides[0]) - mean * scale);
    }
    return true;
}

enum arithmetic { ADD, SUB, MUL, DIV, NO_ARITHMETIC };

static enum arithmetic arithmetic_of(const struct node *node)
{
    static const char *const names[] = {"Add", "Sub", "Mul", "Div"};
    for (int i = 0; i < 4; i++)
        if (node_is(node, "", names[i])) return node->opset >= 7 ? (enum arithmetic)i : NO_ARITHMETIC;
    return NO_ARITHMETIC;
}

/* value op number (or number op value when is_second) as value * scale + shift; false: number / value. */
static bool as_affine(enum arithmetic op, bool is_second, double number, double *ret_scale, double *ret_shift)
{
    *ret_scale = 1, *ret_shift = 0;
    switch (op) {
    case ADD:
        *ret_shift = number;
        return true;
    case SUB:
        *ret_scale = is_second ? -1 : 1, *ret_shift = is_second ? number : -number;
        return true;
    case MUL:
        *ret_scale = number;
        return true;
    case DIV:
        *ret_scale = 1 / number;
        return !is_second && number != 0;
    case NO_ARITHMETIC:
        break;
    }
    return false;
}

static bool fold_arithmetic(const struct graph *graph, const struct node *node, uint32_t value, struct tail *tail)
{
    enum arithmetic op = arithmetic_of(node);
    struct tensor items;
    int64_t stride;
    double scale, shift;
    bool is_second = op != NO_ARITHMETIC && node->inputs[1] == value;
    if (op == NO_ARITHMETIC ||
        !match_channels(graph, node_other_input(node, value), tail->rank, tail->n_outputs, &items, &stride))
        return false;
    for (int64_t o = 0; o < tail->n_outputs; o++)
        if (!as_affine(op, is_second, item(&items, o * stride), &scale, &shift)) return false;
    for (int64_t o = 0; o < tail->n_outputs; o++)
        if (as_affine(op, is_second, item(&items, o * stride), &scale, &shift)) fold(tail, o, scale, shift);
    return true;
}

static bool scale_all(const struct graph *graph, const struct node *node, uint32_t value, struct tail *tail)
{
    enum arithmetic op = arithmetic_of(node);
    struct tensor items;
    int64_t stride;
    double scale, shift;
    if (op == NO_ARITHMETIC || !match_channels(graph, node_other_input(node, value), tail->rank, 1, &items, &stride) ||
        !as_affine(op, node->inputs[1] == value, item(&items, 0), &scale, &shift))
        return false;
    tail->scale *= scale;
    tail->shift = tail->shift * scale + shift;
    return true;
}

/* ---- walking down ---- */

static void take(struct tail *tail, const struct graph *graph, const struct node *node)
{
    tail->nodes[tail->n_nodes++] = (uint32_t)(node - graph->nodes);
    tail->output = node->outputs[0];
}

static bool take_linear(const struct fusion *fusion, struct tail *tail)
{
    const struct node *node = value_only_reader(fusion->graph, &fusion->readers, tail->output);
    if (!node || (!fold_norm(fusion->graph, node, tail->output, tail) &&
                  !fold_arithmetic(fusion->graph, node, tail->output, tail)))
        return false;
    tail->is_folded = true;
    take(tail, fusion->graph, node);
    return true;
}

static bool take_scaling(const struct fusion *fusion, struct tail *tail)
{
    const struct node *node = value_only_reader(fusion->graph, &fusion->readers, tail->output);
    if (!node || !scale_all(fusion->graph, node, tail->output, tail)) return false;
    take(tail, fusion->graph, node);
    return true;
}

static void take_residual(const struct fusion *fusion, struct tail *tail, uint32_t *ret_value)
{
    const struct node *node = value_only_reader(fusion->graph, &fusion->readers, tail->output);
    if (tail->is_transposed || !node || arithmetic_of(node) != ADD) return;
    uint32_t other = node_other_input(node, tail->output);
    if (other == tail->output || !fusion_same_f32(fusion, other, tail->output)) return;
    *ret_value = other;
    take(tail, fusion->graph, node);
}

static void take_activation(const struct fusion *fusion, struct tail *tail)
{
    if (!activation_match(fusion->graph, &fusion->readers, tail->output, &tail->activation)) return;
    for (uint32_t i = 0; i < tail->activation.n_nodes; i++) tail->nodes[tail->n_nodes++] = tail->activation.nodes[i];
    tail->output = tail->activation.output;
}

static void walk_down(const struct fusion *fusion, struct tail *tail)
{
    while (tail->n_nodes < MOST_NODES / 2 && take_linear(fusion, tail)) {
    }
    take_residual(fusion, tail, &tail->before);
    take_activation(fusion, tail);
    bool is_finished = tail->activation.kind != FINISH_NONE || tail->before != VALUE_NONE;
    while (is_finished && tail->n_nodes < MOST_NODES - 1 && take_scaling(fusion, tail)) {
    }
    take_residual(fusion, tail, &tail->after);
}

/* ---- rewriting ---- */

/* f32 [n_outputs] */
static hob_status add_bias(struct fusion *fusion, const struct tail *tail, uint32_t *ret_value)
{
    struct arena *arena = &fusion->graph->arena;
    float *items = ARENA_NEW(arena, float, (size_t)tail->n_outputs);
    if (!items) FAIL(fusion->context->error, HOB_NO_MEMORY, "folding into a convolution: out of memory");
    for (int64_t o = 0; o < tail->n_outputs; o++) items[o] = (float)tail->shifts[o];
    struct tensor tensor;
    TRY(tensor_init(&tensor, DTYPE_F32, 1, &tail->n_outputs, items, fusion->context->error));
    return graph_add_constant(fusion->graph, "", &tensor, ret_value, fusion->context->error);
}

/* Weights are [outputs, channels, taps…], or [groups * channels, outputs / groups, taps…] when transposed. */
static hob_status add_weights(struct fusion *fusion, const struct tail *tail, uint32_t *ret_value)
{
    struct tensor tensor = *tail->weights;
    int64_t n_items = tensor_n_items(&tensor), n_rows = tensor.dims[0], n_columns = tensor.dims[1];
    float *items = arena_alloc(&fusion->graph->arena, tensor_n_bytes(&tensor) + 1, 64);
    if (!items) FAIL(fusion->context->error, HOB_NO_MEMORY, "folding into a convolution: out of memory");
    tensor_copy_contiguous(&tensor, items);
    int64_t n_taps = n_items ? n_items / (n_rows * n_columns) : 0;
    for (int64_t i = 0; i < n_items; i++) {
        int64_t row = i / (n_columns * n_taps), column = i / n_taps % n_columns;
        int64_t output = tail->is_transposed ? row / (n_rows / tail->n_groups) * n_columns + column : row;
        items[i] = (float)((double)items[i] * tail->scales[output]);
    }
    tensor.data = items;
    tensor_set_contiguous(&tensor);
    tensor.is_view = false;
    return graph_add_constant(fusion->graph, "", &tensor, ret_value, fusion->context->error);
}

static hob_status rewrite(struct fusion *fusion, uint32_t index, struct tail *tail)
{
    struct graph *graph = fusion->graph;
    const struct node *conv = &graph->nodes[index];
    struct builder builder;
    uint32_t inputs[5] = {conv->inputs[0], conv->inputs[1], conv->n_inputs > 2 ? conv->inputs[2] : VALUE_NONE,
                          tail->before, tail->after};
    if (tail->is_folded) {
        TRY(add_weights(fusion, tail, &inputs[1]));
        TRY(add_bias(fusion, tail, &inputs[2]));
        conv = &graph->nodes[index];
    }
    struct attribute attributes[MOST_ATTRIBUTES + FUSED_ATTRIBUTES];
    size_t n_attributes = conv->attributes.n_items;
    memcpy(attributes, conv->attributes.items, n_attributes * sizeof *attributes);
    const float params[] = {tail->activation.alpha, tail->activation.beta};
    attributes[n_attributes++] = attribute_string("activation", activation_name(tail->activation.kind));
    attributes[n_attributes++] =
        (struct attribute){.name = "activation_params", .kind = ATTRIBUTE_FLOATS, .n_items = 2, .numbers = params};
    attributes[n_attributes++] = attribute_float("scale", (float)tail->scale);
    attributes[n_attributes++] = attribute_float("shift", (float)tail->shift);
    const char *name = conv->name;
    graph_remove_node(graph, index);
    for (uint32_t i = 0; i < tail->n_nodes; i++) graph_remove_node(graph, tail->nodes[i]);
    builder_init(&builder, graph);
    builder_op_into(&builder, name, tail->is_transposed ? "hob.ConvTranspose" : "hob.Conv", inputs,
                    tail->is_transposed ? 3 : 5, attributes, n_attributes, &tail->output, 1);
    fusion->context->n_changes++;
    return builder_finish(&builder, fusion->context->error);
}

/* An f32 convolution whose weights, and bias if any, are constants that fit each other; bad ones say so when they run. */
static bool describe(const struct graph *graph, const struct node *node, struct tail *tail)
{
    *tail = (struct tail){
        .scale = 1, .before = VALUE_NONE, .after = VALUE_NONE, .is_transposed = node_is(node, "", "ConvTranspose")};
    if ((!tail->is_transposed && !node_is(node, "", "Conv")) || node->attributes.n_items > MOST_ATTRIBUTES)
        return false;
    uint32_t bias = node->n_inputs > 2 ? node->inputs[2] : VALUE_NONE;
    tail->weights = pattern_constant(graph, node->inputs[1]);
    tail->bias = pattern_constant(graph, bias);
    tail->n_groups = attributes_int(&node->attributes, "group", 1);
    tail->output = node->outputs[0];
    if (!tail->weights || tail->weights->dtype != DTYPE_F32 || tail->weights->rank < 3 ||
        !tensor_n_items(tail->weights) || (bias != VALUE_NONE && !tail->bias))
        return false;
    if (tail->n_groups < 1 || tail->weights->dims[0] % tail->n_groups) return false;
    tail->rank = tail->weights->rank;
    tail->n_outputs = tail->weights->dims[0];
    if (tail->is_transposed && !int64_mul(tail->weights->dims[1], tail->n_groups, &tail->n_outputs)) return false;
    return !tail->bias ||
           (tail->bias->dtype == DTYPE_F32 && tail->bias->rank == 1 && tail->bias->dims[0] == tail->n_outputs);
}

static hob_status fuse(struct fusion *fusion, uint32_t index)
{
    struct tail tail;
    if (!describe(fusion->graph, &fusion->graph->nodes[index], &tail)) return HOB_OK;
    struct arena *scratch = fusion->context->scratch;
    size_t n = (size_t)tail.n_outputs;
    tail.scales = ARENA_NEW(scratch, double, n);
    tail.shifts = ARENA_NEW(scratch, double, n);
    if (!tail.scales || !tail.shifts)
        FAIL(fusion->context->error, HOB_NO_MEMORY, "fusing a convolution: out of memory");
    for (size_t o = 0; o < n; o++) {
        tail.scales[o] = 1;
        tail.shifts[o] = tail.bias ? item(tail.bias, (int64_t)o * tail.bias->strides[0]) : 0;
    }
    walk_down(fusion, &tail);
    return tail.n_nodes ? rewrite(fusion, index, &tail) : HOB_OK;
}

static bool has_convolution(const struct graph *graph)
{
    for (uint32_t i = 0; i < graph->n_nodes; i++)
        if (node_is(&graph->nodes[i], "", "Conv") || node_is(&graph->nodes[i], "", "ConvTranspose")) return true;
    return false;
}

/* A sample run costs a compilation: only where a convolution is. */
static hob_status apply(struct graph *graph, struct pass_context *context)
{
    if (has_convolution(graph)) {
        struct fusion fusion;
        TRY(fusion_init(&fusion, graph, context));
        for (uint32_t i = 0; i < fusion.n_nodes; i++) TRY(fuse(&fusion, i));
    }
    for (uint32_t s = 0; s < graph->n_subgraphs; s++) TRY(apply(graph->subgraphs[s], context));
    return HOB_OK;
}

const struct pass_def pass_fuse_conv = {.name = "fuse_conv",
                                        .summary =
                                            "folds norms, arithmetic, residuals and activations into convolutions",
                                        .makes = "hob.Conv hob.ConvTranspose",
                                        .apply = apply};
