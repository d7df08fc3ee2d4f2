/* com.microsoft GroupQueryAttention: attention of the language models that onnxruntime-genai's builder exports. In one node:
 * q, k and v (packed or apart), a norm of each head, rotary embedding, a cache whose rows have lengths of their own, and
 * attention with windows, soft cap, sinks and bias.
 *
 * The past may be a buffer with room for more than it holds: row b holds seqlens_k[b] + 1 - T positions, the new ones are
 * written behind them, and what lies beyond is nobody's. A first prompt (T is the total) begins at 0 whatever the buffer. */
#include "base/size.h"
#include "kernels/kernels.h"
#include "ops/as_f32.h"
#include "ops/attention/attention.h"
#include "ops/attention/heads.h"
#include "ops/attention/rotary.h"
#include "ops/moving.h"

enum {
    INPUT_Q,
    INPUT_K,
    INPUT_V,
    INPUT_PAST_K,
    INPUT_PAST_V,
    INPUT_LAST_KEYS,
    INPUT_TOTAL,
    INPUT_COS,
    INPUT_SIN,
    INPUT_POSITIONS,
    INPUT_BIAS,
    INPUT_SINKS,
    INPUT_K_SCALE,
    INPUT_V_SCALE,
    INPUT_Q_NORM,
    INPUT_K_NORM
};
enum { OUTPUT_Y, OUTPUT_K, OUTPUT_V, OUTPUT_SCORES };

struct gqa_params {
    int64_t n_heads, n_kv_heads, window;
    float scale, softcap, norm_epsilon;
    bool has_rotary, is_interleaved, is_causal, is_smooth;
    int64_t shown; /* qk_output: 0 nothing, 1 scores, 2 probabilities */
};

static hob_status check_cache_type(const struct op_prepare *node, const char *name)
{
    const char *type = attributes_string(node->attributes, name, "NONE");
    if (strcmp(type, "NONE") != 0)
        FAIL(node->error, HOB_UNSUPPORTED, "%s: %s: found \"%s\", expected \"NONE\": caches are not quantised",
             node->node_name, name, type);
    return HOB_OK;
}

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct gqa_params *params = ARENA_NEW(node->arena, struct gqa_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->n_heads = attributes_int(node->attributes, "num_heads", 0);
    params->n_kv_heads = attributes_int(node->attributes, "kv_num_heads", 0);
    params->window = attributes_int(node->attributes, "local_window_size", -1);
    params->scale = attributes_float(node->attributes, "scale", 0);
    params->softcap = attributes_float(node->attributes, "softcap", 0);
    params->norm_epsilon = attributes_float(node->attributes, "qk_norm_epsilon", 1e-6f);
    params->has_rotary = attributes_int(node->attributes, "do_rotary", 0) != 0;
    params->is_interleaved = attributes_int(node->attributes, "rotary_interleaved", 0) != 0;
    params->is_causal = attributes_int(node->attributes, "causal", 1) != 0;
    params->is_smooth = attributes_int(node->attributes, "smooth_softmax", 0) == 1;
    params->shown = attributes_int(node->attributes, "qk_output", 0);
    if (params->n_heads < 1 || params->n_kv_heads < 1 || params->n_heads % params->n_kv_heads ||
        params->n_heads > INT32_MAX)
        FAIL(node->error, HOB_BAD_GRAPH,
             "%s: found num_heads %lld and kv_num_heads %lld, expected the first to be a multiple of the second",
             node->node_name, (long long)params->n_heads, (long long)params->n_kv_heads);
    if (params->shown < 0 || params->shown > 2)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: qk_output: found %lld, expected 0, 1 or 2", node->node_name,
             (long long)params->shown);
    if (params->softcap < 0) params->softcap = 0;
    if (params->window < 0) params->window = 0;
    TRY(check_cache_type(node, "k_quant_type"));
    TRY(check_cache_type(node, "v_quant_type"));
    *ret_params = params;
    return HOB_OK;
}

