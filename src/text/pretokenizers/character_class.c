/* Cuts at characters of one class: white space, punctuation, digits, or one given character. */
#include "base/error.h"
#include "text/json_read.h"
#include "text/splitter.h"

#include <string.h>

enum character_class { CLASS_ONE, CLASS_WHITESPACE, CLASS_PUNCTUATION, CLASS_NUMBER };

struct class_config {
    enum character_class class;
    uint32_t delimiter; /* of CLASS_ONE */
    enum split_behavior behavior;
};

static hob_status load_delimiter(const json_t *json, struct class_config *config, hob_error *error)
{
    const char *text;
    size_t n_bytes, n_char = 0;
    TRY(json_read_string(json, "delimiter", NULL, &text, &n_bytes, error));
    if (n_bytes) config->delimiter = unicode_decode(text, &n_char);
    if (n_bytes == 0 || n_char != n_bytes)
        FAIL(error, HOB_BAD_FILE, "\"delimiter\": found \"%.40s\", expected one character", text);
    config->behavior = SPLIT_REMOVED;
    return HOB_OK;
}

static hob_status load_digits(const json_t *json, struct class_config *config, hob_error *error)
{
    bool is_individual;
    TRY(json_read_bool(json, "individual_digits", false, &is_individual, error));
    config->class = CLASS_NUMBER;
    config->behavior = is_individual ? SPLIT_ISOLATED : SPLIT_CONTIGUOUS;
    return HOB_OK;
}

static hob_status load(struct tokenizer *tokenizer, const json_t *json, const void **ret_config, hob_error *error)
{
    struct class_config *config = CONFIG_NEW(tokenizer, struct class_config);
    const char *type;
    size_t n_bytes;
    if (!config) return text_no_memory(error);
    *ret_config = config;
    TRY(json_read_string(json, "type", NULL, &type, &n_bytes, error));
    if (!strcmp(type, "CharDelimiterSplit")) return load_delimiter(json, config, error);
    if (!strcmp(type, "Digits")) return load_digits(json, config, error);
    if (!strcmp(type, "Punctuation")) {
        config->class = CLASS_PUNCTUATION;
        return split_behavior_load(json, SPLIT_ISOLATED, &config->behavior, error);
    }
    config->class = CLASS_WHITESPACE;
    config->behavior = SPLIT_REMOVED;
    return HOB_OK;
}

static bool is_delimiter(const struct class_config *config, uint32_t c)
{
    switch (config->class) {
    case CLASS_WHITESPACE:
        return unicode_is_whitespace(c);
    case CLASS_PUNCTUATION:
        return unicode_is_punctuation(c);
    case CLASS_NUMBER:
        return unicode_is_number(c);
    default:
        return c == config->delimiter;
    }
}

static hob_status split(const void *config, struct encoding *encoding, size_t stage, const struct piece *piece,
                        hob_error *error)
{
    const struct class_config *class = config;
    struct splitter splitter = splitter_start(class->behavior, encoding, stage, piece);
    size_t gap = 0; /* bytes before the cursor that are no delimiters */
    for (size_t at = 0, n; at < piece->n_bytes; at += n) {
        uint32_t c = unicode_decode(piece->text + at, &n);
        bool is_match = is_delimiter(class, c);
        gap += is_match ? 0 : n;
        if (!is_match) continue;
        if (gap) TRY(splitter_feed(&splitter, at, false, error));
        TRY(splitter_feed(&splitter, at + n, true, error));
        gap = 0;
    }
    if (gap) TRY(splitter_feed(&splitter, piece->n_bytes, false, error));
    return splitter_finish(&splitter, error);
}

static const struct config_field fields[] = {
    {.kind = CONFIG_U32, .offset = offsetof(struct class_config, class), .most = CLASS_NUMBER},
    {.kind = CONFIG_U32, .offset = offsetof(struct class_config, delimiter)},
    {.kind = CONFIG_U32, .offset = offsetof(struct class_config, behavior), .most = SPLIT_CONTIGUOUS},
    {.kind = CONFIG_END},
};

const struct pretokenizer_def pretokenizer_character_class = {
    .names = {"WhitespaceSplit", "Punctuation", "Digits", "CharDelimiterSplit"},
    .config_bytes = sizeof(struct class_config),
    .fields = fields,
    .load = load,
    .split = split,
};
