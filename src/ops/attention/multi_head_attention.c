/* com.microsoft MultiHeadAttention: self and cross attention over q, k, v that were projected already.
 * k and v come as packed heads, as heads (a cross-attention cache), as one [B,S,H,2,K] tensor, or with q as [B,T,H,3,K]. */
#include "base/size.h"
#include "kernels/kernels.h"
#include "ops/as_f32.h"
#include "ops/attention/attention.h"
#include "ops/attention/heads.h"
#include "ops/attention/ms_mask.h"
#include "ops/moving.h"

enum {
    INPUT_Q,
    INPUT_K,
    INPUT_V,
    INPUT_BIAS,
    INPUT_MASK,
    INPUT_SCORE_BIAS,
    INPUT_PAST_K,
    INPUT_PAST_V,
    INPUT_PAST_LENGTH,
    INPUT_BEAMS
};
enum { OUTPUT_Y, OUTPUT_K, OUTPUT_V, OUTPUT_SCORES };

struct mha_params {
    int64_t n_heads;
    float scale, mask_filter;
    bool is_unidirectional;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct mha_params *params = ARENA_NEW(node->arena, struct mha_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->n_heads = attributes_int(node->attributes, "num_heads", 0);
    params->scale = attributes_float(node->attributes, "scale", 0);
    params->mask_filter = attributes_float(node->attributes, "mask_filter_value", -10000);
    params->is_unidirectional = attributes_int(node->attributes, "unidirectional", 0) != 0;
    if (params->n_heads < 1 || params->n_heads > INT32_MAX)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: num_heads: found %lld, expected at least 1", node->node_name,
             (long long)params->n_heads);
    *ret_params = params;
    return HOB_OK;
}

/* Sizes by the house's letters: N new keys; M positions that the past has room for, P of them filled. */
struct sizes {
    int64_t B, H, T, N, P, M, S, K, Kv;
    bool shares_buffer;
};

/* Part `part` of [B,T,H,parts,K] as [B,H,T,K]. */
static struct tensor unpack(const struct tensor *x, int64_t part)
{
    struct tensor view = tensor_slice(x, 3, part, 1, 1);
    view.rank = 4;
    view.dims[3] = x->dims[4];
    view.strides[3] = x->strides[4];
    return tensor_transpose(&view, (const int[]){0, 2, 1, 3});
}

static bool is_packed(const struct tensor *x, int64_t n_heads, int64_t n_parts)
{
    return x && x->rank == 5 && x->dims[2] == n_heads && x->dims[3] == n_parts;
}

/* k or v: [B,S,H*K] or [B,H,S,K]. */
static bool take_heads(const struct tensor *x, int64_t n_heads, struct tensor *ret_heads)
{
    if (x && x->rank == 3 && x->dims[2] % n_heads == 0) *ret_heads = heads_split(x, n_heads);
    else if (x && x->rank == 4 && x->dims[1] == n_heads) *ret_heads = *x;
    else return false;
    return true;
}

static bool find_heads(const struct op_context *ctx, int64_t n_heads, struct tensor heads[3])
{
    const struct tensor *q = ctx->inputs[INPUT_Q], *k = op_input(ctx, INPUT_K), *v = op_input(ctx, INPUT_V);
    if (is_packed(q, n_heads, 3) && !k && !v) {
        for (int i = 0; i < 3; i++) heads[i] = unpack(q, i);
        return true;
    }
    if (q->rank != 3 || q->dims[2] % n_heads) return false;
    heads[0] = heads_split(q, n_heads);
    if (is_packed(k, n_heads, 2) && !v) {
        heads[1] = unpack(k, 0);
        heads[2] = unpack(k, 1);
        return true;
    }
    return k && v && k->rank == v->rank && take_heads(k, n_heads, &heads[1]) && take_heads(v, n_heads, &heads[2]);
}

static hob_status read_heads(struct op_context *ctx, struct tensor heads[3])
{
    const struct mha_params *params = ctx->params;
    const struct tensor *q = ctx->inputs[INPUT_Q], *k = op_input(ctx, INPUT_K), *v = op_input(ctx, INPUT_V);
    bool fits = find_heads(ctx, params->n_heads, heads) && heads[0].dims[0] == heads[1].dims[0] &&
                heads[0].dims[3] == heads[1].dims[3] && heads[1].dims[0] == heads[2].dims[0] &&
                heads[1].dims[2] == heads[2].dims[2];
    if (!fits)
        OP_FAIL(ctx, HOB_BAD_SHAPE,
                "found q %s, k %s, v %s, expected [B,T,H*K] and [B,S,H*K] or [B,H,S,K] twice or [B,S,H,2,K], or "
                "[B,T,H,3,K], for %lld heads",
                OP_SHAPE(q), k ? OP_SHAPE(k) : "none", v ? OP_SHAPE(v) : "none", (long long)params->n_heads);
    return HOB_OK;
}

