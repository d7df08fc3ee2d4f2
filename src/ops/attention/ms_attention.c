/* com.microsoft Attention: the projection to q, k and v, the past, the mask in its five shapes, and attention, in one node.
 * Keys and values are written once, into output 1 [2,B,H,S,K] when it is wanted, and read there. */
#include "kernels/kernels.h"
#include "ops/as_f32.h"
#include "ops/attention/attention.h"
#include "ops/matrix/product.h"

#include <float.h>

enum { INPUT_X, INPUT_WEIGHT, INPUT_BIAS, INPUT_MASK, INPUT_PAST, INPUT_SCORE_BIAS };

struct ms_attention_params {
    int64_t n_heads;
    bool is_unidirectional;
    float scale, mask_filter;
    int64_t widths[3]; /* qkv_hidden_sizes; 0: a third of the weight each */
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct ms_attention_params *params = ARENA_NEW(node->arena, struct ms_attention_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->n_heads = attributes_int(node->attributes, "num_heads", 0);
    params->is_unidirectional = attributes_int(node->attributes, "unidirectional", 0) != 0;
    params->scale = attributes_float(node->attributes, "scale", 0);
    params->mask_filter = attributes_float(node->attributes, "mask_filter_value", -10000);
    if (params->n_heads < 1)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: num_heads: found %lld, expected at least 1", node->node_name,
             (long long)params->n_heads);
    for (const char *const *name = (const char *const[]){"do_rotary", "past_present_share_buffer", NULL}; *name; name++)
        if (attributes_int(node->attributes, *name, 0))
            FAIL(node->error, HOB_UNSUPPORTED, "%s: %s: found 1, expected 0", node->node_name, *name);
    size_t n_widths;
    const int64_t *widths = attributes_ints(node->attributes, "qkv_hidden_sizes", &n_widths);
    if (n_widths && n_widths != 3)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: qkv_hidden_sizes: found %zu, expected 3", node->node_name, n_widths);
    for (size_t i = 0; i < n_widths; i++) params->widths[i] = widths[i];
    *ret_params = params;
    return HOB_OK;
}

/* Sizes by the house's letters; widths of one head of q and k, and of v. */
struct sizes {
    int64_t B, T, P, S, H, K, Kv;
};

static hob_status read_widths(struct op_context *ctx, struct sizes *sizes)
{
    const struct ms_attention_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[INPUT_X], *weight = ctx->inputs[INPUT_WEIGHT],
                        *bias = op_input(ctx, INPUT_BIAS);
    if (x->rank != 3 || weight->rank != 2 || x->dims[2] != weight->dims[0])
        OP_FAIL(ctx, HOB_BAD_SHAPE, "found input %s and weights %s, expected [B,T,D] and [D,3D]", OP_SHAPE(x),
                OP_SHAPE(weight));
    int64_t q = params->widths[0], k = params->widths[1], v = params->widths[2];
    if (!q) q = k = v = weight->dims[1] / 3;
    if (q <= 0 || v <= 0 || q != k || q + k + v != weight->dims[1] || q % params->n_heads || v % params->n_heads)
        OP_FAIL(ctx, HOB_BAD_SHAPE,
                "weights: found %s for q, k, v of %lld, %lld, %lld, expected their sum and multiples of %lld heads",
                OP_SHAPE(weight), (long long)q, (long long)k, (long long)v, (long long)params->n_heads);
    if (bias && (bias->rank != 1 || bias->dims[0] != weight->dims[1]))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "bias: found %s, expected [%lld]", OP_SHAPE(bias), (long long)weight->dims[1]);
    *sizes = (struct sizes){.B = x->dims[0], .T = x->dims[1], .S = x->dims[1], .H = params->n_heads};
    sizes->K = q / sizes->H;
    sizes->Kv = v / sizes->H;
    return HOB_OK;
}

