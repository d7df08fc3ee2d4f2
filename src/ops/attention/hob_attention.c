/* hob.Attention: softmax(cap(q kT * scale) + mask) v with grouped KV heads, causal or over packed sentences; k and v may be halves, as
 * a cache of them is.
 *
 * A bias that depends only on how far a key lies behind its query is a vector a head: distance_bias [H or 1, 2R-1], whose item
 * R-1+s-t goes to key s of query t. Seen with a stride of -1 along the queries it is a mask, and one for every sentence of a packed
 * batch, without a matrix of T times S.
 * k and v may also be a cache in blocks, which several texts' rows are appended to in one run.
 * left_window, right_window and softcap: as in struct attention.
 * Source: Vaswani et al. 2017; Ainslie et al. 2023 (grouped-query attention); Press et al. 2021 (ALiBi), Raffel et al. 2019 (T5's
 * relative positions). */
#include "ops/as_f32.h"
#include "ops/attention/attention.h"
#include "ops/segments.h"

enum { INPUT_Q, INPUT_K, INPUT_V, INPUT_MASK, INPUT_SEGMENTS, INPUT_DISTANCE_BIAS };

enum { MOST_WINDOW = INT32_MAX }; /* sums with positions stay far from overflow */

struct attention_params {
    float scale; /* 0: 1 / sqrt(K) */
    bool is_causal;
    int64_t left_window, right_window; /* 0: none */
    float softcap;                     /* 0: none */
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct attention_params *params = ARENA_NEW(node->arena, struct attention_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->scale = attributes_float(node->attributes, "scale", 0);
    params->is_causal = attributes_int(node->attributes, "is_causal", 0) != 0;
    params->left_window = attributes_int(node->attributes, "left_window", 0);
    params->right_window = attributes_int(node->attributes, "right_window", 0);
    if (params->left_window < 0 || params->right_window < 0 || params->left_window > MOST_WINDOW || params->right_window > MOST_WINDOW)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: windows: found %lld and %lld, expected 0 to %d", node->node_name,
             (long long)params->left_window, (long long)params->right_window, MOST_WINDOW);
    params->softcap = attributes_float(node->attributes, "softcap", 0);
    if (!(params->softcap >= 0) || isinf(params->softcap))
        FAIL(node->error, HOB_BAD_GRAPH, "%s: softcap: found %g, expected at least 0", node->node_name, (double)params->softcap);
    *ret_params = params;
    return HOB_OK;
}

/* Each row sees the positions up to its own of its own text: what a mask, segments or keys behind it would say has no place there. */
static hob_status check_paged(struct op_context *ctx)
{
    const struct attention_params *params = ctx->params;
    const struct tensor *q = ctx->inputs[INPUT_Q], *k = ctx->inputs[INPUT_K], *v = ctx->inputs[INPUT_V];
    if (k->layout != LAYOUT_PAGED && v->layout != LAYOUT_PAGED && q->layout != LAYOUT_PAGED) return HOB_OK;
    bool has_more = op_input(ctx, INPUT_MASK) || op_input(ctx, INPUT_SEGMENTS) || op_input(ctx, INPUT_DISTANCE_BIAS);
    if (q->layout == LAYOUT_PAGED || k->layout != v->layout || has_more || !params->is_causal || params->right_window || q->dims[2] != k->dims[2])
        OP_FAIL(ctx, HOB_UNSUPPORTED, "a cache in blocks: found q %s, k %s, v %s, expected causal attention of as many rows without a mask",
                OP_SHAPE(q), OP_SHAPE(k), OP_SHAPE(v));
    return HOB_OK;
}

