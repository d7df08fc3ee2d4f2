/* SentencePiece's character map the way Hugging Face applies it: a grapheme of less than six bytes is looked up as a whole,
 * any other character by character, and a hit on the shortest prefix replaces all that was looked up. */
#include "base/error.h"
#include "text/json_read.h"
#include "text/parts.h"

#include <string.h>
#include <utf8proc.h>

enum { MAX_CHARSMAP_BYTES = 1 << 24 };

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Stops at the padding. false: not base64. */
static bool decode_base64(const char *text, size_t n_bytes, unsigned char *bytes, size_t *ret_n_bytes)
{
    uint32_t bits = 0;
    size_t n_bits = 0, n = 0;
    for (size_t i = 0; i < n_bytes && text[i] != '='; i++) {
        int digit = base64_digit(text[i]);
        if (digit < 0) return false;
        bits = bits << 6 | (uint32_t)digit;
        n_bits += 6;
        if (n_bits < 8) continue;
        n_bits -= 8;
        bytes[n++] = (unsigned char)(bits >> n_bits);
    }
    *ret_n_bytes = n;
    return true;
}

static hob_status load(struct tokenizer *tokenizer, const json_t *json, const void **ret_config, hob_error *error)
{
    const char *text;
    size_t n_text, n_bytes;
    struct charsmap *charsmap = CONFIG_NEW(tokenizer, struct charsmap);
    TRY(json_read_string(json, "precompiled_charsmap", "", &text, &n_text, error));
    if (n_text > MAX_CHARSMAP_BYTES)
        FAIL(error, HOB_LIMIT, "charsmap: found %zu characters, at most %d are taken", n_text, MAX_CHARSMAP_BYTES);
    unsigned char *bytes = arena_alloc(&tokenizer->arena, n_text + 1, 4);
    if (!charsmap || !bytes) return text_no_memory(error);
    *ret_config = charsmap;
    if (n_text == 0) return HOB_OK; /* an empty map changes nothing */
    if (!decode_base64(text, n_text, bytes, &n_bytes)) FAIL(error, HOB_BAD_FILE, "charsmap: not base64");
    return charsmap_init(charsmap, bytes, n_bytes, error);
}

/* The length of the grapheme cluster at text. */
static size_t grapheme_bytes(const char *text, size_t n_bytes)
{
    utf8proc_int32_t state = 0;
    size_t n;
    uint32_t before = unicode_decode(text, &n);
    for (size_t at = n; at < n_bytes; at += n) {
        uint32_t c = unicode_decode(text + at, &n);
        if (utf8proc_grapheme_break_stateful((utf8proc_int32_t)before, (utf8proc_int32_t)c, &state)) return at;
        before = c;
    }
    return n_bytes;
}

static bool replace(const struct charsmap *charsmap, const char *text, size_t n_bytes, struct buffer *out)
{
    size_t ignored;
    const char *replacement = charsmap_find(charsmap, text, n_bytes, false, &ignored);
    if (replacement) buffer_append_string(out, replacement);
    return replacement != NULL;
}

static hob_status apply(const void *config, struct encoding *encoding, const char *text, size_t n_bytes,
                        struct buffer *out, bool *is_first, hob_error *error)
{
    (void)encoding, (void)error;
    for (size_t at = 0, n; at < n_bytes; at += n) {
        n = grapheme_bytes(text + at, n_bytes - at);
        if (n < 6 && replace(config, text + at, n, out)) {
            *is_first = *is_first && out->n_bytes > 0;
            continue;
        }
        for (size_t in = 0, n_char; in < n; in += n_char) {
            unicode_decode(text + at + in, &n_char);
            if (!replace(config, text + at + in, n_char, out)) buffer_append(out, text + at + in, n_char);
            *is_first = *is_first && out->n_bytes > 0;
        }
    }
    return HOB_OK;
}

static const struct config_field fields[] = {
    {.kind = CONFIG_CHARSMAP, .offset = 0},
    {.kind = CONFIG_END},
};

const struct normalizer_def normalizer_precompiled = {
    .names = {"Precompiled"},
    .config_bytes = sizeof(struct charsmap),
    .fields = fields,
    .load = load,
    .apply = apply,
};
