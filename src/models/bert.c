/* BERT: learned positions and token types, LayerNorm behind each part. GGUF files of XLM-RoBERTa and DistilBERT say "bert" as well: their
 * converter leaves out the rows of positions that padding would have had, and the types that are not there.
 *
 * Source: Devlin et al. 2018. */
#include "models/text_encoder.h"

#include "base/error.h"

#include <string.h>

static const char *const hf_names[TENSOR_ROLE_COUNT] = {
    TEXT_ENCODER_BERT_NAMES,
    [TENSOR_POOLER] = "pooler.dense",
    [TENSOR_LABELS] = "classifier",
};

static hob_status build(struct draft *d, hob_error *error)
{
    struct text_encoder bert = {.has_qkv_bias = true,
                                .has_output_bias = true,
                                .has_up_bias = true,
                                .has_down_bias = true,
                                .epsilon = 1e-12f,
                                .distance_bias = VALUE_NONE};
    const char *positions;
    TRY(text_encoder_read(d, &bert, error));
    TRY(model_source_text(d->source, KEY_POSITION_KIND, "absolute", &positions, error));
    if (strcmp(positions, "absolute"))
        return model_source_refuse(d->source, KEY_POSITION_KIND, "absolute or alibi", error);
    TRY(text_encoder_read_types(d, &bert, 2, error));
    draft_begin(d);
    text_encoder_build(d, &bert);
    return HOB_OK;
}

/* Jina's say "bert" too. */
static bool is_bert(const struct model_source *source)
{
    return model_source_is_gguf(source) || !model_source_says(source, KEY_POSITION_KIND, "alibi");
}

const struct model_def model_bert = {
    .name = "bert",
    .summary = "BERT encoders: MiniLM, BGE, E5 and other sentence embedders",
    .kind = MODEL_ENCODER,
    .gguf_architecture = "bert",
    .hf_types = {"bert"},
    .hf_prefixes = {"bert.", ""},
    .hf_names = hf_names,
    .is_this = is_bert,
    .build = build,
};
