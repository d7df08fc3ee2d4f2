/* White space control follows Jinja2's lexer with trim_blocks and lstrip_blocks: a "-" inside a tag takes all white space beside it,
 * a line end behind a block or comment goes, and so do blanks before one that begins its line; a "+" keeps both. */
#include "text/jinja/lexer.h"
#include "text/unicode.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_NESTED = 200 };

struct lexer {
    const struct source *source;
    struct arena *arena;
    struct tokens tokens;
    hob_error *error;
    size_t at;
    char brackets[MOST_NESTED]; /* open ones: "}}" inside of a dict is no end of a tag */
    size_t n_brackets;
};

static hob_status no_memory(const struct lexer *lexer)
{
    FAIL(lexer->error, HOB_NO_MEMORY, "%s: no memory for its tokens", lexer->source->name);
}

static hob_status add(struct lexer *lexer, struct token token)
{
    struct tokens *tokens = &lexer->tokens;
    if (tokens->n_items == tokens->n_reserved) {
        size_t n_more = tokens->n_reserved * 2 + 64;
        struct token *items = ARENA_NEW(lexer->arena, struct token, n_more);
        if (!items) return no_memory(lexer);
        if (tokens->n_items) memcpy(items, tokens->items, tokens->n_items * sizeof *items);
        tokens->items = items;
        tokens->n_reserved = n_more;
    }
    tokens->items[tokens->n_items++] = token;
    return HOB_OK;
}

static hob_status add_span(struct lexer *lexer, enum token_kind kind, size_t from, size_t to)
{
    return add(lexer, (struct token){.kind = kind, .offset = from, .text = {lexer->source->text + from, to - from}});
}

/* 0 behind the end. */
static char byte_at(const struct lexer *lexer, size_t at)
{
    return at < lexer->source->n_bytes ? lexer->source->text[at] : '\0';
}

static bool is_at(const struct lexer *lexer, size_t at, const char *mark)
{
    size_t n_bytes = strlen(mark);
    return at <= lexer->source->n_bytes && lexer->source->n_bytes - at >= n_bytes && !memcmp(lexer->source->text + at, mark, n_bytes);
}

static size_t find(const struct lexer *lexer, size_t from, const char *mark)
{
    const char *found = from < lexer->source->n_bytes
                            ? memmem(lexer->source->text + from, lexer->source->n_bytes - from, mark, strlen(mark)) : NULL;
    return found ? (size_t)(found - lexer->source->text) : SIZE_MAX;
}

static size_t skip_space(const struct lexer *lexer, size_t at)
{
    while (at < lexer->source->n_bytes) {
        size_t n;
        if (!unicode_is_whitespace(unicode_next(lexer->source->text + at, lexer->source->n_bytes - at, &n))) break;
        at += n;
    }
    return at;
}

static size_t skip_space_back(const struct lexer *lexer, size_t from, size_t at)
{
    while (at > from) {
        size_t last = from + unicode_last(lexer->source->text + from, at - from), n;
        if (!unicode_is_whitespace(unicode_next(lexer->source->text + last, at - last, &n)) || last + n != at) break;
        at = last;
    }
    return at;
}

/* Where text[from..to) ends, that stands before a tag with this sign. */
static size_t end_of_text(const struct lexer *lexer, size_t from, size_t to, char sign, bool is_print)
{
    if (sign == '-') return skip_space_back(lexer, from, to);
    if (sign == '+' || is_print) return to;
    size_t line = to;
    while (line > from && byte_at(lexer, line - 1) != '\n') line--;
    bool begins_line = line > from || line == 0 || byte_at(lexer, line - 1) == '\n';
    return begins_line && skip_space_back(lexer, line, to) == line ? line : to;
}

static hob_status add_text(struct lexer *lexer, size_t from, size_t to, char sign, bool is_print)
{
    size_t end = end_of_text(lexer, from, to, sign, is_print);
    return end > from ? add_span(lexer, TOKEN_TEXT, from, end) : HOB_OK;
}

static char sign_at(const struct lexer *lexer, size_t at)
{
    char byte = byte_at(lexer, at);
    return byte == '-' || byte == '+' ? byte : '\0';
}

/* Behind the two bytes that end a tag at `at`, by the sign before them. */
static size_t behind_tag(const struct lexer *lexer, size_t at, char sign, bool is_print)
{
    at += 2;
    if (sign == '-') return skip_space(lexer, at);
    return at + (sign != '+' && !is_print && byte_at(lexer, at) == '\n');
}

/* ---- Inside of tags */

static bool is_name_start(char byte)
{
    return isalpha((unsigned char)byte) || byte == '_' || (unsigned char)byte >= 0x80;
}

