/* One layer is two residual parts; what differs between the family's members is in struct rotary_decoder. */
#include "models/rotary_decoder.h"

#include "base/error.h"

const char *const rotary_decoder_hf_names[TENSOR_ROLE_COUNT] = {
    [TENSOR_TOKEN_EMBEDDING] = "embed_tokens",
    [TENSOR_ATTENTION_NORM] = "layers.#.input_layernorm",
    [TENSOR_Q] = "layers.#.self_attn.q_proj",
    [TENSOR_K] = "layers.#.self_attn.k_proj",
    [TENSOR_V] = "layers.#.self_attn.v_proj",
    [TENSOR_QKV] = "layers.#.self_attn.qkv_proj",
    [TENSOR_Q_NORM] = "layers.#.self_attn.q_norm",
    [TENSOR_K_NORM] = "layers.#.self_attn.k_norm",
    [TENSOR_ATTENTION_OUTPUT] = "layers.#.self_attn.o_proj",
    [TENSOR_FF_NORM] = "layers.#.post_attention_layernorm",
    [TENSOR_FF_GATE] = "layers.#.mlp.gate_proj",
    [TENSOR_FF_UP] = "layers.#.mlp.up_proj",
    [TENSOR_FF_GATE_UP] = "layers.#.mlp.gate_up_proj",
    [TENSOR_FF_DOWN] = "layers.#.mlp.down_proj",
    [TENSOR_OUTPUT_NORM] = "norm",
    [TENSOR_HEAD] = "lm_head",
};

/* A layer under way. */
struct layer {
    struct draft *draft;
    const struct rotary_decoder *decoder;
    int64_t index;
};

static uint32_t norm(const struct layer *layer, enum tensor_role role, int64_t width, uint32_t x)
{
    const struct rotary_decoder *decoder = layer->decoder;
    struct norm spec = {.role = role,
                        .layer = layer->index,
                        .kind = decoder->norm,
                        .epsilon = decoder->epsilon,
                        .width = width,
                        .is_zero_centred = decoder->is_norm_zero_centred};
    return draft_norm(layer->draft, &spec, x);
}

static uint32_t linear(const struct layer *layer, enum tensor_role role, int64_t n, int64_t k, bool has_bias,
                       uint32_t x)
{
    struct linear spec = {.role = role, .layer = layer->index, .n = n, .k = k, .has_bias = has_bias};
    return draft_linear(layer->draft, &spec, x);
}

/* ---- attention ---- */

struct heads {
    uint32_t q, k, v; /* [T,H,K], [T,Hkv,K] */
};

static uint32_t split_heads(const struct layer *layer, enum tensor_role norm_role, bool is_query, uint32_t x)
{
    struct draft *d = layer->draft;
    if (layer->decoder->head_norm == HEAD_NORM_WHOLE)
        x = norm(layer, norm_role, (is_query ? d->n_heads : d->n_kv_heads) * d->head_width, x);
    return draft_split_heads(d, x, is_query);
}

static struct heads project(const struct layer *layer, uint32_t x)
{
    struct draft *d = layer->draft;
    int64_t n_query = d->n_heads * d->head_width, n_key = d->n_kv_heads * d->head_width;
    bool has_bias = layer->decoder->has_qkv_bias;
    uint32_t parts[3];
    if (layer->decoder->qkv == QKV_SEPARATE) {
        parts[0] = linear(layer, TENSOR_Q, n_query, d->width, has_bias, x);
        parts[1] = linear(layer, TENSOR_K, n_key, d->width, has_bias, x);
        parts[2] = linear(layer, TENSOR_V, n_key, d->width, has_bias, x);
    } else {
        x = linear(layer, TENSOR_QKV, n_query + 2 * n_key, d->width, has_bias, x);
        draft_split(d, x, (const int64_t[]){n_query, n_key, n_key}, 3, parts);
    }
    return (struct heads){split_heads(layer, TENSOR_Q_NORM, true, parts[0]),
                          split_heads(layer, TENSOR_K_NORM, false, parts[1]), draft_split_heads(d, parts[2], false)};
}

static struct heads project_by_head(const struct layer *layer, uint32_t x)
{
    struct draft *d = layer->draft;
    uint32_t parts[3], shape = builder_ints(&d->builder, (const int64_t[]){0, d->n_heads, 3 * d->head_width}, 3);
    x = linear(layer, TENSOR_QKV, 3 * d->n_heads * d->head_width, d->width, layer->decoder->has_qkv_bias, x);
    x = builder_op(&d->builder, "Reshape", (const uint32_t[]){x, shape}, 2, NULL, 0);
    draft_split(d, x, (const int64_t[]){d->head_width, d->head_width, d->head_width}, 3, parts);
    return (struct heads){parts[0], parts[1], parts[2]};
}

static bool is_windowed(const struct layer *layer)
{
    const struct layer_windows *windows = &layer->decoder->windows;
    return windows->is_windowed[layer->index] && windows->width && windows->width < layer->draft->n_context;
}

/* Layers of a local base keep it where the window is wider than the context. */
static const struct rope *find_rope(const struct layer *layer)
{
    const struct rotary_decoder *decoder = layer->decoder;
    bool is_local = decoder->rope_local_base != 0 && decoder->windows.is_windowed[layer->index];
    return is_local ? &decoder->local_rope : &decoder->rope;
}

