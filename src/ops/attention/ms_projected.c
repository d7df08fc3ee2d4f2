/* Heads, rotary embedding, past, mask and attention behind a projection. Keys and values are written once, into output 1
 * [2,B,H,S,K] when it is wanted, and read there. */
#include "ops/attention/ms_projected.h"

#include "base/size.h"
#include "ops/as_f32.h"
#include "ops/attention/attention.h"
#include "ops/attention/heads.h"
#include "ops/attention/ms_mask.h"
#include "ops/attention/rotary.h"
#include "ops/moving.h"

hob_status projected_prepare(const struct op_prepare *node, const struct projected_inputs *inputs, void **ret_params)
{
    struct projected_params *params = ARENA_NEW(node->arena, struct projected_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->inputs = *inputs;
    params->n_heads = attributes_int(node->attributes, "num_heads", 0);
    params->is_unidirectional = attributes_int(node->attributes, "unidirectional", 0) != 0;
    params->has_rotary = attributes_int(node->attributes, "do_rotary", 0) != 0;
    params->n_rotary_dims = attributes_int(node->attributes, "rotary_embedding_dim", 0);
    params->shares_buffer = attributes_int(node->attributes, "past_present_share_buffer", 0) != 0;
    params->scale = attributes_float(node->attributes, "scale", 0);
    params->mask_filter = attributes_float(node->attributes, "mask_filter_value", -10000);
    if (params->n_heads < 1 || params->n_heads > INT32_MAX)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: num_heads: found %lld, expected at least 1", node->node_name,
             (long long)params->n_heads);
    if (params->shares_buffer && !inputs->past_length)
        FAIL(node->error, HOB_UNSUPPORTED, "%s: past_present_share_buffer: found 1, expected 0", node->node_name);
    size_t n_widths;
    const int64_t *widths = attributes_ints(node->attributes, "qkv_hidden_sizes", &n_widths);
    if (n_widths && n_widths != 3)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: qkv_hidden_sizes: found %zu, expected 3", node->node_name, n_widths);
    for (size_t i = 0; i < n_widths; i++) params->widths[i] = widths[i];
    *ret_params = params;
    return HOB_OK;
}

/* Sizes by the house's letters; widths of one head of q and k, and of v. M: positions that past has room for. */
struct sizes {
    int64_t B, T, P, S, M, H, K, Kv;
};

static const struct tensor *optional(const struct op_context *ctx, int i)
{
    return i ? op_input(ctx, i) : NULL;
}

static hob_status read_widths(struct op_context *ctx, const struct tensor *weight, struct sizes *sizes)
{
    const struct projected_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    if (x->rank != 3 || weight->rank != 2 || x->dims[2] != weight->dims[0])
        OP_FAIL(ctx, HOB_BAD_SHAPE, "found input %s and weights %s, expected [B,T,D] and [D,3D]", OP_SHAPE(x),
                OP_SHAPE(weight));
    int64_t q = params->widths[0], k = params->widths[1], v = params->widths[2], width = weight->dims[1];
    if (!q) q = k = v = width / 3;
    bool fits = q > 0 && v > 0 && q == k && q <= width / 2 && v == width - 2 * q && q % params->n_heads == 0 &&
                v % params->n_heads == 0;
    if (!fits)
        OP_FAIL(ctx, HOB_BAD_SHAPE,
                "weights: found %s for q, k, v of %lld, %lld, %lld, expected their sum and multiples of %lld heads",
                OP_SHAPE(weight), (long long)q, (long long)k, (long long)v, (long long)params->n_heads);
    *sizes = (struct sizes){.B = x->dims[0], .T = x->dims[1], .S = x->dims[1], .H = params->n_heads};
    sizes->K = q / sizes->H;
    sizes->Kv = v / sizes->H;
    return HOB_OK;
}

