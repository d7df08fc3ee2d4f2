/* Attention written out becomes hob.Attention, which keeps no score matrix and shares KV heads without copying them:
 *
 *     MatMul(q, Transpose(k)) -> [Div or Mul by a constant] -> [Add mask | Where(keep, scores, -inf)]* -> Softmax -> MatMul(v)
 *
 * q [B,H,T,K], k and v [B,H,S,K], as exports of torch write it. Heads that were repeated for grouped queries
 * (Unsqueeze, Expand, Reshape of [B,Hkv,S,K]) are read from before the repetition. The scale is multiplied where the export
 * divided: one rounding's difference. Subgraphs are left alone. */
#include "base/error.h"
#include "graph/builder.h"
#include "graph/pass.h"
#include "graph/pattern.h"
#include "graph/sample_shapes.h"

#include <string.h>

/* A constant this low masks: what is added to it, and exp of it, vanish in f32. */
static const float MASKED = -1e30f;

enum { MAX_MASKS = 3 };

struct match {
    uint32_t softmax, product;      /* nodes: the softmax and the MatMul with v */
    uint32_t q, k_transposed, v;    /* values */
    uint32_t masks[MAX_MASKS];      /* added to the scores */
    uint32_t wheres[MAX_MASKS];     /* Where nodes that mask */
    uint32_t n_masks, n_wheres;
    float scale;
};

struct matcher {
    struct graph *graph;
    struct pass_context *context;
    const struct tensor *shapes;    /* a value each, of n_values */
    const uint32_t *n_readers;
    uint32_t n_values;
};

/* Values that the pass itself added are not matched: they have no sampled shape. */
static const struct node *producer_of(const struct matcher *matcher, uint32_t value, const char *op_type)
{
    return value < matcher->n_values ? pattern_producer(matcher->graph, value, op_type) : NULL;
}

static bool has_rank(const struct matcher *matcher, uint32_t value, int rank)
{
    return value < matcher->n_values && matcher->shapes[value].dtype == DTYPE_F32 && matcher->shapes[value].rank == rank;
}

/* ---- from the softmax up to the first product ---- */

/* scores = MatMul(q, kT), perhaps scaled. */
static bool match_scaled_product(const struct matcher *matcher, uint32_t scores, struct match *match)
{
    const struct node *scaled = producer_of(matcher, scores, "Div");
    bool is_division = scaled;
    if (!scaled) scaled = producer_of(matcher, scores, "Mul");
    match->scale = 1.0f;
    if (scaled) {
        float number;
        if (matcher->n_readers[scores] != 1 || !pattern_number(matcher->graph, scaled->inputs[1], &number) || number == 0.0f) return false;
        match->scale = is_division ? 1.0f / number : number;
        scores = scaled->inputs[0];
    }
    const struct node *product = producer_of(matcher, scores, "MatMul");
    if (!product || matcher->n_readers[scores] != 1) return false;
    match->q = product->inputs[0];
    match->k_transposed = product->inputs[1];
    return has_rank(matcher, match->q, 4) && has_rank(matcher, match->k_transposed, 4);
}

static bool match_scores(const struct matcher *matcher, uint32_t scores, struct match *match);

/* scores = Where(keep, scores, very low) */
static bool match_where(const struct matcher *matcher, const struct node *where, struct match *match)
{
    float number;
    if (match->n_wheres == MAX_MASKS || !pattern_number(matcher->graph, where->inputs[2], &number) || !(number <= MASKED)) return false;
    match->wheres[match->n_wheres++] = matcher->graph->values[where->outputs[0]].producer;
    return match_scores(matcher, where->inputs[1], match);
}

