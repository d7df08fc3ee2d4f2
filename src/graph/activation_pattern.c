#include "graph/activation_pattern.h"

#include "graph/pattern.h"

#include <math.h>
#include <string.h>

static void take(const struct graph *graph, const struct node *node, struct activation_match *match)
{
    match->nodes[match->n_nodes++] = (uint32_t)(node - graph->nodes);
    match->output = node->outputs[0];
}

/* ---- one operator ---- */

static float attribute_or(const struct node *node, const char *name, float fallback)
{
    return attributes_float(&node->attributes, name, fallback);
}

/* A limit of Clip: an attribute before opset 11, an optional constant since. */
static bool read_limit(const struct graph *graph, const struct node *clip, uint32_t input, const char *name,
                       float fallback, float *ret_limit)
{
    if (clip->opset < 11) {
        *ret_limit = attribute_or(clip, name, fallback);
        return true;
    }
    if (input >= clip->n_inputs || clip->inputs[input] == VALUE_NONE) {
        *ret_limit = fallback;
        return true;
    }
    return pattern_number(graph, clip->inputs[input], ret_limit);
}

static bool match_clip(const struct graph *graph, const struct node *node, float *ret_low, float *ret_high)
{
    return node_is(node, "", "Clip") && read_limit(graph, node, 1, "min", -INFINITY, ret_low) &&
           read_limit(graph, node, 2, "max", INFINITY, ret_high);
}

static bool match_gelu(const struct node *node)
{
    bool is_one = node_is(node, "", "Gelu") || node_is(node, "hob", "Gelu") || node_is(node, "com.microsoft", "Gelu");
    return is_one && !strcmp(attributes_string(&node->attributes, "approximate", "none"), "none");
}

static bool match_silu(const struct node *node)
{
    return node_is(node, "com.microsoft", "QuickGelu") && attribute_or(node, "alpha", 1.702f) == 1.0f;
}

/* Without alpha and beta. */
static bool match_plain(const struct node *node, enum finish_activation *ret_kind)
{
    if (node_is(node, "", "Relu")) *ret_kind = FINISH_RELU;
    else if (node_is(node, "", "Sigmoid")) *ret_kind = FINISH_SIGMOID;
    else if (node_is(node, "", "Tanh")) *ret_kind = FINISH_TANH;
    else if (match_gelu(node)) *ret_kind = FINISH_GELU;
    else if (match_silu(node)) *ret_kind = FINISH_SILU;
    else return false;
    return true;
}

static bool match_one(const struct graph *graph, const struct node *node, uint32_t value,
                      struct activation_match *match)
{
    if (match_plain(node, &match->kind)) return true;
    if (match_clip(graph, node, &match->alpha, &match->beta)) {
        match->kind = FINISH_CLIP;
        return node->inputs[0] == value;
    }
    if (node_is(node, "", "LeakyRelu")) {
        match->kind = FINISH_LEAKY_RELU;
        match->alpha = attribute_or(node, "alpha", 0.01f);
        return true;
    }
    if (node_is(node, "", "PRelu")) {
        match->kind = FINISH_LEAKY_RELU;
        const struct tensor *slope = pattern_constant(graph, node->inputs[1]);
        return node->opset >= 7 && node->inputs[0] == value && slope && slope->rank <= 1 &&
               pattern_number(graph, node->inputs[1], &match->alpha);
    }
    bool is_swish = node_is(node, "", "HardSwish");
    if (!is_swish && !node_is(node, "", "HardSigmoid")) return false;
    match->kind = is_swish ? FINISH_HARD_SWISH : FINISH_HARD_SIGMOID;
    match->alpha = is_swish ? 1.0f / 6 : attribute_or(node, "alpha", 0.2f);
    match->beta = is_swish ? 0.5f : attribute_or(node, "beta", 0.5f);
    return true;
}

/* ---- written out: value times a function of it ---- */

