/* Attention of ai.onnx (opsets 23, 24, 25): heads packed or apart, grouped KV heads, masks, a past inside or a cache outside,
 * soft cap, windows, and the scores as an output.
 * A query at index i stands at position n_before + i among the keys: the past's length, or nonpad_kv_seqlen - T, or 0. */
#include "base/size.h"
#include "ops/attention/attention.h"
#include "ops/attention/heads.h"
#include "ops/numbers.h"

enum { INPUT_Q, INPUT_K, INPUT_V, INPUT_MASK, INPUT_PAST_K, INPUT_PAST_V, INPUT_N_KEYS };
enum { OUTPUT_Y, OUTPUT_K, OUTPUT_V, OUTPUT_SCORES };

struct attention_params {
    int64_t n_heads, n_kv_heads; /* of packed heads; 0: not given */
    float scale;
    bool has_scale, is_causal;
    float softcap;
    enum dtype softmax_type;
    enum attention_stage scores_stage;
    int64_t left_window, right_window; /* as struct attention has them */
    bool is_mask_padded;               /* opset 24: a mask for fewer keys hides the rest */
};

/* Attribute `name` in [least,most]. */
static hob_status read_int(const struct op_prepare *node, const char *name, int64_t fallback, int64_t least,
                           int64_t most, int64_t *ret_value)
{
    int64_t value = attributes_int(node->attributes, name, fallback);
    if (value < least || value > most)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: %s: found %lld, expected %lld to %lld", node->node_name, name,
             (long long)value, (long long)least, (long long)most);
    *ret_value = value;
    return HOB_OK;
}

/* By qk_matmul_output_mode. */
static const enum attention_stage stages[] = {ATTENTION_PRODUCT, ATTENTION_CAPPED, ATTENTION_MASKED, ATTENTION_PROBABILITIES};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct attention_params *params = ARENA_NEW(node->arena, struct attention_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    int64_t stage, softmax_type, left, right, longest = INT64_MAX / 4;
    TRY(read_int(node, "q_num_heads", 0, 0, longest, &params->n_heads));
    TRY(read_int(node, "kv_num_heads", 0, 0, longest, &params->n_kv_heads));
    TRY(read_int(node, "qk_matmul_output_mode", 0, 0, 3, &stage));
    TRY(read_int(node, "softmax_precision", 0, 0, DTYPE_BF16, &softmax_type));
    TRY(read_int(node, "left_window_size", -1, -1, longest, &left));
    TRY(read_int(node, "right_window_size", -1, -1, longest, &right));
    if (softmax_type && !numbers_is_float((enum dtype)softmax_type))
        FAIL(node->error, HOB_BAD_GRAPH, "%s: softmax_precision: found %s, expected a float type", node->node_name,
             dtype_name((enum dtype)softmax_type));
    params->has_scale = attributes_find(node->attributes, "scale") != NULL;
    params->scale = attributes_float(node->attributes, "scale", 0);
    params->is_causal = attributes_int(node->attributes, "is_causal", 0) != 0;
    params->softcap = attributes_float(node->attributes, "softcap", 0);
    if (!(params->softcap > 0)) params->softcap = 0;
    params->softmax_type = (enum dtype)softmax_type;
    params->scores_stage = stages[stage];
    params->left_window = left + 1;
    params->right_window = right + 1;
    params->is_mask_padded = node->opset >= 24;
    *ret_params = params;
    return HOB_OK;
}

/* Sizes by the house's letters: N new keys behind P past ones make S. */
struct sizes {
    int64_t B, H, Hkv, T, N, P, S, K, Kv;
    bool is_packed;
};

static bool splits(const struct tensor *x, int64_t n_heads)
{
    return n_heads > 0 && x->dims[2] % n_heads == 0;
}

