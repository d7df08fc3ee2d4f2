#include "text/unicode.h"
#include "base/memory.h"
#include "base/size.h"

#include <string.h>
#include <utf8proc.h>

uint32_t unicode_decode(const char *text, size_t *ret_n_bytes)
{
    const unsigned char *s = (const unsigned char *)text;
    if (s[0] < 0x80) return *ret_n_bytes = 1, s[0];
    if (s[0] < 0xE0) return *ret_n_bytes = 2, (uint32_t)(s[0] & 0x1F) << 6 | (s[1] & 0x3F);
    if (s[0] < 0xF0)
        return *ret_n_bytes = 3, (uint32_t)(s[0] & 0x0F) << 12 | (uint32_t)(s[1] & 0x3F) << 6 | (s[2] & 0x3F);
    *ret_n_bytes = 4;
    return (uint32_t)(s[0] & 0x07) << 18 | (uint32_t)(s[1] & 0x3F) << 12 | (uint32_t)(s[2] & 0x3F) << 6 |
           (s[3] & 0x3F);
}

/* Table 3-7 of the Unicode standard: the second byte's range depends on the first. */
static size_t lead_info(unsigned char lead, unsigned char *ret_low, unsigned char *ret_high)
{
    *ret_low = 0x80;
    *ret_high = 0xBF;
    if (lead < 0x80) return 1;
    if (lead < 0xC2) return 0;
    if (lead < 0xE0) return 2;
    if (lead == 0xE0) *ret_low = 0xA0;
    if (lead == 0xED) *ret_high = 0x9F;
    if (lead < 0xF0) return 3;
    if (lead == 0xF0) *ret_low = 0x90;
    if (lead == 0xF4) *ret_high = 0x8F;
    return lead < 0xF5 ? 4 : 0;
}

/* How many of the first bytes fit one character; ret_needed: its whole length, 0 for a byte that begins none. */
static size_t fitting_bytes(const char *text, size_t n_bytes, size_t *ret_needed)
{
    const unsigned char *s = (const unsigned char *)text;
    unsigned char low, high;
    *ret_needed = lead_info(s[0], &low, &high);
    size_t i = 1;
    for (; i < *ret_needed && i < n_bytes && s[i] >= low && s[i] <= high; i++) {
        low = 0x80;
        high = 0xBF;
    }
    return i;
}

size_t unicode_char_bytes(const char *text, size_t n_bytes)
{
    size_t needed, fitting = fitting_bytes(text, n_bytes, &needed);
    return fitting == needed ? needed : 0;
}

uint32_t unicode_next(const char *text, size_t n_bytes, size_t *ret_n_bytes)
{
    if (unicode_char_bytes(text, n_bytes)) return unicode_decode(text, ret_n_bytes);
    return *ret_n_bytes = 1, UNICODE_REPLACEMENT;
}

size_t unicode_broken_bytes(const char *text, size_t n_bytes, bool *ret_is_cut_short)
{
    size_t needed, fitting = fitting_bytes(text, n_bytes, &needed);
    *ret_is_cut_short = fitting == n_bytes && fitting < needed;
    return fitting;
}

/* Index of the first byte that is not plain ASCII from `at` on; eight at a time. */
static size_t skip_ascii(const char *text, size_t at, size_t n_bytes)
{
    for (; at + 8 <= n_bytes; at += 8) {
        uint64_t word;
        memcpy(&word, text + at, 8);
        if (word & 0x8080808080808080u) break;
    }
    while (at < n_bytes && (unsigned char)text[at] < 0x80) at++;
    return at;
}

bool unicode_is_valid(const char *text, size_t n_bytes)
{
    for (size_t at = skip_ascii(text, 0, n_bytes); at < n_bytes; at = skip_ascii(text, at, n_bytes)) {
        size_t n = unicode_char_bytes(text + at, n_bytes - at);
        if (n == 0) return false;
        at += n;
    }
    return true;
}

void unicode_repair(const char *text, size_t n_bytes, enum unicode_broken broken, struct buffer *out)
{
    size_t copied = 0;
    for (size_t at = 0; at < n_bytes;) {
        size_t n = unicode_char_bytes(text + at, n_bytes - at);
        if (n) {
            at += n;
            continue;
        }
        buffer_append(out, text + copied, at - copied);
        unicode_append(out, UNICODE_REPLACEMENT);
        bool is_cut_short;
        at += broken == BROKEN_MAXIMAL ? unicode_broken_bytes(text + at, n_bytes - at, &is_cut_short) : 1;
        copied = at;
    }
    buffer_append(out, text + copied, n_bytes - copied);
}