/* Sizes by the house's letters: P the room in the past, S in the present; n_total keys at most in any row. */
struct sizes {
    int64_t B, T, H, Hkv, K, Kv, P, S, n_total;
};

/* q, k, v as [B,H,T,K]: three inputs, or columns of the first. */
static hob_status read_heads(struct op_context *ctx, struct tensor heads[3])
{
    const struct gqa_params *params = ctx->params;
    const struct tensor *q = ctx->inputs[INPUT_Q], *k = op_input(ctx, INPUT_K), *v = op_input(ctx, INPUT_V);
    int64_t n_heads = params->n_heads, n_kv_heads = params->n_kv_heads, n_all = n_heads + 2 * n_kv_heads;
    bool is_packed = !k && !v;
    bool fits = q->rank == 3 && !k == !v && q->dims[2] % (is_packed ? n_all : n_heads) == 0;
    if (fits && k)
        fits = k->rank == 3 && v->rank == 3 && k->dims[2] % n_kv_heads == 0 && v->dims[2] % n_kv_heads == 0 &&
               k->dims[0] == q->dims[0] && v->dims[0] == q->dims[0] && k->dims[1] == q->dims[1] &&
               v->dims[1] == q->dims[1] && k->dims[2] / n_kv_heads == q->dims[2] / n_heads;
    if (!fits)
        OP_FAIL(ctx, HOB_BAD_SHAPE,
                "found q %s, k %s, v %s, expected [B,T,H*K], [B,T,Hkv*K] twice, or all in one, H %lld, Hkv %lld",
                OP_SHAPE(q), k ? OP_SHAPE(k) : "none", v ? OP_SHAPE(v) : "none", (long long)n_heads,
                (long long)n_kv_heads);
    int64_t width = q->dims[2] / (is_packed ? n_all : n_heads);
    for (int i = 0; i < 3; i++) {
        int64_t count = i ? n_kv_heads : n_heads, begin = i ? n_heads + (i - 1) * n_kv_heads : 0;
        struct tensor columns = is_packed ? tensor_slice(q, 2, begin * width, count * width, 1) : *ctx->inputs[i];
        heads[i] = heads_split(&columns, count);
    }
    return HOB_OK;
}

static hob_status read_past(struct op_context *ctx, struct sizes *s)
{
    const struct tensor *past_k = op_input(ctx, INPUT_PAST_K), *past_v = op_input(ctx, INPUT_PAST_V);
    if (!past_k != !past_v)
        OP_FAIL(ctx, HOB_BAD_GRAPH, "found one of past_key and past_value, expected both or none");
    s->P = 0;
    if (!past_k) return HOB_OK;
    s->P = past_k->rank == 4 ? past_k->dims[2] : 0;
    if (!tensor_has_shape(past_k, 4, (int64_t[]){s->B, s->Hkv, s->P, s->K}) ||
        !tensor_has_shape(past_v, 4, (int64_t[]){s->B, s->Hkv, s->P, s->Kv}))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "found past_key %s, past_value %s, expected [%lld,%lld,P,%lld or %lld]",
                OP_SHAPE(past_k), OP_SHAPE(past_v), (long long)s->B, (long long)s->Hkv, (long long)s->K,
                (long long)s->Kv);
    return HOB_OK;
}

static hob_status read_sizes(struct op_context *ctx, struct tensor heads[3], struct sizes *ret_sizes)
{
    TRY(read_heads(ctx, heads));
    const int64_t *q = heads[0].dims;
    struct sizes s = {
        .B = q[0], .T = q[2], .H = q[1], .K = q[3], .Hkv = heads[1].dims[1], .Kv = heads[2].dims[3]};
    TRY(read_past(ctx, &s));
    const struct tensor *last_keys = op_input(ctx, INPUT_LAST_KEYS);
    if (!last_keys || tensor_n_items(last_keys) != s.B || last_keys->rank > 2)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "seqlens_k: found %s, expected [%lld]", last_keys ? OP_SHAPE(last_keys) : "none",
                (long long)s.B);
    if (!op_input(ctx, INPUT_TOTAL)) OP_FAIL(ctx, HOB_BAD_GRAPH, "total_sequence_length is missing");
    size_t n_values;
    TRY(op_read_ints(ctx, INPUT_TOTAL, 1, &s.n_total, &n_values));
    if (n_values != 1 || s.n_total < s.T)
        OP_FAIL(ctx, HOB_BAD_ARGUMENT, "total_sequence_length: found %lld, expected at least the %lld new positions",
                n_values ? (long long)s.n_total : -1, (long long)s.T);
    s.S = s.P > s.n_total ? s.P : s.n_total;
    *ret_sizes = s;
    return HOB_OK;
}

