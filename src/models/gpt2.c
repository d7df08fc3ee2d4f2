/* GPT-2: learned positions, LayerNorm before each part, one matrix for q, k and v. Hugging Face keeps
 * OpenAI's Conv1D weights, [in,out]; GGUF files have them transposed.
 *
 * Source: Radford et al. 2019. */
#include "models/draft.h"

#include "base/error.h"

static const char *const hf_names[TENSOR_ROLE_COUNT] = {
    [TENSOR_TOKEN_EMBEDDING] = "wte",
    [TENSOR_POSITION_EMBEDDING] = "wpe",
    [TENSOR_ATTENTION_NORM] = "h.#.ln_1",
    [TENSOR_QKV] = "h.#.attn.c_attn",
    [TENSOR_ATTENTION_OUTPUT] = "h.#.attn.c_proj",
    [TENSOR_FF_NORM] = "h.#.ln_2",
    [TENSOR_FF_UP] = "h.#.mlp.c_fc",
    [TENSOR_FF_DOWN] = "h.#.mlp.c_proj",
    [TENSOR_OUTPUT_NORM] = "ln_f",
    [TENSOR_HEAD] = "lm_head",
};

struct gpt2 {
    float epsilon;
    const char *gelu;
};

static hob_status read_gpt2(struct draft *d, struct gpt2 *ret_gpt2, hob_error *error)
{
    const struct model_source *source = d->source;
    double epsilon;
    bool is_scaled, is_scaled_by_layer;
    TRY(draft_read_shape(d, error));
    TRY(draft_read_ff_width(d, 4 * d->width, error));
    if (d->n_kv_heads != d->n_heads || d->n_heads * d->head_width != d->width)
        FAIL(error, HOB_UNSUPPORTED, "%s: found heads that are not width / heads wide, expected GPT-2's",
             source->where);
    TRY(model_source_float(source, KEY_LAYER_NORM_EPSILON, 1e-5, &epsilon, error));
    ret_gpt2->epsilon = (float)epsilon;
    TRY(draft_read_gelu(d, "gelu_new", &ret_gpt2->gelu, error));
    TRY(model_source_bool(source, KEY_SCALES_SCORES, true, &is_scaled, error));
    if (!is_scaled) return model_source_refuse(source, KEY_SCALES_SCORES, "true", error);
    TRY(model_source_bool(source, KEY_SCALES_BY_LAYER, false, &is_scaled_by_layer, error));
    return is_scaled_by_layer ? model_source_refuse(source, KEY_SCALES_BY_LAYER, "false", error) : HOB_OK;
}

static uint32_t linear(struct draft *d, enum tensor_role role, int64_t layer, int64_t n, int64_t k, uint32_t x)
{
    bool is_conv1d = !model_source_is_gguf(d->source);
    struct linear spec = {.role = role, .layer = layer, .n = n, .k = k, .has_bias = true, .is_input_first = is_conv1d};
    return draft_linear(d, &spec, x);
}

static uint32_t norm(struct draft *d, const struct gpt2 *gpt2, enum tensor_role role, int64_t layer, uint32_t x)
{
    return draft_norm(d, &(struct norm){.role = role, .layer = layer, .kind = NORM_LAYER, .epsilon = gpt2->epsilon}, x);
}

static uint32_t attend(struct draft *d, int64_t layer, uint32_t x)
{
    uint32_t parts[3], fused = linear(d, TENSOR_QKV, layer, 3 * d->width, d->width, x);
    draft_split(d, fused, (const int64_t[]){d->width, d->width, d->width}, 3, parts);
    for (size_t i = 0; i < 3; i++) parts[i] = draft_split_heads(d, parts[i], i == 0);
    uint32_t mixed = draft_cached_attention(d, &(struct cached_attention){.layer = layer}, parts[0], parts[1], parts[2]);
    return linear(d, TENSOR_ATTENTION_OUTPUT, layer, d->width, d->width, mixed);
}

static uint32_t feed_forward(struct draft *d, const struct gpt2 *gpt2, int64_t layer, uint32_t x)
{
    x = draft_gelu(d, gpt2->gelu, linear(d, TENSOR_FF_UP, layer, d->ff_width, d->width, x));
    return linear(d, TENSOR_FF_DOWN, layer, d->width, d->ff_width, x);
}

static hob_status build(struct draft *d, hob_error *error)
{
    struct gpt2 gpt2;
    TRY(read_gpt2(d, &gpt2, error));
    draft_begin(d);
    uint32_t table = draft_weight(d, TENSOR_TOKEN_EMBEDDING, 0, 2, (const int64_t[]){d->n_vocab, d->width});
    uint32_t x = draft_gather(d, table, d->ids);
    x = draft_add(d, x, draft_embed(d, TENSOR_POSITION_EMBEDDING, d->n_context, d->positions));
    for (int64_t layer = 0; layer < d->n_layers && d->builder.status == HOB_OK; layer++) {
        x = draft_add(d, x, attend(d, layer, norm(d, &gpt2, TENSOR_ATTENTION_NORM, layer, x)));
        x = draft_add(d, x, feed_forward(d, &gpt2, layer, norm(d, &gpt2, TENSOR_FF_NORM, layer, x)));
    }
    struct norm last = {.role = TENSOR_OUTPUT_NORM, .kind = NORM_LAYER, .epsilon = gpt2.epsilon};
    draft_finish_decoder(d, x, &last, table);
    return HOB_OK;
}

const struct model_def model_gpt2 = {
    .name = "gpt2",
    .summary = "GPT-2 and its kin: learned positions, LayerNorm, GELU",
    .kind = MODEL_DECODER,
    .gguf_architecture = "gpt2",
    .hf_types = {"gpt2"},
    .hf_prefixes = {"transformer.", ""},
    .hf_names = hf_names,
    .build = build,
};
