/* Activations written out become one node:
 *
 *     hob.Gelu                   0.5 * x * (1 + erf(x / sqrt(2)))
 *     hob.Gelu tanh              0.5 * x * (1 + tanh(sqrt(2/pi) * (x + 0.044715 * x^3)))
 *     com.microsoft.QuickGelu    x * sigmoid(alpha * x); alpha 1 is SiLU
 *     hob.SwiGLU                 x * sigmoid(x) * up
 *
 * in whatever order and grouping the products were written. Only the last value of a pattern is replaced. */
#include "base/error.h"
#include "graph/fusion.h"

#include <math.h>

static const double CUBE = 0.044715;

/* value = 1 + term; gives the term. */
static bool match_one_more(const struct graph *graph, uint32_t value, uint32_t *ret_term)
{
    float one;
    return pattern_with_number(graph, value, "Add", &one, ret_term) && one == 1.0f;
}

/* value = number * x^k: gives k, 0 when it is something else. */
static int power_of(const struct graph *graph, uint32_t value, uint32_t x, double number)
{
    struct pattern_product product;
    int power = 0;
    if (!pattern_product(graph, value, x, &product) || !pattern_is_number(product.number, number)) return 0;
    for (uint32_t i = 0; i < product.n_factors; i++) {
        float exponent = 1;
        const struct node *node = pattern_producer(graph, product.factors[i], "Pow");
        if (product.factors[i] != x && (!node || node->inputs[0] != x || !pattern_number(graph, node->inputs[1], &exponent))) return 0;
        if (exponent != 1.0f && exponent != 2.0f && exponent != 3.0f) return 0;
        power += (int)exponent;
    }
    return power;
}

/* value = x / sqrt(2); x is whatever is divided. */
static bool match_erf_argument(const struct graph *graph, uint32_t value, uint32_t *ret_x)
{
    float number;
    const struct node *quotient = pattern_producer(graph, value, "Div");
    if (quotient && pattern_number(graph, quotient->inputs[1], &number)) {
        *ret_x = quotient->inputs[0];
        return pattern_is_number((double)number, sqrt(2.0));
    }
    return pattern_with_number(graph, value, "Mul", &number, ret_x) && pattern_is_number((double)number, sqrt(0.5));
}

/* sum = x + 0.044715 x^3 */
static bool match_cubic(const struct graph *graph, const struct node *sum, uint32_t *ret_x)
{
    for (int side = 0; side < 2; side++) {
        if (power_of(graph, sum->inputs[1 - side], sum->inputs[side], CUBE) != 3) continue;
        *ret_x = sum->inputs[side];
        return true;
    }
    return false;
}

/* value = sqrt(2/pi) * (x + 0.044715 x^3), or = sqrt(2/pi) * x * (1 + 0.044715 x^2) */
static bool match_tanh_argument(const struct graph *graph, uint32_t value, uint32_t *ret_x)
{
    struct pattern_product product;
    uint32_t term;
    if (!pattern_product(graph, value, VALUE_NONE, &product) || !pattern_is_number(product.number, sqrt(2 / M_PI))) return false;
    const struct node *sum = product.n_factors == 1 ? pattern_producer(graph, product.factors[0], "Add") : NULL;
    if (sum) return match_cubic(graph, sum, ret_x);
    for (uint32_t i = 0; product.n_factors == 2 && i < 2; i++) {
        *ret_x = product.factors[i];
        if (match_one_more(graph, product.factors[1 - i], &term) && power_of(graph, term, *ret_x, CUBE) == 2) return true;
    }
    return false;
}

/* The factor 1 + erf(…) or 1 + tanh(…) of a Gelu, and the x in it. */
static bool match_gate(const struct graph *graph, uint32_t value, uint32_t *ret_x, bool *ret_is_tanh)
{
    uint32_t term;
    if (!match_one_more(graph, value, &term)) return false;
    const struct node *node = pattern_producer(graph, term, "Erf");
    *ret_is_tanh = !node;
    if (node) return match_erf_argument(graph, node->inputs[0], ret_x);
    node = pattern_producer(graph, term, "Tanh");
    return node && match_tanh_argument(graph, node->inputs[0], ret_x);
}

/* Both operands of a Mul, and the operands of one that is a Mul itself: where a pattern's gate may stand. */
enum { MAX_PLACES = 6 };
static uint32_t gate_places(const struct graph *graph, const struct node *root, uint32_t *ret_places)
{
    uint32_t n_places = 0;
    for (int side = 0; side < 2; side++) {
        const struct node *inner = pattern_producer(graph, root->inputs[side], "Mul");
        ret_places[n_places++] = root->inputs[side];
        if (!inner) continue;
        ret_places[n_places++] = inner->inputs[0];
        ret_places[n_places++] = inner->inputs[1];
    }
    return n_places;
}

