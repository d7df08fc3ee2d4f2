/* One layer is two residual parts; what differs between the family's members is in struct rotary_decoder. */
#include "models/rotary_decoder.h"

#include "base/error.h"
#include "models/rope_scaling.h"

#include <string.h>

const char *const rotary_decoder_hf_names[TENSOR_ROLE_COUNT] = {
    [TENSOR_TOKEN_EMBEDDING] = "embed_tokens",
    [TENSOR_ATTENTION_NORM] = "layers.#.input_layernorm",
    [TENSOR_Q] = "layers.#.self_attn.q_proj",
    [TENSOR_K] = "layers.#.self_attn.k_proj",
    [TENSOR_V] = "layers.#.self_attn.v_proj",
    [TENSOR_ATTENTION_OUTPUT] = "layers.#.self_attn.o_proj",
    [TENSOR_FF_NORM] = "layers.#.post_attention_layernorm",
    [TENSOR_FF_GATE] = "layers.#.mlp.gate_proj",
    [TENSOR_FF_UP] = "layers.#.mlp.up_proj",
    [TENSOR_FF_DOWN] = "layers.#.mlp.down_proj",
    [TENSOR_OUTPUT_NORM] = "norm",
    [TENSOR_HEAD] = "lm_head",
};

static hob_status read_rope(struct draft *d, struct rotary_decoder *decoder, hob_error *error)
{
    double base, fraction;
    TRY(model_source_float(d->source, KEY_ROPE_BASE, decoder->rope_base, &base, error));
    TRY(model_source_float(d->source, KEY_ROPE_FRACTION, 1, &fraction, error));
    TRY(model_source_int(d->source, KEY_ROPE_WIDTH, (int64_t)((double)d->head_width * fraction), &decoder->rope_width,
                         error));
    if (decoder->rope_width < 2 || decoder->rope_width % 2 || decoder->rope_width > d->head_width)
        FAIL(error, HOB_BAD_FILE, "%s: found %lld rotary dimensions, expected an even number up to %lld",
             d->source->where, (long long)decoder->rope_width, (long long)d->head_width);
    decoder->base = (float)base;
    return HOB_OK;
}

/* Within its window a model with a sliding window is the same as one without, so the window is how far it
 * goes here. */
static hob_status limit_to_window(struct draft *d, bool is_on, hob_error *error)
{
    int64_t window;
    TRY(model_source_bool(d->source, KEY_USES_WINDOW, is_on, &is_on, error));
    TRY(model_source_int(d->source, KEY_WINDOW, d->n_context, &window, error));
    if (is_on && window < d->n_context) d->n_context = d->info->n_context = window;
    return HOB_OK;
}

static hob_status refuse_variants(const struct draft *d, hob_error *error)
{
    const struct model_source *source = d->source;
    const char *activation;
    int64_t n_experts;
    bool has_bias;
    TRY(model_source_text(source, KEY_ACTIVATION, "silu", &activation, error));
    if (strcmp(activation, "silu") && strcmp(activation, "swish"))
        return model_source_refuse(source, KEY_ACTIVATION, "silu", error);
    TRY(model_source_int(source, KEY_EXPERTS, 0, &n_experts, error));
    if (n_experts) return model_source_refuse(source, KEY_EXPERTS, "no experts", error);
    TRY(model_source_bool(source, KEY_FF_BIAS, false, &has_bias, error));
    if (has_bias) return model_source_refuse(source, KEY_FF_BIAS, "false", error);
    return HOB_OK;
}

static hob_status read_decoder(struct draft *d, struct rotary_decoder *decoder, hob_error *error)
{
    TRY(draft_read_shape(d, error));
    TRY(draft_read_ff_width(d, KEY_REQUIRED, error));
    double epsilon;
    TRY(model_source_float(d->source, KEY_RMS_EPSILON, (double)KEY_REQUIRED, &epsilon, error));
    decoder->epsilon = (float)epsilon;
    TRY(refuse_variants(d, error));
    TRY(limit_to_window(d, decoder->is_window_on, error));
    return read_rope(d, decoder, error);
}

