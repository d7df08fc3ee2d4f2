/* Normalisation written out becomes one node, as exports of torch write it over the last axis:
 *
 *     hob.RMSNorm     w * (x * 1/sqrt(mean(x^2) + eps))            or x / sqrt(…)
 *     hob.LayerNorm   w * ((x - mean(x)) / sqrt(mean((x - mean(x))^2) + eps)) + b
 *
 * Only the last value of a pattern is replaced; what else reads its parts keeps them. In
 * subgraphs, where no shapes are known, a weight is taken to be as wide as what it scales. */
#include "base/error.h"
#include "graph/fusion.h"

struct norm {
    uint32_t x, weight, bias; /* bias VALUE_NONE: RMSNorm */
    float epsilon;
};

/* value = mean(of) over the last axis, kept; gives `of`. */
static bool match_mean(const struct graph *graph, uint32_t value, uint32_t *ret_of)
{
    const struct node *mean = pattern_producer(graph, value, "ReduceMean");
    if (!mean || !attributes_int(&mean->attributes, "keepdims", 1)) return false;
    size_t n_axes;
    const int64_t *axes = attributes_ints(&mean->attributes, "axes", &n_axes);
    const struct tensor *given = mean->n_inputs > 1 ? pattern_constant(graph, mean->inputs[1]) : NULL;
    bool is_last = given ? tensor_n_items(given) == 1 && tensor_get_int(given, 0) == -1 : n_axes == 1 && axes[0] == -1;
    *ret_of = mean->inputs[0];
    return is_last;
}

/* value = of^2, as Pow or as a product with itself. */
static bool match_square(const struct graph *graph, uint32_t value, uint32_t *ret_of)
{
    float exponent;
    const struct node *square = pattern_producer(graph, value, "Pow");
    if (square && pattern_number(graph, square->inputs[1], &exponent) && exponent == 2.0f) return *ret_of = square->inputs[0], true;
    square = pattern_producer(graph, value, "Mul");
    if (!square || square->inputs[0] != square->inputs[1]) return false;
    *ret_of = square->inputs[0];
    return true;
}

/* value = sqrt(mean(of^2) + epsilon) */
static bool match_deviation(const struct graph *graph, uint32_t value, uint32_t *ret_of, float *ret_epsilon)
{
    const struct node *root = pattern_producer(graph, value, "Sqrt");
    const struct node *sum = root ? pattern_producer(graph, root->inputs[0], "Add") : NULL;
    for (int side = 0; sum && side < 2; side++) {
        uint32_t square;
        if (pattern_number(graph, sum->inputs[1 - side], ret_epsilon) && match_mean(graph, sum->inputs[side], &square) &&
            match_square(graph, square, ret_of))
            return true;
    }
    return false;
}

/* value = 1 / deviation(of) */
static bool match_inverse(const struct graph *graph, uint32_t value, uint32_t *ret_of, float *ret_epsilon)
{
    float one;
    const struct node *inverse = pattern_producer(graph, value, "Reciprocal");
    if (inverse) return match_deviation(graph, inverse->inputs[0], ret_of, ret_epsilon);
    inverse = pattern_producer(graph, value, "Div");
    return inverse && pattern_number(graph, inverse->inputs[0], &one) && one == 1.0f &&
           match_deviation(graph, inverse->inputs[1], ret_of, ret_epsilon);
}

/* value = of / deviation(of) */
static bool match_scaled(const struct graph *graph, uint32_t value, uint32_t *ret_of, float *ret_epsilon)
{
    const struct node *quotient = pattern_producer(graph, value, "Div");
    if (quotient) return match_deviation(graph, quotient->inputs[1], ret_of, ret_epsilon) && quotient->inputs[0] == *ret_of;
    const struct node *product = pattern_producer(graph, value, "Mul");
    for (int side = 0; product && side < 2; side++)
        if (match_inverse(graph, product->inputs[side], ret_of, ret_epsilon) && product->inputs[1 - side] == *ret_of) return true;
    return false;
}