static bool is_name_byte(char byte)
{
    return is_name_start(byte) || isdigit((unsigned char)byte);
}

static hob_status lex_name(struct lexer *lexer)
{
    size_t from = lexer->at;
    while (is_name_byte(byte_at(lexer, lexer->at))) lexer->at++;
    return add_span(lexer, TOKEN_NAME, from, lexer->at);
}

/* 0x10, 0o7, 0b1: behind the two bytes. */
static int number_base(const struct lexer *lexer)
{
    char letter = (char)(byte_at(lexer, lexer->at) == '0' ? tolower((unsigned char)byte_at(lexer, lexer->at + 1)) : 0);
    return letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 10;
}

static bool is_digit_of(char byte, int base)
{
    if (base == 16) return isxdigit((unsigned char)byte);
    return byte >= '0' && byte < '0' + base;
}

/* Digits with single "_" between them, those left out. */
static void take_digits(struct lexer *lexer, int base, struct buffer *digits)
{
    for (;;) {
        char byte = byte_at(lexer, lexer->at);
        if (byte == '_' && is_digit_of(byte_at(lexer, lexer->at + 1), base)) byte = byte_at(lexer, ++lexer->at);
        if (!is_digit_of(byte, base)) return;
        buffer_append_byte(digits, (unsigned char)byte);
        lexer->at++;
    }
}

static bool is_exponent_at(const struct lexer *lexer, size_t at)
{
    if (byte_at(lexer, at) != 'e' && byte_at(lexer, at) != 'E') return false;
    at += byte_at(lexer, at + 1) == '+' || byte_at(lexer, at + 1) == '-';
    return isdigit((unsigned char)byte_at(lexer, at + 1));
}

/* ".5" and "e-3" behind whole digits. true: there was one of them. */
static bool take_fraction(struct lexer *lexer, struct buffer *digits)
{
    size_t from = lexer->at;
    if (byte_at(lexer, from) == '.' && isdigit((unsigned char)byte_at(lexer, from + 1))) {
        buffer_append_byte(digits, '.');
        lexer->at++;
        take_digits(lexer, 10, digits);
    }
    if (is_exponent_at(lexer, lexer->at)) {
        buffer_append(digits, lexer->source->text + lexer->at, 2);
        lexer->at += 2;
        take_digits(lexer, 10, digits);
    }
    return lexer->at > from;
}

static hob_status lex_number(struct lexer *lexer)
{
    struct buffer digits = {0};
    size_t from = lexer->at;
    int base = number_base(lexer);
    bool is_index = from > 0 && byte_at(lexer, from - 1) == '.'; /* a.0.1 */
    if (base != 10) lexer->at += 2;
    take_digits(lexer, base, &digits);
    bool is_float = base == 10 && !is_index && take_fraction(lexer, &digits);
    struct token token = {.kind = is_float ? TOKEN_FLOAT : TOKEN_INTEGER, .offset = from};
    errno = 0;
    if (is_float) token.number = strtod(buffer_text(&digits), NULL);
    else token.integer = strtoll(buffer_text(&digits), NULL, base);
    bool is_too_large = errno == ERANGE && !is_float, is_failed = digits.is_failed, is_empty = !digits.n_bytes;
    buffer_release(&digits);
    if (is_failed) return no_memory(lexer);
    if (is_too_large || is_empty) return SOURCE_ERROR(lexer->source, from, lexer->error, HOB_BAD_FILE, "found a number that is no 64-bit integer");
    token.text = (struct text){lexer->source->text + from, lexer->at - from};
    return add(lexer, token);
}

static bool take_hex(const struct lexer *lexer, size_t at, size_t n_digits, uint32_t *ret_c)
{
    uint32_t c = 0;
    for (size_t i = 0; i < n_digits; i++) {
        char byte = byte_at(lexer, at + i);
        if (!isxdigit((unsigned char)byte)) return false;
        c = c << 4 | (uint32_t)(isdigit((unsigned char)byte) ? byte - '0' : tolower((unsigned char)byte) - 'a' + 10);
    }
    *ret_c = c;
    return c <= 0x10FFFF && (c < 0xD800 || c > 0xDFFF);
}

static bool take_octal(struct lexer *lexer, struct buffer *out)
{
    uint32_t c = 0;
    size_t n = 0;
    for (; n < 3 && is_digit_of(byte_at(lexer, lexer->at), 8); n++) c = c << 3 | (uint32_t)(byte_at(lexer, lexer->at++) - '0');
    if (n) unicode_append(out, c);
    return n > 0;
}