static hob_status read_past(struct op_context *ctx, struct sizes *s)
{
    const struct projected_params *params = ctx->params;
    const struct tensor *past = optional(ctx, params->inputs.past);
    if (!past) return HOB_OK;
    bool fits = past->rank == 5 && past->dims[0] == 2 && past->dims[1] == s->B && past->dims[2] == s->H &&
                past->dims[4] == s->K && s->K == s->Kv;
    if (!fits)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "past: found %s, expected [2,%lld,%lld,P,%lld]", OP_SHAPE(past), (long long)s->B,
                (long long)s->H, (long long)s->K);
    s->M = s->P = past->dims[3];
    if (params->shares_buffer) return HOB_OK;
    s->S += s->P;
    return HOB_OK;
}

/* How much of the shared buffer is past; only run may need to know. */
static hob_status read_past_length(struct op_context *ctx, struct sizes *s)
{
    const struct projected_params *params = ctx->params;
    if (!params->shares_buffer) return HOB_OK;
    const struct tensor *length = optional(ctx, params->inputs.past_length);
    if (!length || tensor_n_items(length) != 1)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "past_sequence_length: found %s, expected one number",
                length ? OP_SHAPE(length) : "none");
    s->P = tensor_get_int(length, 0);
    if (s->P < 0 || s->P > s->M - s->T)
        OP_FAIL(ctx, HOB_BAD_ARGUMENT, "past_sequence_length: found %lld, expected 0 to %lld", (long long)s->P,
                (long long)(s->M - s->T));
    s->S = s->P + s->T;
    return HOB_OK;
}

hob_status projected_infer(struct op_context *ctx, const struct tensor *weight, enum dtype dtype)
{
    const struct projected_params *params = ctx->params;
    struct sizes s;
    TRY(read_widths(ctx, weight, &s));
    TRY(read_past(ctx, &s));
    if (!op_output(ctx, 0)) OP_FAIL(ctx, HOB_BAD_GRAPH, "output 0 is missing");
    if (params->inputs.past) TRY(op_check_dtype(ctx, params->inputs.past, dtype));
    if (params->inputs.mask) TRY(op_check_dtype(ctx, params->inputs.mask, DTYPE_I32));
    if (params->inputs.score_bias) TRY(op_check_dtype(ctx, params->inputs.score_bias, dtype));
    if (params->inputs.past_length) TRY(op_check_dtype(ctx, params->inputs.past_length, DTYPE_I32));
    if (op_output(ctx, 1) && s.K != s.Kv)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "present: found heads of %lld and %lld numbers for k and v, expected the same",
                (long long)s.K, (long long)s.Kv);
    TRY(op_set_output(ctx, 0, dtype, 3, (int64_t[]){s.B, s.T, s.H * s.Kv}));
    int64_t n_positions = params->shares_buffer && s.M ? s.M : s.S;
    return op_set_output(ctx, 1, dtype, 5, (int64_t[]){2, s.B, s.H, n_positions, s.K});
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

/* ---- rotary embedding: halves, base 10000, at positions P … P + T - 1 ---- */

static hob_status rotate(struct op_context *ctx, const struct sizes *s, const struct tensor *q, const struct tensor *k)
{
    const struct projected_params *params = ctx->params;
    if (!params->has_rotary) return HOB_OK;
    struct rotary rotary = {.n_dims = params->n_rotary_dims ? params->n_rotary_dims : s->K};
    int64_t n_pairs = rotary.n_dims / 2;
    if (rotary.n_dims < 0 || rotary.n_dims % 2 || rotary.n_dims > s->K)
        OP_FAIL(ctx, HOB_BAD_GRAPH, "rotary_embedding_dim: found %lld, expected an even number up to %lld",
                (long long)rotary.n_dims, (long long)s->K);
    float *cosines, *sines;
    int64_t *rows = ARENA_NEW(ctx->scratch, int64_t, (size_t)(s->B * s->T));
    if (!rows) OP_FAIL(ctx, HOB_NO_MEMORY, "no memory for %lld positions", (long long)s->T);
    TRY(scratch_f32(ctx, s->T * n_pairs, &cosines));
    TRY(scratch_f32(ctx, s->T * n_pairs, &sines));
    for (int64_t i = 0; i < s->T * n_pairs; i++) {
        double frequency = pow(10000, -2.0 * (double)(i % n_pairs) / (double)rotary.n_dims);
        int64_t position = s->P + i / n_pairs;
        double angle = (double)position * frequency;
        cosines[i] = (float)cos(angle);
        sines[i] = (float)sin(angle);
    }
    for (int64_t i = 0; i < s->B * s->T; i++) rows[i] = i % s->T;
    rotary.cos = cosines;
    rotary.sin = sines;
    rotary.positions = rows;
    rotary_run(ctx, &rotary, q, q);
    rotary_run(ctx, &rotary, k, k);
    return HOB_OK;
}