static hob_status read_sizes(struct op_context *ctx, struct sizes *ret_sizes)
{
    struct sizes sizes;
    TRY(read_widths(ctx, &sizes));
    const struct tensor *past = op_input(ctx, INPUT_PAST), *score_bias = op_input(ctx, INPUT_SCORE_BIAS);
    if (past) {
        bool fits = past->rank == 5 && past->dims[0] == 2 && past->dims[1] == sizes.B && past->dims[2] == sizes.H &&
                    past->dims[4] == sizes.K && sizes.K == sizes.Kv;
        if (!fits)
            OP_FAIL(ctx, HOB_BAD_SHAPE, "past: found %s, expected [2,%lld,%lld,P,%lld]", OP_SHAPE(past),
                    (long long)sizes.B, (long long)sizes.H, (long long)sizes.K);
        sizes.P = past->dims[3];
        sizes.S += sizes.P;
    }
    if (score_bias) {
        bool fits = score_bias->rank == 4 && (score_bias->dims[0] == 1 || score_bias->dims[0] == sizes.B) &&
                    (score_bias->dims[1] == 1 || score_bias->dims[1] == sizes.H) && score_bias->dims[2] == sizes.T &&
                    score_bias->dims[3] == sizes.S;
        if (!fits)
            OP_FAIL(ctx, HOB_BAD_SHAPE, "attention_bias: found %s, expected [1 or %lld,1 or %lld,%lld,%lld]",
                    OP_SHAPE(score_bias), (long long)sizes.B, (long long)sizes.H, (long long)sizes.T,
                    (long long)sizes.S);
    }
    *ret_sizes = sizes;
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    enum dtype dtype = ctx->inputs[INPUT_X]->dtype;
    if (!as_f32_takes(dtype))
        OP_FAIL(ctx, HOB_BAD_TYPE, "input 0: found %s, expected float32, float16 or bfloat16", dtype_name(dtype));
    if (!op_output(ctx, 0)) OP_FAIL(ctx, HOB_BAD_GRAPH, "output 0 is missing");
    for (int i = INPUT_WEIGHT; i <= INPUT_SCORE_BIAS; i++)
        TRY(op_check_dtype(ctx, i, i == INPUT_MASK ? DTYPE_I32 : dtype));
    struct sizes s;
    TRY(read_sizes(ctx, &s));
    if (op_output(ctx, 1) && s.K != s.Kv)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "present: found heads of %lld and %lld numbers for k and v, expected the same",
                (long long)s.K, (long long)s.Kv);
    TRY(op_set_output(ctx, 0, dtype, 3, (int64_t[]){s.B, s.T, s.H * s.Kv}));
    return op_set_output(ctx, 1, dtype, 5, (int64_t[]){2, s.B, s.H, s.S, s.K});
}

/* x times weight plus bias, [B*T, q | k | v] in scratch. */
static hob_status project(struct op_context *ctx, const struct sizes *s, float **ret_projected)
{
    struct tensor x, weight, rows, projected;
    const float *bias;
    float *items;
    int64_t width = ctx->inputs[INPUT_WEIGHT]->dims[1], n_rows = s->B * s->T;
    TRY(as_f32(ctx, ctx->inputs[INPUT_X], &x));
    TRY(as_f32(ctx, ctx->inputs[INPUT_WEIGHT], &weight));
    TRY(as_f32_vector(ctx, op_input(ctx, INPUT_BIAS), &bias));
    TRY(scratch_f32(ctx, n_rows * width, &items));
    TRY(tensor_init(&rows, DTYPE_F32, 2, (int64_t[]){n_rows, x.dims[2]}, x.data, ctx->error));
    TRY(tensor_init(&projected, DTYPE_F32, 2, (int64_t[]){n_rows, width}, items, ctx->error));
    TRY(product_run(ctx, &rows, &weight, &projected));
    for (int64_t row = 0; bias && row < n_rows; row++)
        ctx->kernels->add_f32(width, items + row * width, 1, bias, 1, items + row * width);
    *ret_projected = items;
    return HOB_OK;
}

/* A [B,H,T,width] look at columns of the projection. */
static struct tensor projected_heads(const struct sizes *s, float *projected, int64_t column, int64_t width)
{
    int64_t row_width = s->H * (2 * s->K + s->Kv);
    return (struct tensor){.data = projected + column,
                           .dtype = DTYPE_F32,
                           .rank = 4,
                           .dims = {s->B, s->H, s->T, width},
                           .strides = {s->T * row_width, width, row_width, 1}};
}