/* ---- checks of what is optional ---- */

static hob_status check_types(struct op_context *ctx)
{
    enum dtype dtype = ctx->inputs[INPUT_Q]->dtype;
    static const int same[] = {INPUT_K,   INPUT_V,    INPUT_PAST_K, INPUT_PAST_V, INPUT_COS,
                               INPUT_SIN, INPUT_BIAS, INPUT_SINKS,  INPUT_Q_NORM, INPUT_K_NORM};
    for (size_t i = 0; i < ARRAY_LENGTH(same); i++) TRY(op_check_dtype(ctx, same[i], dtype));
    TRY(op_check_dtype(ctx, INPUT_LAST_KEYS, DTYPE_I32));
    TRY(op_check_dtype(ctx, INPUT_TOTAL, DTYPE_I32));
    TRY(op_check_dtype(ctx, INPUT_POSITIONS, DTYPE_I64));
    if (op_input(ctx, INPUT_K_SCALE) || op_input(ctx, INPUT_V_SCALE))
        OP_FAIL(ctx, HOB_UNSUPPORTED, "found k_scale or v_scale, expected none: caches are not quantised");
    return HOB_OK;
}

static hob_status check_vector(struct op_context *ctx, int i, int64_t n)
{
    const struct tensor *vector = op_input(ctx, i);
    if (vector && !tensor_has_shape(vector, 1, &n))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input %d: found %s, expected [%lld]", i, OP_SHAPE(vector), (long long)n);
    return HOB_OK;
}

static hob_status check_rotary(struct op_context *ctx, const struct sizes *s)
{
    const struct gqa_params *params = ctx->params;
    if (!params->has_rotary) return HOB_OK;
    const struct tensor *cos = op_input(ctx, INPUT_COS), *sin = op_input(ctx, INPUT_SIN);
    bool fits = cos && sin && tensor_same_shape(cos, sin) && cos->rank == 2 && cos->dims[1] <= s->K / 2;
    if (!fits)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "found cos_cache %s, sin_cache %s, expected [positions, at most %lld] twice",
                cos ? OP_SHAPE(cos) : "none", sin ? OP_SHAPE(sin) : "none", (long long)(s->K / 2));
    return HOB_OK;
}

static hob_status check_bias(struct op_context *ctx, const struct sizes *s)
{
    const struct tensor *bias = op_input(ctx, INPUT_BIAS);
    if (!bias) return HOB_OK;
    bool fits = bias->rank == 4 && (bias->dims[0] == 1 || bias->dims[0] == s->B) &&
                (bias->dims[1] == 1 || bias->dims[1] == s->H) && bias->dims[2] == s->T && bias->dims[3] >= s->n_total;
    if (!fits)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "attention_bias: found %s, expected [1 or %lld,1 or %lld,%lld,%lld]",
                OP_SHAPE(bias), (long long)s->B, (long long)s->H, (long long)s->T, (long long)s->n_total);
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    enum dtype dtype = ctx->inputs[INPUT_Q]->dtype;
    struct tensor heads[3];
    struct sizes s;
    TRY(check_types(ctx));
    TRY(read_sizes(ctx, heads, &s));
    TRY(check_vector(ctx, INPUT_SINKS, s.H));
    TRY(check_vector(ctx, INPUT_Q_NORM, s.K));
    TRY(check_vector(ctx, INPUT_K_NORM, s.K));
    TRY(check_rotary(ctx, &s));
    TRY(check_bias(ctx, &s));
    int64_t width;
    if (!int64_mul(s.H, s.Kv, &width)) OP_FAIL(ctx, HOB_LIMIT, "found %lld heads, expected fewer", (long long)s.H);
    TRY(op_set_output(ctx, OUTPUT_Y, dtype, 3, (int64_t[]){s.B, s.T, width}));
    TRY(op_set_output(ctx, OUTPUT_K, dtype, 4, (int64_t[]){s.B, s.Hkv, s.S, s.K}));
    TRY(op_set_output(ctx, OUTPUT_V, dtype, 4, (int64_t[]){s.B, s.Hkv, s.S, s.Kv}));
    return op_set_output(ctx, OUTPUT_SCORES, dtype, 4, (int64_t[]){s.B, s.H, s.T, s.n_total});
}