void unicode_append(struct buffer *out, uint32_t c)
{
    utf8proc_uint8_t bytes[4];
    utf8proc_ssize_t n_bytes = utf8proc_encode_char((utf8proc_int32_t)c, bytes);
    buffer_append(out, bytes, (size_t)n_bytes);
}

size_t unicode_last(const char *text, size_t n_bytes)
{
    size_t at = n_bytes - 1;
    while (at > 0 && ((unsigned char)text[at] & 0xC0) == 0x80) at--;
    return at;
}

/* All characters below U+0300 are in NFC already, do not combine and begin with a byte below 0xCC. */
static bool is_surely_normal(const char *text, size_t n_bytes, enum unicode_form form)
{
    unsigned char limit = form == UNICODE_NFC ? 0xCC : 0x80;
    for (size_t i = 0; i < n_bytes; i++)
        if ((unsigned char)text[i] >= limit) return false;
    return true;
}

static bool append_codepoints(struct buffer *out, const utf8proc_int32_t *codepoints, utf8proc_ssize_t n)
{
    for (utf8proc_ssize_t i = 0; i < n; i++) unicode_append(out, (uint32_t)codepoints[i]);
    return !out->is_failed;
}

bool unicode_normalize(const char *text, size_t n_bytes, enum unicode_form form, struct buffer *out)
{
    if (is_surely_normal(text, n_bytes, form)) return buffer_append(out, text, n_bytes);
    int options = UTF8PROC_STABLE | (form == UNICODE_NFC || form == UNICODE_NFKC ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE);
    if (form == UNICODE_NFKC || form == UNICODE_NFKD) options |= UTF8PROC_COMPAT;
    const utf8proc_uint8_t *bytes = (const utf8proc_uint8_t *)text;
    utf8proc_ssize_t n = utf8proc_decompose(bytes, (utf8proc_ssize_t)n_bytes, NULL, 0, (utf8proc_option_t)options);
    if (n < 0) return false;
    utf8proc_int32_t *codepoints = memory_new((size_t)n + 1, sizeof *codepoints);
    if (!codepoints) return false;
    n = utf8proc_decompose(bytes, (utf8proc_ssize_t)n_bytes, codepoints, n, (utf8proc_option_t)options);
    if (n >= 0 && options & UTF8PROC_COMPOSE)
        n = utf8proc_normalize_utf32(codepoints, n, (utf8proc_option_t)options);
    bool is_done = n >= 0 && append_codepoints(out, codepoints, n);
    memory_free(codepoints);
    return is_done;
}

void unicode_append_lower(struct buffer *out, uint32_t c)
{
    if (c == 0x0130) /* the one character whose lower case is longer: I with a dot above keeps its dot */
        buffer_append(out, "i\xCC\x87", 3);
    else
        unicode_append(out, (uint32_t)utf8proc_tolower((utf8proc_int32_t)c));
}

bool unicode_is_whitespace(uint32_t c)
{
    if (c < 0x80) return c == ' ' || (c >= '\t' && c <= '\r');
    return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
           c == 0x202F || c == 0x205F || c == 0x3000;
}

/* Hugging Face's BERT asks a crate with the tables of Unicode 8: stretches in which marks, punctuation or format characters have
 * been added since. Other characters may lie between them. Found by running the reference over all of Unicode. */