/* past ++ new for k (half 0) or v (half 1) of present [2,B,H,S,K]; shows it as [B,H,S,K]. */
static void append_past(const struct sizes *s, int half, const struct tensor *past, const struct tensor *fresh,
                        float *present, struct tensor *ret_all)
{
    int64_t n_heads = s->B * s->H;
    float *all = present + half * n_heads * s->S * s->K;
    for (int64_t head = 0; head < n_heads; head++) {
        float *target = all + head * s->S * s->K;
        if (s->P)
            memcpy(target, (const float *)past->data + (half * n_heads + head) * s->P * s->K,
                   (size_t)(s->P * s->K) * sizeof *target);
        const float *source =
            (const float *)fresh->data + head / s->H * fresh->strides[0] + head % s->H * fresh->strides[1];
        for (int64_t t = 0; t < s->T; t++)
            memcpy(target + (s->P + t) * s->K, source + t * fresh->strides[2], (size_t)s->K * sizeof *target);
    }
    *ret_all = *fresh;
    ret_all->data = all;
    ret_all->dims[2] = s->S;
    tensor_set_contiguous(ret_all);
}

/* ---- the mask ---- */

/* The kinds differ in which keys count for query t of batch b. */
static bool is_kept(const struct tensor *mask, const struct sizes *s, int64_t b, int64_t t, int64_t key)
{
    const int32_t *items = mask->data;
    if (mask->rank == 1 && mask->dims[0] == s->B) return key < items[b];
    if (mask->rank == 1) return key < items[b] && key >= items[s->B + b];
    if (mask->rank == 2) return items[b * s->S + key] != 0;
    if (mask->rank == 3) return items[(b * s->T + t) * s->S + key] != 0;
    int64_t most = mask->dims[2];
    return items[(b * most + s->P + t) * most + key] != 0;
}

static hob_status check_mask(struct op_context *ctx, const struct tensor *mask, const struct sizes *s)
{
    const int64_t *dims = mask->dims;
    bool fits = (mask->rank == 1 && (dims[0] == s->B || dims[0] == 2 * s->B)) ||
                (mask->rank == 2 && dims[0] == s->B && dims[1] == s->S) ||
                (mask->rank == 3 && dims[0] == s->B && dims[1] == s->T && dims[2] == s->S) ||
                (mask->rank == 4 && dims[0] == s->B && dims[1] == 1 && dims[2] == dims[3] && dims[2] >= s->S);
    if (!fits)
        OP_FAIL(ctx, HOB_BAD_SHAPE,
                "mask_index: found %s, expected [B], [2B], [B,S], [B,T,S] or [B,1,M,M] for B %lld, T %lld, S %lld",
                OP_SHAPE(mask), (long long)s->B, (long long)s->T, (long long)s->S);
    return HOB_OK;
}

/* [B,1 or T,S] of zeros and the filter value, shown as [B,H,T,S].
 *
 * ONNX Runtime gives future keys the lowest score. A filter value that low makes masked keys their equals: a query that sees
 * only masked keys (padding on the left) then attends to all keys alike, future ones too. Nobody reads such a row, but the
 * peer writes it so; the mask then hides the future in place of is_causal. */
static hob_status make_mask(struct op_context *ctx, const struct sizes *s, struct attention *attention)
{
    const struct ms_attention_params *params = ctx->params;
    const struct tensor *mask = op_input(ctx, INPUT_MASK);
    if (!mask) return HOB_OK;
    TRY(check_mask(ctx, mask, s));
    bool hides_future = params->is_unidirectional && params->mask_filter == -FLT_MAX && s->T > 1;
    int64_t n_rows = mask->rank > 2 || hides_future ? s->T : 1;
    float *items;
    TRY(scratch_f32(ctx, s->B * n_rows * s->S, &items));
    for (int64_t row = 0; row < s->B * n_rows; row++)
        for (int64_t key = 0; key < s->S; key++) {
            bool is_future = hides_future && key > s->P + row % n_rows;
            bool is_seen = !is_future && is_kept(mask, s, row / n_rows, row % n_rows, key);
            items[row * s->S + key] = is_seen ? 0 : params->mask_filter;
        }
    if (hides_future) attention->is_causal = false;
    struct tensor narrow;
    TRY(tensor_init(&narrow, DTYPE_F32, 4, (int64_t[]){s->B, 1, n_rows, s->S}, items, ctx->error));
    attention->mask = tensor_broadcast(&narrow, 4, (int64_t[]){s->B, s->H, s->T, s->S});
    return HOB_OK;
}