/* ---- run ---- */

struct rows {
    int64_t *n_before, *n_keys; /* [B]: cached positions, and with the new ones */
    int64_t *positions;         /* [B,T]: for the rotary embedding */
};

static hob_status read_rows(struct op_context *ctx, const struct sizes *s, struct rows *ret_rows)
{
    const struct tensor *last_keys = ctx->inputs[INPUT_LAST_KEYS];
    struct rows rows = {.n_before = ARENA_NEW(ctx->scratch, int64_t, (size_t)s->B),
                        .n_keys = ARENA_NEW(ctx->scratch, int64_t, (size_t)s->B),
                        .positions = ARENA_NEW(ctx->scratch, int64_t, (size_t)(s->B * s->T))};
    if (!rows.n_before || !rows.n_keys || !rows.positions)
        OP_FAIL(ctx, HOB_NO_MEMORY, "no memory for the lengths of %lld rows", (long long)s->B);
    bool is_first = s->T == s->n_total;
    for (int64_t b = 0; b < s->B; b++) {
        rows.n_keys[b] = tensor_get_int(last_keys, b) + 1;
        rows.n_before[b] = is_first ? 0 : rows.n_keys[b] - s->T;
        bool fits = rows.n_keys[b] >= 0 && rows.n_keys[b] <= s->n_total && rows.n_before[b] >= 0 &&
                    rows.n_before[b] <= (is_first ? 0 : s->P);
        if (!fits)
            OP_FAIL(ctx, HOB_BAD_ARGUMENT,
                    "seqlens_k: found %lld for row %lld with %lld new positions, a past of %lld and %lld in all",
                    (long long)(rows.n_keys[b] - 1), (long long)b, (long long)s->T, (long long)s->P,
                    (long long)s->n_total);
    }
    *ret_rows = rows;
    return HOB_OK;
}

/* Given positions say where each row begins (a prompt counts on from its first), else the cache's length does. */
static hob_status read_positions(struct op_context *ctx, const struct sizes *s, int64_t n_cached, struct rows *rows)
{
    const struct tensor *given = op_input(ctx, INPUT_POSITIONS);
    bool is_first = s->T == s->n_total, is_each = given && tensor_n_items(given) == s->B * s->T && !is_first;
    if (given && tensor_n_items(given) < 1)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "position_ids: found %s, expected [B,T]", OP_SHAPE(given));
    for (int64_t i = 0; i < s->B * s->T; i++) {
        int64_t b = i / s->T, t = i % s->T, position = rows->n_before[b] + t;
        if (is_each) position = tensor_get_int(given, i);
        else if (given) position = tensor_get_int(given, 0) + t;
        if (position < 0 || position >= n_cached)
            OP_FAIL(ctx, HOB_BAD_ARGUMENT, "found position %lld, expected one of the %lld of cos_cache",
                    (long long)position, (long long)n_cached);
        rows->positions[i] = position;
    }
    return HOB_OK;
}

