/* Where int8 weights are asked for (pass_options.quant), products with float weights become products of bytes:
 *
 *     Linear(x, W, b)  ->  LinearInt8(DynamicQuantize(x, per_row), codes of W, a scale a column, b)
 *
 * A token's activations have a range of their own, so its bytes hang on no other token. Those of one x become one product, whose output is
 * split, as merge_linear does it; the quantised x is shared. What makes the graph's outputs (logits) keeps its weight. */
#include "base/error.h"
#include "base/thread_pool.h"
#include "graph/builder.h"
#include "graph/packing.h"
#include "graph/pass.h"
#include "graph/pattern.h"
#include "graph/weight_errors.h"

#include <string.h>

enum { MAX_MERGED = 8, MOST_LOOKS = 64, WORTHWHILE_ITEMS = 1 << 15 };

struct quantised {
    uint32_t codes, scales, zeros; /* VALUE_NONE: not yet made */
};

struct quantising {
    struct graph *graph;
    struct pass_context *context;
    struct quantised *quantised; /* a value each */
    uint32_t n_nodes, n_values;  /* of the graph as it was */
};

struct group {
    uint32_t nodes[MAX_MERGED];
    struct panel_source sources[MAX_MERGED];
    uint32_t n_nodes;
    int64_t n_columns;
};

/* ---- which nodes ---- */

static uint32_t bias_of(const struct node *node)
{
    return node->n_inputs > 2 ? node->inputs[2] : VALUE_NONE;
}

static bool match(const struct quantising *quantising, const struct node *node, struct panel_source *ret_source)
{
    const struct graph *graph = quantising->graph;
    if (!node_is(node, "hob", "Linear") || node->inputs[0] >= quantising->n_values) return false;
    if (graph->values[node->outputs[0]].is_output) return false;
    return packing_describe(pattern_constant(graph, node->inputs[1]), ret_source) &&
           dtype_block_items(ret_source->dtype) == 1;
}

/* With others: no activation of its own, a bias that can be joined. */
static bool can_join(const struct graph *graph, const struct node *node, int64_t n)
{
    int64_t n_bias;
    if (node->attributes.n_items) return false;
    return bias_of(node) == VALUE_NONE || (pattern_vector(graph, bias_of(node), &n_bias) && n_bias == n);
}

static bool fits_group(const struct graph *graph, const struct group *group, const struct node *node,
                       const struct panel_source *source)
{
    const struct node *first = &graph->nodes[group->nodes[0]];
    return node->inputs[0] == first->inputs[0] && source->k == group->sources[0].k &&
           (bias_of(node) == VALUE_NONE) == (bias_of(first) == VALUE_NONE) && group->n_columns % PANEL_COLUMNS == 0 &&
           can_join(graph, node, source->n);
}

/* Looking further for what fits would take a hostile file's time. */
static void collect(const struct quantising *quantising, uint32_t first, struct group *group)
{
    const struct graph *graph = quantising->graph;
    uint32_t n_looks = 0;
    for (uint32_t i = first; i < quantising->n_nodes && group->n_nodes < MAX_MERGED && n_looks < MOST_LOOKS; i++) {
        struct panel_source source;
        if (!match(quantising, &graph->nodes[i], &source)) continue;
        n_looks++;
        if (i != first && !fits_group(graph, group, &graph->nodes[i], &source)) continue;
        group->nodes[group->n_nodes] = i;
        group->sources[group->n_nodes++] = source;
        group->n_columns += source.n;
        if (i == first && !can_join(graph, &graph->nodes[i], source.n)) return;
    }
}

/* ---- constants ---- */

struct encoding {
    const struct panel_source *source;
    void *panels;
    float *scales;
};

static void encode_panels(void *context, size_t begin, size_t end)
{
    const struct encoding *job = context;
    panel_quantize_i8(job->source, (int64_t)begin, (int64_t)end, job->panels, job->scales);
}

static hob_status new_vector(struct quantising *quantising, int64_t n, struct tensor *ret_vector)
{
    hob_error *error = quantising->context->error;
    TRY(tensor_init(ret_vector, DTYPE_F32, 1, &n, NULL, error));
    ret_vector->data = arena_alloc(&quantising->graph->arena, tensor_n_bytes(ret_vector) + 1, PANEL_ALIGNMENT);
    if (!ret_vector->data) FAIL(error, HOB_NO_MEMORY, "no memory for %lld columns", (long long)n);
    return HOB_OK;
}

static hob_status encode_weights(struct quantising *quantising, const struct group *group, uint32_t *ret_weight,
                                 uint32_t *ret_scales)
{
    struct graph *graph = quantising->graph;
    struct pass_context *context = quantising->context;
    struct tensor panels, scales;
    int64_t column = 0;
    size_t n_bytes;
    TRY(packing_new(graph, DTYPE_I8, group->n_columns, group->sources[0].k, &panels, context->error));
    TRY(new_vector(quantising, group->n_columns, &scales));
    for (uint32_t i = 0; i < group->n_nodes; i++) {
        const struct panel_source *source = &group->sources[i];
        bool has_size = panel_bytes(DTYPE_I8, column, source->k, &n_bytes);
        HOB_ASSERT(has_size);
        struct encoding job = {source, (char *)panels.data + n_bytes, (float *)scales.data + column};
        thread_pool_run(context->options->pool, (size_t)panel_count(source->n),
                        (size_t)(1 + WORTHWHILE_ITEMS / (source->k + 1) / PANEL_COLUMNS), encode_panels, &job);
        const char *name = graph->values[graph->nodes[group->nodes[i]].inputs[1]].name;
        TRY(weight_errors_add(context->options->weight_errors, name, source, DTYPE_I8, job.panels, job.scales, context->error));
        column += source->n;
    }
    TRY(graph_add_constant(graph, "", &panels, ret_weight, context->error));
    return graph_add_constant(graph, "", &scales, ret_scales, context->error);
}

