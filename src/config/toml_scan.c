/* Strings and numbers. Numbers are first taken as a run of the letters that plain values are made of, then read as a whole, so that a
 * message can name all of what was found. */
#include "config/toml_scan.h"
#include "base/buffer.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int toml_column(const struct toml_scan *scan)
{
    return (int)(scan->at - scan->line_start) + 1;
}

const char *toml_found(const struct toml_scan *scan, char text[static 32])
{
    unsigned char c = (unsigned char)toml_peek(scan);
    if (scan->at == scan->end) return "the end of the file";
    if (c == '\n' || c == '\r') return "the end of the line";
    if (c > ' ' && c < 0x7F) snprintf(text, 32, "'%c'", c);
    else snprintf(text, 32, "byte 0x%02X", c);
    return text;
}

bool toml_take(struct toml_scan *scan, char wanted)
{
    if (scan->at == scan->end || *scan->at != wanted) return false;
    scan->at++;
    return true;
}

/* ---- lines ---- */

void toml_skip_blanks(struct toml_scan *scan)
{
    while (toml_take(scan, ' ') || toml_take(scan, '\t')) continue;
}

static size_t line_end_bytes(const struct toml_scan *scan)
{
    if (toml_peek(scan) == '\n') return 1;
    return scan->end - scan->at >= 2 && scan->at[0] == '\r' && scan->at[1] == '\n' ? 2 : 0;
}

bool toml_take_line_end(struct toml_scan *scan)
{
    size_t n_bytes = line_end_bytes(scan);
    if (!n_bytes) return false;
    scan->at += n_bytes;
    scan->line_start = scan->at;
    scan->line++;
    return true;
}

/* Control characters but the tab are forbidden in comments and in strings. */
static bool is_control(char c)
{
    return ((unsigned char)c < 0x20 && c != '\t') || c == 0x7F;
}

static hob_status skip_comment(struct toml_scan *scan)
{
    char text[32];
    if (!toml_take(scan, '#')) return HOB_OK;
    while (scan->at < scan->end && !line_end_bytes(scan)) {
        if (is_control(*scan->at)) TOML_FAIL(scan, "found %s in a comment, expected no control characters", toml_found(scan, text));
        scan->at++;
    }
    return HOB_OK;
}

hob_status toml_skip_lines(struct toml_scan *scan)
{
    do {
        toml_skip_blanks(scan);
        TRY(skip_comment(scan));
    } while (toml_take_line_end(scan));
    return HOB_OK;
}

hob_status toml_end_line(struct toml_scan *scan)
{
    char text[32];
    toml_skip_blanks(scan);
    TRY(skip_comment(scan));
    if (scan->at == scan->end || toml_take_line_end(scan)) return HOB_OK;
    TOML_FAIL(scan, "found %s, expected the end of the line", toml_found(scan, text));
}

/* ---- strings ---- */

static bool append_code_point(struct buffer *text, uint32_t c)
{
    if (c < 0x80) return buffer_append_byte(text, (unsigned char)c);
    int n_more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const unsigned char leads[] = {0, 0xC0, 0xE0, 0xF0};
    bool is_good = buffer_append_byte(text, (unsigned char)(leads[n_more] | (c >> (6 * n_more))));
    while (n_more-- > 0) is_good = is_good && buffer_append_byte(text, (unsigned char)(0x80 | ((c >> (6 * n_more)) & 0x3F)));
    return is_good;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static hob_status scan_code_point(struct toml_scan *scan, int n_digits, struct buffer *text)
{
    uint32_t c = 0;
    char found[32];
    for (int i = 0; i < n_digits; i++, scan->at++) {
        int digit = hex_value(toml_peek(scan));
        if (digit < 0) TOML_FAIL(scan, "found %s, expected %d hexadecimal digits", toml_found(scan, found), n_digits);
        c = c << 4 | (uint32_t)digit;
    }
    if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) TOML_FAIL(scan, "found the code point %X, expected a Unicode scalar value", c);
    append_code_point(text, c);
    return HOB_OK;
}

/* The scan stands behind the backslash. */
static hob_status scan_escape(struct toml_scan *scan, struct buffer *text)
{
    static const char letters[] = "btnfr\"\\", meanings[] = "\b\t\n\f\r\"\\";
    char c = toml_peek(scan), found[32];
    const char *place = c ? strchr(letters, c) : NULL;
    if (place) {
        scan->at++;
        buffer_append_byte(text, (unsigned char)meanings[place - letters]);
        return HOB_OK;
    }
    if (c != 'u' && c != 'U')
        TOML_FAIL(scan, "found %s behind a backslash, expected one of b t n f r \" \\ u U", toml_found(scan, found));
    scan->at++;
    return scan_code_point(scan, c == 'u' ? 4 : 8, text);
}

