/* Llama and what kept its shape: Mistral, TinyLlama, SmolLM, Yi, DeepSeek's first coders. */
#include "models/rotary_decoder.h"

#include "base/error.h"

static hob_status build(struct draft *d, hob_error *error)
{
    char name[SOURCE_NAME_BYTES];
    bool is_gguf = model_source_is_gguf(d->source), has_bias;
    /* GGUF does not say whether there are biases: the tensors do. */
    bool has_bias_tensor = model_source_tensor(d->source, TENSOR_Q, PART_BIAS, 0, name);
    TRY(model_source_bool(d->source, KEY_ATTENTION_BIAS, is_gguf && has_bias_tensor, &has_bias, error));
    struct rotary_decoder decoder = {
        .is_interleaved = is_gguf, /* the converter reorders the rows of q and k so that pairs lie together */
        .has_qkv_bias = has_bias,
        .has_output_bias = has_bias && model_source_tensor(d->source, TENSOR_ATTENTION_OUTPUT, PART_BIAS, 0, name),
        .rope_base = 10000,
        .is_window_on = true,
    };
    return rotary_decoder_build(d, decoder, error);
}

const struct model_def model_llama = {
    .name = "llama",
    .summary = "Llama, Mistral, TinyLlama, SmolLM: rotary decoders with grouped-query attention",
    .kind = MODEL_DECODER,
    .gguf_architecture = "llama",
    .hf_types = {"llama", "mistral"},
    .hf_prefixes = {"model.", ""},
    .hf_names = rotary_decoder_hf_names,
    .build = build,
};