static uint32_t rotate(struct draft *d, const struct rotary_decoder *decoder, uint32_t x)
{
    struct attribute attributes[] = {attribute_float("base", decoder->base),
                                     attribute_int("n_dims", decoder->rope_width),
                                     attribute_int("interleaved", decoder->is_interleaved)};
    uint32_t inputs[] = {x, d->positions, decoder->rope_factors};
    uint32_t n_inputs = decoder->rope_factors == VALUE_NONE ? 2 : 3;
    return builder_op(&d->builder, "hob.RotaryEmbedding", inputs, n_inputs, attributes, 3);
}

static uint32_t norm(struct draft *d, const struct rotary_decoder *decoder, enum tensor_role role, int64_t layer,
                     uint32_t x)
{
    return draft_norm(d, &(struct norm){.role = role, .layer = layer, .kind = NORM_RMS, .epsilon = decoder->epsilon},
                      x);
}

static uint32_t linear(struct draft *d, enum tensor_role role, int64_t layer, int64_t n, int64_t k, bool has_bias,
                       uint32_t x)
{
    struct linear spec = {.role = role, .layer = layer, .n = n, .k = k, .has_bias = has_bias};
    return draft_linear(d, &spec, x);
}

static uint32_t attend(struct draft *d, const struct rotary_decoder *decoder, int64_t layer, uint32_t x)
{
    int64_t n_query = d->n_heads * d->head_width, n_key = d->n_kv_heads * d->head_width;
    bool has_bias = decoder->has_qkv_bias;
    uint32_t q = draft_split_heads(d, linear(d, TENSOR_Q, layer, n_query, d->width, has_bias, x), true);
    uint32_t k = draft_split_heads(d, linear(d, TENSOR_K, layer, n_key, d->width, has_bias, x), false);
    uint32_t v = draft_split_heads(d, linear(d, TENSOR_V, layer, n_key, d->width, has_bias, x), false);
    x = draft_cached_attention(d, layer, rotate(d, decoder, q), rotate(d, decoder, k), v);
    return linear(d, TENSOR_ATTENTION_OUTPUT, layer, d->width, n_query, decoder->has_output_bias, x);
}

static uint32_t feed_forward(struct draft *d, int64_t layer, uint32_t x)
{
    uint32_t gate = linear(d, TENSOR_FF_GATE, layer, d->ff_width, d->width, false, x);
    uint32_t up = linear(d, TENSOR_FF_UP, layer, d->ff_width, d->width, false, x);
    uint32_t gated = builder_op(&d->builder, "hob.SwiGLU", (const uint32_t[]){gate, up}, 2, NULL, 0);
    return linear(d, TENSOR_FF_DOWN, layer, d->width, d->ff_width, false, gated);
}

hob_status rotary_decoder_build(struct draft *d, struct rotary_decoder decoder, hob_error *error)
{
    TRY(read_decoder(d, &decoder, error));
    draft_begin(d);
    TRY(rope_scaling_factors(d, decoder.base, decoder.rope_width, &decoder.rope_factors, error));
    uint32_t table = draft_weight(d, TENSOR_TOKEN_EMBEDDING, 0, 2, (const int64_t[]){d->n_vocab, d->width});
    uint32_t x = draft_gather(d, table, d->ids);
    for (int64_t layer = 0; layer < d->n_layers && d->builder.status == HOB_OK; layer++) {
        x = draft_add(d, x, attend(d, &decoder, layer, norm(d, &decoder, TENSOR_ATTENTION_NORM, layer, x)));
        x = draft_add(d, x, feed_forward(d, layer, norm(d, &decoder, TENSOR_FF_NORM, layer, x)));
    }
    struct norm last = {.role = TENSOR_OUTPUT_NORM, .kind = NORM_RMS, .epsilon = decoder.epsilon};
    draft_finish_decoder(d, x, &last, table);
    return HOB_OK;
}