static const uint32_t newer_than_8[][2] = {
    {0x61D, 0x61D}, {0x7FD, 0x7FD}, {0x890, 0x8E2}, {0x9FD, 0x9FE}, {0xA76, 0xA76}, {0xAFA, 0xAFF},
    {0xB55, 0xB55}, {0xC04, 0xC3C}, {0xC77, 0xC77}, {0xC84, 0xC84}, {0xD00, 0xD00}, {0xD3B, 0xD3C},
    {0xD81, 0xD81}, {0xEBA, 0xEBA}, {0xECE, 0xECE}, {0x180F, 0x1886}, {0x1ABF, 0x1ACE}, {0x1B7D, 0x1B7E},
    {0x1DF6, 0x1DFB}, {0x2E43, 0x2E5D}, {0xA82C, 0xA82C}, {0xA8C5, 0xA8C5}, {0xA8FF, 0xA8FF}, {0xA9BD, 0xA9BD},
    {0x10D24, 0x10D27}, {0x10EAB, 0x10F89}, {0x11070, 0x11074}, {0x110C2, 0x110CD}, {0x111CF, 0x111CF},
    {0x1123E, 0x11241}, {0x1133B, 0x1133B}, {0x11438, 0x1145E}, {0x11660, 0x1166C}, {0x116B9, 0x116B9},
    {0x1182F, 0x11D97}, {0x11EF3, 0x11FFF}, {0x12FF1, 0x12FF2}, {0x13430, 0x13455}, {0x16E97, 0x16F4F},
    {0x16FE2, 0x16FE4}, {0x1CF00, 0x1CF46}, {0x1E000, 0x1E136}, {0x1E2AE, 0x1E2EF}, {0x1E4EC, 0x1E4EF},
    {0x1E944, 0x1E95F},
};

static bool is_newer_than_8(uint32_t c)
{
    if (c < newer_than_8[0][0]) return false;
    for (size_t i = 0; i < ARRAY_LENGTH(newer_than_8); i++)
        if (c >= newer_than_8[i][0] && c <= newer_than_8[i][1]) return true;
    return false;
}

static bool is_in_category(uint32_t c, utf8proc_category_t first, utf8proc_category_t last)
{
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);
    return category >= first && category <= last;
}

bool unicode_is_punctuation(uint32_t c)
{
    if (c < 0x80)
        return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
    if (c == 0x166D || c == 0x111C9) return true; /* a sign and a mark by now */
    return is_in_category(c, UTF8PROC_CATEGORY_PC, UTF8PROC_CATEGORY_PO) && !is_newer_than_8(c);
}

bool unicode_is_number(uint32_t c)
{
    return is_in_category(c, UTF8PROC_CATEGORY_ND, UTF8PROC_CATEGORY_NO);
}

bool unicode_is_mark(uint32_t c)
{
    return is_in_category(c, UTF8PROC_CATEGORY_MN, UTF8PROC_CATEGORY_ME);
}

bool unicode_is_nonspacing_mark(uint32_t c)
{
    if (c == 0x1734 || c == 0x111C9) return c == 0x1734; /* the one was, the other was not yet */
    return utf8proc_category((utf8proc_int32_t)c) == UTF8PROC_CATEGORY_MN && !is_newer_than_8(c);
}

bool unicode_is_other(uint32_t c)
{
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);
    bool is_other = category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CF ||
                    category == UTF8PROC_CATEGORY_CO;
    return is_other && !is_newer_than_8(c);
}

bool unicode_is_word(uint32_t c)
{
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL: /* Alphabetic takes in the letter numbers */
    case UTF8PROC_CATEGORY_PC:
        return true;
    default: /* Other_Alphabetic symbols (circled and squared letters) and Join_Control */
        return (c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) || (c >= 0x1F150 && c <= 0x1F169) ||
               (c >= 0x1F170 && c <= 0x1F189) || c == 0x200C || c == 0x200D;
    }
}

/* The blocks of the original BERT code; 0x2B920 is a slip for 0x2B820 that every Rust-tokenized model was trained with. */
bool unicode_is_chinese(uint32_t c)
{
    return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
           (c >= 0x2A700 && c <= 0x2B73F) || (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
           (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

/* Printable Latin-1 stands for itself; the 68 others take U+0100 onwards in order: bytes 00-20, 7F-A0, AD. */
uint32_t unicode_of_byte(unsigned char byte)
{
    if (byte <= 0x20) return 0x100u + byte;
    if (byte >= 0x7F && byte <= 0xA0) return 0x121u + (byte - 0x7Fu);
    if (byte == 0xAD) return 0x143u;
    return byte;
}

int unicode_to_byte(uint32_t c)
{
    if (c >= 0x100 && c <= 0x120) return (int)(c - 0x100);
    if (c >= 0x121 && c <= 0x142) return (int)(c - 0x121 + 0x7F);
    if (c == 0x143) return 0xAD;
    if (c > 0xFF || c <= 0x20 || (c >= 0x7F && c <= 0xA0) || c == 0xAD) return -1;
    return (int)c;
}