static hob_status join_biases(struct quantising *quantising, const struct group *group, uint32_t *ret_bias)
{
    struct graph *graph = quantising->graph;
    struct tensor joined;
    int64_t column = 0;
    *ret_bias = bias_of(&graph->nodes[group->nodes[0]]);
    if (group->n_nodes == 1 || *ret_bias == VALUE_NONE) return HOB_OK;
    TRY(new_vector(quantising, group->n_columns, &joined));
    for (uint32_t i = 0; i < group->n_nodes; i++) {
        tensor_copy_contiguous(pattern_constant(graph, bias_of(&graph->nodes[group->nodes[i]])),
                               (float *)joined.data + column);
        column += group->sources[i].n;
    }
    return graph_add_constant(graph, "", &joined, ret_bias, quantising->context->error);
}

/* ---- rewriting ---- */

static hob_status quantise(struct quantising *quantising, uint32_t x, struct quantised *ret_quantised)
{
    struct quantised *known = &quantising->quantised[x];
    if (known->codes == VALUE_NONE) {
        struct builder builder;
        struct attribute per_row = attribute_int("per_row", 1);
        uint32_t outputs[3];
        builder_init(&builder, quantising->graph);
        builder_op_n(&builder, "hob.DynamicQuantize", &x, 1, &per_row, 1, 3, outputs);
        TRY(builder_finish(&builder, quantising->context->error));
        *known = (struct quantised){outputs[0], outputs[1], outputs[2]};
    }
    *ret_quantised = *known;
    return HOB_OK;
}

static void add_products(struct builder *builder, const struct group *group, const struct node *first,
                         const uint32_t *inputs, const uint32_t *outputs)
{
    int64_t widths[MAX_MERGED];
    if (group->n_nodes == 1) {
        builder_op_into(builder, first->name, "hob.LinearInt8", inputs, 7, first->attributes.items,
                        first->attributes.n_items, outputs, 1);
        return;
    }
    for (uint32_t i = 0; i < group->n_nodes; i++) widths[i] = group->sources[i].n;
    struct attribute attributes[] = {attribute_int("axis", -1), attribute_ints("split", widths, group->n_nodes)};
    uint32_t joined = builder_op(builder, "hob.LinearInt8", inputs, 7, NULL, 0);
    builder_op_into(builder, first->name, "Split", &joined, 1, attributes, 2, outputs, group->n_nodes);
}

static hob_status rewrite(struct quantising *quantising, const struct group *group)
{
    struct graph *graph = quantising->graph;
    struct quantised x;
    uint32_t weight, scales, bias, outputs[MAX_MERGED];
    TRY(quantise(quantising, graph->nodes[group->nodes[0]].inputs[0], &x));
    TRY(encode_weights(quantising, group, &weight, &scales));
    TRY(join_biases(quantising, group, &bias));
    const struct node first = graph->nodes[group->nodes[0]];
    for (uint32_t i = 0; i < group->n_nodes; i++) {
        outputs[i] = graph->nodes[group->nodes[i]].outputs[0];
        graph_remove_node(graph, group->nodes[i]);
    }
    struct builder builder;
    builder_init(&builder, graph);
    add_products(&builder, group, &first, (uint32_t[]){x.codes, x.scales, weight, scales, x.zeros, VALUE_NONE, bias},
                 outputs);
    quantising->context->n_changes += group->n_nodes;
    return builder_finish(&builder, quantising->context->error);
}

static hob_status apply(struct graph *graph, struct pass_context *context)
{
    struct quantising quantising = {
        .graph = graph, .context = context, .n_nodes = graph->n_nodes, .n_values = graph->n_values};
    struct panel_source source;
    if (context->options->quant != DTYPE_I8) return HOB_OK;
    quantising.quantised = ARENA_NEW(context->scratch, struct quantised, graph->n_values);
    if (!quantising.quantised) FAIL(context->error, HOB_NO_MEMORY, "quantising weights: out of memory");
    memset(quantising.quantised, 0xff, graph->n_values * sizeof *quantising.quantised);
    for (uint32_t i = 0; i < quantising.n_nodes; i++) {
        struct group group = {.n_columns = 0};
        if (!match(&quantising, &graph->nodes[i], &source)) continue;
        collect(&quantising, i, &group);
        TRY(rewrite(&quantising, &group));
    }
    for (uint32_t s = 0; s < graph->n_subgraphs; s++) TRY(apply(graph->subgraphs[s], context));
    return HOB_OK;
}

const struct pass_def pass_quantize_int8 = {.name = "quantize_int8",
                                            .summary = "makes products of bytes where int8 weights are asked for",
                                            .makes = "hob.DynamicQuantize hob.LinearInt8",
                                            .apply = apply};
