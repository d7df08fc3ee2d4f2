/* The four Unicode normal forms. */
#include "base/error.h"
#include "base/size.h"
#include "text/json_read.h"
#include "text/parts.h"

#include <string.h>

static const char *const names[] = {"NFC", "NFD", "NFKC", "NFKD"}; /* in the order of enum unicode_form */

static hob_status load(struct tokenizer *tokenizer, const json_t *json, const void **ret_config, hob_error *error)
{
    const char *type;
    size_t n_bytes;
    enum unicode_form *form = CONFIG_NEW(tokenizer, enum unicode_form);
    if (!form) return text_no_memory(error);
    TRY(json_read_string(json, "type", NULL, &type, &n_bytes, error));
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        if (!strcmp(names[i], type)) *form = (enum unicode_form)i;
    *ret_config = form;
    return HOB_OK;
}

static hob_status apply(const void *config, struct encoding *encoding, const char *text, size_t n_bytes,
                        struct buffer *out, bool *is_first, hob_error *error)
{
    (void)encoding, (void)is_first;
    return unicode_normalize(text, n_bytes, *(const enum unicode_form *)config, out) ? HOB_OK : text_no_memory(error);
}

static const struct config_field fields[] = {
    {.kind = CONFIG_U32, .offset = 0, .most = UNICODE_NFKD},
    {.kind = CONFIG_END},
};

const struct normalizer_def normalizer_unicode_form = {
    .names = {"NFC", "NFD", "NFKC", "NFKD"},
    .config_bytes = sizeof(enum unicode_form),
    .fields = fields,
    .load = load,
    .apply = apply,
};
