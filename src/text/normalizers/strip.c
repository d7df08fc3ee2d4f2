/* White space off either end. */
#include "base/error.h"
#include "text/json_read.h"
#include "text/parts.h"

struct strip_config {
    bool strips_left, strips_right;
};

static hob_status load(struct tokenizer *tokenizer, const json_t *json, const void **ret_config, hob_error *error)
{
    struct strip_config *config = CONFIG_NEW(tokenizer, struct strip_config);
    if (!config) return text_no_memory(error);
    TRY(json_read_bool(json, "strip_left", true, &config->strips_left, error));
    TRY(json_read_bool(json, "strip_right", true, &config->strips_right, error));
    *ret_config = config;
    return HOB_OK;
}

static hob_status apply(const void *config, struct encoding *encoding, const char *text, size_t n_bytes,
                        struct buffer *out, bool *is_first, hob_error *error)
{
    const struct strip_config *strip = config;
    size_t begin = 0, end = n_bytes, n;
    (void)encoding, (void)error;
    while (strip->strips_left && begin < end && unicode_is_whitespace(unicode_decode(text + begin, &n))) begin += n;
    while (strip->strips_right && end > begin) {
        size_t last = unicode_last(text, end);
        if (!unicode_is_whitespace(unicode_decode(text + last, &n))) break;
        end = last;
    }
    if (begin > 0) *is_first = false;
    buffer_append(out, text + begin, end - begin);
    return HOB_OK;
}

static const struct config_field fields[] = {
    {.kind = CONFIG_BOOL, .offset = offsetof(struct strip_config, strips_left)},
    {.kind = CONFIG_BOOL, .offset = offsetof(struct strip_config, strips_right)},
    {.kind = CONFIG_END},
};

const struct normalizer_def normalizer_strip = {
    .names = {"Strip"},
    .config_bytes = sizeof(struct strip_config),
    .fields = fields,
    .load = load,
    .apply = apply,
};
