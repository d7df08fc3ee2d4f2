/* ai.onnx.preview FlexAttention: attention whose scores and probabilities may each pass through a subgraph of the model's own.
 * The subgraphs take all of [B,H,T,S] at once, so all of it is in memory; a graph that can say what it wants with a mask or a
 * soft cap is better off with Attention. */
#include "kernels/kernels.h"
#include "ops/attention/heads.h"
#include "ops/matrix/product.h"
#include "ops/numbers.h"

struct flex_params {
    bool has_scale;
    float scale;
    enum dtype softmax_type;           /* DTYPE_NONE: f64 for f64, else f32 */
    int score_graph, probability_graph; /* index among the node's graphs; -1: none */
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct flex_params *params = ARENA_NEW(node->arena, struct flex_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->score_graph = params->probability_graph = -1;
    int n_graphs = 0;
    for (size_t i = 0; i < node->attributes->n_items; i++) {
        const struct attribute *attribute = &node->attributes->items[i];
        if (attribute->kind != ATTRIBUTE_GRAPH) continue;
        if (!strcmp(attribute->name, "score_mod")) params->score_graph = n_graphs;
        if (!strcmp(attribute->name, "prob_mod")) params->probability_graph = n_graphs;
        n_graphs++;
    }
    int64_t type = attributes_int(node->attributes, "softmax_precision", DTYPE_NONE);
    params->has_scale = attributes_find(node->attributes, "scale") != NULL;
    params->scale = attributes_float(node->attributes, "scale", 0);
    if (type && (type < 0 || type > DTYPE_BF16 || !numbers_is_float((enum dtype)type)))
        FAIL(node->error, HOB_BAD_GRAPH, "%s: softmax_precision: found %lld, expected a float type", node->node_name,
             (long long)type);
    params->softmax_type = (enum dtype)type;
    *ret_params = params;
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    const struct tensor *q = ctx->inputs[0], *k = ctx->inputs[1], *v = ctx->inputs[2];
    TRY(op_check_dtype(ctx, 1, q->dtype));
    TRY(op_check_dtype(ctx, 2, q->dtype));
    bool fits = q->rank == 4 && k->rank == 4 && v->rank == 4 && q->dims[0] == k->dims[0] && k->dims[0] == v->dims[0] &&
                k->dims[1] == v->dims[1] && k->dims[2] == v->dims[2] && q->dims[3] == k->dims[3] && k->dims[1] > 0 &&
                q->dims[1] % k->dims[1] == 0;
    if (!fits)
        OP_FAIL(ctx, HOB_BAD_SHAPE,
                "found q %s, k %s, v %s, expected [B,H,T,K], [B,Hkv,S,K], [B,Hkv,S,Kv], H a multiple of Hkv",
                OP_SHAPE(q), OP_SHAPE(k), OP_SHAPE(v));
    return op_set_output(ctx, 0, q->dtype, 4, (int64_t[]){q->dims[0], q->dims[1], q->dims[2], v->dims[3]});
}

/* x through a subgraph that keeps type and shape; graph -1 leaves it. */
static hob_status modify(struct op_context *ctx, int graph, enum dtype type, struct tensor *x)
{
    struct tensor given, result;
    if (graph < 0) return HOB_OK;
    enum dtype working = x->dtype;
    TRY(tensor_init(&given, type, x->rank, x->dims, x->data, ctx->error));
    if (type != working) {
        given.data = arena_alloc(ctx->scratch, tensor_n_bytes(&given) + 1, 64);
        if (!given.data) OP_FAIL(ctx, HOB_NO_MEMORY, "no memory for scores of %s", OP_SHAPE(x));
        heads_finish(ctx, x->data, working, &given);
    }
    TRY(ctx->run_subgraph(ctx, graph, 1, (const struct tensor *[]){&given}, 1, &result));
    if (result.dtype != type || !tensor_same_shape(&result, x))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "subgraph: found %s %s, expected %s %s as it was given", dtype_name(result.dtype),
                OP_SHAPE(&result), dtype_name(type), OP_SHAPE(x));
    return heads_convert(ctx, &result, working, x);
}

/* [B,H,M,N] as [B,Hkv,group,M,N]; KV heads are shown once for each query head of their group. */
static struct tensor group_heads(const struct tensor *x, int64_t n_kv_heads, int64_t group)
{
    struct tensor view = *x;
    bool is_shared = x->dims[1] == n_kv_heads;
    view.rank = 5;
    for (int i = 4; i > 2; i--) {
        view.dims[i] = x->dims[i - 1];
        view.strides[i] = x->strides[i - 1];
    }
    view.dims[1] = n_kv_heads;
    view.dims[2] = group;
    view.strides[1] = is_shared ? x->strides[1] : x->strides[1] * group;
    view.strides[2] = is_shared ? 0 : x->strides[1];
    return view;
}

