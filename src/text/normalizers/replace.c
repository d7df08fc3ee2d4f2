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

const struct normalizer_def normalizer_replace = {.names = {"Replace"}, .load = load, .apply = apply};