/* x's items [B,T,H,K] in memory of its own, for what works in place. */
static hob_status own(struct op_context *ctx, struct tensor *x)
{
    float *items;
    TRY(scratch_f32(ctx, tensor_n_items(x), &items));
    struct tensor copy = heads_over(items, DTYPE_F32, x->dims, true);
    moving_copy_strided(x, &copy);
    *x = copy;
    return HOB_OK;
}

/* The RMS norm of each head, then the rotary embedding, of q or k. */
static hob_status turn(struct op_context *ctx, int norm_input, const struct rotary *rotary, struct tensor *x)
{
    const struct gqa_params *params = ctx->params;
    const struct tensor *norm = op_input(ctx, norm_input);
    if ((!norm && !params->has_rotary) || !tensor_n_items(x)) return HOB_OK;
    TRY(own(ctx, x));
    if (norm) {
        struct norm_f32_args args = {.x = x->data,
                                     .y = x->data,
                                     .x_stride = x->dims[3],
                                     .y_stride = x->dims[3],
                                     .n_rows = tensor_n_items(x) / x->dims[3],
                                     .width = x->dims[3],
                                     .epsilon = params->norm_epsilon};
        TRY(as_f32_vector(ctx, norm, &args.weight));
        ctx->kernels->rms_norm_f32(&args);
    }
    if (params->has_rotary) rotary_run(ctx, rotary, x, x);
    return HOB_OK;
}

static hob_status turn_both(struct op_context *ctx, const struct sizes *s, struct rows *rows, struct tensor heads[3])
{
    const struct gqa_params *params = ctx->params;
    struct rotary rotary = {.is_interleaved = params->is_interleaved, .positions = rows->positions};
    if (params->has_rotary) {
        const struct tensor *cos = ctx->inputs[INPUT_COS];
        TRY(as_f32_vector(ctx, cos, &rotary.cos));
        TRY(as_f32_vector(ctx, ctx->inputs[INPUT_SIN], &rotary.sin));
        TRY(read_positions(ctx, s, cos->dims[0], rows));
        rotary.n_dims = cos->dims[1] * 2;
    }
    TRY(turn(ctx, INPUT_Q_NORM, &rotary, &heads[0]));
    return turn(ctx, INPUT_K_NORM, &rotary, &heads[1]);
}

/* The first n positions of row b, to position `at` on. */
static void copy_positions(const struct tensor *source, const struct tensor *cache, int64_t b, int64_t at, int64_t n)
{
    if (!n) return;
    struct tensor from = tensor_slice(source, 0, b, 1, 1), to = tensor_slice(cache, 0, b, 1, 1);
    from = tensor_slice(&from, 2, 0, n, 1);
    to = tensor_slice(&to, 2, at, n, 1);
    moving_copy_strided(&from, &to);
}

/* Past and fresh rows as output i has them, [B,Hkv,S,K]; positions that nobody wrote are 0. */
static hob_status write_cache(struct op_context *ctx, int i, const struct sizes *s, const struct rows *rows,
                              const struct tensor *fresh, void **ret_items, struct tensor *ret_cache)
{
    const struct tensor *present = op_output(ctx, i), *given = op_input(ctx, i == OUTPUT_K ? INPUT_PAST_K : INPUT_PAST_V);
    const int64_t dims[4] = {s->B, s->Hkv, s->S, fresh->dims[3]};
    struct tensor cache, past;
    TRY(tensor_init(&cache, DTYPE_F32, 4, dims, NULL, ctx->error));
    TRY(heads_convert(ctx, given, DTYPE_F32, &past));
    TRY(heads_output(ctx, present, DTYPE_F32, &cache.data));
    if (!present) {
        float *items;
        TRY(scratch_f32(ctx, tensor_n_items(&cache), &items));
        cache.data = items;
    }
    memset(cache.data, 0, tensor_n_bytes(&cache));
    for (int64_t b = 0; b < s->B; b++) {
        copy_positions(&past, &cache, b, 0, rows->n_before[b]);
        copy_positions(fresh, &cache, b, rows->n_before[b], s->T);
    }
    *ret_items = cache.data;
    *ret_cache = tensor_slice(&cache, 2, 0, s->n_total, 1);
    return HOB_OK;
}

