/* Puts a fixed text before any text that is not empty. */
#include "base/error.h"
#include "text/json_read.h"
#include "text/parts.h"

static hob_status load(struct tokenizer *tokenizer, const json_t *json, const void **ret_config, hob_error *error)
{
    const char *text;
    size_t n_bytes;
    TRY(json_read_string(json, "prepend", NULL, &text, &n_bytes, error));
    *ret_config = arena_copy_string(&tokenizer->arena, text, n_bytes);
    return *ret_config ? HOB_OK : text_no_memory(error);
}

static hob_status apply(const void *config, struct encoding *encoding, const char *text, size_t n_bytes,
                        struct buffer *out, bool *is_first, hob_error *error)
{
    (void)encoding, (void)is_first, (void)error;
    if (n_bytes) buffer_append_string(out, config);
    buffer_append(out, text, n_bytes);
    return HOB_OK;
}

const struct normalizer_def normalizer_prepend = {.names = {"Prepend"}, .load = load, .apply = apply};