static hob_status check_qkv(struct op_context *ctx)
{
    const struct tensor *q = ctx->inputs[INPUT_Q], *k = ctx->inputs[INPUT_K], *v = ctx->inputs[INPUT_V];
    TRY(op_check_dtype(ctx, INPUT_Q, DTYPE_F32));
    TRY(op_check_dtype(ctx, INPUT_MASK, DTYPE_F32));
    bool is_narrow = k->dtype == DTYPE_F16 || (k->layout == LAYOUT_PAGED && (k->dtype == DTYPE_Q8_0 || k->dtype == DTYPE_Q4_0));
    if (!is_narrow) TRY(op_check_dtype(ctx, INPUT_K, DTYPE_F32));
    TRY(op_check_dtype(ctx, INPUT_V, k->dtype));
    if (q->rank != 4 || k->rank != 4 || v->rank != 4)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "found q %s, k %s, v %s, expected rank 4", OP_SHAPE(q), OP_SHAPE(k), OP_SHAPE(v));
    bool fits = q->dims[0] == k->dims[0] && q->dims[3] == k->dims[3] && k->dims[0] == v->dims[0] &&
                k->dims[1] == v->dims[1] && k->dims[2] == v->dims[2] && k->dims[1] > 0 && q->dims[1] % k->dims[1] == 0;
    if (!fits)
        OP_FAIL(ctx, HOB_BAD_SHAPE,
                "found q %s, k %s, v %s, expected [B,H,T,K], [B,Hkv,S,K], [B,Hkv,S,Kv], H a multiple of Hkv",
                OP_SHAPE(q), OP_SHAPE(k), OP_SHAPE(v));
    return HOB_OK;
}

static hob_status check_mask(struct op_context *ctx)
{
    const struct tensor *q = ctx->inputs[INPUT_Q], *k = ctx->inputs[INPUT_K], *mask = op_input(ctx, INPUT_MASK);
    if (!mask) return HOB_OK;
    int64_t scores[4] = {q->dims[0], q->dims[1], q->dims[2], k->dims[2]}, dims[TENSOR_MAX_RANK];
    int rank;
    bool fits = shape_broadcast(mask->rank, mask->dims, 4, scores, &rank, dims) && rank == 4;
    for (int i = 0; fits && i < 4; i++) fits = dims[i] == scores[i];
    if (!fits)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "mask: found %s, expected a shape that broadcasts to [%lld,%lld,%lld,%lld]",
                OP_SHAPE(mask), (long long)scores[0], (long long)scores[1], (long long)scores[2], (long long)scores[3]);
    return HOB_OK;
}

static hob_status check_segments(struct op_context *ctx)
{
    const struct tensor *q = ctx->inputs[INPUT_Q], *k = ctx->inputs[INPUT_K], *segments = op_input(ctx, INPUT_SEGMENTS);
    if (!segments) return HOB_OK;
    TRY(segments_check(ctx, INPUT_SEGMENTS));
    if (q->dims[0] != 1 || q->dims[2] != k->dims[2])
        OP_FAIL(ctx, HOB_BAD_SHAPE, "segments: found q %s and k %s, expected batch 1 and as many keys as queries",
                OP_SHAPE(q), OP_SHAPE(k));
    return HOB_OK;
}

static hob_status check_distance_bias(struct op_context *ctx)
{
    const struct tensor *q = ctx->inputs[INPUT_Q], *bias = op_input(ctx, INPUT_DISTANCE_BIAS);
    if (!bias) return HOB_OK;
    TRY(op_check_dtype(ctx, INPUT_DISTANCE_BIAS, DTYPE_F32));
    if (bias->rank != 2 || (bias->dims[0] != 1 && bias->dims[0] != q->dims[1]) || bias->dims[1] % 2 != 1)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "distance_bias: found %s, expected [1 or %lld, 2R-1]", OP_SHAPE(bias), (long long)q->dims[1]);
    if (op_input(ctx, INPUT_MASK)) OP_FAIL(ctx, HOB_BAD_GRAPH, "found a mask and a distance_bias, expected one of them");
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    const struct tensor *q = ctx->inputs[INPUT_Q];
    TRY(check_qkv(ctx));
    TRY(check_paged(ctx));
    TRY(check_mask(ctx));
    TRY(check_segments(ctx));
    TRY(check_distance_bias(ctx));
    int64_t dims[4] = {q->dims[0], q->dims[1], q->dims[2], ctx->inputs[INPUT_V]->dims[3]};
    TRY(op_set_output(ctx, 0, DTYPE_F32, 4, dims));
    if (!ctx->outputs[0]) return HOB_OK;
    /* In memory the heads of a position lie together, so that the Transpose and Reshape behind are views. */
    int64_t *strides = ctx->outputs[0]->strides;
    strides[1] = dims[3];
    strides[2] = dims[1] * dims[3];
    return HOB_OK;
}

