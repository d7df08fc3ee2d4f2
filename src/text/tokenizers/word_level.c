/* Each piece is one token, or unknown. */
#include "base/error.h"
#include "text/json_read.h"
#include "text/parts.h"

static hob_status load_json(struct tokenizer *tokenizer, const json_t *model, hob_error *error)
{
    const char *unknown;
    size_t n_unknown;
    TRY(vocabulary_load_object(tokenizer, model, error));
    TRY(json_read_string(model, "unk_token", "<unk>", &unknown, &n_unknown, error));
    tokenizer->roles[HOB_TOKEN_UNKNOWN] = vocabulary_find(&tokenizer->vocabulary, unknown, n_unknown);
    return HOB_OK;
}

static hob_status encode(const struct tokenizer *tokenizer, struct encoding *encoding, const struct piece *piece,
                         hob_error *error)
{
    int32_t id = vocabulary_find(&tokenizer->vocabulary, piece->text, piece->n_bytes);
    if (id < 0) id = tokenizer->roles[HOB_TOKEN_UNKNOWN];
    return id < 0 ? HOB_OK : encoding_append(encoding, id, error);
}

const struct tokenizer_def tokenizer_word_level = {
    .json_name = "WordLevel", .load_json = load_json, .encode = encode};
