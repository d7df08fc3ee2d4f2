/* One layer is two residual parts; what differs is asked for where it differs. */
#include "models/text_encoder.h"

#include "base/error.h"
#include "base/size.h"

#include <inttypes.h>
#include <string.h>

/* ---- hyperparameters ---- */

hob_status text_encoder_want(const struct draft *d, enum model_key key, bool expected, hob_error *error)
{
    bool found;
    TRY(model_source_bool(d->source, key, expected, &found, error));
    return found == expected ? HOB_OK : model_source_refuse(d->source, key, expected ? "true" : "false", error);
}

static hob_status read_activation(struct draft *d, struct text_encoder *encoder, hob_error *error)
{
    if (!encoder->is_silu) return draft_read_gelu(d, "gelu", &encoder->gelu, error);
    const char *activation;
    TRY(model_source_text(d->source, KEY_ACTIVATION, "swiglu", &activation, error));
    return strcmp(activation, "swiglu") ? model_source_refuse(d->source, KEY_ACTIVATION, "swiglu", error) : HOB_OK;
}

hob_status text_encoder_read(struct draft *d, struct text_encoder *encoder, hob_error *error)
{
    double epsilon;
    TRY(draft_read_shape(d, error));
    TRY(draft_read_ff_width(d, KEY_REQUIRED, error));
    if (d->n_kv_heads != d->n_heads || d->n_heads * d->head_width != d->width)
        FAIL(error, HOB_UNSUPPORTED, "%s: found heads that are not width / heads wide, expected BERT's",
             d->source->where);
    TRY(text_encoder_want(d, KEY_IS_DECODER, false, error));
    TRY(text_encoder_want(d, KEY_IS_CAUSAL, false, error));
    TRY(model_source_float(d->source, KEY_LAYER_NORM_EPSILON, (double)encoder->epsilon, &epsilon, error));
    encoder->epsilon = (float)epsilon;
    return read_activation(d, encoder, error);
}

hob_status text_encoder_read_types(struct draft *d, struct text_encoder *encoder, int64_t fallback, hob_error *error)
{
    char name[SOURCE_NAME_BYTES];
    TRY(model_source_int(d->source, KEY_TOKEN_TYPES, fallback, &encoder->n_token_types, error));
    if (model_source_is_gguf(d->source) && !model_source_tensor(d->source, TENSOR_TYPE_EMBEDDING, PART_WEIGHT, 0, name))
        encoder->n_token_types = 0;
    return HOB_OK;
}

hob_status text_encoder_skip_padding(struct draft *d, struct text_encoder *encoder, hob_error *error)
{
    int64_t padding;
    TRY(model_source_int(d->source, KEY_PADDING, 1, &padding, error));
    encoder->first_position = padding + 1;
    if (d->n_context <= encoder->first_position)
        FAIL(error, HOB_BAD_FILE,
             "%s: found %" PRId64 " positions, of which the first %" PRId64 " are padding's, expected more",
             d->source->where, d->n_context, encoder->first_position);
    d->n_context -= encoder->first_position;
    d->info->n_context = d->n_context;
    return HOB_OK;
}

/* ---- nodes ---- */

static uint32_t norm(struct draft *d, const struct text_encoder *encoder, enum tensor_role role, int64_t layer,
                     uint32_t x)
{
    struct norm spec = {.role = role,
                        .layer = layer,
                        .kind = NORM_LAYER,
                        .epsilon = encoder->epsilon,
                        .lacks_bias = encoder->lacks_norm_bias};
    return draft_norm(d, &spec, x);
}

static uint32_t linear(struct draft *d, enum tensor_role role, int64_t layer, int64_t n, int64_t k, bool has_bias,
                       uint32_t x)
{
    return draft_linear(d, &(struct linear){.role = role, .layer = layer, .n = n, .k = k, .has_bias = has_bias}, x);
}

/* Views of the columns, each n wide. */
static void split(struct draft *d, uint32_t x, int64_t n, uint32_t n_parts, uint32_t *ret_parts)
{
    const int64_t widths[] = {n, n, n};
    uint32_t inputs[] = {x, builder_ints(&d->builder, widths, n_parts)};
    struct attribute last_axis = attribute_int("axis", -1);
    builder_op_n(&d->builder, "Split", inputs, 2, &last_axis, 1, n_parts, ret_parts);
}

static void project(struct draft *d, const struct text_encoder *encoder, int64_t layer, uint32_t x, uint32_t parts[3])
{
    static const enum tensor_role roles[] = {TENSOR_Q, TENSOR_K, TENSOR_V};
    char name[SOURCE_NAME_BYTES];
    bool has_bias = encoder->has_qkv_bias,
         is_fused = model_source_tensor(d->source, TENSOR_QKV, PART_WEIGHT, layer, name);
    if (is_fused) split(d, linear(d, TENSOR_QKV, layer, 3 * d->width, d->width, has_bias, x), d->width, 3, parts);
    for (size_t i = 0; i < ARRAY_LENGTH(roles); i++) {
        if (!is_fused) parts[i] = linear(d, roles[i], layer, d->width, d->width, has_bias, x);
        parts[i] = draft_split_heads(d, parts[i], i == 0);
    }
}

