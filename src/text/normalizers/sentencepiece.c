/* SentencePiece's own: at each point the longest prefix that the character map knows is replaced; spaces become U+2581, runs of
 * them perhaps one, and one may be put in front. Takes any bytes; broken ones become U+FFFD. tokenizer.json spells the same out
 * as Precompiled, Strip, Replace and Metaspace, so this part has no name there. */
#include "text/sentencepiece.h"
#include "base/error.h"

#include <string.h>

struct sentencepiece {
    struct charsmap charsmap;
    bool adds_prefix, merges_spaces;
};

static const char visible_space[] = "\xE2\x96\x81";

hob_status normalizer_sentencepiece_add(struct tokenizer *tokenizer, const struct tokenizer_vocabulary *vocabulary,
                                        hob_error *error)
{
    struct sentencepiece *config = CONFIG_NEW(tokenizer, struct sentencepiece);
    if (!config) return text_no_memory(error);
    config->adds_prefix = vocabulary->add_space_prefix > 0;
    config->merges_spaces = vocabulary->remove_extra_whitespaces > 0;
    if (vocabulary->charsmap_bytes) {
        void *copy = arena_copy(&tokenizer->arena, vocabulary->charsmap, vocabulary->charsmap_bytes, 4);
        if (!copy) return text_no_memory(error);
        TRY(charsmap_init(&config->charsmap, copy, vocabulary->charsmap_bytes, error));
    }
    return part_list_append(&tokenizer->normalizers, &normalizer_sentencepiece, config, error);
}

/* What the text at `text` begins with, replaced; ret_taken: how much that was. */
static const char *replace_prefix(const struct sentencepiece *config, const char *text, size_t n_bytes,
                                  size_t *ret_taken, size_t *ret_n_bytes)
{
    const char *replacement = charsmap_find(&config->charsmap, text, n_bytes, true, ret_taken);
    if (!replacement) {
        size_t n = unicode_char_bytes(text, n_bytes);
        replacement = n ? text : "\xEF\xBF\xBD";
        *ret_taken = n ? n : 1;
        *ret_n_bytes = n ? n : 3;
    } else {
        *ret_n_bytes = strlen(replacement);
    }
    return replacement;
}

static hob_status apply(const void *config, struct encoding *encoding, const char *text, size_t n_bytes,
                        struct buffer *out, bool *is_first, hob_error *error)
{
    const struct sentencepiece *sentencepiece = config;
    bool is_in_word = false, is_prefixed = false;
    (void)encoding, (void)is_first, (void)error;
    for (size_t at = 0, n_taken, n; at < n_bytes; at += n_taken) {
        const char *part = replace_prefix(sentencepiece, text + at, n_bytes - at, &n_taken, &n);
        for (size_t i = 0; i < n; i++) {
            if (part[i] == ' ') {
                is_in_word = false;
                if (!sentencepiece->merges_spaces) buffer_append_string(out, visible_space);
                continue;
            }
            bool wants_space = sentencepiece->merges_spaces || (sentencepiece->adds_prefix && !is_prefixed);
            if (!is_in_word && wants_space) {
                buffer_append_string(out, visible_space);
                is_prefixed = true;
            }
            is_in_word = true;
            buffer_append_byte(out, (unsigned char)part[i]);
        }
    }
    return HOB_OK;
}

static const struct config_field fields[] = {
    {.kind = CONFIG_CHARSMAP, .offset = offsetof(struct sentencepiece, charsmap)},
    {.kind = CONFIG_BOOL, .offset = offsetof(struct sentencepiece, adds_prefix)},
    {.kind = CONFIG_BOOL, .offset = offsetof(struct sentencepiece, merges_spaces)},
    {.kind = CONFIG_END},
};

const struct normalizer_def normalizer_sentencepiece = {
    .config_bytes = sizeof(struct sentencepiece),
    .fields = fields,
    .apply = apply,
};
