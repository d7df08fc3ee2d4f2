#include "text/replacement.h"
#include "base/error.h"
#include "text/json_read.h"

#include <string.h>

hob_status pattern_load(struct tokenizer *tokenizer, const json_t *json, struct regex **ret_regex,
                        const char **ret_literal, size_t *ret_literal_bytes, hob_error *error)
{
    const json_t *pattern;
    const char *text;
    struct regex *regex;
    TRY(json_read_object(json, "pattern", &pattern, error));
    bool is_literal = json_object_get(pattern, "String") != NULL;
    TRY(json_read_string(pattern, is_literal ? "String" : "Regex", NULL, &text, ret_literal_bytes, error));
    TRY(is_literal ? regex_new_literal(text, *ret_literal_bytes, &regex, error)
                   : regex_new(text, *ret_literal_bytes, &regex, error));
    TRY(tokenizer_keep_regex(tokenizer, regex, error));
    *ret_regex = regex;
    *ret_literal = NULL;
    if (!is_literal) return HOB_OK;
    *ret_literal = arena_copy_string(&tokenizer->arena, text, *ret_literal_bytes);
    return *ret_literal ? HOB_OK : text_no_memory(error);
}

hob_status replacement_load(struct tokenizer *tokenizer, const json_t *json, const void **ret_config,
                            hob_error *error)
{
    struct replacement *replacement = CONFIG_NEW(tokenizer, struct replacement);
    const char *content;
    struct regex *regex;
    if (!replacement) return text_no_memory(error);
    TRY(pattern_load(tokenizer, json, &regex, &replacement->literal, &replacement->literal_bytes, error));
    TRY(json_read_string(json, "content", "", &content, &replacement->content_bytes, error));
    replacement->regex = regex;
    replacement->content = arena_copy_string(&tokenizer->arena, content, replacement->content_bytes);
    if (!replacement->content) return text_no_memory(error);
    *ret_config = replacement;
    return HOB_OK;
}

static void replace_literal(const struct replacement *replacement, const char *text, size_t n_bytes,
                            struct buffer *out)
{
    for (const char *end = text + n_bytes, *found; text < end; text = found + replacement->literal_bytes) {
        found = memmem(text, (size_t)(end - text), replacement->literal, replacement->literal_bytes);
        buffer_append(out, text, (size_t)((found ? found : end) - text));
        if (!found) return;
        buffer_append(out, replacement->content, replacement->content_bytes);
    }
}

hob_status replacement_apply(const struct replacement *replacement, struct regex_scratch *scratch, const char *text,
                             size_t n_bytes, struct buffer *out, bool *ret_drops_begin, hob_error *error)
{
    struct regex_search search = {.text = text, .n_bytes = n_bytes};
    size_t done = 0;
    *ret_drops_begin = replacement->content_bytes == 0 && replacement->literal_bytes && replacement->literal &&
                       n_bytes >= replacement->literal_bytes &&
                       !memcmp(text, replacement->literal, replacement->literal_bytes);
    if (replacement->literal && replacement->literal_bytes) {
        replace_literal(replacement, text, n_bytes, out);
        return HOB_OK;
    }
    for (bool is_found;; done = search.end) {
        TRY(regex_next(replacement->regex, scratch, &search, &is_found, error));
        buffer_append(out, text + done, (is_found ? search.begin : n_bytes) - done);
        if (!is_found) return HOB_OK;
        if (search.begin == 0 && search.end > 0 && replacement->content_bytes == 0) *ret_drops_begin = true;
        buffer_append(out, replacement->content, replacement->content_bytes);
        if (out->is_failed) return text_no_memory(error);
    }
}