/* ---- past and present ---- */

/* k (half 0) or v (half 1) of [2,B,H,positions,K]. */
static struct tensor half_of(const struct tensor *pair, int half)
{
    struct tensor view = tensor_slice(pair, 0, half, 1, 1);
    view.rank = 4;
    memmove(view.dims, view.dims + 1, 4 * sizeof view.dims[0]);
    memmove(view.strides, view.strides + 1, 4 * sizeof view.strides[0]);
    return view;
}

/* fresh becomes past ++ fresh, in one half of the pair. */
static void append(const struct sizes *s, int half, const struct tensor *past, const struct tensor *pair,
                   struct tensor *fresh)
{
    struct tensor whole = half_of(pair, half), behind = tensor_slice(&whole, 2, s->P, s->T, 1);
    if (past->data && s->M) {
        struct tensor source = half_of(past, half), before = tensor_slice(&whole, 2, 0, s->M, 1);
        moving_copy_strided(&source, &before);
    }
    moving_copy_strided(fresh, &behind);
    *fresh = tensor_slice(&whole, 2, 0, s->S, 1);
}

static hob_status attach_past(struct op_context *ctx, const struct sizes *s, struct attention *attention)
{
    const struct projected_params *params = ctx->params;
    const struct tensor *present = op_output(ctx, 1);
    if (!present && !s->P) return HOB_OK;
    struct tensor past, pair;
    float *items;
    TRY(as_f32(ctx, optional(ctx, params->inputs.past), &past));
    int64_t n_positions = params->shares_buffer && s->M ? s->M : s->S;
    int64_t dims[5] = {2, s->B, s->H, n_positions, s->K};
    TRY(tensor_init(&pair, DTYPE_F32, 5, dims, NULL, ctx->error));
    if (present) TRY(as_f32_output(ctx, present, &items));
    else TRY(scratch_f32(ctx, tensor_n_items(&pair), &items));
    pair.data = items;
    append(s, 0, &past, &pair, &attention->k);
    append(s, 1, &past, &pair, &attention->v);
    as_f32_finish(ctx, items, present);
    return HOB_OK;
}

hob_status projected_run(struct op_context *ctx, const struct tensor *weight, float *projected)
{
    const struct projected_params *params = ctx->params;
    struct sizes s;
    float *y;
    TRY(read_widths(ctx, weight, &s));
    TRY(read_past(ctx, &s));
    TRY(read_past_length(ctx, &s));
    TRY(as_f32_output(ctx, ctx->outputs[0], &y));
    struct attention attention = {.q = projected_heads(&s, projected, 0, s.K),
                                  .k = projected_heads(&s, projected, s.H * s.K, s.K),
                                  .v = projected_heads(&s, projected, 2 * s.H * s.K, s.Kv),
                                  .out = heads_over(y, DTYPE_F32, (int64_t[]){s.B, s.H, s.T, s.Kv}, true),
                                  .scale = params->scale != 0 ? params->scale : 1 / sqrtf((float)s.K),
                                  .is_causal = params->is_unidirectional};
    struct ms_mask mask = {.keys = optional(ctx, params->inputs.mask),
                           .bias = optional(ctx, params->inputs.score_bias),
                           .filter = params->mask_filter,
                           .B = s.B, .H = s.H, .T = s.T, .P = s.P, .S = s.S};
    TRY(rotate(ctx, &s, &attention.q, &attention.k));
    TRY(attach_past(ctx, &s, &attention));
    TRY(ms_mask_apply(ctx, &mask, &attention));
    TRY(attention_run(ctx, &attention));
    as_f32_finish(ctx, y, ctx->outputs[0]);
    return HOB_OK;
}