/* A backslash at a line's end swallows it and all white space that follows. false: it is none of those. */
static bool skip_folded_lines(struct toml_scan *scan)
{
    const char *start = scan->at;
    toml_skip_blanks(scan);
    if (!line_end_bytes(scan)) {
        scan->at = start;
        return false;
    }
    while (toml_take_line_end(scan)) toml_skip_blanks(scan);
    return true;
}

/* How many quotes stand here, at most most. */
static int count_quotes(const struct toml_scan *scan, char quote, int most)
{
    int n = 0;
    while (n < most && scan->end - scan->at > n && scan->at[n] == quote) n++;
    return n;
}

static hob_status scan_one_line(struct toml_scan *scan, char quote, struct buffer *text)
{
    char found[32];
    while (!toml_take(scan, quote)) {
        if (scan->at == scan->end || is_control(*scan->at))
            TOML_FAIL(scan, "found %s in a string, expected %c", toml_found(scan, found), quote);
        if (quote == '"' && toml_take(scan, '\\')) TRY(scan_escape(scan, text));
        else buffer_append_byte(text, (unsigned char)*scan->at++);
    }
    return HOB_OK;
}

/* One or two quotes may stand before the three that end it. */
static hob_status scan_many_lines(struct toml_scan *scan, char quote, struct buffer *text)
{
    char found[32];
    toml_take_line_end(scan);
    for (;;) {
        int n_quotes = count_quotes(scan, quote, 5);
        scan->at += n_quotes;
        for (int i = n_quotes >= 3 ? 3 : 0; i < n_quotes; i++) buffer_append_byte(text, (unsigned char)quote);
        if (n_quotes >= 3) return HOB_OK;
        if (toml_take_line_end(scan)) {
            buffer_append_byte(text, '\n');
        } else if (scan->at == scan->end || is_control(*scan->at)) {
            TOML_FAIL(scan, "found %s in a string, expected %c%c%c", toml_found(scan, found), quote, quote, quote);
        } else if (quote == '"' && toml_take(scan, '\\')) {
            if (!skip_folded_lines(scan)) TRY(scan_escape(scan, text));
        } else {
            buffer_append_byte(text, (unsigned char)*scan->at++);
        }
    }
}

hob_status toml_scan_string(struct toml_scan *scan, bool is_one_line, const char **ret_text, size_t *ret_n_bytes)
{
    hob_status status = HOB_OK;
    struct buffer text = {0};
    char quote = *scan->at;
    if (!is_one_line && count_quotes(scan, quote, 3) == 3) {
        scan->at += 3;
        TRY_CLEANUP(scan_many_lines(scan, quote, &text));
    } else {
        scan->at++;
        TRY_CLEANUP(scan_one_line(scan, quote, &text));
    }
    char *copy = arena_copy_string(scan->arena, buffer_text(&text), text.n_bytes);
    if (!copy || text.is_failed) FAIL_CLEANUP(scan->error, HOB_NO_MEMORY, "%s: out of memory", scan->name);
    *ret_text = copy;
    *ret_n_bytes = text.n_bytes;
cleanup:
    buffer_release(&text);
    return status;
}

