/* The family's hyperparameters. What is said and not known here is refused by its name. */
#include "models/rotary_decoder.h"

#include "base/error.h"

#include <string.h>

static hob_status read_epsilon(const struct draft *d, struct rotary_decoder *decoder, hob_error *error)
{
    double epsilon;
    enum model_key key = decoder->norm == NORM_RMS ? KEY_RMS_EPSILON : KEY_LAYER_NORM_EPSILON;
    TRY(model_source_float(d->source, key, (double)KEY_REQUIRED, &epsilon, error));
    decoder->epsilon = (float)epsilon;
    return HOB_OK;
}

/* Gemma's files may say "gelu" in hidden_act, which its own code ignores; hidden_activation counts. */
static hob_status read_gate(const struct draft *d, const struct rotary_decoder *decoder, hob_error *error)
{
    const char *activation;
    if (decoder->feed == FEED_GEGLU) {
        TRY(model_source_text(d->source, KEY_GATE_ACTIVATION, "gelu_pytorch_tanh", &activation, error));
        if (!strcmp(activation, "gelu_pytorch_tanh")) return HOB_OK;
        return model_source_refuse(d->source, KEY_GATE_ACTIVATION, "gelu_pytorch_tanh", error);
    }
    TRY(model_source_text(d->source, KEY_ACTIVATION, "silu", &activation, error));
    if (!strcmp(activation, "silu") || !strcmp(activation, "swish")) return HOB_OK;
    return model_source_refuse(d->source, KEY_ACTIVATION, "silu", error);
}

static hob_status refuse_variants(const struct draft *d, hob_error *error)
{
    static const enum model_key flags[] = {KEY_NORMALIZES_HEADS, KEY_IS_BIDIRECTIONAL};
    int64_t n_experts;
    TRY(model_source_int(d->source, KEY_EXPERTS, 0, &n_experts, error));
    if (n_experts) return model_source_refuse(d->source, KEY_EXPERTS, "no experts", error);
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        bool is_set;
        TRY(model_source_bool(d->source, flags[i], false, &is_set, error));
        if (is_set) return model_source_refuse(d->source, flags[i], "false", error);
    }
    return HOB_OK;
}

static hob_status read_ropes(struct draft *d, struct rotary_decoder *decoder, hob_error *error)
{
    const char *local_scaling;
    TRY(rope_read(d, KEY_ROPE_BASE, decoder->rope_base, &decoder->rope, error));
    decoder->rope.is_interleaved = decoder->is_interleaved;
    if (!decoder->rope_local_base) return HOB_OK;
    TRY(model_source_text(d->source, KEY_LOCAL_ROPE_SCALING, "default", &local_scaling, error));
    if (strcmp(local_scaling, "default"))
        return model_source_refuse(d->source, KEY_LOCAL_ROPE_SCALING, "default", error);
    return rope_read(d, KEY_LOCAL_ROPE_BASE, decoder->rope_local_base, &decoder->local_rope, error);
}

hob_status rotary_decoder_read_biases(struct draft *d, struct rotary_decoder *decoder, hob_error *error)
{
    enum tensor_role qkv = decoder->qkv == QKV_SEPARATE ? TENSOR_Q : TENSOR_QKV;
    bool is_gguf = model_source_is_gguf(d->source), has_bias, has_ff_bias;
    TRY(model_source_bool(d->source, KEY_ATTENTION_BIAS, is_gguf && draft_has(d, qkv, PART_BIAS), &has_bias, error));
    TRY(model_source_bool(d->source, KEY_FF_BIAS, is_gguf && draft_has(d, TENSOR_FF_DOWN, PART_BIAS), &has_ff_bias,
                          error));
    decoder->has_qkv_bias = has_bias;
    decoder->has_output_bias = has_bias && draft_has(d, TENSOR_ATTENTION_OUTPUT, PART_BIAS);
    decoder->has_ff_bias = has_ff_bias;
    return HOB_OK;
}

hob_status rotary_decoder_read(struct draft *d, struct rotary_decoder *decoder, hob_error *error)
{
    TRY(draft_read_shape(d, error));
    TRY(draft_read_ff_width(d, KEY_REQUIRED, error));
    TRY(read_epsilon(d, decoder, error));
    if (decoder->feed == FEED_GELU) TRY(draft_read_gelu(d, decoder->gelu, &decoder->approximate, error));
    else TRY(read_gate(d, decoder, error));
    TRY(refuse_variants(d, error));
    TRY(layer_windows_read(d, &decoder->window, &decoder->windows, error));
    TRY(layer_positions_read(d, decoder->unturned_period, &decoder->is_unturned, error));
    return read_ropes(d, decoder, error);
}