static bool match_mask(const struct matcher *matcher, const struct node *add, struct match *match)
{
    if (match->n_masks == MAX_MASKS) return false;
    for (int i = 0; i < 2; i++) {
        struct match tried = *match;
        uint32_t mask = add->inputs[1 - i];
        if (mask >= matcher->n_values || matcher->shapes[mask].dtype != DTYPE_F32 || matcher->shapes[mask].rank > 4) continue;
        tried.masks[tried.n_masks++] = mask;
        if (!match_scores(matcher, add->inputs[i], &tried)) continue;
        *match = tried;
        return true;
    }
    return false;
}

/* At most 2 * MAX_MASKS deep. */
static bool match_scores(const struct matcher *matcher, uint32_t scores, struct match *match)
{
    if (scores == VALUE_NONE || scores >= matcher->n_values || matcher->n_readers[scores] != 1) return false;
    const struct node *node = producer_of(matcher, scores, "Add");
    if (node) return match_mask(matcher, node, match);
    node = producer_of(matcher, scores, "Where");
    if (node) return match_where(matcher, node, match);
    return match_scaled_product(matcher, scores, match);
}

static bool is_over_last_axis(const struct node *softmax)
{
    int64_t axis = attributes_int(&softmax->attributes, "axis", softmax->opset < 13 ? 1 : -1);
    return axis == -1 || axis == 3;
}

/* The MatMul(softmax, v) that alone reads the softmax. */
static bool find_product(const struct matcher *matcher, uint32_t weights, struct match *match)
{
    if (matcher->n_readers[weights] != 1) return false;
    for (uint32_t i = 0; i < matcher->graph->n_nodes; i++) {
        const struct node *node = &matcher->graph->nodes[i];
        if (!node_is(node, "", "MatMul") || node->inputs[0] != weights) continue;
        match->product = i;
        match->v = node->inputs[1];
        return has_rank(matcher, match->v, 4);
    }
    return false;
}

static bool find_match(const struct matcher *matcher, uint32_t index, struct match *match)
{
    const struct node *node = &matcher->graph->nodes[index];
    if (!node_is(node, "", "Softmax") || !is_over_last_axis(node)) return false;
    if (node->outputs[0] >= matcher->n_values || !has_rank(matcher, node->outputs[0], 4)) return false;
    *match = (struct match){.softmax = index};
    return match_scores(matcher, node->inputs[0], match) && find_product(matcher, node->outputs[0], match);
}

/* ---- keys and values before they were repeated ---- */

static bool is_repetition(const struct tensor *before, const struct tensor *expanded, const struct tensor *after)
{
    if (before->rank != 4 || expanded->rank != 5 || after->rank != 4) return false;
    const int64_t *b = before->dims, *e = expanded->dims, *a = after->dims;
    return e[0] == b[0] && e[1] == b[1] && e[3] == b[2] && e[4] == b[3] && a[0] == b[0] && a[1] == b[1] * e[2] && a[2] == b[2] &&
           a[3] == b[3];
}

/* [B,H,S,K] to the [B,Hkv,S,K] it repeats; the value itself when it repeats none. */
static uint32_t before_repetition(const struct matcher *matcher, uint32_t value)
{
    const struct node *reshape = producer_of(matcher, value, "Reshape");
    const struct node *expand = reshape ? producer_of(matcher, reshape->inputs[0], "Expand") : NULL;
    const struct node *unsqueeze = expand ? producer_of(matcher, expand->inputs[0], "Unsqueeze") : NULL;
    if (!unsqueeze || !has_rank(matcher, unsqueeze->inputs[0], 4)) return value;
    const struct tensor *shapes = matcher->shapes;
    bool is_same = is_repetition(&shapes[unsqueeze->inputs[0]], &shapes[expand->outputs[0]], &shapes[value]) &&
                   shapes[unsqueeze->outputs[0]].dims[2] == 1;
    return is_same ? unsqueeze->inputs[0] : value;
}

/* ---- rewriting ---- */

