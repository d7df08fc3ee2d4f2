/* Cuts by a pattern. "Whitespace" is a fixed one: words, or runs of what is neither word nor space. */
#include "base/error.h"
#include "text/json_read.h"
#include "text/presplit.h"
#include "text/replacement.h"
#include "text/splitter.h"

#include <string.h>

struct split_config {
    const struct regex *regex;
    bool is_inverted;
    enum split_behavior behavior;
};

static hob_status load(struct tokenizer *tokenizer, const json_t *json, const void **ret_config, hob_error *error)
{
    static const char words[] = "\\w+|[^\\w\\s]+";
    struct split_config *config = CONFIG_NEW(tokenizer, struct split_config);
    const char *type, *ignored;
    size_t n_bytes;
    struct regex *regex;
    if (!config) return text_no_memory(error);
    TRY(json_read_string(json, "type", NULL, &type, &n_bytes, error));
    if (!strcmp(type, "Whitespace")) {
        TRY(regex_new(words, sizeof words - 1, &regex, error));
        TRY(tokenizer_keep_regex(tokenizer, regex, error));
        *config = (struct split_config){regex, true, SPLIT_REMOVED};
    } else {
        TRY(pattern_load(tokenizer, json, &regex, &ignored, &n_bytes, error));
        TRY(split_behavior_load(json, SPLIT_ISOLATED, &config->behavior, error));
        TRY(json_read_bool(json, "invert", false, &config->is_inverted, error));
        config->regex = regex;
    }
    *ret_config = config;
    return HOB_OK;
}

static hob_status split(const void *config, struct encoding *encoding, size_t stage, const struct piece *piece,
                        hob_error *error)
{
    const struct split_config *cut = config;
    return split_by_regex(cut->regex, cut->is_inverted, cut->behavior, encoding, stage, piece, error);
}

hob_status pretokenizer_split_add(struct tokenizer *tokenizer, const char *pattern, hob_error *error)
{
    struct split_config *config = CONFIG_NEW(tokenizer, struct split_config);
    struct regex *regex;
    if (!config) return text_no_memory(error);
    TRY(regex_new(pattern, strlen(pattern), &regex, error));
    TRY(tokenizer_keep_regex(tokenizer, regex, error));
    *config = (struct split_config){regex, false, SPLIT_ISOLATED};
    return part_list_append(&tokenizer->pretokenizers, &pretokenizer_split, config, error);
}

static const struct config_field fields[] = {
    {.kind = CONFIG_REGEX, .offset = offsetof(struct split_config, regex)},
    {.kind = CONFIG_BOOL, .offset = offsetof(struct split_config, is_inverted)},
    {.kind = CONFIG_U32, .offset = offsetof(struct split_config, behavior), .most = SPLIT_CONTIGUOUS},
    {.kind = CONFIG_END},
};

const struct pretokenizer_def pretokenizer_split = {
    .names = {"Split", "Whitespace"},
    .config_bytes = sizeof(struct split_config),
    .fields = fields,
    .load = load,
    .split = split,
};
