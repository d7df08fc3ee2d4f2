/* Llama and what kept its shape: Mistral with its sliding window, TinyLlama, SmolLM, Yi, DeepSeek's first coders. */
#include "models/rotary_decoder.h"

#include "base/error.h"

static hob_status build(struct draft *d, hob_error *error)
{
    struct rotary_decoder decoder = {
        .is_interleaved =
            model_source_is_gguf(d->source), /* the converter reorders q's and k's rows so that pairs lie together */
        .rope_base = 10000,
        .window.is_on = true,
    };
    TRY(rotary_decoder_read_biases(d, &decoder, error));
    TRY(rotary_decoder_read(d, &decoder, error));
    return rotary_decoder_build(d, &decoder, error);
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
