/* RoBERTa and XLM-RoBERTa (BGE-M3, multilingual E5, CamemBERT): BERT whose learned positions begin behind the padding token's. GGUF files
 * of them say "bert", and have left those first rows out.
 *
 * Source: Liu et al. 2019; Conneau et al. 2019. */
#include "models/text_encoder.h"

#include "base/error.h"

#include <string.h>

static const char *const hf_names[TENSOR_ROLE_COUNT] = {
    TEXT_ENCODER_BERT_NAMES,
    [TENSOR_POOLER] = "classifier.dense",
    [TENSOR_LABELS] = "classifier.out_proj",
};

static hob_status build(struct draft *d, hob_error *error)
{
    struct text_encoder roberta = {.has_qkv_bias = true,
                                   .has_output_bias = true,
                                   .has_up_bias = true,
                                   .has_down_bias = true,
                                   .epsilon = 1e-5f,
                                   .distance_bias = VALUE_NONE};
    const char *positions;
    TRY(text_encoder_read(d, &roberta, error));
    TRY(model_source_text(d->source, KEY_POSITION_KIND, "absolute", &positions, error));
    if (strcmp(positions, "absolute")) return model_source_refuse(d->source, KEY_POSITION_KIND, "absolute", error);
    TRY(text_encoder_read_types(d, &roberta, 1, error));
    TRY(text_encoder_skip_padding(d, &roberta, error));
    draft_begin(d);
    text_encoder_build(d, &roberta);
    return HOB_OK;
}

const struct model_def model_xlm_roberta = {
    .name = "xlm-roberta",
    .summary = "RoBERTa and XLM-RoBERTa encoders: BGE-M3, multilingual E5",
    .kind = MODEL_ENCODER,
    .gguf_architecture = "",
    .hf_types = {"xlm-roberta", "roberta", "camembert"},
    .hf_prefixes = {"roberta.", ""},
    .hf_names = hf_names,
    .build = build,
};
