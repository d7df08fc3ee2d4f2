/* Byte-level and byte tokens are bytes by their spelling. Any other token is decoded between two plain ones, whose own text is
 * then taken off: what the decoder's stages do at a text's ends does not show. */
#include "text/token_text.h"
#include "base/error.h"
#include "base/memory.h"
#include "text/parts.h"

#include <string.h>

struct token_texts {
    const struct tokenizer *tokenizer;
    bool is_byte_level, has_byte_fallback;
    int32_t anchor; /* a token of plain letters; HOB_NO_TOKEN: none */
    size_t n_before, n_after;
    struct detokenizer *detokenizer;
    struct buffer decoded;
};

static bool has_stage(const struct tokenizer *tokenizer, const struct stage_def *def)
{
    for (size_t i = 0; i < tokenizer->stages.n_parts; i++)
        if (tokenizer->stages.parts[i].def == def) return true;
    return false;
}

static bool is_text_token(const struct tokenizer *tokenizer, int32_t id)
{
    enum token_type type = tokenizer_type(tokenizer, id);
    return type == TOKEN_NORMAL || type == TOKEN_USER_DEFINED || type == TOKEN_BYTE;
}

static bool is_plain(const char *text, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i++)
        if (text[i] < 'a' || text[i] > 'z') return false;
    return n_bytes > 0;
}

static int32_t find_anchor(const struct tokenizer *tokenizer)
{
    for (size_t id = 0; id < tokenizer_n_tokens(tokenizer); id++) {
        size_t n_bytes = 0;
        const char *text = tokenizer_token(tokenizer, (int32_t)id, &n_bytes);
        if (text && tokenizer_type(tokenizer, (int32_t)id) == TOKEN_NORMAL && is_plain(text, n_bytes))
            return (int32_t)id;
    }
    return HOB_NO_TOKEN;
}

static hob_status decode(struct token_texts *texts, const int32_t *ids, size_t n_ids, hob_error *error)
{
    buffer_clear(&texts->decoded);
    for (size_t i = 0; i < n_ids; i++) TRY(detokenizer_push(texts->detokenizer, ids[i], &texts->decoded, error));
    return detokenizer_finish(texts->detokenizer, &texts->decoded, error);
}

/* An anchor's text at the end may be longer than at the beginning, by the space that WordPiece puts between. */
static hob_status measure_anchor(struct token_texts *texts, hob_error *error)
{
    int32_t ids[] = {texts->anchor, texts->anchor};
    if (texts->anchor == HOB_NO_TOKEN) return HOB_OK;
    TRY(detokenizer_new(texts->tokenizer, 0, &texts->detokenizer, error));
    TRY(decode(texts, ids, 1, error));
    texts->n_before = texts->decoded.n_bytes;
    TRY(decode(texts, ids, 2, error));
    texts->n_after = texts->decoded.n_bytes - texts->n_before;
    return HOB_OK;
}

hob_status token_texts_new(const struct tokenizer *tokenizer, struct token_texts **ret_texts, hob_error *error)
{
    struct token_texts *texts = memory_new(1, sizeof *texts);
    if (!texts) return text_no_memory(error);
    texts->tokenizer = tokenizer;
    texts->is_byte_level = has_stage(tokenizer, &stage_byte_level);
    texts->has_byte_fallback = has_stage(tokenizer, &stage_byte_fallback);
    texts->anchor = find_anchor(tokenizer);
    hob_status status = measure_anchor(texts, error);
    if (status == HOB_OK) *ret_texts = texts;
    else token_texts_free(texts);
    return status;
}

void token_texts_free(struct token_texts *texts)
{
    if (!texts) return;
    detokenizer_free(texts->detokenizer);
    buffer_release(&texts->decoded);
    memory_free(texts);
}

/* GPT-2's alphabet; a spelling with other characters (an added token) stands for itself. */
static void append_unmapped(const char *spelling, size_t n_bytes, struct buffer *text)
{
    size_t n_before = text->n_bytes;
    for (size_t at = 0, n; at < n_bytes; at += n) {
        int byte = unicode_to_byte(unicode_next(spelling + at, n_bytes - at, &n));
        if (byte < 0) {
            text->n_bytes = n_before;
            buffer_append(text, spelling, n_bytes);
            return;
        }
        buffer_append_byte(text, (unsigned char)byte);
    }
}

static hob_status append_decoded(struct token_texts *texts, int32_t id, struct buffer *text, hob_error *error)
{
    struct buffer *decoded = &texts->decoded;
    int32_t ids[] = {texts->anchor, id, texts->anchor};
    if (texts->anchor == HOB_NO_TOKEN) return HOB_OK;
    TRY(decode(texts, ids, 3, error));
    size_t n_around = texts->n_before + texts->n_after;
    if (decoded->n_bytes > n_around) buffer_append(text, decoded->bytes + texts->n_before, decoded->n_bytes - n_around);
    return HOB_OK;
}

hob_status token_texts_append(struct token_texts *texts, int32_t id, struct buffer *text, hob_error *error)
{
    const struct tokenizer *tokenizer = texts->tokenizer;
    size_t n_bytes = 0;
    const char *spelling = tokenizer_token(tokenizer, id, &n_bytes);
    if (!spelling || !is_text_token(tokenizer, id)) return HOB_OK;
    int byte = texts->has_byte_fallback ? vocabulary_byte_of(spelling, n_bytes) : -1;
    if (tokenizer->is_gguf) TRY(gguf_token_text(tokenizer, id, text, error));
    else if (texts->is_byte_level) append_unmapped(spelling, n_bytes, text);
    else if (byte >= 0) buffer_append_byte(text, (unsigned char)byte);
    else TRY(append_decoded(texts, id, text, error));
    return text->is_failed ? text_no_memory(error) : HOB_OK;
}