static bool match_gelu(const struct graph *graph, const struct node *root, uint32_t *ret_x, bool *ret_is_tanh)
{
    uint32_t places[MAX_PLACES], n_places = gate_places(graph, root, places);
    for (uint32_t i = 0; i < n_places; i++) {
        struct pattern_product product;
        if (!match_gate(graph, places[i], ret_x, ret_is_tanh)) continue;
        if (pattern_product(graph, root->outputs[0], *ret_x, &product) && pattern_is_number(product.number, 0.5) &&
            pattern_take_factor(&product, *ret_x) && product.n_factors == 1 && product.factors[0] == places[i])
            return true;
    }
    return false;
}

/* root = x * sigmoid(alpha * x) */
static bool match_quick_gelu(const struct graph *graph, const struct node *root, uint32_t *ret_x, float *ret_alpha)
{
    for (int side = 0; side < 2; side++) {
        const struct node *sigmoid = pattern_producer(graph, root->inputs[1 - side], "Sigmoid");
        uint32_t of;
        if (!sigmoid) continue;
        *ret_x = root->inputs[side];
        *ret_alpha = 1.0f;
        if (sigmoid->inputs[0] == *ret_x) return true;
        if (pattern_with_number(graph, sigmoid->inputs[0], "Mul", ret_alpha, &of) && of == *ret_x) return true;
    }
    return false;
}

/* root = (x * sigmoid(x)) * up; ret_silu: the value in parentheses. */
static bool match_swiglu(const struct graph *graph, const struct node *root, uint32_t *ret_inputs, uint32_t *ret_silu)
{
    for (int side = 0; side < 2; side++) {
        const struct node *silu = pattern_producer(graph, root->inputs[side], "Mul");
        float alpha;
        if (!silu || !match_quick_gelu(graph, silu, &ret_inputs[0], &alpha) || alpha != 1.0f) continue;
        ret_inputs[1] = root->inputs[1 - side];
        *ret_silu = root->inputs[side];
        return true;
    }
    return false;
}

/* A SiLU that only this product reads would be fused by itself next, for nobody. */
static hob_status fuse_swiglu(struct fusion *fusion, uint32_t index, const uint32_t *inputs, uint32_t silu)
{
    if (fusion_is_private(fusion, silu)) graph_remove_node(fusion->graph, fusion->graph->values[silu].producer);
    return fusion_replace(fusion, index, "hob.SwiGLU", inputs, 2, NULL, 0);
}

static hob_status fuse_node(struct fusion *fusion, uint32_t index)
{
    const struct node *root = &fusion->graph->nodes[index];
    uint32_t inputs[2], silu;
    bool is_tanh;
    float number;
    uint32_t y = root->outputs[0]; /* of x's shape, unless a number has more axes than x */
    if (match_swiglu(fusion->graph, root, inputs, &silu) && fusion_same_f32(fusion, inputs[0], inputs[1]) &&
        fusion_same_f32(fusion, inputs[0], y))
        return fuse_swiglu(fusion, index, inputs, silu);
    if (match_gelu(fusion->graph, root, inputs, &is_tanh) && fusion_same_f32(fusion, inputs[0], y)) {
        struct attribute approximate = attribute_string("approximate", is_tanh ? "tanh" : "none");
        return fusion_replace(fusion, index, "hob.Gelu", inputs, 1, &approximate, 1);
    }
    if (match_quick_gelu(fusion->graph, root, inputs, &number) && fusion_same_f32(fusion, inputs[0], y)) {
        struct attribute alpha = attribute_float("alpha", number);
        return fusion_replace(fusion, index, "com.microsoft.QuickGelu", inputs, 1, &alpha, 1);
    }
    return HOB_OK;
}

/* From the last node to the first: a SwiGLU is found before the SiLU in it. */
static hob_status apply(struct graph *graph, struct pass_context *context)
{
    struct fusion fusion;
    TRY(fusion_init(&fusion, graph, context));
    for (uint32_t i = fusion.n_nodes; i-- > 0;)
        if (node_is(&graph->nodes[i], "", "Mul")) TRY(fuse_node(&fusion, i));
    return HOB_OK;
}

const struct pass_def pass_fuse_activation = {
    .name = "fuse_activation", .summary = "recognises Gelu, SiLU and SwiGLU that an export wrote out",
    .makes = "hob.Gelu hob.SwiGLU com.microsoft.QuickGelu",
    .apply = apply};
