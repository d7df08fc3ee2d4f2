/* Attention written out becomes hob.Attention, which keeps no score matrix and shares KV heads without copying them:
 *
 *     scores = MatMul(q, Transpose(k))                   q and k perhaps multiplied or divided by a number
 *     scores = Div or Mul by a number | Add mask | Where(keep, scores, -inf) | Where(drop, -inf, scores)    in any order
 *     y = MatMul(Softmax(scores), v)                     perhaps Where(IsNaN(weights), 0, weights) between
 *
 * q [B,H,T,K], k and v [B,H,S,K], as exports of torch 1.x and 2.x write it; or all heads of the batch in one axis [B*H,T,K]
 * (BART, OPT, Whisper), with scores that are perhaps shown as [B,H,T,S] while masks are added. Heads that were repeated for
 * grouped queries (Unsqueeze, Expand, Reshape of [B,Hkv,S,K]) are read from before the repetition. The scale is multiplied where
 * the export divided: one rounding's difference. Subgraphs are left alone. */
#include "base/error.h"
#include "graph/fusion.h"

#include <math.h>
#include <string.h>

/* A constant this low masks: what is added to it, and exp of it, vanish in f32. */
static const float MASKED = -1e30f;

enum { MAX_MASKS = 3, MAX_STEPS = 2 * MAX_MASKS + 2 };

struct match {
    uint32_t q, k_transposed, v;    /* values */
    uint32_t masks[MAX_MASKS];      /* added to the scores */
    uint32_t wheres[MAX_MASKS];     /* Where nodes that mask */
    uint32_t n_masks, n_wheres;
    bool has_flat_mask;             /* some mask belongs to scores of rank 3 */
    uint32_t heads_shape;           /* the int64 [B,H,T,S] that [B*H,T,S] scores are shown as; VALUE_NONE: they are not */
    double scale;
};

/* Values that the pass itself added are not matched: they have no sampled shape. */
static const struct node *producer_of(const struct fusion *fusion, uint32_t value, const char *op_type)
{
    return value < fusion->readers.n_values ? pattern_producer(fusion->graph, value, op_type) : NULL;
}

static int rank_of(const struct fusion *fusion, uint32_t value)
{
    return fusion_is_f32(fusion, value) ? fusion_shape(fusion, value)->rank : -1;
}

/* ---- from the softmax up to the first product ---- */

/* value = of * number or of / number. */
static bool match_scale(const struct fusion *fusion, uint32_t value, uint32_t *ret_of, double *scale)
{
    float number;
    const struct node *quotient = producer_of(fusion, value, "Div");
    if (quotient && pattern_number(fusion->graph, quotient->inputs[1], &number) && number != 0.0f) {
        *ret_of = quotient->inputs[0];
        *scale /= (double)number;
        return true;
    }
    if (value >= fusion->readers.n_values || !pattern_with_number(fusion->graph, value, "Mul", &number, ret_of)) return false;
    *scale *= (double)number;
    return true;
}

/* The first product, whose operands may be scaled. */
static bool match_product(const struct fusion *fusion, uint32_t scores, struct match *match)
{
    const struct node *product = producer_of(fusion, scores, "MatMul");
    if (!product || !fusion_is_private(fusion, scores)) return false;
    match->q = product->inputs[0];
    match->k_transposed = product->inputs[1];
    while (match_scale(fusion, match->q, &match->q, &match->scale)) {}
    while (match_scale(fusion, match->k_transposed, &match->k_transposed, &match->scale)) {}
    return true;
}

/* scores = Where(keep, scores, very low) or Where(drop, very low, scores); gives the scores within. */
static bool match_where(const struct fusion *fusion, const struct node *where, struct match *match, uint32_t *ret_scores)
{
    float number;
    if (match->n_wheres == MAX_MASKS) return false;
    for (int side = 1; side <= 2; side++) {
        if (!pattern_number(fusion->graph, where->inputs[3 - side], &number) || !(number <= MASKED)) continue;
        match->wheres[match->n_wheres++] = fusion->graph->values[where->outputs[0]].producer;
        match->has_flat_mask |= rank_of(fusion, where->outputs[0]) == 3;
        *ret_scores = where->inputs[side];
        return true;
    }
    return false;
}

