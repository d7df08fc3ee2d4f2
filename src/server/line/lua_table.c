/* A recursive descent over Lua's table constructors (Lua 5.4 manual, 3.1 and 3.4.9), bounded in depth, with what vim.inspect adds to them:
 * "<function 1>", "<table 2>", "<1>{…}", "<metatable> = …". */
#include "server/line/lua_table.h"

#include <string.h>

enum { MOST_DEPTH = 32, MOST_NUMBER_BYTES = 48 };

struct reader {
    const char *at, *end;
    int depth;
    lua_on_field *on_field;
    void *context;
};

/* What a value was. */
struct value {
    enum { VALUE_TEXT, VALUE_NUMBER, VALUE_OTHER } kind;
    struct buffer *text; /* VALUE_TEXT is put there */
    double number;
};

static enum line_result read_value(struct reader *reader, struct value *value);
static enum line_result read_table(struct reader *reader);

/* Space and comments to the line's end. */
static void skip_space(struct reader *reader)
{
    while (reader->at < reader->end) {
        if (strchr(" \t\r\n\v\f", *reader->at) && *reader->at) reader->at++;
        else if (reader->end - reader->at >= 2 && memcmp(reader->at, "--", 2) == 0) {
            const char *line_end = memchr(reader->at, '\n', (size_t)(reader->end - reader->at));
            reader->at = line_end ? line_end : reader->end;
        } else return;
    }
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int hex_digit(char c)
{
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* ---- strings ---- */

static void put_utf8(struct buffer *text, unsigned code)
{
    if (code < 0x80) buffer_append_byte(text, (unsigned char)code);
    else if (code < 0x800) {
        buffer_append_byte(text, (unsigned char)(0xC0 | code >> 6));
        buffer_append_byte(text, (unsigned char)(0x80 | (code & 63)));
    } else if (code < 0x10000) {
        buffer_append_byte(text, (unsigned char)(0xE0 | code >> 12));
        buffer_append_byte(text, (unsigned char)(0x80 | (code >> 6 & 63)));
        buffer_append_byte(text, (unsigned char)(0x80 | (code & 63)));
    } else {
        buffer_append_byte(text, (unsigned char)(0xF0 | code >> 18));
        buffer_append_byte(text, (unsigned char)(0x80 | (code >> 12 & 63)));
        buffer_append_byte(text, (unsigned char)(0x80 | (code >> 6 & 63)));
        buffer_append_byte(text, (unsigned char)(0x80 | (code & 63)));
    }
}

/* \ddd: one to three decimal digits of a byte. */
static enum line_result read_decimal(struct reader *reader, struct buffer *text)
{
    unsigned code = 0;
    for (int i = 0; i < 3 && reader->at < reader->end && is_digit(*reader->at); i++) code = code * 10 + (unsigned)(*reader->at++ - '0');
    if (code > 255) return LINE_BAD;
    buffer_append_byte(text, (unsigned char)code);
    return LINE_WHOLE;
}

static enum line_result read_hex(struct reader *reader, struct buffer *text)
{
    if (reader->end - reader->at < 2) return LINE_PARTIAL;
    int high = hex_digit(reader->at[0]), low = hex_digit(reader->at[1]);
    if (high < 0 || low < 0) return LINE_BAD;
    reader->at += 2;
    buffer_append_byte(text, (unsigned char)(high << 4 | low));
    return LINE_WHOLE;
}

/* \u{XXX} */
static enum line_result read_code_point(struct reader *reader, struct buffer *text)
{
    unsigned code = 0;
    if (reader->at == reader->end) return LINE_PARTIAL;
    if (*reader->at++ != '{') return LINE_BAD;
    for (; reader->at < reader->end && hex_digit(*reader->at) >= 0; reader->at++) {
        code = code << 4 | (unsigned)hex_digit(*reader->at);
        if (code > 0x10FFFF) return LINE_BAD;
    }
    if (reader->at == reader->end) return LINE_PARTIAL;
    if (*reader->at++ != '}') return LINE_BAD;
    put_utf8(text, code);
    return LINE_WHOLE;
}

/* Behind the backslash. */
static enum line_result read_escape(struct reader *reader, struct buffer *text)
{
    static const char letters[] = "abfnrtv\\\"'\n", meanings[] = "\a\b\f\n\r\t\v\\\"'\n";
    if (reader->at == reader->end) return LINE_PARTIAL;
    char c = *reader->at;
    if (is_digit(c)) return read_decimal(reader, text);
    reader->at++;
    if (c == 'x') return read_hex(reader, text);
    if (c == 'u') return read_code_point(reader, text);
    if (c == 'z') {
        while (reader->at < reader->end && *reader->at && strchr(" \t\r\n\v\f", *reader->at)) reader->at++;
        return LINE_WHOLE;
    }
    const char *letter = c ? strchr(letters, c) : NULL;
    if (!letter) return LINE_BAD;
    buffer_append_byte(text, (unsigned char)meanings[letter - letters]);
    return LINE_WHOLE;
}

static enum line_result read_quoted(struct reader *reader, struct buffer *text)
{
    char quote = *reader->at++;
    while (reader->at < reader->end) {
        char c = *reader->at++;
        if (c == quote) return LINE_WHOLE;
        if (c == '\n') return LINE_BAD;
        if (c != '\\') {
            buffer_append_byte(text, (unsigned char)c);
            continue;
        }
        enum line_result result = read_escape(reader, text);
        if (result != LINE_WHOLE) return result;
    }
    return LINE_PARTIAL;
}

/* How many '=' stand between the brackets of "[==[" or "]==]"; -1: it is none, or not all of it has come (is_cut_bracket). */
static int bracket_level(const char *at, const char *end, char bracket)
{
    const char *c = at;
    if (c == end || *c++ != bracket) return -1;
    while (c < end && *c == '=') c++;
    return c < end && *c == bracket ? (int)(c - at) - 1 : -1;
}

/* Whether the bytes end in what may become the beginning of a long string. */
static bool is_cut_bracket(const char *at, const char *end)
{
    const char *c = at + 1;
    while (c < end && *c == '=') c++;
    return c == end;
}

static enum line_result read_long(struct reader *reader, int level, struct buffer *text)
{
    reader->at += level + 2;
    if (reader->at < reader->end && *reader->at == '\n') reader->at++; /* a line end right behind it is not part of the string */
    for (; reader->at < reader->end; reader->at++) {
        if (bracket_level(reader->at, reader->end, ']') == level) {
            reader->at += level + 2;
            return LINE_WHOLE;
        }
        buffer_append_byte(text, (unsigned char)*reader->at);
    }
    return LINE_PARTIAL;
}

/* ---- values ---- */

static enum line_result read_number(struct reader *reader, struct value *value)
{
    char text[MOST_NUMBER_BYTES] = "";
    size_t n_bytes = 0;
    while (reader->at < reader->end && n_bytes < sizeof text - 1 && (is_letter(*reader->at) || is_digit(*reader->at) || strchr("+-.", *reader->at)) && *reader->at)
        text[n_bytes++] = *reader->at++;
    if (reader->at == reader->end) return LINE_PARTIAL;
    char *end;
    value->number = strtod(text, &end);
    value->kind = VALUE_NUMBER;
    return n_bytes && !*end ? LINE_WHOLE : LINE_BAD;
}

static enum line_result read_word(struct reader *reader)
{
    while (reader->at < reader->end && (is_letter(*reader->at) || is_digit(*reader->at))) reader->at++;
    return reader->at < reader->end ? LINE_WHOLE : LINE_PARTIAL;
}

/* "<function 1>", or "<1>" before the table that it numbers. */
static enum line_result read_mark(struct reader *reader)
{
    const char *end = memchr(reader->at, '>', (size_t)(reader->end - reader->at));
    if (!end) return LINE_PARTIAL;
    reader->at = end + 1;
    skip_space(reader);
    if (reader->at == reader->end) return LINE_PARTIAL;
    return *reader->at == '{' ? read_table(reader) : LINE_WHOLE;
}

static enum line_result read_value(struct reader *reader, struct value *value)
{
    value->kind = VALUE_OTHER;
    if (reader->at == reader->end) return LINE_PARTIAL;
    char c = *reader->at;
    if (c == '{') return read_table(reader);
    if (c == '<') return read_mark(reader);
    if (c == '"' || c == '\'') {
        value->kind = VALUE_TEXT;
        return read_quoted(reader, value->text);
    }
    if (c == '[') {
        int level = bracket_level(reader->at, reader->end, '[');
        value->kind = VALUE_TEXT;
        if (level >= 0) return read_long(reader, level, value->text);
        return is_cut_bracket(reader->at, reader->end) ? LINE_PARTIAL : LINE_BAD;
    }
    if (is_digit(c) || c == '-' || c == '.') return read_number(reader, value);
    return is_letter(c) ? read_word(reader) : LINE_BAD;
}

/* ---- tables ---- */

/* "name", "[key]" or "<metatable>", and the '=' behind it; no key: what stands there is a value of the list. name gets its bytes. */
static enum line_result read_key(struct reader *reader, struct buffer *name, bool *ret_is_there)
{
    const char *start = reader->at;
    enum line_result result = LINE_WHOLE;
    *ret_is_there = true;
    if (*reader->at == '[' && is_cut_bracket(reader->at, reader->end)) return LINE_PARTIAL;
    if (*reader->at == '[' && bracket_level(reader->at, reader->end, '[') < 0) {
        struct value key = {.text = name};
        reader->at++;
        skip_space(reader);
        result = read_value(reader, &key);
        skip_space(reader);
        if (result == LINE_WHOLE && reader->at == reader->end) return LINE_PARTIAL;
        if (result == LINE_WHOLE && *reader->at++ != ']') return LINE_BAD;
    } else if (is_letter(*reader->at)) {
        result = read_word(reader);
        buffer_append(name, start, (size_t)(reader->at - start));
    } else if (reader->end - reader->at >= 11 && memcmp(reader->at, "<metatable>", 11) == 0) reader->at += 11;
    else *ret_is_there = false;
    if (result != LINE_WHOLE || !*ret_is_there) return result;
    skip_space(reader);
    if (reader->at == reader->end) return LINE_PARTIAL;
    if (*reader->at == '=') {
        reader->at++;
        skip_space(reader);
        return LINE_WHOLE;
    }
    if (!is_letter(*start)) return LINE_BAD;
    *ret_is_there = false; /* "true", "nil": a value */
    reader->at = start;
    return LINE_WHOLE;
}

static enum line_result read_field(struct reader *reader)
{
    struct buffer name = {0}, text = {0};
    struct value value = {.text = &text};
    bool has_key;
    enum line_result result = read_key(reader, &name, &has_key);
    if (result == LINE_WHOLE) result = read_value(reader, &value);
    bool is_told = result == LINE_WHOLE && has_key && reader->depth == 1 && value.kind != VALUE_OTHER;
    const struct lua_field field = {
        .name = buffer_text(&name), .is_text = value.kind == VALUE_TEXT, .text = &text, .number = value.number};
    if (name.is_failed || text.is_failed || (is_told && !reader->on_field(reader->context, &field))) result = LINE_BAD;
    buffer_release(&name);
    buffer_release(&text);
    return result;
}

static enum line_result read_fields(struct reader *reader)
{
    for (;;) {
        skip_space(reader);
        if (reader->at == reader->end) return LINE_PARTIAL;
        if (*reader->at == '}') break;
        enum line_result result = read_field(reader);
        if (result != LINE_WHOLE) return result;
        skip_space(reader);
        if (reader->at == reader->end) return LINE_PARTIAL;
        if (*reader->at == ',' || *reader->at == ';') reader->at++;
        else if (*reader->at != '}') return LINE_BAD;
    }
    reader->at++;
    return LINE_WHOLE;
}

static enum line_result read_table(struct reader *reader)
{
    if (reader->depth == MOST_DEPTH) return LINE_BAD;
    reader->depth++;
    reader->at++;
    enum line_result result = read_fields(reader);
    reader->depth--;
    return result;
}

enum line_result lua_table_read(const char *bytes, size_t n_bytes, lua_on_field *on_field, void *context, size_t *ret_n_used)
{
    struct reader reader = {.at = bytes, .end = bytes + n_bytes, .on_field = on_field, .context = context};
    enum line_result result = read_table(&reader);
    *ret_n_used = (size_t)(reader.at - bytes);
    return result;
}