static hob_status read_past(struct op_context *ctx, struct sizes *s)
{
    const struct tensor *past_k = op_input(ctx, INPUT_PAST_K), *past_v = op_input(ctx, INPUT_PAST_V);
    const struct tensor *length = op_input(ctx, INPUT_PAST_LENGTH);
    if (!past_k != !past_v)
        OP_FAIL(ctx, HOB_BAD_GRAPH, "found one of past_key and past_value, expected both or none");
    if (length && tensor_n_items(length) != 1)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "past_sequence_length: found %s, expected one number", OP_SHAPE(length));
    if (!past_k) return HOB_OK;
    s->M = s->P = past_k->rank == 4 ? past_k->dims[2] : 0;
    s->shares_buffer = length != NULL;
    if (!tensor_has_shape(past_k, 4, (int64_t[]){s->B, s->H, s->M, s->K}) ||
        !tensor_has_shape(past_v, 4, (int64_t[]){s->B, s->H, s->M, s->Kv}))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "found past_key %s, past_value %s, expected [%lld,%lld,P,%lld or %lld]",
                OP_SHAPE(past_k), OP_SHAPE(past_v), (long long)s->B, (long long)s->H, (long long)s->K,
                (long long)s->Kv);
    if (!s->shares_buffer) return HOB_OK;
    size_t n_values;
    TRY(op_read_ints(ctx, INPUT_PAST_LENGTH, 1, &s->P, &n_values));
    if (s->P < 0 || s->P > s->M - s->N)
        OP_FAIL(ctx, HOB_BAD_ARGUMENT, "past_sequence_length: found %lld, expected 0 to %lld", (long long)s->P,
                (long long)(s->M - s->N));
    return HOB_OK;
}

static hob_status read_sizes(struct op_context *ctx, struct tensor heads[3], struct sizes *ret_sizes)
{
    TRY(read_heads(ctx, heads));
    struct sizes s = {.B = heads[0].dims[0],
                      .H = heads[0].dims[1],
                      .T = heads[0].dims[2],
                      .K = heads[0].dims[3],
                      .N = heads[1].dims[2],
                      .Kv = heads[2].dims[3]};
    TRY(read_past(ctx, &s));
    s.S = s.P + s.N;
    *ret_sizes = s;
    return HOB_OK;
}

static hob_status check_types(struct op_context *ctx)
{
    enum dtype dtype = ctx->inputs[INPUT_Q]->dtype;
    static const int same[] = {INPUT_K, INPUT_V, INPUT_BIAS, INPUT_SCORE_BIAS, INPUT_PAST_K, INPUT_PAST_V};
    for (size_t i = 0; i < ARRAY_LENGTH(same); i++) TRY(op_check_dtype(ctx, same[i], dtype));
    TRY(op_check_dtype(ctx, INPUT_MASK, DTYPE_I32));
    TRY(op_check_dtype(ctx, INPUT_PAST_LENGTH, DTYPE_I32));
    if (op_input(ctx, INPUT_BEAMS))
        OP_FAIL(ctx, HOB_UNSUPPORTED, "cache_indirection: found one, expected none: beams share no cache");
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    enum dtype dtype = ctx->inputs[INPUT_Q]->dtype;
    const struct tensor *bias = op_input(ctx, INPUT_BIAS);
    struct tensor heads[3];
    struct sizes s;
    TRY(check_types(ctx));
    TRY(read_sizes(ctx, heads, &s));
    int64_t width = s.H * s.Kv, bias_width = s.H * (2 * s.K + s.Kv), n_positions = s.shares_buffer ? s.M : s.S;
    if (bias && !tensor_has_shape(bias, 1, &bias_width))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "bias: found %s, expected [%lld]", OP_SHAPE(bias), (long long)bias_width);
    TRY(op_set_output(ctx, OUTPUT_Y, dtype, 3, (int64_t[]){s.B, s.T, width}));
    TRY(op_set_output(ctx, OUTPUT_K, dtype, 4, (int64_t[]){s.B, s.H, n_positions, s.K}));
    TRY(op_set_output(ctx, OUTPUT_V, dtype, 4, (int64_t[]){s.B, s.H, n_positions, s.Kv}));
    return op_set_output(ctx, OUTPUT_SCORES, dtype, 4, (int64_t[]){s.B, s.H, s.T, s.S});
}

/* ---- run ---- */

/* x + bias [H*K] in memory of its own. */
static hob_status add_bias(struct op_context *ctx, const float *bias, struct tensor *x)
{
    float *items;
    int64_t width = x->dims[1] * x->dims[3];
    TRY(scratch_f32(ctx, tensor_n_items(x), &items));
    struct tensor sum = heads_over(items, DTYPE_F32, x->dims, true);
    moving_copy_strided(x, &sum);
    for (int64_t row = 0; row < x->dims[0] * x->dims[2]; row++)
        ctx->kernels->add_f32(width, items + row * width, 1, bias, 1, items + row * width);
    *x = sum;
    return HOB_OK;
}