/* value = weight * (of / deviation(of)) */
static bool match_weighted(const struct graph *graph, uint32_t value, struct norm *norm, uint32_t *ret_of)
{
    const struct node *product = pattern_producer(graph, value, "Mul");
    int64_t width;
    for (int side = 0; product && side < 2; side++) {
        if (!pattern_vector(graph, product->inputs[1 - side], &width)) continue;
        norm->weight = product->inputs[1 - side];
        if (match_scaled(graph, product->inputs[side], ret_of, &norm->epsilon)) return true;
    }
    return false;
}

static bool match_rms_norm(const struct graph *graph, const struct node *node, struct norm *norm)
{
    norm->bias = VALUE_NONE;
    return match_weighted(graph, node->outputs[0], norm, &norm->x);
}

/* Add(weighted, bias) whose centred value is x - mean(x). */
static bool match_layer_norm(const struct graph *graph, const struct node *add, struct norm *norm)
{
    int64_t width;
    uint32_t centred, averaged;
    for (int side = 0; side < 2; side++) {
        if (!pattern_vector(graph, add->inputs[1 - side], &width)) continue;
        norm->bias = add->inputs[1 - side];
        if (!match_weighted(graph, add->inputs[side], norm, &centred)) continue;
        const struct node *difference = pattern_producer(graph, centred, "Sub");
        if (!difference || !match_mean(graph, difference->inputs[1], &averaged) || averaged != difference->inputs[0]) continue;
        norm->x = averaged;
        return true;
    }
    return false;
}

/* As many weights as a row has items: fewer, or rows of one, would be broadcast. */
static bool fits(const struct fusion *fusion, const struct norm *norm)
{
    int64_t n_weights, n_biases;
    const struct tensor *x = fusion_shape(fusion, norm->x);
    if (!pattern_vector(fusion->graph, norm->weight, &n_weights)) return false;
    if (norm->bias != VALUE_NONE && (!pattern_vector(fusion->graph, norm->bias, &n_biases) || n_biases != n_weights)) return false;
    return !x || (x->dtype == DTYPE_F32 && x->rank > 0 && x->dims[x->rank - 1] == n_weights && fusion_is_fixed(fusion, norm->x, x->rank - 1));
}

static hob_status rewrite(struct fusion *fusion, uint32_t index, const struct norm *norm)
{
    uint32_t inputs[] = {norm->x, norm->weight, norm->bias};
    struct attribute epsilon = attribute_float("epsilon", norm->epsilon);
    bool is_rms = norm->bias == VALUE_NONE;
    return fusion_replace(fusion, index, is_rms ? "hob.RMSNorm" : "hob.LayerNorm", inputs, is_rms ? 2 : 3, &epsilon, 1);
}

static hob_status apply(struct graph *graph, struct pass_context *context)
{
    struct fusion fusion;
    struct norm norm;
    TRY(fusion_init(&fusion, graph, context));
    for (uint32_t i = 0; i < fusion.n_nodes; i++)
        if (node_is(&graph->nodes[i], "", "Add") && match_layer_norm(graph, &graph->nodes[i], &norm) && fits(&fusion, &norm))
            TRY(rewrite(&fusion, i, &norm));
    for (uint32_t i = 0; i < fusion.n_nodes; i++)
        if (node_is(&graph->nodes[i], "", "Mul") && match_rms_norm(graph, &graph->nodes[i], &norm) && fits(&fusion, &norm))
            TRY(rewrite(&fusion, i, &norm));
    for (uint32_t s = 0; s < graph->n_subgraphs; s++) TRY(apply(graph->subgraphs[s], context));
    return HOB_OK;
}

const struct pass_def pass_fuse_norm = {
    .name = "fuse_norm", .summary = "recognises RMSNorm and LayerNorm that an export wrote out",
    .makes = "hob.RMSNorm hob.LayerNorm",
    .apply = apply};