/* mask + attention_bias: either alone is used as it is. */
static hob_status add_score_bias(struct op_context *ctx, const struct sizes *s, struct tensor *mask)
{
    const struct tensor *score_bias = op_input(ctx, INPUT_SCORE_BIAS);
    if (!score_bias) return HOB_OK;
    struct tensor narrow;
    TRY(as_f32(ctx, score_bias, &narrow));
    struct tensor bias = tensor_broadcast(&narrow, 4, (int64_t[]){s->B, s->H, s->T, s->S});
    if (!mask->data) {
        *mask = bias;
        return HOB_OK;
    }
    float *sum;
    TRY(scratch_f32(ctx, tensor_n_items(&bias), &sum));
    for (int64_t row = 0; row < s->B * s->H * s->T; row++) {
        int64_t b = row / (s->H * s->T), h = row / s->T % s->H, t = row % s->T;
        ctx->kernels->add_f32(
            s->S, (const float *)bias.data + b * bias.strides[0] + h * bias.strides[1] + t * bias.strides[2], 1,
            (const float *)mask->data + b * mask->strides[0] + t * mask->strides[2], 1, sum + row * s->S);
    }
    return tensor_init(mask, DTYPE_F32, 4, bias.dims, sum, ctx->error);
}

/* ---- run ---- */

static hob_status attach_past(struct op_context *ctx, const struct sizes *s, struct attention *attention)
{
    const struct tensor *present = op_output(ctx, 1);
    if (!present && !s->P) return HOB_OK;
    struct tensor past;
    float *items;
    TRY(as_f32(ctx, op_input(ctx, INPUT_PAST), &past));
    if (present) TRY(as_f32_output(ctx, present, &items));
    else TRY(scratch_f32(ctx, 2 * s->B * s->H * s->S * s->K, &items));
    append_past(s, 0, &past, &attention->k, items, &attention->k);
    append_past(s, 1, &past, &attention->v, items, &attention->v);
    as_f32_finish(ctx, items, present);
    return HOB_OK;
}

static hob_status run(struct op_context *ctx)
{
    const struct ms_attention_params *params = ctx->params;
    struct sizes s;
    float *projected, *y;
    TRY(read_sizes(ctx, &s));
    TRY(project(ctx, &s, &projected));
    TRY(as_f32_output(ctx, ctx->outputs[0], &y));
    struct attention attention = {.q = projected_heads(&s, projected, 0, s.K),
                                  .k = projected_heads(&s, projected, s.H * s.K, s.K),
                                  .v = projected_heads(&s, projected, 2 * s.H * s.K, s.Kv),
                                  .out = {.data = y,
                                          .dtype = DTYPE_F32,
                                          .rank = 4,
                                          .dims = {s.B, s.H, s.T, s.Kv},
                                          .strides = {s.T * s.H * s.Kv, s.Kv, s.H * s.Kv, 1}},
                                  .scale = params->scale != 0 ? params->scale : 1 / sqrtf((float)s.K),
                                  .is_causal = params->is_unidirectional};
    TRY(attach_past(ctx, &s, &attention));
    TRY(make_mask(ctx, &s, &attention));
    TRY(add_score_bias(ctx, &s, &attention.mask));
    TRY(attention_run(ctx, &attention));
    as_f32_finish(ctx, y, ctx->outputs[0]);
    return HOB_OK;
}

const struct op_def op_ms_attention = {
    .name = "Attention",
    .domain = "com.microsoft",
    .since = 1,
    .min_inputs = 2,
    .max_inputs = 6,
    .min_outputs = 1,
    .max_outputs = 2,
    .prepare = prepare,
    .infer = infer,
    .run = run,
};