/* q, k, v as [B,H,T,K] whatever they came as. */
static hob_status read_heads(struct op_context *ctx, struct tensor heads[3], bool *ret_is_packed)
{
    const struct attention_params *params = ctx->params;
    const struct tensor *q = ctx->inputs[INPUT_Q], *k = ctx->inputs[INPUT_K], *v = ctx->inputs[INPUT_V];
    bool is_packed = q->rank == 3;
    if ((q->rank != 3 && q->rank != 4) || k->rank != q->rank || v->rank != q->rank)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "found q %s, k %s, v %s, expected all of rank 3 or all of rank 4", OP_SHAPE(q),
                OP_SHAPE(k), OP_SHAPE(v));
    if (is_packed &&
        (!splits(q, params->n_heads) || !splits(k, params->n_kv_heads) || !splits(v, params->n_kv_heads)))
        OP_FAIL(ctx, HOB_BAD_SHAPE,
                "found q %s, k %s, v %s, q_num_heads %lld, kv_num_heads %lld, expected widths of whole heads",
                OP_SHAPE(q), OP_SHAPE(k), OP_SHAPE(v), (long long)params->n_heads, (long long)params->n_kv_heads);
    for (int i = 0; i < 3; i++) {
        heads[i] = *ctx->inputs[i];
        if (is_packed) heads[i] = heads_split(&heads[i], i ? params->n_kv_heads : params->n_heads);
    }
    *ret_is_packed = is_packed;
    return HOB_OK;
}

static hob_status check_past(struct op_context *ctx, int i, const struct sizes *s, int64_t width)
{
    const struct tensor *past = ctx->inputs[i];
    int64_t dims[4] = {s->B, s->Hkv, s->P, width};
    if (!tensor_has_shape(past, 4, dims))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input %d: found %s, expected [%lld,%lld,%lld,%lld]", i, OP_SHAPE(past),
                (long long)s->B, (long long)s->Hkv, (long long)s->P, (long long)width);
    return op_check_dtype(ctx, i, ctx->inputs[i == INPUT_PAST_K ? INPUT_K : INPUT_V]->dtype);
}

static hob_status read_past(struct op_context *ctx, struct sizes *s)
{
    const struct tensor *past_k = op_input(ctx, INPUT_PAST_K), *past_v = op_input(ctx, INPUT_PAST_V);
    const struct tensor *n_keys = op_input(ctx, INPUT_N_KEYS);
    if (!past_k != !past_v)
        OP_FAIL(ctx, HOB_BAD_GRAPH, "found one of past_key and past_value, expected both or none");
    if (n_keys && past_k) OP_FAIL(ctx, HOB_BAD_GRAPH, "found nonpad_kv_seqlen and past_key, expected one of them");
    TRY(op_check_dtype(ctx, INPUT_N_KEYS, DTYPE_I64));
    if (n_keys && !tensor_has_shape(n_keys, 1, &s->B))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "nonpad_kv_seqlen: found %s, expected [%lld]", OP_SHAPE(n_keys), (long long)s->B);
    if (!past_k) return HOB_OK;
    if (past_k->rank != 4) OP_FAIL(ctx, HOB_BAD_SHAPE, "past_key: found %s, expected rank 4", OP_SHAPE(past_k));
    s->P = past_k->dims[2];
    s->S += s->P;
    TRY(check_past(ctx, INPUT_PAST_K, s, s->K));
    return check_past(ctx, INPUT_PAST_V, s, s->Kv);
}

static hob_status read_sizes(struct op_context *ctx, struct tensor heads[3], struct sizes *ret_sizes)
{
    struct sizes s = {0};
    TRY(read_heads(ctx, heads, &s.is_packed));
    const int64_t *q = heads[0].dims, *k = heads[1].dims, *v = heads[2].dims;
    bool fits = q[0] == k[0] && q[3] == k[3] && k[0] == v[0] && k[1] == v[1] && k[2] == v[2] && k[1] > 0 &&
                q[1] % k[1] == 0;
    if (!fits)
        OP_FAIL(ctx, HOB_BAD_SHAPE,
                "found q %s, k %s, v %s, expected [B,H,T,K], [B,Hkv,S,K], [B,Hkv,S,Kv], H a multiple of Hkv",
                OP_SHAPE(&heads[0]), OP_SHAPE(&heads[1]), OP_SHAPE(&heads[2]));
    s.B = q[0], s.H = q[1], s.T = q[2], s.K = q[3];
    s.Hkv = k[1], s.S = s.N = k[2], s.Kv = v[3];
    TRY(read_past(ctx, &s));
    *ret_sizes = s;
    return HOB_OK;
}

