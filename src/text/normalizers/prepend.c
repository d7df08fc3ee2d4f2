/* Puts a fixed text before any text that is not empty. */
#include "base/error.h"
#include "text/json_read.h"
#include "text/parts.h"

struct prepend_config {
    const char *text;
};

static hob_status load(struct tokenizer *tokenizer, const json_t *json, const void **ret_config, hob_error *error)
{
    const char *text;
    size_t n_bytes;
    struct prepend_config *config = CONFIG_NEW(tokenizer, struct prepend_config);
    TRY(json_read_string(json, "prepend", NULL, &text, &n_bytes, error));
    if (!config || !(config->text = arena_copy_string(&tokenizer->arena, text, n_bytes))) return text_no_memory(error);
    *ret_config = config;
    return HOB_OK;
}

static hob_status apply(const void *config, struct encoding *encoding, const char *text, size_t n_bytes,
                        struct buffer *out, bool *is_first, hob_error *error)
{
    (void)encoding, (void)is_first, (void)error;
    const struct prepend_config *prepend = config;
    if (n_bytes) buffer_append_string(out, prepend->text);
    buffer_append(out, text, n_bytes);
    return HOB_OK;
}

static const struct config_field fields[] = {
    {.kind = CONFIG_TEXT, .offset = offsetof(struct prepend_config, text)},
    {.kind = CONFIG_END},
};

const struct normalizer_def normalizer_prepend = {
    .names = {"Prepend"},
    .config_bytes = sizeof(struct prepend_config),
    .fields = fields,
    .load = load,
    .apply = apply,
};