static bool is_bare(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

hob_status toml_scan_key(struct toml_scan *scan, const char **ret_key, size_t *ret_n_bytes)
{
    char c = toml_peek(scan), found[32];
    if (c == '"' || c == '\'') return toml_scan_string(scan, true, ret_key, ret_n_bytes);
    const char *start = scan->at;
    while (is_bare(toml_peek(scan))) scan->at++;
    if (scan->at == start) TOML_FAIL(scan, "found %s, expected a key", toml_found(scan, found));
    *ret_n_bytes = (size_t)(scan->at - start);
    *ret_key = arena_copy_string(scan->arena, start, *ret_n_bytes);
    if (!*ret_key) FAIL(scan->error, HOB_NO_MEMORY, "%s: out of memory", scan->name);
    return HOB_OK;
}

/* ---- numbers ---- */

enum { MAX_PLAIN_BYTES = 512 };

static bool is_digit_of(char c, int base)
{
    int value = hex_value(c);
    return value >= 0 && value < base;
}

/* Digits with single underscores between them, copied without those; false: not even one, or an underscore at an end. */
static bool take_digits(const char **at, int base, char **target)
{
    const char *text = *at;
    if (!is_digit_of(*text, base)) return false;
    while (is_digit_of(*text, base) || (*text == '_' && is_digit_of(text[1], base))) {
        if (*text != '_') *(*target)++ = *text;
        text++;
    }
    *at = text;
    return true;
}

static bool read_prefixed(const char *text, char *digits, int64_t *ret_integer)
{
    int base = text[1] == 'x' ? 16 : text[1] == 'o' ? 8 : text[1] == 'b' ? 2 : 0;
    char *target = digits;
    const char *at = text + 2;
    if (text[0] != '0' || !base || !take_digits(&at, base, &target) || *at) return false;
    *target = '\0';
    errno = 0;
    long long integer = strtoll(digits, NULL, base);
    *ret_integer = integer;
    return errno == 0;
}

struct number_parts {
    bool has_fraction, has_exponent;
};

/* Sign, whole part without leading zeros, fraction, exponent; copied without underscores. */
static bool read_parts(const char *text, char *target, struct number_parts *ret_parts)
{
    struct number_parts parts = {0};
    if (*text == '+' || *text == '-') *target++ = *text++;
    if (*text == '0' && (text[1] == '_' || is_digit_of(text[1], 10))) return false;
    if (!take_digits(&text, 10, &target)) return false;
    if (*text == '.') {
        *target++ = *text++;
        parts.has_fraction = true;
        if (!take_digits(&text, 10, &target)) return false;
    }
    if (*text == 'e' || *text == 'E') {
        *target++ = *text++;
        parts.has_exponent = true;
        if (*text == '+' || *text == '-') *target++ = *text++;
        if (!take_digits(&text, 10, &target)) return false;
    }
    *target = '\0';
    *ret_parts = parts;
    return *text == '\0';
}

static bool read_special(const char *text, double *ret_number)
{
    bool is_negative = *text == '-';
    if (*text == '+' || *text == '-') text++;
    double number = !strcmp(text, "inf") ? (double)INFINITY : (double)NAN;
    if (strcmp(text, "inf") && strcmp(text, "nan")) return false;
    *ret_number = is_negative ? -number : number;
    return true;
}

/* false: none, or an integer outside of 64 bits. */
static bool read_number(const char *text, struct toml_value *value)
{
    char digits[MAX_PLAIN_BYTES];
    struct number_parts parts;
    value->kind = TOML_FLOAT;
    if (read_special(text, &value->number)) return true;
    value->kind = TOML_INTEGER;
    if (read_prefixed(text, digits, &value->integer)) return true;
    if (!read_parts(text, digits, &parts)) return false;
    errno = 0;
    if (!parts.has_fraction && !parts.has_exponent) {
        value->integer = strtoll(digits, NULL, 10);
        return errno == 0;
    }
    value->kind = TOML_FLOAT;
    value->number = strtod(digits, NULL); /* too large is inf, too small is 0: IEEE 754's rounding */
    return true;
}

static bool is_plain(char c)
{
    return is_bare(c) || c == '+' || c == '.' || c == ':';
}

/* The run of letters here, and a time behind a date and a space. */
static size_t plain_bytes(const struct toml_scan *scan)
{
    size_t n = 0, n_left = (size_t)(scan->end - scan->at);
    while (n < n_left && is_plain(scan->at[n])) n++;
    bool may_go_on = n == 10 && scan->at[4] == '-' && n_left > 11 && scan->at[10] == ' ' && is_digit_of(scan->at[11], 10);
    if (may_go_on)
        for (n = 11; n < n_left && is_plain(scan->at[n]);) n++;
    return n;
}

hob_status toml_scan_plain(struct toml_scan *scan, struct toml_value *ret_value)
{
    char text[MAX_PLAIN_BYTES], found[32];
    size_t n_bytes = plain_bytes(scan);
    if (!n_bytes) TOML_FAIL(scan, "found %s, expected a value", toml_found(scan, found));
    if (n_bytes >= sizeof text) TOML_FAIL(scan, "found a value of %zu letters, expected fewer than %zu", n_bytes, sizeof text);
    memcpy(text, scan->at, n_bytes);
    text[n_bytes] = '\0';
    struct toml_value value = {.line = scan->line, .column = toml_column(scan)};
    if (!strcmp(text, "true") || !strcmp(text, "false")) {
        value.kind = TOML_BOOLEAN;
        value.boolean = *text == 't';
    } else if (toml_read_time(text, n_bytes, &value.time)) {
        value.kind = TOML_TIME;
    } else if (!read_number(text, &value)) {
        TOML_FAIL(scan, "found \"%s\", expected a string in quotes, a 64-bit integer, a number, true, false, a date or a time", text);
    }
    scan->at += n_bytes;
    *ret_value = value;
    return HOB_OK;
}