/* [B*H,T,S] scores shown as [B,H,T,S], or back: T and S stay. */
static bool keeps_scores(const struct fusion *fusion, int sample, const struct node *reshape)
{
    const struct tensor *from = fusion_shape_in(fusion, sample, reshape->inputs[0]);
    const struct tensor *to = fusion_shape_in(fusion, sample, reshape->outputs[0]);
    if (!from || !to) return sample > 0;
    return from->rank >= 2 && to->rank >= 2 && from->dims[from->rank - 1] == to->dims[to->rank - 1] &&
           from->dims[from->rank - 2] == to->dims[to->rank - 2];
}

static bool match_reshape(const struct fusion *fusion, const struct node *reshape, struct match *match, uint32_t *ret_scores)
{
    int from = rank_of(fusion, reshape->inputs[0]), to = rank_of(fusion, reshape->outputs[0]);
    int64_t batch, heads;
    *ret_scores = reshape->inputs[0];
    if (!keeps_scores(fusion, 0, reshape) || !keeps_scores(fusion, 1, reshape)) return false;
    if (from == 4 && to == 3) return true; /* another Reshape further up must have made it of rank 4 */
    if (from != 3 || to != 4 || match->heads_shape != VALUE_NONE) return false;
    match->heads_shape = reshape->inputs[1];
    return fusion_int(fusion, match->heads_shape, 0, &batch) && fusion_int(fusion, match->heads_shape, 1, &heads) && batch > 0 && heads > 0;
}

static bool match_scores(const struct fusion *fusion, uint32_t scores, int n_steps, struct match *match);

/* scores = Add(scores, mask), either way round. A mask is no product of two activations scaled: the side that leads to one is
 * the scores. */
static bool match_mask(const struct fusion *fusion, const struct node *add, int n_steps, struct match *match)
{
    if (match->n_masks == MAX_MASKS) return false;
    for (int side = 0; side < 2; side++) {
        struct match tried = *match;
        uint32_t mask = add->inputs[1 - side];
        if (rank_of(fusion, mask) < 0 || rank_of(fusion, mask) > rank_of(fusion, add->outputs[0])) continue;
        tried.masks[tried.n_masks++] = mask;
        tried.has_flat_mask |= rank_of(fusion, add->outputs[0]) == 3;
        if (!match_scores(fusion, add->inputs[side], n_steps, &tried)) continue;
        *match = tried;
        return true;
    }
    return false;
}

/* Each kind of step leads to other scores; the product ends them. A scale found above a mask would scale the mask too: those
 * are only taken below all masks. */
static bool match_scores(const struct fusion *fusion, uint32_t scores, int n_steps, struct match *match)
{
    if (!n_steps || !fusion_is_private(fusion, scores)) return false;
    const struct node *node = producer_of(fusion, scores, "Add");
    if (node) return match_mask(fusion, node, n_steps - 1, match);
    if ((node = producer_of(fusion, scores, "Where")))
        return match_where(fusion, node, match, &scores) && match_scores(fusion, scores, n_steps - 1, match);
    if ((node = producer_of(fusion, scores, "Reshape")))
        return match_reshape(fusion, node, match, &scores) && match_scores(fusion, scores, n_steps - 1, match);
    while (match_scale(fusion, scores, &scores, &match->scale))
        if (!fusion_is_private(fusion, scores)) return false;
    return match_product(fusion, scores, match);
}

/* ---- from the second product up to the softmax ---- */

/* Where(IsNaN(weights), 0, weights): zeros for a query that sees no key, which is what hob.Attention gives. */
static uint32_t without_guard(const struct fusion *fusion, uint32_t weights)
{
    const struct node *where = producer_of(fusion, weights, "Where");
    const struct node *is_nan = where ? producer_of(fusion, where->inputs[0], "IsNaN") : NULL;
    float zero;
    bool is_guard = is_nan && is_nan->inputs[0] == where->inputs[2] && pattern_number(fusion->graph, where->inputs[1], &zero) && zero == 0.0f;
    return is_guard && fusion_is_private(fusion, weights) && fusion_is_private(fusion, where->inputs[0]) ? where->inputs[2] : weights;
}