/* The most positions that lie together. */
static int64_t longest_segment(const struct attention *attention)
{
    int64_t n_queries = attention->q.dims[2], n_keys = attention->k.dims[2];
    int64_t longest = attention->segments ? 0 : n_keys > n_queries ? n_keys : n_queries;
    for (int64_t i = 0; attention->segments && i < attention->n_segments; i++) {
        int64_t n_rows = attention->segments[i + 1] - attention->segments[i];
        if (n_rows > longest) longest = n_rows;
    }
    return longest;
}

static hob_status set_distance_bias(struct op_context *ctx, const struct tensor *bias, struct attention *attention)
{
    const struct tensor *q = &attention->q, *k = &attention->k;
    int64_t reach = (bias->dims[1] + 1) / 2, stride = bias->strides[1], n_before = k->dims[2] - q->dims[2];
    if (longest_segment(attention) > reach)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "distance_bias: found %s, which serves %lld positions, expected at least %lld", OP_SHAPE(bias),
                (long long)reach, (long long)longest_segment(attention));
    attention->mask = (struct tensor){.dtype = DTYPE_F32,
                                      .rank = 4,
                                      .is_view = true,
                                      .data = (float *)bias->data + (reach - 1 - n_before) * stride,
                                      .dims = {q->dims[0], q->dims[1], q->dims[2], k->dims[2]},
                                      .strides = {0, bias->dims[0] == 1 ? 0 : bias->strides[0], -stride, stride}};
    return HOB_OK;
}

static hob_status run(struct op_context *ctx)
{
    const struct attention_params *params = ctx->params;
    struct attention attention = {.q = *ctx->inputs[INPUT_Q],
                                  .k = *ctx->inputs[INPUT_K],
                                  .v = *ctx->inputs[INPUT_V],
                                  .out = *ctx->outputs[0],
                                  .scale = params->scale,
                                  .is_causal = params->is_causal,
                                  .left_window = params->left_window,
                                  .right_window = params->right_window,
                                  .softcap = params->softcap};
    if (attention.scale == 0) attention.scale = 1 / sqrtf((float)attention.q.dims[3]);
    const struct tensor *mask = op_input(ctx, INPUT_MASK);
    if (mask) {
        int64_t dims[4] = {attention.q.dims[0], attention.q.dims[1], attention.q.dims[2], attention.k.dims[2]};
        attention.mask = tensor_broadcast(mask, 4, dims);
    }
    if (op_input(ctx, INPUT_SEGMENTS)) {
        struct segments segments;
        TRY(segments_read(ctx, INPUT_SEGMENTS, attention.q.dims[2], &segments));
        attention.segments = segments.borders;
        attention.n_segments = segments.n;
    }
    const struct tensor *bias = op_input(ctx, INPUT_DISTANCE_BIAS);
    if (bias) TRY(set_distance_bias(ctx, bias, &attention));
    return attention_run(ctx, &attention);
}

const struct op_def op_hob_attention = {
    .name = "Attention",
    .domain = "hob",
    .since = 1,
    .min_inputs = 3,
    .max_inputs = 6,
    .min_outputs = 1,
    .max_outputs = 1,
    .flags = OP_STRIDED_INPUTS | OP_PAGED_INPUTS,
    .prepare = prepare,
    .infer = infer,
    .run = run,
};