/* As Python's unicode-escape: an escape that it does not know stays, backslash and all. lexer->at is behind the backslash. */
static hob_status unescape(struct lexer *lexer, struct buffer *out)
{
    static const char known[] = "n\nt\tr\rb\bf\fv\va\a'\'\"\"\\\\";
    char letter = byte_at(lexer, lexer->at);
    size_t n_digits = letter == 'x' ? 2 : letter == 'u' ? 4 : letter == 'U' ? 8 : 0;
    uint32_t c;
    if (n_digits) {
        if (!take_hex(lexer, lexer->at + 1, n_digits, &c))
            return SOURCE_ERROR(lexer->source, lexer->at - 1, lexer->error, HOB_BAD_FILE, "found a broken \\%c in a string", letter);
        lexer->at += 1 + n_digits;
        unicode_append(out, c);
        return HOB_OK;
    }
    if (take_octal(lexer, out)) return HOB_OK;
    lexer->at++;
    for (const char *pair = known; *pair; pair += 2)
        if (letter == *pair) return buffer_append_byte(out, (unsigned char)pair[1]), HOB_OK;
    if (letter == '\n') return HOB_OK;
    buffer_append_byte(out, '\\');
    buffer_append_byte(out, (unsigned char)letter);
    return HOB_OK;
}

static hob_status take_string(struct lexer *lexer, char quote, struct buffer *out)
{
    size_t from = lexer->at - 1;
    while (byte_at(lexer, lexer->at) != quote) {
        if (lexer->at >= lexer->source->n_bytes)
            return SOURCE_ERROR(lexer->source, from, lexer->error, HOB_BAD_FILE, "found a string without an end");
        char byte = byte_at(lexer, lexer->at++);
        if (byte != '\\') buffer_append_byte(out, (unsigned char)byte);
        else TRY(unescape(lexer, out));
    }
    lexer->at++;
    return HOB_OK;
}

static hob_status lex_string(struct lexer *lexer)
{
    struct buffer out = {0};
    struct token token = {.kind = TOKEN_STRING, .offset = lexer->at};
    char quote = byte_at(lexer, lexer->at++);
    hob_status status = take_string(lexer, quote, &out);
    if (status == HOB_OK) {
        token.text = (struct text){arena_copy_string(lexer->arena, buffer_text(&out), out.n_bytes), out.n_bytes};
        status = out.is_failed || !token.text.bytes ? no_memory(lexer) : add(lexer, token);
    }
    buffer_release(&out);
    return status;
}

static char closing(char bracket)
{
    return bracket == '(' ? ')' : bracket == '[' ? ']' : '}';
}

static hob_status balance(struct lexer *lexer, char byte)
{
    if (strchr("([{", byte)) {
        if (lexer->n_brackets == MOST_NESTED)
            return SOURCE_ERROR(lexer->source, lexer->at, lexer->error, HOB_LIMIT, "nested deeper than %d", MOST_NESTED);
        lexer->brackets[lexer->n_brackets++] = byte;
    } else if (strchr(")]}", byte)) {
        if (!lexer->n_brackets || closing(lexer->brackets[lexer->n_brackets - 1]) != byte)
            return SOURCE_ERROR(lexer->source, lexer->at, lexer->error, HOB_BAD_FILE, "found '%c' that nothing opened", byte);
        lexer->n_brackets--;
    }
    return HOB_OK;
}

static hob_status lex_operator(struct lexer *lexer)
{
    static const char *const operators[] = {"**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "<", ">", "=", "(", ")",
                                            "[", "]", "{", "}", ".", ":", "|", ","};
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++) {
        if (!is_at(lexer, lexer->at, operators[i])) continue;
        if (!operators[i][1]) TRY(balance(lexer, operators[i][0]));
        size_t from = lexer->at;
        lexer->at += strlen(operators[i]);
        return add_span(lexer, TOKEN_OPERATOR, from, lexer->at);
    }
    return SOURCE_ERROR(lexer->source, lexer->at, lexer->error, HOB_BAD_FILE, "found a character that has no meaning here");
}

static hob_status lex_word(struct lexer *lexer)
{
    char byte = byte_at(lexer, lexer->at);
    if (is_name_start(byte)) return lex_name(lexer);
    if (isdigit((unsigned char)byte)) return lex_number(lexer);
    if (byte == '\'' || byte == '"') return lex_string(lexer);
    return lex_operator(lexer);
}