static bool is_over_last_axis(const struct node *softmax, int rank)
{
    int64_t axis = attributes_int(&softmax->attributes, "axis", softmax->opset < 13 ? 1 : -1);
    return axis == -1 || axis == rank - 1;
}

static bool has_ranks(const struct fusion *fusion, const struct match *match, int rank)
{
    return rank_of(fusion, match->q) == rank && rank_of(fusion, match->k_transposed) == rank && rank_of(fusion, match->v) == rank;
}

/* Queries, keys and values must have as many heads, and the masks must not have given the weights more than the queries have:
 * a product of matrices would broadcast all of that. */
static bool heads_fit(const struct fusion *fusion, int sample, const struct match *match, uint32_t weights)
{
    const struct tensor *q = fusion_shape_in(fusion, sample, match->q), *k = fusion_shape_in(fusion, sample, match->k_transposed);
    const struct tensor *v = fusion_shape_in(fusion, sample, match->v), *w = fusion_shape_in(fusion, sample, weights);
    if (!q || !k || !v || !w) return sample > 0;
    int rank = w->rank;
    for (int axis = 0; axis < rank - 2; axis++)
        if (q->dims[axis] != k->dims[axis] || v->dims[axis] != k->dims[axis] || w->dims[axis] != q->dims[axis]) return false;
    return w->dims[rank - 2] == q->dims[rank - 2] && w->dims[rank - 1] == k->dims[rank - 1] && v->dims[rank - 2] == k->dims[rank - 1];
}

/* hob.Attention takes a scale of 0 for none. */
static bool is_scale(double scale)
{
    return isfinite((float)scale) && (float)scale != 0.0f;
}

/* [B*H,..] that are shown with heads are reshaped by their widths, which must not hang on the inputs' sizes. */
static bool can_raise_ranks(const struct fusion *fusion, const struct match *match, int rank)
{
    if (match->heads_shape == VALUE_NONE) return true;
    return rank == 3 && !match->has_flat_mask && fusion_is_fixed(fusion, match->q, 2) && fusion_is_fixed(fusion, match->v, 2);
}