static hob_status read_sinks(struct op_context *ctx, const struct sizes *s, const float **ret_sinks)
{
    const struct gqa_params *params = ctx->params;
    TRY(as_f32_vector(ctx, op_input(ctx, INPUT_SINKS), ret_sinks));
    if (*ret_sinks || !params->is_smooth) return HOB_OK;
    float *zeros;
    TRY(scratch_f32(ctx, s->H, &zeros));
    memset(zeros, 0, (size_t)s->H * sizeof *zeros);
    *ret_sinks = zeros;
    return HOB_OK;
}

static hob_status read_bias(struct op_context *ctx, const struct sizes *s, struct tensor *ret_mask)
{
    struct tensor bias;
    TRY(as_f32(ctx, op_input(ctx, INPUT_BIAS), &bias));
    *ret_mask = bias;
    if (bias.data) *ret_mask = tensor_broadcast(&bias, 4, (int64_t[]){s->B, s->H, s->T, bias.dims[3]});
    return HOB_OK;
}

static hob_status run(struct op_context *ctx)
{
    const struct gqa_params *params = ctx->params;
    struct tensor heads[3];
    struct sizes s;
    struct rows rows;
    void *y, *keys, *values, *scores;
    TRY(read_sizes(ctx, heads, &s));
    TRY(read_rows(ctx, &s, &rows));
    for (int i = 0; i < 3; i++) TRY(heads_convert(ctx, &heads[i], DTYPE_F32, &heads[i]));
    TRY(turn_both(ctx, &s, &rows, heads));
    struct attention attention = {.q = heads[0],
                                  .scale = params->scale != 0 ? params->scale : 1 / sqrtf((float)s.K),
                                  .is_causal = params->is_causal,
                                  .n_before = rows.n_before,
                                  .n_keys = rows.n_keys,
                                  .left_window = params->window,
                                  .softcap = params->softcap,
                                  .scores_stage = params->shown == 2 ? ATTENTION_PROBABILITIES : ATTENTION_SEEN};
    TRY(write_cache(ctx, OUTPUT_K, &s, &rows, &heads[1], &keys, &attention.k));
    TRY(write_cache(ctx, OUTPUT_V, &s, &rows, &heads[2], &values, &attention.v));
    TRY(read_sinks(ctx, &s, &attention.sinks));
    TRY(read_bias(ctx, &s, &attention.mask));
    TRY(heads_output(ctx, op_output(ctx, OUTPUT_Y), DTYPE_F32, &y));
    TRY(heads_output(ctx, op_output(ctx, OUTPUT_SCORES), DTYPE_F32, &scores));
    if (!y) OP_FAIL(ctx, HOB_BAD_GRAPH, "output 0 is missing");
    attention.out = heads_over(y, DTYPE_F32, (int64_t[]){s.B, s.H, s.T, s.Kv}, true);
    if (scores) attention.scores = heads_over(scores, DTYPE_F32, (int64_t[]){s.B, s.H, s.T, s.n_total}, false);
    TRY(attention_run(ctx, &attention));
    heads_finish(ctx, y, DTYPE_F32, op_output(ctx, OUTPUT_Y));
    heads_finish(ctx, keys, DTYPE_F32, op_output(ctx, OUTPUT_K));
    heads_finish(ctx, values, DTYPE_F32, op_output(ctx, OUTPUT_V));
    heads_finish(ctx, scores, DTYPE_F32, op_output(ctx, OUTPUT_SCORES));
    return HOB_OK;
}

const struct op_def op_group_query_attention = {
    .name = "GroupQueryAttention",
    .domain = "com.microsoft",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 16,
    .min_outputs = 1,
    .max_outputs = 4,
    .types = TYPE(F16) | TYPE(BF16) | TYPE(F32),
    .flags = OP_STRIDED_INPUTS,
    .prepare = prepare,
    .infer = infer,
    .run = run,
};
