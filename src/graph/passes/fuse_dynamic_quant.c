/* A product of numbers that are quantised on the way, as dynamic quantisation of exports writes it:
 *
 *     xq, xs, xz = DynamicQuantizeLinear(x)
 *     y = Cast(MatMulInteger(xq, W, xz, wz)) * (xs * ws)  [+ bias]
 *
 * becomes com.microsoft.MatMulIntegerToFloat(xq, W, xs, ws, xz, wz, bias) where other products read the same quantised x, and
 * com.microsoft.DynamicQuantizeMatMul(x, W, ws, wz, bias) where none does. W, its scale and zero point and the bias are constants. */
#include "base/error.h"
#include "graph/fusion.h"

#include <string.h>

struct quantised {
    const struct node *quantise, *product;
    uint32_t w_scale, bias; /* values; bias VALUE_NONE: none */
};

static uint32_t input_of(const struct node *node, uint32_t i)
{
    return i < node->n_inputs ? node->inputs[i] : VALUE_NONE;
}

/* [N], or one number: one of more axes would give them to the product. */
static bool is_row(const struct graph *graph, uint32_t value, int64_t n_columns)
{
    const struct tensor *row = pattern_constant(graph, value);
    return row && row->dtype == DTYPE_F32 && row->rank <= 1 &&
           (tensor_n_items(row) == 1 || row->dims[0] == n_columns);
}

/* value = the float of a product of x quantised. */
static bool match_product(const struct fusion *fusion, uint32_t value, struct quantised *found)
{
    const struct graph *graph = fusion->graph;
    const struct node *cast = pattern_producer(graph, value, "Cast");
    if (!cast || !fusion_is_f32(fusion, value) || !fusion_is_private(fusion, value) || !fusion_is_private(fusion, cast->inputs[0])) return false;
    found->product = pattern_producer(graph, cast->inputs[0], "MatMulInteger");
    found->quantise = found->product ? pattern_producer(graph, found->product->inputs[0], "DynamicQuantizeLinear") : NULL;
    if (!found->quantise || input_of(found->product, 2) != found->quantise->outputs[2]) return false;
    const struct tensor *w = pattern_constant(graph, found->product->inputs[1]);
    uint32_t zero = input_of(found->product, 3);
    const struct tensor *x = fusion_shape(fusion, found->quantise->inputs[0]);
    const struct tensor *zeros = pattern_constant(graph, zero);
    if (zero != VALUE_NONE && (!zeros || zeros->rank > 1 || (tensor_n_items(zeros) != 1 && (!w || w->rank != 2 || tensor_n_items(zeros) != w->dims[1]))))
        return false;
    return w && w->rank == 2 && x && x->rank >= 2;
}

/* value = xs * ws */
static bool match_scales(const struct fusion *fusion, uint32_t value, struct quantised *found)
{
    const struct node *scales = pattern_producer(fusion->graph, value, "Mul");
    int64_t n_columns = pattern_constant(fusion->graph, found->product->inputs[1])->dims[1];
    for (int side = 0; scales && side < 2; side++) {
        if (scales->inputs[side] != found->quantise->outputs[1] || !is_row(fusion->graph, scales->inputs[1 - side], n_columns)) continue;
        found->w_scale = scales->inputs[1 - side];
        return true;
    }
    return false;
}

static bool match_scaled(const struct fusion *fusion, const struct node *node, struct quantised *found)
{
    found->bias = VALUE_NONE;
    for (int side = 0; side < 2; side++)
        if (match_product(fusion, node->inputs[side], found) && match_scales(fusion, node->inputs[1 - side], found)) return true;
    return false;
}

static bool match_biased(const struct fusion *fusion, const struct node *add, struct quantised *found)
{
    for (int side = 0; side < 2; side++) {
        const struct node *scaled = pattern_producer(fusion->graph, add->inputs[side], "Mul");
        const struct tensor *bias = pattern_constant(fusion->graph, add->inputs[1 - side]);
        if (!scaled || !fusion_is_private(fusion, add->inputs[side]) || !match_scaled(fusion, scaled, found)) continue;
        if (!bias || bias->dtype != DTYPE_F32 || bias->rank != 1 || bias->dims[0] != pattern_constant(fusion->graph, found->product->inputs[1])->dims[1])
            continue;
        found->bias = add->inputs[1 - side];
        return true;
    }
    return false;
}

/* The quantised x and its zero point are read by this product alone. */
static bool is_alone(const struct fusion *fusion, const struct quantised *found)
{
    return fusion_is_private(fusion, found->quantise->outputs[0]) && fusion_is_private(fusion, found->quantise->outputs[2]);
}

static hob_status rewrite(struct fusion *fusion, uint32_t index, const struct quantised *found)
{
    uint32_t w = found->product->inputs[1], zero = input_of(found->product, 3);
    if (is_alone(fusion, found)) {
        uint32_t inputs[] = {found->quantise->inputs[0], w, found->w_scale, zero, found->bias};
        return fusion_replace(fusion, index, "com.microsoft.DynamicQuantizeMatMul", inputs, 5, NULL, 0);
    }
    uint32_t inputs[] = {found->quantise->outputs[0], w, found->quantise->outputs[1], found->w_scale, found->quantise->outputs[2], zero, found->bias};
    return fusion_replace(fusion, index, "com.microsoft.MatMulIntegerToFloat", inputs, 7, NULL, 0);
}

/* Sums with a bias first: they hold the products. */
static hob_status apply(struct graph *graph, struct pass_context *context)
{
    struct fusion fusion;
    struct quantised found;
    TRY(fusion_init(&fusion, graph, context));
    for (uint32_t i = 0; i < fusion.n_nodes; i++)
        if (node_is(&graph->nodes[i], "", "Add") && match_biased(&fusion, &graph->nodes[i], &found)) TRY(rewrite(&fusion, i, &found));
    TRY(fusion_init(&fusion, graph, context));
    for (uint32_t i = 0; i < fusion.n_nodes; i++)
        if (node_is(&graph->nodes[i], "", "Mul") && match_scaled(&fusion, &graph->nodes[i], &found)) TRY(rewrite(&fusion, i, &found));
    return HOB_OK;
}

const struct pass_def pass_fuse_dynamic_quant = {
    .name = "fuse_dynamic_quant", .summary = "joins products that are quantised on the way with their scales and biases",
    .makes = "com.microsoft.DynamicQuantizeMatMul com.microsoft.MatMulIntegerToFloat",
    .apply = apply};