/* Against [B,H,T,S]; its last dim may be less than S where the opset allows it. */
static hob_status check_mask(struct op_context *ctx, const struct sizes *s)
{
    const struct attention_params *params = ctx->params;
    const struct tensor *mask = op_input(ctx, INPUT_MASK);
    if (!mask) return HOB_OK;
    const int64_t scores[4] = {s->B, s->H, s->T, s->S};
    bool fits = mask->rank >= 1 && mask->rank <= 4 &&
                (numbers_is_float(mask->dtype) || numbers_is_integer(mask->dtype));
    for (int i = 1; fits && i <= mask->rank; i++) {
        int64_t dim = mask->dims[mask->rank - i], wanted = scores[4 - i];
        fits = dim == wanted || (i == 1 && params->is_mask_padded ? dim < wanted : dim == 1);
    }
    if (!fits)
        OP_FAIL(ctx, HOB_BAD_SHAPE,
                "attn_mask: found %s %s, expected numbers or truths that broadcast to [%lld,%lld,%lld,%lld]",
                dtype_name(mask->dtype), OP_SHAPE(mask), (long long)s->B, (long long)s->H, (long long)s->T,
                (long long)s->S);
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    struct tensor heads[3];
    struct sizes s;
    const struct tensor *q = ctx->inputs[INPUT_Q], *v = ctx->inputs[INPUT_V];
    TRY(op_check_dtype(ctx, INPUT_K, q->dtype));
    if (!numbers_is_float(v->dtype))
        OP_FAIL(ctx, HOB_BAD_TYPE, "input 2: found %s, expected a float type", dtype_name(v->dtype));
    TRY(read_sizes(ctx, heads, &s));
    TRY(check_mask(ctx, &s));
    int64_t width;
    if (!int64_mul(s.H, s.Kv, &width)) OP_FAIL(ctx, HOB_LIMIT, "found %lld heads, expected fewer", (long long)s.H);
    if (s.is_packed) TRY(op_set_output(ctx, OUTPUT_Y, q->dtype, 3, (int64_t[]){s.B, s.T, width}));
    else TRY(op_set_output(ctx, OUTPUT_Y, q->dtype, 4, (int64_t[]){s.B, s.H, s.T, s.Kv}));
    TRY(op_set_output(ctx, OUTPUT_K, q->dtype, 4, (int64_t[]){s.B, s.Hkv, s.S, s.K}));
    TRY(op_set_output(ctx, OUTPUT_V, v->dtype, 4, (int64_t[]){s.B, s.Hkv, s.S, s.Kv}));
    return op_set_output(ctx, OUTPUT_SCORES, q->dtype, 4, (int64_t[]){s.B, s.H, s.T, s.S});
}

/* ---- run ---- */

/* true is 0, false -inf; in the working type. */
static hob_status convert_truths(struct op_context *ctx, const struct tensor *mask, enum dtype dtype,
                                 struct tensor *ret_mask)
{
    struct tensor numbers;
    TRY(heads_convert(ctx, mask, dtype, &numbers));
    int64_t n_items = tensor_n_items(&numbers);
    for (int64_t i = 0; dtype == DTYPE_F32 && i < n_items; i++)
        ((float *)numbers.data)[i] = ((float *)numbers.data)[i] != 0 ? 0 : -INFINITY;
    for (int64_t i = 0; dtype == DTYPE_F64 && i < n_items; i++)
        ((double *)numbers.data)[i] = ((double *)numbers.data)[i] != 0 ? 0 : -(double)INFINITY;
    *ret_mask = numbers;
    return HOB_OK;
}

/* Keys behind a mask that is too short are hidden, which is to say that they do not count. */
static hob_status make_mask(struct op_context *ctx, const struct sizes *s, int64_t *n_keys,
                            struct attention *attention)
{
    const struct attention_params *params = ctx->params;
    const struct tensor *mask = op_input(ctx, INPUT_MASK);
    if (!mask) return HOB_OK;
    struct tensor numbers;
    if (mask->dtype == DTYPE_BOOL) TRY(convert_truths(ctx, mask, attention->q.dtype, &numbers));
    else TRY(heads_convert(ctx, mask, attention->q.dtype, &numbers));
    int64_t width = params->is_mask_padded ? numbers.dims[numbers.rank - 1] : s->S;
    attention->mask = tensor_broadcast(&numbers, 4, (int64_t[]){s->B, s->H, s->T, width});
    for (int64_t b = 0; b < s->B; b++)
        if (n_keys[b] > width) n_keys[b] = width;
    return HOB_OK;
}