static uint32_t rotate(struct draft *d, const struct encoder_rope *rope, uint32_t x)
{
    if (rope->base == 0) return x;
    struct attribute base = attribute_float("base", rope->base);
    uint32_t inputs[] = {x, d->positions, rope->factors};
    return builder_op(&d->builder, "hob.RotaryEmbedding", inputs, rope->factors == VALUE_NONE ? 2 : 3, &base, 1);
}

static uint32_t attend(struct draft *d, const struct text_encoder *encoder, int64_t layer, uint32_t x)
{
    bool is_local = encoder->global_every && layer % encoder->global_every;
    const struct encoder_rope *rope = is_local ? &encoder->local_rope : &encoder->rope;
    struct packed_attention attention = {.distance_bias = encoder->distance_bias,
                                         .half_window = is_local ? encoder->half_window : 0};
    uint32_t parts[3];
    project(d, encoder, layer, x, parts);
    x = draft_packed_attention(d, &attention, rotate(d, rope, parts[0]), rotate(d, rope, parts[1]), parts[2]);
    return linear(d, TENSOR_ATTENTION_OUTPUT, layer, d->width, d->width, encoder->has_output_bias, x);
}

static uint32_t gate(struct draft *d, const struct text_encoder *encoder, int64_t layer, uint32_t x)
{
    uint32_t parts[2]; /* gate, up */
    bool has_bias = encoder->has_up_bias;
    if (encoder->gate == GATE_APART) {
        parts[0] = linear(d, TENSOR_FF_GATE, layer, d->ff_width, d->width, has_bias, x);
        parts[1] = linear(d, TENSOR_FF_UP, layer, d->ff_width, d->width, has_bias, x);
    } else {
        split(d, linear(d, TENSOR_FF_UP, layer, 2 * d->ff_width, d->width, has_bias, x), d->ff_width, 2, parts);
    }
    if (encoder->gate == GATE_LAST) {
        uint32_t up = parts[0];
        parts[0] = parts[1];
        parts[1] = up;
    }
    if (encoder->is_silu) return builder_op(&d->builder, "hob.SwiGLU", parts, 2, NULL, 0);
    parts[0] = draft_gelu(d, encoder->gelu, parts[0]);
    return builder_op(&d->builder, "Mul", parts, 2, NULL, 0);
}

static uint32_t feed_forward(struct draft *d, const struct text_encoder *encoder, int64_t layer, uint32_t x)
{
    if (encoder->gate != GATE_NONE) x = gate(d, encoder, layer, x);
    else
        x = draft_gelu(d, encoder->gelu,
                       linear(d, TENSOR_FF_UP, layer, d->ff_width, d->width, encoder->has_up_bias, x));
    return linear(d, TENSOR_FF_DOWN, layer, d->width, d->ff_width, encoder->has_down_bias, x);
}

static uint32_t add_layer(struct draft *d, const struct text_encoder *encoder, int64_t layer, uint32_t x)
{
    if (!encoder->is_pre_norm) {
        x = norm(d, encoder, TENSOR_ATTENTION_OUTPUT_NORM, layer, draft_add(d, x, attend(d, encoder, layer, x)));
        return norm(d, encoder, TENSOR_LAYER_OUTPUT_NORM, layer, draft_add(d, x, feed_forward(d, encoder, layer, x)));
    }
    bool is_bare = layer == 0 && encoder->lacks_first_norm;
    uint32_t normed = is_bare ? x : norm(d, encoder, TENSOR_ATTENTION_NORM, layer, x);
    x = draft_add(d, x, attend(d, encoder, layer, normed));
    return draft_add(d, x, feed_forward(d, encoder, layer, norm(d, encoder, TENSOR_FF_NORM, layer, x)));
}

static uint32_t embed_positions(struct draft *d, const struct text_encoder *encoder)
{
    uint32_t rows = d->positions;
    if (encoder->first_position > 0) rows = draft_add(d, rows, builder_ints(&d->builder, &encoder->first_position, 1));
    return draft_embed(d, TENSOR_POSITION_EMBEDDING, d->n_context + encoder->first_position, rows);
}

static uint32_t embed(struct draft *d, const struct text_encoder *encoder)
{
    uint32_t x = draft_embed(d, TENSOR_TOKEN_EMBEDDING, d->n_vocab, d->ids);
    if (encoder->first_position != POSITIONS_NOT_LEARNED) x = draft_add(d, x, embed_positions(d, encoder));
    if (encoder->n_token_types > 0) {
        uint32_t types = draft_input(d, "token_types", "T");
        x = draft_add(d, x, draft_embed(d, TENSOR_TYPE_EMBEDDING, encoder->n_token_types, types));
    }
    return norm(d, encoder, TENSOR_EMBEDDING_NORM, 0, x);
}

void text_encoder_build(struct draft *d, const struct text_encoder *encoder)
{
    uint32_t x = embed(d, encoder);
    for (int64_t layer = 0; layer < d->n_layers && d->builder.status == HOB_OK; layer++)
        x = add_layer(d, encoder, layer, x);
    if (encoder->is_pre_norm) x = norm(d, encoder, TENSOR_OUTPUT_NORM, 0, x);
    if (d->info->kind == MODEL_CLASSIFIER) sequence_head_build(d, &encoder->head, x);
    else builder_output(&d->builder, "hidden", x);
}
