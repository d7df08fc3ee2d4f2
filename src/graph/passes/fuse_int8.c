/* Products of bytes with constant weights that give numbers become hob.LinearInt8, whose weights lie in panels, and what
 * quantises for them becomes hob.DynamicQuantize, which knows rows:
 *
 *     DynamicQuantizeMatMul(x, W, ws, wz, bias)                              -> LinearInt8(DynamicQuantize(x), W, ws, wz, bias)
 *     xq, xs, xz = DynamicQuantizeLinear(x)
 *     MatMulIntegerToFloat(xq, W, xs, ws, xz, wz, bias) …                    -> LinearInt8(DynamicQuantize(x), W, …) …
 *
 * Those of one x become one product, whose output is split, and a single one takes the activation behind it. The same bytes as before. */
#include "base/error.h"
#include "graph/activation_pattern.h"
#include "graph/builder.h"
#include "graph/packing.h"
#include "graph/pass.h"
#include "graph/pattern.h"
#include "ops/activation.h"

#include <string.h>

enum { MAX_MERGED = 8, MOST_LOOKS = 64 };

struct quantised {
    uint32_t codes, scales, zeros; /* VALUE_NONE: not yet made */
};

/* What a node multiplies, and how; values. */
struct product {
    struct quantised x;
    uint32_t source; /* x itself, where the node quantises it */
    uint32_t w, w_scale, w_zero, bias;
    int64_t n, k;
};

struct fusing {
    struct graph *graph;
    struct pass_context *context;
    struct value_readers readers;
    struct quantised *quantised; /* a value each: what it was quantised to */
    uint32_t n_nodes;            /* of the graph as it was */
};

static uint32_t input_of(const struct node *node, uint32_t i)
{
    return i < node->n_inputs ? node->inputs[i] : VALUE_NONE;
}

/* ---- which nodes ---- */

static bool is_bytes(enum dtype dtype)
{
    return dtype == DTYPE_U8 || dtype == DTYPE_I8;
}

/* A constant of one item, or of one for each column. */
static bool is_for_columns(const struct tensor *x, int64_t n)
{
    return x && (tensor_n_items(x) == 1 || (x->rank == 1 && x->dims[0] == n));
}

static bool match_weight(const struct graph *graph, struct product *product)
{
    const struct tensor *w = pattern_constant(graph, product->w), *scale = pattern_constant(graph, product->w_scale);
    const struct tensor *zero = pattern_constant(graph, product->w_zero),
                        *bias = pattern_constant(graph, product->bias);
    if (!w || w->rank != 2 || !is_bytes(w->dtype)) return false;
    product->k = w->dims[0], product->n = w->dims[1];
    if (!is_for_columns(scale, product->n) || scale->dtype != DTYPE_F32) return false;
    if (product->w_zero != VALUE_NONE && (!is_for_columns(zero, product->n) || zero->dtype != w->dtype)) return false;
    return product->bias == VALUE_NONE || (bias && bias->dtype == DTYPE_F32 && tensor_has_shape(bias, 1, &product->n));
}

/* The scale and zero point are those that DynamicQuantizeLinear found for the codes. */
static bool is_dynamic(const struct graph *graph, const struct quantised *x)
{
    const struct node *quantise = pattern_producer(graph, x->codes, "DynamicQuantizeLinear");
    return quantise && quantise->outputs[0] == x->codes && quantise->outputs[1] == x->scales &&
           quantise->outputs[2] == x->zeros;
}

static bool match(const struct graph *graph, const struct node *node, struct product *ret_product)
{
    struct product product;
    if (node_is(node, "com.microsoft", "DynamicQuantizeMatMul"))
        product = (struct product){.x = {VALUE_NONE, VALUE_NONE, VALUE_NONE},
                                   .source = node->inputs[0],
                                   .w = node->inputs[1],
                                   .w_scale = node->inputs[2],
                                   .w_zero = input_of(node, 3),
                                   .bias = input_of(node, 4)};
    else if (node_is(node, "com.microsoft", "MatMulIntegerToFloat"))
        product = (struct product){.x = {node->inputs[0], node->inputs[2], input_of(node, 4)},
                                   .source = VALUE_NONE,
                                   .w = node->inputs[1],
                                   .w_scale = node->inputs[3],
                                   .w_zero = input_of(node, 5),
                                   .bias = input_of(node, 6)};
    else return false;
    if (product.source == VALUE_NONE && !is_dynamic(graph, &product.x)) return false;
    *ret_product = product;
    return match_weight(graph, ret_product);
}

/* ---- quantising ---- */