/* lexer->at is behind the tag's beginning and sign. */
static hob_status lex_tag(struct lexer *lexer, size_t from, bool is_print)
{
    const char *end = is_print ? "}}" : "%}";
    lexer->n_brackets = 0;
    TRY(add_span(lexer, is_print ? TOKEN_PRINT_BEGIN : TOKEN_BLOCK_BEGIN, from, from + 2));
    for (;;) {
        lexer->at = skip_space(lexer, lexer->at);
        if (lexer->at >= lexer->source->n_bytes)
            return SOURCE_ERROR(lexer->source, from, lexer->error, HOB_BAD_FILE, "found a tag without an end, expected %s", end);
        char sign = sign_at(lexer, lexer->at);
        if (sign && !is_at(lexer, lexer->at + 1, end)) sign = '\0';
        size_t at = lexer->at + (sign != '\0');
        if (!lexer->n_brackets && is_at(lexer, at, end) && !(sign == '+' && is_print)) {
            TRY(add_span(lexer, is_print ? TOKEN_PRINT_END : TOKEN_BLOCK_END, at, at + 2));
            lexer->at = behind_tag(lexer, at, sign, is_print);
            return HOB_OK;
        }
        TRY(lex_word(lexer));
    }
}

static hob_status skip_comment(struct lexer *lexer, size_t from)
{
    size_t end = find(lexer, from + 2, "#}");
    if (end == SIZE_MAX) return SOURCE_ERROR(lexer->source, from, lexer->error, HOB_BAD_FILE, "found a comment without an end, expected #}");
    char sign = end > from + 2 ? sign_at(lexer, end - 1) : '\0';
    lexer->at = behind_tag(lexer, end, sign, false);
    return HOB_OK;
}

/* Whether a block at from says just this word; at then is where its two bytes of end stand, sign the one before them. */
static bool is_word_block(const struct lexer *lexer, size_t from, const char *word, size_t *ret_end, char *ret_sign)
{
    if (!is_at(lexer, from, "{%")) return false;
    size_t at = skip_space(lexer, from + 2 + (sign_at(lexer, from + 2) != '\0'));
    if (!is_at(lexer, at, word)) return false;
    at = skip_space(lexer, at + strlen(word));
    *ret_sign = sign_at(lexer, at);
    *ret_end = at + (*ret_sign != '\0');
    return is_at(lexer, *ret_end, "%}");
}

/* Between raw and endraw everything is text. */
static hob_status lex_raw(struct lexer *lexer, size_t from, size_t begin_end, char begin_sign)
{
    size_t start = begin_sign == '-' ? skip_space(lexer, begin_end + 2) : begin_end + 2, end;
    char sign;
    for (size_t at = start; (at = find(lexer, at, "{%")) != SIZE_MAX; at += 2) {
        if (!is_word_block(lexer, at, "endraw", &end, &sign)) continue;
        TRY(add_text(lexer, start, at, sign_at(lexer, at + 2), false));
        lexer->at = behind_tag(lexer, end, sign, false);
        return HOB_OK;
    }
    return SOURCE_ERROR(lexer->source, from, lexer->error, HOB_BAD_FILE, "found raw without endraw");
}

/* The first "{{", "{%" or "{#" at or behind at; the end when there is none. */
static size_t find_tag(const struct lexer *lexer, size_t at)
{
    for (; at + 1 < lexer->source->n_bytes; at++) {
        const char *brace = memchr(lexer->source->text + at, '{', lexer->source->n_bytes - at - 1);
        if (!brace) break;
        at = (size_t)(brace - lexer->source->text);
        if (strchr("{%#", brace[1]) && brace[1]) return at;
    }
    return lexer->source->n_bytes;
}

static hob_status lex_from_text(struct lexer *lexer)
{
    size_t from = lexer->at, tag = find_tag(lexer, from), end;
    if (tag == lexer->source->n_bytes) {
        lexer->at = tag;
        return tag > from ? add_span(lexer, TOKEN_TEXT, from, tag) : HOB_OK;
    }
    char kind = byte_at(lexer, tag + 1), sign = sign_at(lexer, tag + 2), end_sign;
    TRY(add_text(lexer, from, tag, sign, kind == '{'));
    if (kind == '#') return skip_comment(lexer, tag);
    if (is_word_block(lexer, tag, "raw", &end, &end_sign)) return lex_raw(lexer, tag, end, end_sign);
    lexer->at = tag + 2 + (sign != '\0');
    return lex_tag(lexer, tag, kind == '{');
}

hob_status lex(const struct source *source, struct arena *arena, struct tokens *ret_tokens, hob_error *error)
{
    struct lexer lexer = {.source = source, .arena = arena, .error = error};
    while (lexer.at < source->n_bytes) TRY(lex_from_text(&lexer));
    TRY(add_span(&lexer, TOKEN_END, source->n_bytes, source->n_bytes));
    *ret_tokens = lexer.tokens;
    return HOB_OK;
}