static uint32_t attend(const struct layer *layer, uint32_t x)
{
    struct draft *d = layer->draft;
    const struct rotary_decoder *decoder = layer->decoder;
    struct heads heads = decoder->qkv == QKV_BY_HEAD ? project_by_head(layer, x) : project(layer, x);
    if (decoder->head_norm == HEAD_NORM_EACH) {
        heads.q = norm(layer, TENSOR_Q_NORM, d->head_width, heads.q);
        heads.k = norm(layer, TENSOR_K_NORM, d->head_width, heads.k);
    }
    if (!decoder->is_unturned[layer->index]) {
        heads.q = rope_turn(d, find_rope(layer), heads.q);
        heads.k = rope_turn(d, find_rope(layer), heads.k);
    }
    struct cached_attention attention = {.layer = layer->index,
                                         .scale = decoder->attention_scale,
                                         .softcap = decoder->attention_softcap,
                                         .left_window = is_windowed(layer) ? decoder->windows.width : 0};
    x = draft_cached_attention(d, &attention, heads.q, heads.k, heads.v);
    return linear(layer, TENSOR_ATTENTION_OUTPUT, d->width, d->n_heads * d->head_width, decoder->has_output_bias, x);
}

/* ---- feed-forward ---- */

static uint32_t gate(const struct layer *layer, uint32_t x)
{
    struct draft *d = layer->draft;
    bool has_bias = layer->decoder->has_ff_bias;
    uint32_t parts[2]; /* gate, up */
    if (layer->decoder->feed == FEED_SWIGLU_FUSED) {
        x = linear(layer, TENSOR_FF_GATE_UP, 2 * d->ff_width, d->width, has_bias, x);
        draft_split(d, x, (const int64_t[]){d->ff_width, d->ff_width}, 2, parts);
    } else {
        parts[0] = linear(layer, TENSOR_FF_GATE, d->ff_width, d->width, has_bias, x);
        parts[1] = linear(layer, TENSOR_FF_UP, d->ff_width, d->width, has_bias, x);
    }
    if (layer->decoder->feed != FEED_GEGLU) return builder_op(&d->builder, "hob.SwiGLU", parts, 2, NULL, 0);
    parts[0] = draft_gelu(d, "tanh", parts[0]);
    return builder_op(&d->builder, "Mul", parts, 2, NULL, 0);
}

static uint32_t feed_forward(const struct layer *layer, uint32_t x)
{
    struct draft *d = layer->draft;
    const struct rotary_decoder *decoder = layer->decoder;
    if (decoder->feed == FEED_GELU)
        x = draft_gelu(d, decoder->approximate,
                       linear(layer, TENSOR_FF_UP, d->ff_width, d->width, decoder->has_ff_bias, x));
    else x = gate(layer, x);
    return linear(layer, TENSOR_FF_DOWN, d->width, d->ff_width, decoder->has_ff_bias, x);
}

/* ---- layers ---- */

static uint32_t pre_norm(const struct layer *layer, enum tensor_role role, uint32_t x)
{
    return layer->decoder->lacks_pre_norms ? x : norm(layer, role, 0, x);
}

/* x plus what a part made of it. */
static uint32_t add_part(const struct layer *layer, enum tensor_role post_norm_role, uint32_t x, uint32_t part)
{
    const struct rotary_decoder *decoder = layer->decoder;
    if (decoder->has_post_norms) part = norm(layer, post_norm_role, 0, part);
    if (decoder->residual_scale != 0) part = draft_scale(layer->draft, part, decoder->residual_scale);
    return draft_add(layer->draft, x, part);
}

static uint32_t add_layer(const struct layer *layer, uint32_t x)
{
    uint32_t normed = pre_norm(layer, TENSOR_ATTENTION_NORM, x), attended = attend(layer, normed);
    if (layer->decoder->is_parallel) {
        if (!layer->decoder->shares_norm) normed = pre_norm(layer, TENSOR_FF_NORM, x);
        return draft_add(layer->draft, x, draft_add(layer->draft, attended, feed_forward(layer, normed)));
    }
    x = add_part(layer, TENSOR_ATTENTION_POST_NORM, x, attended);
    return add_part(layer, TENSOR_FF_POST_NORM, x, feed_forward(layer, pre_norm(layer, TENSOR_FF_NORM, x)));
}

static void add_output(struct draft *d, const struct rotary_decoder *decoder, uint32_t x, uint32_t table)
{
    struct norm last = {.role = TENSOR_OUTPUT_NORM,
                        .kind = decoder->norm,
                        .epsilon = decoder->epsilon,
                        .is_zero_centred = decoder->is_norm_zero_centred};
    if (draft_is_embedder(d)) {
        draft_finish_embedder(d, x, &last);
        return;
    }
    uint32_t logits = draft_logits(d, x, &last, table, decoder->has_head_bias);
    if (decoder->logit_scale != 0) logits = draft_scale(d, logits, decoder->logit_scale);
    if (decoder->logit_softcap != 0) logits = draft_softcap(d, logits, decoder->logit_softcap);
    builder_output(&d->builder, "logits", logits);
}

hob_status rotary_decoder_build(struct draft *d, struct rotary_decoder *decoder, hob_error *error)
{
    draft_begin(d);
    TRY(rope_scale(d, &decoder->rope, error));
    uint32_t table = draft_weight(d, TENSOR_TOKEN_EMBEDDING, 0, 2, (const int64_t[]){d->n_vocab, d->width});
    uint32_t x = draft_gather(d, table, d->ids);
    if (decoder->embedding_scale != 0) x = draft_scale(d, x, decoder->embedding_scale);
    for (int64_t i = 0; i < d->n_layers && d->builder.status == HOB_OK; i++)
        x = add_layer(&(struct layer){.draft = d, .decoder = decoder, .index = i}, x);
    add_output(d, decoder, x, table);
    return HOB_OK;
}
