/* Every match of a pattern becomes a fixed text. The same part serves as a decoder stage (decoders/replace.c). */
#include "base/error.h"
#include "text/replacement.h"

static hob_status load(struct tokenizer *tokenizer, const json_t *json, const void **ret_config, hob_error *error)
{
    return replacement_load(tokenizer, json, ret_config, error);
}

static hob_status apply(const void *config, struct encoding *encoding, const char *text, size_t n_bytes,
                        struct buffer *out, bool *is_first, hob_error *error)
{
    const struct replacement *replacement = config;
    bool drops_begin = false;
    TRY(replacement_apply(replacement, &encoding->regex, text, n_bytes, out, &drops_begin, error));
    if (drops_begin) *is_first = false;
    return HOB_OK;
}

static const struct config_field fields[] = {
    {.kind = CONFIG_REGEX, .offset = offsetof(struct replacement, regex)},
    {.kind = CONFIG_TEXT, .offset = offsetof(struct replacement, literal), .size_offset = offsetof(struct replacement, literal_bytes), .is_optional = true},
    {.kind = CONFIG_TEXT, .offset = offsetof(struct replacement, content), .size_offset = offsetof(struct replacement, content_bytes)},
    {.kind = CONFIG_END},
};

const struct normalizer_def normalizer_replace = {
    .names = {"Replace"},
    .config_bytes = sizeof(struct replacement),
    .fields = fields,
    .load = load,
    .apply = apply,
};