static hob_status add_quantise(struct fusing *fusing, const char *name, uint32_t x, const uint32_t outputs[3])
{
    struct builder builder;
    builder_init(&builder, fusing->graph);
    builder_op_into(&builder, name, "hob.DynamicQuantize", &x, 1, NULL, 0, outputs, 3);
    return builder_finish(&builder, fusing->context->error);
}

/* For a node that quantises by itself; once for each x. */
static hob_status quantise_source(struct fusing *fusing, uint32_t x, struct quantised *ret_quantised)
{
    struct quantised *known = &fusing->quantised[x];
    if (known->codes == VALUE_NONE) {
        struct builder builder;
        uint32_t outputs[3];
        builder_init(&builder, fusing->graph);
        builder_op_n(&builder, "hob.DynamicQuantize", &x, 1, NULL, 0, 3, outputs);
        TRY(builder_finish(&builder, fusing->context->error));
        *known = (struct quantised){outputs[0], outputs[1], outputs[2]};
    }
    *ret_quantised = *known;
    return HOB_OK;
}

/* DynamicQuantizeLinear's scale is one number, hob.DynamicQuantize's has one a row: all readers must be products of ours. */
static hob_status count_products(const struct fusing *fusing, uint32_t **ret_n_products)
{
    uint32_t *n_products = ARENA_NEW(fusing->context->scratch, uint32_t, fusing->graph->n_values);
    if (!n_products) FAIL(fusing->context->error, HOB_NO_MEMORY, "fusing products of bytes: out of memory");
    memset(n_products, 0, fusing->graph->n_values * sizeof *n_products);
    struct product product;
    for (uint32_t i = 0; i < fusing->n_nodes; i++)
        if (match(fusing->graph, &fusing->graph->nodes[i], &product) && product.source == VALUE_NONE)
            n_products[product.x.codes]++;
    *ret_n_products = n_products;
    return HOB_OK;
}

static hob_status replace_quantise(struct fusing *fusing, uint32_t index, const uint32_t *n_products)
{
    const struct node *node = &fusing->graph->nodes[index];
    if (!node_is(node, "", "DynamicQuantizeLinear")) return HOB_OK;
    uint32_t x = node->inputs[0], outputs[3];
    for (int i = 0; i < 3; i++) {
        outputs[i] = node->outputs[i];
        if (outputs[i] == VALUE_NONE || fusing->readers.n_readers[outputs[i]] != n_products[outputs[0]]) return HOB_OK;
    }
    const char *name = node->name;
    graph_remove_node(fusing->graph, index);
    fusing->context->n_changes++;
    return add_quantise(fusing, name, x, outputs);
}

/* ---- merging ---- */

struct group {
    uint32_t nodes[MAX_MERGED];
    struct product products[MAX_MERGED];
    uint32_t n_products;
    int64_t n_columns;
};

/* What nodes must share to become one. */
static uint32_t key_of(const struct product *product)
{
    return product->source == VALUE_NONE ? product->x.codes : product->source;
}

static bool fits_group(const struct group *group, const struct product *product)
{
    const struct product *first = &group->products[0];
    return key_of(product) == key_of(first) && product->source == first->source && product->k == first->k &&
           (product->bias == VALUE_NONE) == (first->bias == VALUE_NONE) && group->n_columns % PANEL_COLUMNS == 0;
}

/* Looking further for what fits would take a hostile file's time. An output of the graph cannot be a view of a larger one. */
static void collect(const struct fusing *fusing, uint32_t first, struct group *group)
{
    const struct graph *graph = fusing->graph;
    struct product product;
    uint32_t n_looks = 0;
    for (uint32_t i = first; i < fusing->n_nodes && group->n_products < MAX_MERGED && n_looks < MOST_LOOKS; i++) {
        const struct node *node = &graph->nodes[i];
        if (!match(graph, node, &product)) continue;
        n_looks++;
        if (i != first && (!fits_group(group, &product) || graph->values[node->outputs[0]].is_output)) continue;
        group->nodes[group->n_products] = i;
        group->products[group->n_products++] = product;
        group->n_columns += product.n;
        if (graph->values[node->outputs[0]].is_output) return;
    }
}

/* ---- the constants of a group ---- */

static hob_status new_constant(struct fusing *fusing, enum dtype dtype, int64_t n, struct tensor *ret_tensor)
{
    TRY(tensor_init(ret_tensor, dtype, 1, &n, NULL, fusing->context->error));
    ret_tensor->data = arena_alloc(&fusing->graph->arena, tensor_n_bytes(ret_tensor) + 1, PANEL_ALIGNMENT);
    if (!ret_tensor->data) FAIL(fusing->context->error, HOB_NO_MEMORY, "no memory for %lld columns", (long long)n);
    return HOB_OK;
}

