#include "ops/text/re2_pattern.h"

#include "text/unicode.h"

#include <stdio.h>

#include <string.h>

enum { MAX_REPEATS = 1000, MAX_DEPTH = 1000, MAX_CHAR = 0x10ffff };

struct translation {
    const char *at, *end;
    struct buffer *out;
    int depth;                        /* of open groups */
    bool is_multiline[MAX_DEPTH + 1]; /* flag m, by depth: it ends with its group */
    bool has_item;                    /* there is something before `at` that may be repeated */
    bool is_repeated;                 /* and it is repeated already */
    const char *why;                  /* NULL: nothing wrong so far */
};

static bool refuse(struct translation *t, const char *why)
{
    t->why = why;
    return false;
}

static bool is_next(const struct translation *t, char c)
{
    return t->at < t->end && *t->at == c;
}

static bool take(struct translation *t, char c)
{
    if (!is_next(t, c)) return false;
    t->at++;
    return true;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void item(struct translation *t)
{
    t->has_item = true;
    t->is_repeated = false;
}

static void no_item(struct translation *t)
{
    t->has_item = t->is_repeated = false;
}

static void put_code(struct translation *t, uint32_t code)
{
    buffer_printf(t->out, "\\x{%x}", (unsigned)code);
}

/* ---- characters and escapes ---- */

static bool take_char(struct translation *t, uint32_t *ret_code)
{
    size_t n = unicode_char_bytes(t->at, (size_t)(t->end - t->at));
    if (!n) return refuse(t, "bytes that are not UTF-8");
    *ret_code = unicode_decode(t->at, &n);
    t->at += n;
    return true;
}

static int hex_value(char c)
{
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Behind \x: two digits, or any number of them in braces. */
static bool take_hex(struct translation *t, uint32_t *ret_code)
{
    bool is_braced = take(t, '{');
    uint32_t code = 0;
    int n_digits = 0;
    while (t->at < t->end && hex_value(*t->at) >= 0 && (is_braced || n_digits < 2)) {
        code = code * 16 + (uint32_t)hex_value(*t->at++);
        n_digits++;
        if (code > MAX_CHAR) return refuse(t, "a code above 10FFFF");
    }
    if (is_braced ? !n_digits || !take(t, '}') : n_digits != 2)
        return refuse(t, "\\x without two digits or digits in braces");
    *ret_code = code;
    return true;
}

/* Up to three digits; a single one that is not 0 would be a back-reference. */
static bool take_octal(struct translation *t, char first, uint32_t *ret_code)
{
    bool is_octal_next = t->at < t->end && *t->at >= '0' && *t->at <= '7';
    if (first != '0' && !is_octal_next) return refuse(t, "a back-reference");
    uint32_t code = (uint32_t)(first - '0');
    for (int i = 0; i < 2 && t->at < t->end && *t->at >= '0' && *t->at <= '7'; i++)
        code = code * 8 + (uint32_t)(*t->at++ - '0');
    *ret_code = code;
    return true;
}

/* An escape that stands for one character; its letter c is taken. */
static bool take_escaped_char(struct translation *t, char c, uint32_t *ret_code)
{
    static const char letters[] = "afnrtv", codes[] = "\a\f\n\r\t\v";
    const char *letter = c ? strchr(letters, c) : NULL;
    if (letter) {
        *ret_code = (uint32_t)codes[letter - letters];
        return true;
    }
    if (c == 'x') return take_hex(t, ret_code);
    if (c >= '0' && c <= '7') return take_octal(t, c, ret_code);
    if (is_letter(c) || is_digit(c) || c == '_' || (unsigned char)c >= 0x80)
        return refuse(t, "an escape that RE2 does not have");
    *ret_code = (unsigned char)c;
    return true;
}

/* \pN, \p{Greek}, \P{^Lu}: a name of one or two letters is a category, a longer one a script. */
static bool put_property(struct translation *t, bool is_negated)
{
    const char *name = t->at;
    if (take(t, '{')) {
        if (take(t, '^')) is_negated = !is_negated;
        name = t->at;
        while (t->at < t->end && (is_letter(*t->at) || *t->at == '_')) t->at++;
    } else if (t->at < t->end && is_letter(*t->at)) {
        t->at++;
    }
    int n_bytes = (int)(t->at - name);
    if (!n_bytes || n_bytes > 64 || (name[-1] != 'p' && name[-1] != 'P' && !take(t, '}')))
        return refuse(t, "a property without a name");
    bool is_script = n_bytes > 2 && !(n_bytes == 3 && !memcmp(name, "Any", 3));
    buffer_printf(t->out, "\\%c{%s%.*s}", is_negated ? 'P' : 'p', is_script ? "sc:" : "", n_bytes, name);
    return true;
}

/* \d \w \s \p and their opposites; false, with why unset, when c is none of them. RE2's \s has no vertical tab. */
static bool put_set(struct translation *t, char c, bool is_in_class)
{
    if (c == 'p' || c == 'P') return put_property(t, c == 'P');
    if (c == 'd' || c == 'D' || c == 'w' || c == 'W') return buffer_printf(t->out, "\\%c", c), true;
    if (c != 's' && c != 'S') return false;
    const char *items = c == 's' ? "\\t\\n\\f\\r\\x{20}" : "\\x{0}-\\x{8}\\x{b}\\x{e}-\\x{1f}\\x{21}-\\x{10ffff}";
    buffer_printf(t->out, is_in_class ? "%s" : "[%s]", items);
    return true;
}

static bool put_quoted(struct translation *t)
{
    uint32_t code;
    while (t->at < t->end) {
        if (t->end - t->at >= 2 && !memcmp(t->at, "\\E", 2)) {
            t->at += 2;
            return true;
        }
        if (!take_char(t, &code)) return false;
        put_code(t, code);
        item(t);
    }
    return true;
}

static bool put_escape(struct translation *t)
{
    uint32_t code;
    t->at++;
    if (t->at == t->end) return refuse(t, "a backslash at the end");
    char c = *t->at++;
    if (c == 'Q') return put_quoted(t);
    item(t);
    if (c == 'A' || c == 'z' || c == 'b' || c == 'B') return buffer_printf(t->out, "(?:\\%c)", c), true;
    if (put_set(t, c, false)) return true;
    if (t->why || !take_escaped_char(t, c, &code)) return false;
    put_code(t, code);
    return true;
}

/* ---- classes ---- */

static bool put_posix_class(struct translation *t)
{
    static const char *const names[] = {"alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph",
                                        "lower", "print", "punct", "space", "upper", "word",  "xdigit"};
    const char *name = t->at + 2;
    if (name < t->end && *name == '^') name++;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t n_bytes = strlen(names[i]);
        if ((size_t)(t->end - name) < n_bytes + 2 || memcmp(name, names[i], n_bytes) || memcmp(name + n_bytes, ":]", 2))
            continue;
        buffer_append(t->out, t->at, (size_t)(name - t->at) + n_bytes + 2);
        t->at = name + n_bytes + 2;
        return true;
    }
    return refuse(t, "a class name that RE2 does not have");
}

/* One character of a class. ret_is_set: it was a set, which is written already. */
static bool take_class_item(struct translation *t, uint32_t *ret_code, bool *ret_is_set)
{
    *ret_is_set = false;
    if (t->at == t->end) return refuse(t, "a class without ]");
    if (!take(t, '\\')) return take_char(t, ret_code);
    if (t->at == t->end) return refuse(t, "a backslash at the end");
    char c = *t->at++;
    *ret_is_set = put_set(t, c, true);
    return *ret_is_set || (!t->why && take_escaped_char(t, c, ret_code));
}

/* A character or a range. */
static bool put_class_range(struct translation *t)
{
    uint32_t low = 0, high = 0;
    bool is_set;
    if (!take_class_item(t, &low, &is_set)) return false;
    if (is_set) return true;
    put_code(t, low);
    if (t->end - t->at < 2 || t->at[0] != '-' || t->at[1] == ']') return true;
    t->at++;
    if (is_next(t, '[') && t->end - t->at > 1 && t->at[1] == ':') return refuse(t, "a range that ends in a class");
    if (!take_class_item(t, &high, &is_set)) return false;
    if (is_set || high < low) return refuse(t, "a range that ends before it begins");
    buffer_append_byte(t->out, '-');
    put_code(t, high);
    return true;
}

static bool put_class(struct translation *t)
{
    t->at++;
    buffer_append_string(t->out, take(t, '^') ? "[^" : "[");
    bool is_first = true;
    while (is_first || !is_next(t, ']')) {
        bool is_named = t->end - t->at > 1 && t->at[0] == '[' && t->at[1] == ':';
        if (!(is_named ? put_posix_class(t) : put_class_range(t))) return false;
        is_first = false;
    }
    t->at++;
    buffer_append_byte(t->out, ']');
    item(t);
    return true;
}

/* ---- repetition ---- */

static bool put_repeat(struct translation *t, const char *how)
{
    if (!t->has_item) return refuse(t, "a repetition of nothing");
    if (t->is_repeated) return refuse(t, "a repetition of a repetition");
    buffer_append_string(t->out, how);
    (void)take(t, '?');
    t->is_repeated = true;
    return true;
}

static bool take_count(struct translation *t, int *ret_count)
{
    int count = 0;
    if (t->at == t->end || !is_digit(*t->at)) return false;
    while (t->at < t->end && is_digit(*t->at))
        if (count <= MAX_REPEATS) count = count * 10 + (*t->at++ - '0');
        else t->at++;
    *ret_count = count;
    return true;
}

/* {n}, {n,} or {n,m}; anything else is a brace like any character. */
static bool put_brace(struct translation *t)
{
    const char *start = t->at++;
    int least = 0, most = -1;
    char how[32];
    bool is_count = take_count(t, &least), has_comma = is_count && take(t, ',');
    if (!has_comma) most = least;
    else if (!is_next(t, '}')) is_count = take_count(t, &most);
    if (!is_count || !take(t, '}')) {
        t->at = start + 1;
        put_code(t, '{');
        item(t);
        return true;
    }
    if (least > MAX_REPEATS || most > MAX_REPEATS || (most >= 0 && most < least))
        return refuse(t, "a repetition of a size that RE2 does not take");
    if (most < 0) snprintf(how, sizeof how, "{%d,}", least);
    else snprintf(how, sizeof how, "{%d,%d}", least, most);
    return put_repeat(t, how);
}

/* ---- groups ---- */

static bool put_name(struct translation *t)
{
    const char *name = t->at;
    while (t->at < t->end && (is_letter(*t->at) || is_digit(*t->at) || *t->at == '_')) t->at++;
    int n_bytes = (int)(t->at - name);
    if (!n_bytes || n_bytes > 32 || is_digit(*name) || !take(t, '>')) return refuse(t, "a group with a bad name");
    buffer_printf(t->out, "(?<%.*s>", n_bytes, name);
    return true;
}

static bool enter_group(struct translation *t)
{
    if (t->depth == MAX_DEPTH) return refuse(t, "groups too deep");
    t->is_multiline[t->depth + 1] = t->is_multiline[t->depth];
    t->depth++;
    no_item(t);
    return true;
}

/* (?flags) and (?flags:, which the two write alike. */
static bool put_flags(struct translation *t)
{
    const char *flags = t->at;
    bool is_negated = false, is_multiline = t->is_multiline[t->depth];
    int n_flags = 0;
    for (; t->at < t->end && *t->at && strchr("imsU-", *t->at); t->at++) {
        if (*t->at == '-' && is_negated) return refuse(t, "flags with two minus signs");
        if (*t->at == '-') is_negated = true;
        if (*t->at == 'm') is_multiline = !is_negated;
        n_flags = *t->at == '-' ? 0 : n_flags + 1;
    }
    bool is_group = is_next(t, ':');
    if ((!is_group && !is_next(t, ')')) || (!n_flags && (is_negated || !is_group)))
        return refuse(t, "a group of a kind that RE2 does not have");
    t->at++;
    buffer_printf(t->out, "(?%.*s", (int)(t->at - flags), flags);
    no_item(t);
    if (is_group && !enter_group(t)) return false;
    t->is_multiline[t->depth] = is_multiline;
    return true;
}

static bool open_group(struct translation *t)
{
    t->at++;
    if (take(t, '?')) {
        bool is_named = false;
        if (t->end - t->at >= 2 && !memcmp(t->at, "P<", 2)) is_named = true, t->at += 2;
        else if (t->end - t->at >= 2 && t->at[0] == '<' && t->at[1] != '=' && t->at[1] != '!') is_named = true, t->at++;
        if (!is_named) return put_flags(t);
        if (!put_name(t)) return false;
    } else {
        buffer_append_string(t->out, "(?:"); /* nobody asks what it captured */
    }
    return enter_group(t);
}

static bool close_group(struct translation *t)
{
    t->at++;
    if (t->depth-- == 0) return refuse(t, "a ) without its (");
    buffer_append_byte(t->out, ')');
    item(t);
    return true;
}

/* ---- the walk ---- */

static bool put_plain(struct translation *t)
{
    uint32_t code;
    if (!take_char(t, &code)) return false;
    put_code(t, code);
    item(t);
    return true;
}

/* In a group, so that it may be repeated, which RE2 allows. $ is the very end, which PCRE2 would only say with an option that
 * breaks the $ of flag m in its DFA matcher (10.42). */
static bool put_assertion(struct translation *t)
{
    bool is_very_end = *t->at == '$' && !t->is_multiline[t->depth];
    if (is_very_end) buffer_append_string(t->out, "(?:\\z)");
    else buffer_printf(t->out, "(?:%c)", *t->at);
    t->at++;
    item(t);
    return true;
}

static bool put_next(struct translation *t)
{
    switch (*t->at) {
    case '(':
        return open_group(t);
    case ')':
        return close_group(t);
    case '[':
        return put_class(t);
    case '{':
        return put_brace(t);
    case '\\':
        return put_escape(t);
    case '^':
    case '$':
        return put_assertion(t);
    case '*':
        return t->at++, put_repeat(t, "*");
    case '+':
        return t->at++, put_repeat(t, "+");
    case '?':
        return t->at++, put_repeat(t, "?");
    case '.':
        return t->at++, item(t), buffer_append_byte(t->out, '.'), true;
    case '|':
        return t->at++, no_item(t), buffer_append_byte(t->out, '|'), true;
    default:
        return put_plain(t);
    }
}

const char *re2_translate(const char *pattern, size_t n_bytes, struct buffer *out)
{
    struct translation t = {.at = pattern, .end = pattern + n_bytes, .out = out};
    while (t.at < t.end)
        if (!put_next(&t)) return t.why;
    return t.depth ? "a ( without its )" : NULL;
}