static hob_status set_limits(struct op_context *ctx, const struct sizes *s, struct attention *attention)
{
    const struct tensor *valid = op_input(ctx, INPUT_N_KEYS);
    int64_t *limits = ARENA_NEW(ctx->scratch, int64_t, (size_t)s->B * 2);
    if (!limits) OP_FAIL(ctx, HOB_NO_MEMORY, "no memory for the limits of %lld rows", (long long)s->B);
    int64_t *n_keys = limits, *n_before = limits + s->B;
    for (int64_t b = 0; b < s->B; b++) {
        n_keys[b] = valid ? tensor_get_int(valid, b) : s->S;
        if (n_keys[b] < 0 || n_keys[b] > s->S)
            OP_FAIL(ctx, HOB_BAD_ARGUMENT, "nonpad_kv_seqlen: found %lld, expected 0 to %lld", (long long)n_keys[b],
                    (long long)s->S);
        n_before[b] = valid ? n_keys[b] - s->T : s->P;
    }
    attention->n_keys = n_keys;
    attention->n_before = n_before;
    return make_mask(ctx, s, n_keys, attention);
}

static void set_attributes(const struct attention_params *params, int64_t width, struct attention *attention)
{
    attention->scale = params->has_scale ? params->scale : (float)(1 / sqrt((double)width));
    attention->is_causal = params->is_causal;
    attention->softcap = params->softcap;
    attention->softmax_type = params->softmax_type;
    attention->left_window = params->left_window;
    attention->right_window = params->right_window;
    attention->scores_stage = params->scores_stage;
}

static hob_status run(struct op_context *ctx)
{
    struct tensor heads[3], keys, values;
    struct sizes s;
    void *y, *scores;
    struct attention attention = {0};
    TRY(read_sizes(ctx, heads, &s));
    const struct tensor *shown = op_output(ctx, OUTPUT_SCORES);
    bool is_wide = heads[0].dtype == DTYPE_F64 || heads[2].dtype == DTYPE_F64;
    enum dtype dtype = is_wide ? DTYPE_F64 : DTYPE_F32;
    TRY(heads_join(ctx, op_input(ctx, INPUT_PAST_K), &heads[1], op_output(ctx, OUTPUT_K), &keys));
    TRY(heads_join(ctx, op_input(ctx, INPUT_PAST_V), &heads[2], op_output(ctx, OUTPUT_V), &values));
    TRY(heads_convert(ctx, &heads[0], dtype, &attention.q));
    TRY(heads_convert(ctx, &keys, dtype, &attention.k));
    TRY(heads_convert(ctx, &values, dtype, &attention.v));
    TRY(heads_output(ctx, op_output(ctx, OUTPUT_Y), dtype, &y));
    TRY(heads_output(ctx, shown, dtype, &scores));
    if (!y) OP_FAIL(ctx, HOB_BAD_GRAPH, "output 0 is missing");
    attention.out = heads_over(y, dtype, (int64_t[]){s.B, s.H, s.T, s.Kv}, s.is_packed);
    if (shown) attention.scores = heads_over(scores, dtype, (int64_t[]){s.B, s.H, s.T, s.S}, false);
    set_attributes(ctx->params, s.K, &attention);
    TRY(set_limits(ctx, &s, &attention));
    TRY(attention_run(ctx, &attention));
    heads_finish(ctx, y, dtype, op_output(ctx, OUTPUT_Y));
    heads_finish(ctx, scores, dtype, shown);
    return HOB_OK;
}

const struct op_def op_attention = {
    .name = "Attention",
    .domain = "",
    .since = 23,
    .min_inputs = 3,
    .max_inputs = 7,
    .min_outputs = 1,
    .max_outputs = 4,
    .types = TYPES_FLOAT,
    .flags = OP_STRIDED_INPUTS,
    .prepare = prepare,
    .infer = infer,
    .run = run,
};