/* The node multiplies value with `gate`, which nobody else reads. */
static bool is_gated(const struct graph *graph, const struct value_readers *readers, const struct node *product,
                     uint32_t value, uint32_t gate)
{
    return product && node_is(product, "", "Mul") && product->opset >= 7 &&
           product == value_only_reader(graph, readers, gate) &&
           ((product->inputs[0] == value && product->inputs[1] == gate) ||
            (product->inputs[0] == gate && product->inputs[1] == value));
}

static bool is_number(const struct graph *graph, uint32_t value, float expected)
{
    float number;
    return pattern_number(graph, value, &number) && number == expected;
}

/* x / number, or x times its inverse. */
static bool divides_by(const struct graph *graph, const struct node *node, uint32_t value, float number)
{
    if (!node) return false;
    if (node_is(node, "", "Div")) return node->inputs[0] == value && is_number(graph, node->inputs[1], number);
    return node_is(node, "", "Mul") && is_number(graph, node_other_input(node, value), 1 / number);
}

/* gate = sigmoid(x) or hard_sigmoid(x) */
static bool match_gate(const struct node *gate, struct activation_match *match)
{
    if (node_is(gate, "", "Sigmoid")) {
        match->kind = FINISH_SILU;
        return true;
    }
    match->kind = FINISH_HARD_SWISH;
    match->alpha = attribute_or(gate, "alpha", 0.2f);
    match->beta = attribute_or(gate, "beta", 0.5f);
    return node_is(gate, "", "HardSigmoid");
}

/* x * clip(x + shift, 0, high), divided by high before or after the product. */
static bool match_hard_swish(const struct graph *graph, const struct value_readers *readers, const struct node *sum,
                             uint32_t value, const struct node *product, struct activation_match *match)
{
    float low, high, shift;
    if (!node_is(sum, "", "Add") || sum->opset < 7 || !pattern_number(graph, node_other_input(sum, value), &shift))
        return false;
    const struct node *clip = value_only_reader(graph, readers, sum->outputs[0]);
    if (!clip || !match_clip(graph, clip, &low, &high) || low != 0 || !(high > 0 && high < INFINITY)) return false;
    match->kind = FINISH_HARD_SWISH;
    match->alpha = 1 / high;
    match->beta = shift / high;
    take(graph, sum, match);
    take(graph, clip, match);
    bool is_divided = !is_gated(graph, readers, product, value, clip->outputs[0]);
    const struct node *quotient =
        value_only_reader(graph, readers, is_divided ? clip->outputs[0] : product->outputs[0]);
    if (!divides_by(graph, quotient, is_divided ? clip->outputs[0] : product->outputs[0], high)) return false;
    if (is_divided && !is_gated(graph, readers, product, value, quotient->outputs[0])) return false;
    take(graph, is_divided ? quotient : product, match);
    take(graph, is_divided ? product : quotient, match);
    return true;
}

static bool match_written_out(const struct graph *graph, const struct value_readers *readers, uint32_t value,
                              struct activation_match *match)
{
    const struct node *a, *b;
    if (!value_two_readers(graph, readers, value, &a, &b)) return false;
    const struct node *product = node_is(b, "", "Mul") ? b : a, *gate = product == b ? a : b;
    if (match_hard_swish(graph, readers, gate, value, product, match)) return true;
    match->n_nodes = 0;
    if (!match_gate(gate, match) || !is_gated(graph, readers, product, value, gate->outputs[0])) return false;
    take(graph, gate, match);
    take(graph, product, match);
    return true;
}

bool activation_match(const struct graph *graph, const struct value_readers *readers, uint32_t value,
                      struct activation_match *ret_match)
{
    struct activation_match match = {0};
    const struct node *only = value_only_reader(graph, readers, value);
    if (only) {
        if (!match_one(graph, only, value, &match)) return false;
        take(graph, only, &match);
    } else if (!match_written_out(graph, readers, value, &match)) {
        return false;
    }
    *ret_match = match;
    return true;
}