static bool find_match(const struct fusion *fusion, const struct node *product, struct match *match)
{
    uint32_t weights = without_guard(fusion, product->inputs[0]);
    const struct node *softmax = producer_of(fusion, weights, "Softmax");
    int rank = rank_of(fusion, weights);
    bool is_guarded = weights != product->inputs[0];
    if (!softmax || (rank != 3 && rank != 4) || !is_over_last_axis(softmax, rank)) return false;
    if (fusion->readers.n_readers[weights] != (is_guarded ? 2u : 1u)) return false;
    *match = (struct match){.v = product->inputs[1], .heads_shape = VALUE_NONE, .scale = 1};
    return match_scores(fusion, softmax->inputs[0], MAX_STEPS, match) && has_ranks(fusion, match, rank) &&
           heads_fit(fusion, 0, match, weights) && heads_fit(fusion, 1, match, weights) && is_scale(match->scale) &&
           can_raise_ranks(fusion, match, rank);
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
static uint32_t before_repetition(const struct fusion *fusion, uint32_t value)
{
    const struct node *reshape = producer_of(fusion, value, "Reshape");
    const struct node *expand = reshape ? producer_of(fusion, reshape->inputs[0], "Expand") : NULL;
    const struct node *unsqueeze = expand ? producer_of(fusion, expand->inputs[0], "Unsqueeze") : NULL;
    if (!unsqueeze || rank_of(fusion, unsqueeze->inputs[0]) != 4) return value;
    const struct tensor *shapes = fusion->shapes[0];
    bool is_same = is_repetition(&shapes[unsqueeze->inputs[0]], &shapes[expand->outputs[0]], &shapes[value]) &&
                   shapes[unsqueeze->outputs[0]].dims[2] == 1;
    return is_same ? unsqueeze->inputs[0] : value;
}

/* What k_transposed transposes, its last two axes swapped; VALUE_NONE when it is no such thing. */
static uint32_t before_transpose(const struct fusion *fusion, uint32_t k_transposed)
{
    const struct node *transpose = producer_of(fusion, k_transposed, "Transpose");
    size_t n_axes;
    const int64_t *order = transpose ? attributes_ints(&transpose->attributes, "perm", &n_axes) : NULL;
    static const int64_t swaps[2][4] = {{0, 2, 1}, {0, 1, 3, 2}};
    return order && (n_axes == 3 || n_axes == 4) && !memcmp(order, swaps[n_axes - 3], n_axes * sizeof *order) ? transpose->inputs[0] : VALUE_NONE;
}

/* ---- rewriting ---- */

/* k [.., S, K] and v, before they were repeated if both were. */
static void find_keys_and_values(const struct fusion *fusion, struct builder *builder, const struct match *match, uint32_t *ret_k, uint32_t *ret_v)
{
    static const int64_t swaps[2][4] = {{0, 2, 1}, {0, 1, 3, 2}};
    int rank = rank_of(fusion, match->k_transposed);
    uint32_t k = before_transpose(fusion, match->k_transposed);
    struct attribute perm = attribute_ints("perm", swaps[rank - 3], (size_t)rank);
    *ret_k = k == VALUE_NONE ? builder_op(builder, "Transpose", &match->k_transposed, 1, &perm, 1) : k;
    *ret_v = match->v;
    if (k == VALUE_NONE || rank != 4) return;
    uint32_t short_k = before_repetition(fusion, k), short_v = before_repetition(fusion, match->v);
    if (short_k == k || short_v == match->v || fusion->shapes[0][short_k].dims[1] != fusion->shapes[0][short_v].dims[1]) return;
    *ret_k = short_k;
    *ret_v = short_v;
}

static uint32_t add_mask(struct builder *builder, uint32_t joined, uint32_t mask)
{
    return joined == VALUE_NONE ? mask : builder_op(builder, "Add", (uint32_t[]){joined, mask}, 2, NULL, 0);
}

/* All masks as one, VALUE_NONE when there is none. */
static uint32_t join_masks(const struct fusion *fusion, struct builder *builder, const struct match *match)
{
    uint32_t joined = VALUE_NONE;
    for (uint32_t i = 0; i < match->n_wheres; i++) {
        const struct node *where = &fusion->graph->nodes[match->wheres[i]];
        float number;
        bool is_drop = pattern_number(fusion->graph, where->inputs[1], &number) && number <= MASKED;
        uint32_t zero = builder_float(builder, 0.0f), low = where->inputs[is_drop ? 1 : 2];
        uint32_t choice[] = {where->inputs[0], is_drop ? low : zero, is_drop ? zero : low};
        joined = add_mask(builder, joined, builder_op(builder, "Where", choice, 3, NULL, 0));
    }
    for (uint32_t i = 0; i < match->n_masks; i++) joined = add_mask(builder, joined, match->masks[i]);
    return joined;
}

/* [B*H,..] as [B,H,..] or, when the scores were never shown so, as [B*H,1,..]: hob.Attention knows rank 4 only. */
static uint32_t show_heads(struct builder *builder, const struct match *match, uint32_t value, int64_t width)
{
    struct attribute axes = attribute_ints("axes", (int64_t[]){1}, 1), axis = attribute_int("axis", 0);
    if (match->heads_shape == VALUE_NONE) return builder_op(builder, "Unsqueeze", &value, 1, &axes, 1);
    uint32_t ends[] = {match->heads_shape, builder_ints(builder, (int64_t[]){0}, 1), builder_ints(builder, (int64_t[]){2}, 1)};
    uint32_t parts[] = {builder_op(builder, "Slice", ends, 3, NULL, 0), builder_ints(builder, (int64_t[]){-1, width}, 2)};
    uint32_t shape = builder_op(builder, "Concat", parts, 2, &axis, 1);
    return builder_op(builder, "Reshape", (uint32_t[]){value, shape}, 2, NULL, 0);
}

static int64_t width_of(const struct fusion *fusion, uint32_t value)
{
    const struct tensor *shape = fusion_shape(fusion, value);
    return shape->dims[shape->rank - 1];
}

/* [B,H,T,Kv] or [B*H,1,T,Kv] back to [B*H,T,Kv]: the first axes of q's own shape. */
static uint32_t hide_heads(struct builder *builder, const struct match *match, uint32_t attended, int64_t width)
{
    struct attribute axis = attribute_int("axis", 0), heads = attribute_ints("axes", (int64_t[]){1}, 1);
    if (match->heads_shape == VALUE_NONE) return builder_op(builder, "Squeeze", &attended, 1, &heads, 1);
    uint32_t shape = builder_op(builder, "Shape", &match->q, 1, NULL, 0);
    uint32_t ends[] = {shape, builder_ints(builder, (int64_t[]){0}, 1), builder_ints(builder, (int64_t[]){2}, 1)};
    uint32_t parts[] = {builder_op(builder, "Slice", ends, 3, NULL, 0), builder_ints(builder, &width, 1)};
    return builder_op(builder, "Reshape", (uint32_t[]){attended, builder_op(builder, "Concat", parts, 2, &axis, 1)}, 2, NULL, 0);
}

/* A mask [N,T,S] of flat scores has the heads' axis yet to come; smaller ones broadcast as they are. */
static bool is_mask_flat(const struct fusion *fusion, const struct match *match)
{
    int rank = 0;
    for (uint32_t i = 0; i < match->n_masks; i++)
        if (rank_of(fusion, match->masks[i]) > rank) rank = rank_of(fusion, match->masks[i]);
    for (uint32_t i = 0; i < match->n_wheres; i++) {
        const struct tensor *condition = fusion_shape(fusion, fusion->graph->nodes[match->wheres[i]].inputs[0]);
        if (condition && condition->rank > rank) rank = condition->rank;
    }
    return match->has_flat_mask && rank == 3;
}

static void raise_ranks(const struct fusion *fusion, struct builder *builder, const struct match *match, uint32_t *inputs)
{
    int64_t k_width = width_of(fusion, match->q), v_width = width_of(fusion, match->v);
    struct attribute axes = attribute_ints("axes", (int64_t[]){1}, 1);
    for (int i = 0; i < 3; i++) inputs[i] = show_heads(builder, match, inputs[i], i < 2 ? k_width : v_width);
    if (is_mask_flat(fusion, match)) inputs[3] = builder_op(builder, "Unsqueeze", &inputs[3], 1, &axes, 1);
}

static hob_status rewrite(struct fusion *fusion, uint32_t product, const struct match *match)
{
    struct graph *graph = fusion->graph;
    struct builder builder;
    uint32_t inputs[4] = {match->q};
    bool is_flat = rank_of(fusion, match->q) == 3;
    struct attribute scale = attribute_float("scale", (float)match->scale);
    builder_init(&builder, graph);
    find_keys_and_values(fusion, &builder, match, &inputs[1], &inputs[2]);
    inputs[3] = join_masks(fusion, &builder, match);
    if (is_flat) raise_ranks(fusion, &builder, match, inputs);
    uint32_t attended = builder_op(&builder, "hob.Attention", inputs, inputs[3] == VALUE_NONE ? 3 : 4, &scale, 1);
    if (is_flat) attended = hide_heads(&builder, match, attended, width_of(fusion, match->v));
    TRY(builder_finish(&builder, fusion->context->error));
    fusion->context->n_changes++;
    uint32_t output = graph->nodes[product].outputs[0];
    graph_remove_node(graph, product);
    graph_replace_value(graph, output, attended);
    return HOB_OK;
}

static hob_status apply(struct graph *graph, struct pass_context *context)
{
    struct fusion fusion;
    struct match match;
    TRY(fusion_init(&fusion, graph, context));
    for (uint32_t i = 0; i < fusion.n_nodes; i++)
        if (node_is(&graph->nodes[i], "", "MatMul") && find_match(&fusion, &graph->nodes[i], &match)) TRY(rewrite(&fusion, i, &match));
    return HOB_OK;
}

const struct pass_def pass_fuse_attention = {
    .name = "fuse_attention", .summary = "recognises attention that an export wrote out",
    .makes = "hob.Attention",
    .apply = apply};
