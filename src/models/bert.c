/* BERT: learned positions and token types, LayerNorm behind each part, no causal mask. Sentences of a batch
 * lie end to end; `segments` keeps their attention apart.
 *
 * Source: Devlin et al. 2018. */
#include "models/draft.h"

#include "base/error.h"

#include <string.h>

static const char *const hf_names[TENSOR_ROLE_COUNT] = {
    [TENSOR_TOKEN_EMBEDDING] = "embeddings.word_embeddings",
    [TENSOR_POSITION_EMBEDDING] = "embeddings.position_embeddings",
    [TENSOR_TYPE_EMBEDDING] = "embeddings.token_type_embeddings",
    [TENSOR_EMBEDDING_NORM] = "embeddings.LayerNorm",
    [TENSOR_Q] = "encoder.layer.#.attention.self.query",
    [TENSOR_K] = "encoder.layer.#.attention.self.key",
    [TENSOR_V] = "encoder.layer.#.attention.self.value",
    [TENSOR_ATTENTION_OUTPUT] = "encoder.layer.#.attention.output.dense",
    [TENSOR_ATTENTION_OUTPUT_NORM] = "encoder.layer.#.attention.output.LayerNorm",
    [TENSOR_FF_UP] = "encoder.layer.#.intermediate.dense",
    [TENSOR_FF_DOWN] = "encoder.layer.#.output.dense",
    [TENSOR_LAYER_OUTPUT_NORM] = "encoder.layer.#.output.LayerNorm",
};

struct bert {
    float epsilon;
    const char *gelu;
    int64_t n_token_types;
    uint32_t segments;
};

static hob_status refuse_variants(const struct draft *d, hob_error *error)
{
    const struct model_source *source = d->source;
    const char *positions;
    bool is_decoder, is_causal;
    TRY(model_source_text(source, KEY_POSITION_KIND, "absolute", &positions, error));
    if (strcmp(positions, "absolute")) return model_source_refuse(source, KEY_POSITION_KIND, "absolute", error);
    TRY(model_source_bool(source, KEY_IS_DECODER, false, &is_decoder, error));
    if (is_decoder) return model_source_refuse(source, KEY_IS_DECODER, "false", error);
    TRY(model_source_bool(source, KEY_IS_CAUSAL, false, &is_causal, error));
    return is_causal ? model_source_refuse(source, KEY_IS_CAUSAL, "false", error) : HOB_OK;
}

static hob_status read_bert(struct draft *d, struct bert *ret_bert, hob_error *error)
{
    double epsilon;
    TRY(draft_read_shape(d, error));
    TRY(draft_read_ff_width(d, KEY_REQUIRED, error));
    if (d->n_kv_heads != d->n_heads || d->n_heads * d->head_width != d->width)
        FAIL(error, HOB_UNSUPPORTED, "%s: found heads that are not width / heads wide, expected BERT's",
             d->source->where);
    TRY(refuse_variants(d, error));
    TRY(model_source_float(d->source, KEY_LAYER_NORM_EPSILON, 1e-12, &epsilon, error));
    ret_bert->epsilon = (float)epsilon;
    TRY(model_source_int(d->source, KEY_TOKEN_TYPES, 2, &ret_bert->n_token_types, error));
    return draft_read_gelu(d, "gelu", &ret_bert->gelu, error);
}

static uint32_t norm(struct draft *d, const struct bert *bert, enum tensor_role role, int64_t layer, uint32_t x)
{
    return draft_norm(d, &(struct norm){.role = role, .layer = layer, .kind = NORM_LAYER, .epsilon = bert->epsilon}, x);
}

static uint32_t linear(struct draft *d, enum tensor_role role, int64_t layer, int64_t n, int64_t k, uint32_t x)
{
    return draft_linear(d, &(struct linear){.role = role, .layer = layer, .n = n, .k = k, .has_bias = true}, x);
}

static uint32_t attend(struct draft *d, const struct bert *bert, int64_t layer, uint32_t x)
{
    uint32_t q = draft_split_heads(d, linear(d, TENSOR_Q, layer, d->width, d->width, x), true);
    uint32_t k = draft_split_heads(d, linear(d, TENSOR_K, layer, d->width, d->width, x), false);
    uint32_t v = draft_split_heads(d, linear(d, TENSOR_V, layer, d->width, d->width, x), false);
    uint32_t mixed = draft_packed_attention(d, bert->segments, q, k, v);
    return linear(d, TENSOR_ATTENTION_OUTPUT, layer, d->width, d->width, mixed);
}

static uint32_t feed_forward(struct draft *d, const struct bert *bert, int64_t layer, uint32_t x)
{
    x = draft_gelu(d, bert->gelu, linear(d, TENSOR_FF_UP, layer, d->ff_width, d->width, x));
    return linear(d, TENSOR_FF_DOWN, layer, d->width, d->ff_width, x);
}

static uint32_t embed(struct draft *d, const struct bert *bert)
{
    uint32_t x = draft_embed(d, TENSOR_TOKEN_EMBEDDING, d->n_vocab, d->ids);
    x = draft_add(d, x, draft_embed(d, TENSOR_POSITION_EMBEDDING, d->n_context, d->positions));
    if (bert->n_token_types > 0) {
        uint32_t types = draft_input(d, "token_types", "T");
        x = draft_add(d, x, draft_embed(d, TENSOR_TYPE_EMBEDDING, bert->n_token_types, types));
    }
    return norm(d, bert, TENSOR_EMBEDDING_NORM, 0, x);
}

static hob_status build(struct draft *d, hob_error *error)
{
    struct bert bert = {0};
    TRY(read_bert(d, &bert, error));
    draft_begin(d);
    bert.segments = draft_input(d, "segments", "n+1");
    uint32_t x = embed(d, &bert);
    for (int64_t layer = 0; layer < d->n_layers && d->builder.status == HOB_OK; layer++) {
        x = draft_add(d, x, attend(d, &bert, layer, x));
        x = norm(d, &bert, TENSOR_ATTENTION_OUTPUT_NORM, layer, x);
        x = draft_add(d, x, feed_forward(d, &bert, layer, x));
        x = norm(d, &bert, TENSOR_LAYER_OUTPUT_NORM, layer, x);
    }
    builder_output(&d->builder, "hidden", x);
    return HOB_OK;
}

const struct model_def model_bert = {
    .name = "bert",
    .summary = "BERT encoders: MiniLM, BGE, E5 and other sentence embedders",
    .kind = MODEL_ENCODER,
    .gguf_architecture = "bert",
    .hf_types = {"bert"},
    .hf_prefixes = {"bert.", ""},
    .hf_names = hf_names,
    .build = build,
};