static hob_status untranspose(const struct matcher *matcher, struct builder *builder, uint32_t k_transposed, uint32_t *ret_k)
{
    const struct node *transpose = producer_of(matcher, k_transposed, "Transpose");
    size_t n_axes;
    const int64_t *order = transpose ? attributes_ints(&transpose->attributes, "perm", &n_axes) : NULL;
    static const int64_t swap[] = {0, 1, 3, 2};
    if (order && n_axes == 4 && !memcmp(order, swap, sizeof swap)) {
        *ret_k = before_repetition(matcher, transpose->inputs[0]);
        return HOB_OK;
    }
    struct attribute perm = attribute_ints("perm", swap, 4);
    *ret_k = builder_op(builder, "Transpose", &k_transposed, 1, &perm, 1);
    return builder->status;
}

/* All masks as one, VALUE_NONE when there is none. */
static uint32_t join_masks(const struct matcher *matcher, struct builder *builder, const struct match *match)
{
    uint32_t joined = VALUE_NONE;
    for (uint32_t i = 0; i < match->n_wheres; i++) {
        const struct node *where = &matcher->graph->nodes[match->wheres[i]];
        uint32_t mask = builder_op(builder, "Where", (uint32_t[]){where->inputs[0], builder_float(builder, 0.0f), where->inputs[2]}, 3, NULL, 0);
        joined = joined == VALUE_NONE ? mask : builder_op(builder, "Add", (uint32_t[]){joined, mask}, 2, NULL, 0);
    }
    for (uint32_t i = 0; i < match->n_masks; i++)
        joined = joined == VALUE_NONE ? match->masks[i] : builder_op(builder, "Add", (uint32_t[]){joined, match->masks[i]}, 2, NULL, 0);
    return joined;
}

static hob_status rewrite(const struct matcher *matcher, const struct match *match)
{
    struct graph *graph = matcher->graph;
    struct builder builder;
    builder_init(&builder, graph);
    uint32_t k, v = before_repetition(matcher, match->v);
    hob_status status = untranspose(matcher, &builder, match->k_transposed, &k);
    uint32_t inputs[] = {match->q, k, v, join_masks(matcher, &builder, match)};
    struct attribute scale = attribute_float("scale", match->scale);
    uint32_t attended = builder_op(&builder, "hob.Attention", inputs, inputs[3] == VALUE_NONE ? 3 : 4, &scale, 1);
    if (status == HOB_OK) status = builder_finish(&builder, matcher->context->error);
    TRY(status);
    uint32_t output = graph->nodes[match->product].outputs[0];
    graph_remove_node(graph, match->product);
    graph_remove_node(graph, match->softmax);
    graph_replace_value(graph, output, attended);
    matcher->context->n_changes++;
    return HOB_OK;
}

/* Keys and values must have as many heads, and q a multiple of them. */
static bool heads_fit(const struct matcher *matcher, const struct match *match)
{
    const struct tensor *q = &matcher->shapes[match->q], *k = &matcher->shapes[match->k_transposed], *v = &matcher->shapes[match->v];
    return q->dims[0] == k->dims[0] && q->dims[1] == k->dims[1] && v->dims[0] == k->dims[0] && v->dims[1] == k->dims[1];
}

static hob_status apply(struct graph *graph, struct pass_context *context)
{
    struct matcher matcher = {.graph = graph, .context = context, .n_values = graph->n_values};
    uint32_t *n_readers, n_nodes = graph->n_nodes;
    TRY(sample_shapes(graph, context->options->kernels, context->scratch, &matcher.shapes, context->error));
    TRY(graph_count_readers(graph, context->scratch, &n_readers, context->error));
    matcher.n_readers = n_readers;
    for (uint32_t i = 0; i < n_nodes; i++) {
        struct match match;
        if (find_match(&matcher, i, &match) && heads_fit(&matcher, &match)) TRY(rewrite(&matcher, &match));
    }
    return HOB_OK;
}

const struct pass_def pass_fuse_attention = {
    .name = "fuse_attention", .summary = "recognises attention that an export wrote out", .apply = apply};