/* A cross-attention cache, [B,H,S,K], has had its bias when it was made. */
static hob_status add_biases(struct op_context *ctx, const struct sizes *s, struct tensor heads[3])
{
    const float *bias;
    TRY(as_f32_vector(ctx, op_input(ctx, INPUT_BIAS), &bias));
    if (!bias) return HOB_OK;
    const struct tensor *k = op_input(ctx, INPUT_K);
    TRY(add_bias(ctx, bias, &heads[0]));
    if (k && k->rank == 4) return HOB_OK;
    TRY(add_bias(ctx, bias + s->H * s->K, &heads[1]));
    return add_bias(ctx, bias + 2 * s->H * s->K, &heads[2]);
}

/* past ++ fresh, where output i has it; fresh itself when nobody wants either. */
static hob_status join(struct op_context *ctx, int i, const struct sizes *s, const struct tensor *fresh,
                       void **ret_items, struct tensor *ret_joined)
{
    const struct tensor *present = op_output(ctx, i);
    struct tensor past, shown = present ? *present : (struct tensor){0};
    TRY(heads_convert(ctx, op_input(ctx, i == OUTPUT_K ? INPUT_PAST_K : INPUT_PAST_V), DTYPE_F32, &past));
    TRY(heads_output(ctx, present, DTYPE_F32, ret_items));
    shown.data = *ret_items;
    shown.dtype = DTYPE_F32;
    struct tensor filled = past;
    if (past.data) filled = tensor_slice(&past, 2, 0, s->P, 1);
    if (!present || !s->shares_buffer)
        return heads_join(ctx, past.data ? &filled : NULL, fresh, present ? &shown : NULL, ret_joined);
    moving_copy_strided(&past, &shown);
    struct tensor behind = tensor_slice(&shown, 2, s->P, s->N, 1);
    moving_copy_strided(fresh, &behind);
    *ret_joined = tensor_slice(&shown, 2, 0, s->S, 1);
    return HOB_OK;
}

/* Query 0 stands behind the past, whatever number of keys there is. */
static hob_status set_positions(struct op_context *ctx, const struct sizes *s, struct attention *attention)
{
    int64_t *n_before = ARENA_NEW(ctx->scratch, int64_t, (size_t)s->B);
    if (!n_before) OP_FAIL(ctx, HOB_NO_MEMORY, "no memory for %lld rows", (long long)s->B);
    for (int64_t b = 0; b < s->B; b++) n_before[b] = s->P;
    attention->n_before = n_before;
    return HOB_OK;
}

static hob_status run(struct op_context *ctx)
{
    const struct mha_params *params = ctx->params;
    struct tensor heads[3];
    struct sizes s;
    void *y, *keys, *values, *scores;
    TRY(read_sizes(ctx, heads, &s));
    for (int i = 0; i < 3; i++) TRY(heads_convert(ctx, &heads[i], DTYPE_F32, &heads[i]));
    TRY(add_biases(ctx, &s, heads));
    struct attention attention = {.q = heads[0],
                                  .scale = params->scale != 0 ? params->scale : 1 / sqrtf((float)s.K),
                                  .is_causal = params->is_unidirectional,
                                  .scores_stage = ATTENTION_MASKED};
    struct ms_mask mask = {.keys = op_input(ctx, INPUT_MASK),
                           .bias = op_input(ctx, INPUT_SCORE_BIAS),
                           .filter = params->mask_filter,
                           .B = s.B, .H = s.H, .T = s.T, .P = s.P, .S = s.S};
    TRY(join(ctx, OUTPUT_K, &s, &heads[1], &keys, &attention.k));
    TRY(join(ctx, OUTPUT_V, &s, &heads[2], &values, &attention.v));
    TRY(set_positions(ctx, &s, &attention));
    TRY(ms_mask_apply(ctx, &mask, &attention));
    TRY(heads_output(ctx, op_output(ctx, OUTPUT_Y), DTYPE_F32, &y));
    TRY(heads_output(ctx, op_output(ctx, OUTPUT_SCORES), DTYPE_F32, &scores));
    if (!y) OP_FAIL(ctx, HOB_BAD_GRAPH, "output 0 is missing");
    attention.out = heads_over(y, DTYPE_F32, (int64_t[]){s.B, s.H, s.T, s.Kv}, true);
    if (scores) attention.scores = heads_over(scores, DTYPE_F32, (int64_t[]){s.B, s.H, s.T, s.S}, false);
    TRY(attention_run(ctx, &attention));
    heads_finish(ctx, y, DTYPE_F32, op_output(ctx, OUTPUT_Y));
    heads_finish(ctx, keys, DTYPE_F32, op_output(ctx, OUTPUT_K));
    heads_finish(ctx, values, DTYPE_F32, op_output(ctx, OUTPUT_V));
    heads_finish(ctx, scores, DTYPE_F32, op_output(ctx, OUTPUT_SCORES));
    return HOB_OK;
}

const struct op_def op_multi_head_attention = {
    .name = "MultiHeadAttention",
    .domain = "com.microsoft",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 10,
    .min_outputs = 1,
    .max_outputs = 4,
    .types = TYPE(F16) | TYPE(BF16) | TYPE(F32),
    .flags = OP_STRIDED_INPUTS,
    .prepare = prepare,
    .infer = infer,
    .run = run,
};