/* c [B,H,M,N] = a [B,H,M,L] x b [B,Hkv,L,N]. */
static hob_status multiply(struct op_context *ctx, const struct tensor *a, const struct tensor *b,
                           const struct tensor *c)
{
    int64_t n_kv_heads = b->dims[1], group = a->dims[1] / n_kv_heads;
    struct tensor grouped_a = group_heads(a, n_kv_heads, group), grouped_b = group_heads(b, n_kv_heads, group);
    struct tensor grouped_c = group_heads(c, n_kv_heads, group);
    return product_run(ctx, &grouped_a, &grouped_b, &grouped_c);
}

static hob_status make_scores(struct op_context *ctx, const struct tensor *q, const struct tensor *k,
                              struct tensor *ret_scores)
{
    const struct flex_params *params = ctx->params;
    double scale = params->has_scale ? (double)params->scale : 1 / sqrt((double)q->dims[3]);
    struct tensor scores, turned = tensor_transpose(k, (const int[]){0, 1, 3, 2});
    TRY(tensor_init(&scores, q->dtype, 4, (int64_t[]){q->dims[0], q->dims[1], q->dims[2], k->dims[2]}, NULL, ctx->error));
    scores.data = arena_alloc(ctx->scratch, tensor_n_bytes(&scores) + 1, 64);
    if (!scores.data) OP_FAIL(ctx, HOB_NO_MEMORY, "no memory for scores of %s", OP_SHAPE(&scores));
    TRY(multiply(ctx, q, &turned, &scores));
    int64_t n_items = tensor_n_items(&scores);
    for (int64_t i = 0; q->dtype == DTYPE_F64 && i < n_items; i++) ((double *)scores.data)[i] *= scale;
    if (q->dtype == DTYPE_F32) ctx->kernels->scale_f32(n_items, (float)scale, scores.data, scores.data);
    *ret_scores = scores;
    return HOB_OK;
}

static void softmax_f64(int64_t n, double *row)
{
    double most = -(double)INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++) most = fmax(most, row[i]);
    for (int64_t i = 0; i < n; i++) sum += row[i] = exp(row[i] - most);
    for (int64_t i = 0; i < n; i++) row[i] /= sum;
}

static void softmax_rows(struct op_context *ctx, const struct tensor *x)
{
    int64_t n = x->dims[3], n_rows = x->dims[0] * x->dims[1] * x->dims[2];
    for (int64_t row = 0; n && row < n_rows; row++) {
        if (x->dtype == DTYPE_F64) softmax_f64(n, (double *)x->data + row * n);
        else ctx->kernels->softmax_f32(n, (float *)x->data + row * n, (float *)x->data + row * n);
    }
}

/* The scores' own copy: what a subgraph gave back may be anybody's memory. */
static hob_status own(struct op_context *ctx, struct tensor *x)
{
    void *items = arena_alloc(ctx->scratch, tensor_n_bytes(x) + 1, 64);
    if (!items) OP_FAIL(ctx, HOB_NO_MEMORY, "no memory for scores of %s", OP_SHAPE(x));
    tensor_copy_contiguous(x, items);
    x->data = items;
    tensor_set_contiguous(x);
    return HOB_OK;
}

static hob_status run(struct op_context *ctx)
{
    const struct flex_params *params = ctx->params;
    struct tensor q, k, v, scores, y = *ctx->outputs[0];
    bool is_wide = ctx->inputs[0]->dtype == DTYPE_F64 || params->softmax_type == DTYPE_F64;
    enum dtype working = is_wide ? DTYPE_F64 : DTYPE_F32;
    enum dtype shown = params->softmax_type ? params->softmax_type : working;
    TRY(heads_convert(ctx, ctx->inputs[0], working, &q));
    TRY(heads_convert(ctx, ctx->inputs[1], working, &k));
    TRY(heads_convert(ctx, ctx->inputs[2], working, &v));
    TRY(heads_output(ctx, ctx->outputs[0], working, &y.data));
    y.dtype = working;
    TRY(make_scores(ctx, &q, &k, &scores));
    TRY(modify(ctx, params->score_graph, shown, &scores));
    TRY(own(ctx, &scores));
    softmax_rows(ctx, &scores);
    TRY(modify(ctx, params->probability_graph, shown, &scores));
    TRY(multiply(ctx, &scores, &v, &y));
    heads_finish(ctx, y.data, working, ctx->outputs[0]);
    return HOB_OK;
}

const struct op_def op_flex_attention = {
    .name = "FlexAttention",
    .domain = "ai.onnx.preview",
    .since = 1,
    .min_inputs = 3,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPES_FLOAT,
    .flags = OP_STRIDED_INPUTS | OP_NOT_FOLDABLE,
    .prepare = prepare,
    .infer = infer,
    .run = run,
};
