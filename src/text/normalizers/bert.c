/* BERT's clean-up: control characters out, any white space to a space, spaces around Chinese characters, accents off, lower
 * case. In that order, as Hugging Face's Rust code has it. */
#include "base/error.h"
#include "text/json_read.h"
#include "text/parts.h"

struct bert_config {
    bool cleans, spaces_chinese, strips_accents, is_lowercase;
};

static hob_status load(struct tokenizer *tokenizer, const json_t *json, const void **ret_config, hob_error *error)
{
    struct bert_config *config = CONFIG_NEW(tokenizer, struct bert_config);
    if (!config) return text_no_memory(error);
    TRY(json_read_bool(json, "clean_text", true, &config->cleans, error));
    TRY(json_read_bool(json, "handle_chinese_chars", true, &config->spaces_chinese, error));
    TRY(json_read_bool(json, "lowercase", true, &config->is_lowercase, error));
    TRY(json_read_bool(json, "strip_accents", config->is_lowercase, &config->strips_accents, error));
    *ret_config = config;
    return HOB_OK;
}

static void clean(const struct bert_config *config, const char *text, size_t n_bytes, struct buffer *out)
{
    for (size_t at = 0, n; at < n_bytes; at += n) {
        uint32_t c = unicode_decode(text + at, &n);
        bool is_space = unicode_is_whitespace(c);
        if (config->cleans && (c == 0 || c == UNICODE_REPLACEMENT)) continue;
        if (config->cleans && c != '\t' && c != '\n' && c != '\r' && unicode_is_other(c)) continue;
        if (config->cleans && is_space)
            buffer_append_byte(out, ' ');
        else if (config->spaces_chinese && unicode_is_chinese(c))
            buffer_printf(out, " %.*s ", (int)n, text + at);
        else
            buffer_append(out, text + at, n);
    }
}

static void strip_and_lower(const struct bert_config *config, const struct buffer *text, struct buffer *out)
{
    for (size_t at = 0, n; at < text->n_bytes; at += n) {
        uint32_t c = unicode_decode(text->bytes + at, &n);
        if (config->strips_accents && unicode_is_nonspacing_mark(c)) continue;
        if (config->is_lowercase)
            unicode_append_lower(out, c);
        else
            buffer_append(out, text->bytes + at, n);
    }
}

static hob_status apply(const void *config, struct encoding *encoding, const char *text, size_t n_bytes,
                        struct buffer *out, bool *is_first, hob_error *error)
{
    const struct bert_config *bert = config;
    struct buffer cleaned = {0}, decomposed = {0};
    bool is_done = true;
    (void)encoding;
    (void)is_first;
    clean(bert, text, n_bytes, &cleaned);
    if (bert->strips_accents)
        is_done = unicode_normalize(buffer_text(&cleaned), cleaned.n_bytes, UNICODE_NFD, &decomposed);
    strip_and_lower(bert, bert->strips_accents ? &decomposed : &cleaned, out);
    is_done = is_done && !cleaned.is_failed && !decomposed.is_failed;
    buffer_release(&cleaned);
    buffer_release(&decomposed);
    return is_done ? HOB_OK : text_no_memory(error);
}

static const struct config_field fields[] = {
    {.kind = CONFIG_BOOL, .offset = offsetof(struct bert_config, cleans)},
    {.kind = CONFIG_BOOL, .offset = offsetof(struct bert_config, spaces_chinese)},
    {.kind = CONFIG_BOOL, .offset = offsetof(struct bert_config, strips_accents)},
    {.kind = CONFIG_BOOL, .offset = offsetof(struct bert_config, is_lowercase)},
    {.kind = CONFIG_END},
};

const struct normalizer_def normalizer_bert = {
    .names = {"BertNormalizer"},
    .config_bytes = sizeof(struct bert_config),
    .fields = fields,
    .load = load,
    .apply = apply,
};