static hob_status pack_weights(struct fusing *fusing, const struct group *group, uint32_t *ret_value)
{
    struct tensor panels;
    int64_t column = 0;
    size_t n_bytes;
    TRY(packing_new(fusing->graph, DTYPE_I8, group->n_columns, group->products[0].k, &panels, fusing->context->error));
    for (uint32_t i = 0; i < group->n_products; i++) {
        const struct product *product = &group->products[i];
        const struct tensor *w = pattern_constant(fusing->graph, product->w);
        const struct panel_source source = {.data = w->data,
                                            .dtype = w->dtype,
                                            .n = product->n,
                                            .k = product->k,
                                            .n_stride = w->strides[1],
                                            .k_stride = w->strides[0]};
        bool has_size = panel_bytes(DTYPE_I8, column, product->k, &n_bytes);
        HOB_ASSERT(has_size);
        panel_pack_i8(&source, 0, panel_count(product->n), (char *)panels.data + n_bytes);
        column += product->n;
    }
    return graph_add_constant(fusing->graph, "", &panels, ret_value, fusing->context->error);
}

static hob_status join_scales(struct fusing *fusing, const struct group *group, uint32_t *ret_value)
{
    struct tensor joined;
    int64_t column = 0;
    TRY(new_constant(fusing, DTYPE_F32, group->n_columns, &joined));
    for (uint32_t i = 0; i < group->n_products; i++) {
        const struct tensor *scale = pattern_constant(fusing->graph, group->products[i].w_scale);
        int64_t step = tensor_n_items(scale) == 1 ? 0 : scale->strides[0];
        for (int64_t j = 0; j < group->products[i].n; j++)
            ((float *)joined.data)[column++] = ((const float *)scale->data)[j * step];
    }
    return graph_add_constant(fusing->graph, "", &joined, ret_value, fusing->context->error);
}

/* Of column j, fit for the codes in panels, which are signed: unsigned ones lost 128. */
static int8_t zero_point(const struct graph *graph, const struct product *product, int64_t j)
{
    const struct tensor *zero = pattern_constant(graph, product->w_zero);
    int64_t item = zero ? tensor_get_int(zero, tensor_n_items(zero) == 1 ? 0 : j) : 0;
    return (int8_t)(pattern_constant(graph, product->w)->dtype == DTYPE_U8 ? item - 128 : item);
}

/* VALUE_NONE where all are 0. */
static hob_status join_zeros(struct fusing *fusing, const struct group *group, uint32_t *ret_value)
{
    struct tensor joined;
    int64_t column = 0;
    bool is_symmetric = true;
    TRY(new_constant(fusing, DTYPE_I8, group->n_columns, &joined));
    for (uint32_t i = 0; i < group->n_products; i++)
        for (int64_t j = 0; j < group->products[i].n; j++) {
            int8_t zero = zero_point(fusing->graph, &group->products[i], j);
            is_symmetric = is_symmetric && !zero;
            ((int8_t *)joined.data)[column++] = zero;
        }
    *ret_value = VALUE_NONE;
    return is_symmetric ? HOB_OK : graph_add_constant(fusing->graph, "", &joined, ret_value, fusing->context->error);
}

static hob_status join_biases(struct fusing *fusing, const struct group *group, uint32_t *ret_value)
{
    struct tensor joined;
    int64_t column = 0;
    *ret_value = VALUE_NONE;
    if (group->products[0].bias == VALUE_NONE) return HOB_OK;
    TRY(new_constant(fusing, DTYPE_F32, group->n_columns, &joined));
    for (uint32_t i = 0; i < group->n_products; i++) {
        tensor_copy_contiguous(pattern_constant(fusing->graph, group->products[i].bias), (float *)joined.data + column);
        column += group->products[i].n;
    }
    return graph_add_constant(fusing->graph, "", &joined, ret_value, fusing->context->error);
}

/* ---- rewriting ---- */

static void add_product(struct builder *builder, const struct group *group, const char *name, const uint32_t *inputs,
                        const uint32_t *outputs)
{
    int64_t widths[MAX_MERGED];
    if (group->n_products == 1) {
        builder_op_into(builder, name, "hob.LinearInt8", inputs, 7, NULL, 0, outputs, 1);
        return;
    }
    for (uint32_t i = 0; i < group->n_products; i++) widths[i] = group->products[i].n;
    struct attribute attributes[] = {attribute_int("axis", -1), attribute_ints("split", widths, group->n_products)};
    uint32_t joined = builder_op(builder, "hob.LinearInt8", inputs, 7, NULL, 0);
    builder_op_into(builder, name, "Split", &joined, 1, attributes, 2, outputs, group->n_products);
}

static hob_status rewrite(struct fusing *fusing, const struct group *group)
{
    struct graph *graph = fusing->graph;
    struct quantised x = group->products[0].x;
    uint32_t w, scales, zeros, bias, outputs[MAX_MERGED];
    if (group->products[0].source != VALUE_NONE) TRY(quantise_source(fusing, group->products[0].source, &x));
    TRY(pack_weights(fusing, group, &w));
    TRY(join_scales(fusing, group, &scales));
    TRY(join_zeros(fusing, group, &zeros));
    TRY(join_biases(fusing, group, &bias));
    const char *name = graph->nodes[group->nodes[0]].name;
    for (uint32_t i = 0; i < group->n_products; i++) {
        outputs[i] = graph->nodes[group->nodes[i]].outputs[0];
        graph_remove_node(graph, group->nodes[i]);
    }
    struct builder builder;
    builder_init(&builder, graph);
    add_product(&builder, group, name, (uint32_t[]){x.codes, x.scales, w, scales, x.zeros, zeros, bias}, outputs);
    fusing->context->n_changes += group->n_products;
    return builder_finish(&builder, fusing->context->error);
}

/* The activation behind a product that was not merged. */
static hob_status finish(struct graph *graph, uint32_t index, const struct activation_match *activation,
                         struct pass_context *context)
{
    const struct node *linear = &graph->nodes[index];
    const float params[] = {activation->alpha, activation->beta};
    struct attribute attributes[] = {
        attribute_string("activation", activation_name(activation->kind)),
        {.name = "activation_params", .kind = ATTRIBUTE_FLOATS, .n_items = 2, .numbers = params}};
    const uint32_t *inputs = linear->inputs, n_inputs = linear->n_inputs;
    const char *name = linear->name;
    struct builder builder;
    builder_init(&builder, graph);
    graph_remove_node(graph, index);
    for (uint32_t i = 0; i < activation->n_nodes; i++) graph_remove_node(graph, activation->nodes[i]);
    builder_op_into(&builder, name, "hob.LinearInt8", inputs, n_inputs, attributes, 2, &activation->output, 1);
    context->n_changes++;
    return builder_finish(&builder, context->error);
}

static hob_status finish_products(struct fusing *fusing)
{
    struct graph *graph = fusing->graph;
    struct activation_match activation;
    TRY(value_readers_init(&fusing->readers, graph, fusing->context->scratch, fusing->context->error));
    const uint32_t n_nodes = graph->n_nodes; /* new nodes stand behind */
    for (uint32_t i = 0; i < n_nodes; i++) {
        const struct node *node = &graph->nodes[i];
        if (!node_is(node, "hob", "LinearInt8") || node->attributes.n_items) continue;
        if (activation_match(graph, &fusing->readers, node->outputs[0], &activation))
            TRY(finish(graph, i, &activation, fusing->context));
    }
    return HOB_OK;
}

static hob_status start(struct fusing *fusing)
{
    struct graph *graph = fusing->graph;
    fusing->n_nodes = graph->n_nodes;
    TRY(value_readers_init(&fusing->readers, graph, fusing->context->scratch, fusing->context->error));
    fusing->quantised = ARENA_NEW(fusing->context->scratch, struct quantised, graph->n_values);
    if (!fusing->quantised) FAIL(fusing->context->error, HOB_NO_MEMORY, "fusing products of bytes: out of memory");
    memset(fusing->quantised, 0xff, graph->n_values * sizeof *fusing->quantised);
    return HOB_OK;
}

static hob_status apply(struct graph *graph, struct pass_context *context)
{
    struct fusing fusing = {.graph = graph, .context = context};
    struct product product;
    uint32_t *n_products;
    TRY(start(&fusing));
    TRY(count_products(&fusing, &n_products));
    for (uint32_t i = 0; i < fusing.n_nodes; i++) {
        struct group group = {.n_columns = 0};
        if (!match(graph, &graph->nodes[i], &product)) continue;
        collect(&fusing, i, &group);
        TRY(rewrite(&fusing, &group));
    }
    for (uint32_t i = 0; i < fusing.n_nodes; i++) TRY(replace_quantise(&fusing, i, n_products));
    TRY(finish_products(&fusing));
    for (uint32_t s = 0; s < graph->n_subgraphs; s++) TRY(apply(graph->subgraphs[s], context));
    return HOB_OK;
}

const struct pass_def pass_fuse_int8 = {
    .name = "fuse_int8",
    .summary = "lays weights of bytes out in the order the kernels read them, with quantising and activations",
    .makes = "hob.DynamicQuantize hob.LinearInt8",
    .apply = apply};
