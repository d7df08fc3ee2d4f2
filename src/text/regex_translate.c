/* From Oniguruma's Ruby syntax to PCRE2's.
 *
 * The two agree on most of what tokenizers use. What differs: \s \d \w \h and their complements, \b, (?m), a class inside a
 * class, the intersection && of classes, {n,m}+ (repeated, not possessive), long names of properties, \uHHHH.
 * PCRE2 10.42 has no set operations, so a class that needs them becomes alternatives and look-aheads around plain classes.
 */
#include "text/regex.h"
#include "base/error.h"
#include "base/size.h"
#include "text/unicode.h"

#include <string.h>

#define WORD_ITEMS "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}"
#define WORD "[" WORD_ITEMS "]"
#define HEX_ITEMS "0-9A-Fa-f"

enum { MAX_DEPTH = 32 };

struct translation {
    const char *pattern;
    size_t n_bytes, at;
    struct buffer *out;
    size_t atom_begin;            /* in out: what a quantifier would apply to */
    size_t groups[4 * MAX_DEPTH]; /* where each open group began in out */
    size_t n_groups;
    hob_error *error;
};

/* What a class holds so far: items for one bracket, and whole atoms that no bracket can hold. */
struct class_operand {
    struct buffer items, atoms;
};

static const struct {
    char letter;
    const char *outside, *inside; /* inside NULL: an atom of its own there */
} escapes[] = {
    {'s', "\\p{White_Space}", "\\p{White_Space}"},
    {'S', "\\P{White_Space}", "\\P{White_Space}"},
    {'d', "\\p{Nd}", "\\p{Nd}"},
    {'D', "\\P{Nd}", "\\P{Nd}"},
    {'w', WORD, WORD_ITEMS},
    {'W', "[^" WORD_ITEMS "]", NULL},
    {'h', "[" HEX_ITEMS "]", HEX_ITEMS},
    {'H', "[^" HEX_ITEMS "]", NULL},
    {'b', "(?:(?<!" WORD ")(?=" WORD ")|(?<=" WORD ")(?!" WORD "))", "\\x08"},
    {'B', "(?:(?<!" WORD ")(?!" WORD ")|(?<=" WORD ")(?=" WORD "))", "B"},
};

/* Names that Oniguruma knows and PCRE2 does not; also the POSIX names in [[:here:]]. */
static const struct {
    const char *name, *items;
} properties[] = {
    {"alpha", "\\p{Alphabetic}"},   {"digit", "\\p{Nd}"},      {"space", "\\p{White_Space}"},
    {"alnum", "\\p{Alphabetic}\\p{Nd}"}, {"word", WORD_ITEMS}, {"lower", "\\p{Lowercase}"},
    {"upper", "\\p{Uppercase}"},    {"punct", "\\p{P}$+<=>^`|~"}, {"letter", "\\p{L}"},
    {"number", "\\p{N}"},           {"punctuation", "\\p{P}"}, {"symbol", "\\p{S}"},
    {"mark", "\\p{M}"},             {"separator", "\\p{Z}"},   {"other", "\\p{C}"},
    {"uppercase_letter", "\\p{Lu}"}, {"lowercase_letter", "\\p{Ll}"}, {"titlecase_letter", "\\p{Lt}"},
    {"modifier_letter", "\\p{Lm}"}, {"other_letter", "\\p{Lo}"}, {"decimal_number", "\\p{Nd}"},
};

static const char *find_property(const char *name, size_t n_bytes)
{
    for (size_t i = 0; i < ARRAY_LENGTH(properties); i++)
        if (strlen(properties[i].name) == n_bytes && !strncasecmp(properties[i].name, name, n_bytes))
            return properties[i].items;
    return NULL;
}

static bool starts(const struct translation *t, const char *text)
{
    size_t n = strlen(text);
    return t->n_bytes - t->at >= n && !memcmp(t->pattern + t->at, text, n);
}

/* Copies `\x`, `\p{…}`, `\x{…}` and the like to out as PCRE2 wants them; is_inside: in a class. `atom` is set when the text
 * cannot stand in a bracket. */
static hob_status translate_escape(struct translation *t, bool is_inside, struct buffer *out, bool *ret_is_atom)
{
    *ret_is_atom = false;
    if (t->at + 1 >= t->n_bytes) FAIL(t->error, HOB_BAD_FILE, "regular expression: ends in a backslash");
    const char *escape = t->pattern + t->at;
    size_t n_char = unicode_char_bytes(escape + 1, t->n_bytes - t->at - 1);
    for (size_t i = 0; i < ARRAY_LENGTH(escapes); i++) {
        if (escape[1] != escapes[i].letter) continue;
        *ret_is_atom = is_inside && !escapes[i].inside;
        t->at += 2;
        buffer_append_string(out, is_inside && escapes[i].inside ? escapes[i].inside : escapes[i].outside);
        return HOB_OK;
    }
    if (escape[1] == 'u' && t->n_bytes - t->at >= 6) {
        buffer_printf(out, "\\x{%.4s}", escape + 2);
        t->at += 6;
        return HOB_OK;
    }
    size_t n = 1 + n_char;
    if (strchr("pPx", escape[1]) && t->at + 2 < t->n_bytes && escape[2] == '{') {
        const char *close = memchr(escape, '}', t->n_bytes - t->at);
        if (!close) FAIL(t->error, HOB_BAD_FILE, "regular expression: \\%c{ without }", escape[1]);
        n = (size_t)(close - escape) + 1;
        const char *items = escape[1] == 'x' ? NULL : find_property(escape + 3, n - 4);
        if (items) {
            t->at += n;
            bool is_negated = escape[1] == 'P';
            *ret_is_atom = is_inside && is_negated;
            if (is_inside && !is_negated) return buffer_append_string(out, items), HOB_OK;
            buffer_printf(out, is_negated ? "[^%s]" : "[%s]", items);
            return HOB_OK;
        }
    }
    buffer_append(out, escape, n);
    t->at += n;
    return HOB_OK;
}

static hob_status translate_class(struct translation *t, int depth, struct buffer *out, bool *ret_is_plain);

static void add_atom(struct class_operand *operand, const char *atom)
{
    if (operand->atoms.n_bytes) buffer_append_byte(&operand->atoms, '|');
    buffer_append_string(&operand->atoms, atom);
}

/* [:name:] or [:^name:]; false: not such. */
static bool translate_posix(struct translation *t, struct class_operand *operand)
{
    if (!starts(t, "[:")) return false;
    const char *begin = t->pattern + t->at + 2;
    const char *end = memchr(begin, ':', t->n_bytes - t->at - 2);
    if (!end || end + 1 >= t->pattern + t->n_bytes || end[1] != ']') return false;
    bool is_negated = *begin == '^';
    begin += is_negated;
    const char *items = find_property(begin, (size_t)(end - begin));
    struct buffer atom = {0};
    if (!items)
        buffer_printf(&operand->items, "[:%s%.*s:]", is_negated ? "^" : "", (int)(end - begin), begin);
    else if (!is_negated)
        buffer_append_string(&operand->items, items);
    else {
        buffer_printf(&atom, "[^%s]", items);
        add_atom(operand, buffer_text(&atom));
    }
    buffer_release(&atom);
    t->at = (size_t)(end + 2 - t->pattern);
    return true;
}

static hob_status translate_nested(struct translation *t, int depth, struct class_operand *operand)
{
    if (translate_posix(t, operand)) return HOB_OK;
    struct buffer nested = {0};
    bool is_plain;
    hob_status status = translate_class(t, depth + 1, &nested, &is_plain);
    if (status == HOB_OK && is_plain) /* "[items]": its items may as well be ours */
        buffer_append(&operand->items, nested.bytes + 1, nested.n_bytes - 2);
    else if (status == HOB_OK)
        add_atom(operand, buffer_text(&nested));
    buffer_release(&nested);
    return status;
}

static hob_status translate_class_item(struct translation *t, int depth, struct class_operand *operand)
{
    char c = t->pattern[t->at];
    if (c == '[') return translate_nested(t, depth, operand);
    if (c != '\\') {
        size_t n = unicode_char_bytes(t->pattern + t->at, t->n_bytes - t->at);
        buffer_append(&operand->items, t->pattern + t->at, n);
        t->at += n;
        return HOB_OK;
    }
    struct buffer escape = {0};
    bool is_atom;
    hob_status status = translate_escape(t, true, &escape, &is_atom);
    if (status == HOB_OK && is_atom) add_atom(operand, buffer_text(&escape));
    if (status == HOB_OK && !is_atom) buffer_append(&operand->items, buffer_text(&escape), escape.n_bytes);
    buffer_release(&escape);
    return status;
}

/* One character that the operand holds. */
static void append_operand(const struct class_operand *operand, struct buffer *out)
{
    if (!operand->atoms.n_bytes) {
        buffer_printf(out, "[%s]", buffer_text(&operand->items));
    } else {
        buffer_printf(out, "(?:%s", buffer_text(&operand->atoms));
        if (operand->items.n_bytes) buffer_printf(out, "|[%s]", buffer_text(&operand->items));
        buffer_append_byte(out, ')');
    }
}

/* Up to "&&", the closing bracket (left in place) or the end. */
static hob_status translate_operand(struct translation *t, int depth, bool is_first, struct class_operand *operand)
{
    if (is_first && starts(t, "]")) {
        buffer_append_string(&operand->items, "\\]");
        t->at++;
    }
    while (t->at < t->n_bytes && t->pattern[t->at] != ']' && !starts(t, "&&"))
        TRY(translate_class_item(t, depth, operand));
    if (!operand->items.n_bytes && !operand->atoms.n_bytes)
        FAIL(t->error, HOB_BAD_FILE, "regular expression: empty class at offset %zu", t->at);
    return HOB_OK;
}

static void append_class(const struct class_operand *operand, const struct buffer *conditions, bool is_negated,
                         bool is_plain, struct buffer *out)
{
    if (is_plain || (is_negated && !conditions->n_bytes && !operand->atoms.n_bytes)) {
        buffer_printf(out, is_negated ? "[^%s]" : "[%s]", buffer_text(&operand->items));
        return;
    }
    buffer_append_string(out, is_negated ? "(?:(?!" : "(?:");
    buffer_append_string(out, buffer_text(conditions));
    append_operand(operand, out);
    buffer_append_string(out, is_negated ? ")(?s:.))" : ")");
}

/* t->at is at the opening bracket. is_plain: the result is "[items]". */
static hob_status translate_class(struct translation *t, int depth, struct buffer *out, bool *ret_is_plain)
{
    if (depth > MAX_DEPTH) FAIL(t->error, HOB_LIMIT, "regular expression: classes nested deeper than %d", MAX_DEPTH);
    t->at++;
    bool is_negated = starts(t, "^");
    t->at += is_negated;
    struct class_operand operand = {0};
    struct buffer conditions = {0}; /* look-aheads for all operands of && but the last */
    hob_status status = HOB_OK;
    for (bool is_first = true;; is_first = false) {
        TRY_CLEANUP(translate_operand(t, depth, is_first, &operand));
        if (!starts(t, "&&")) break;
        t->at += 2;
        buffer_append_string(&conditions, "(?=");
        append_operand(&operand, &conditions);
        buffer_append_byte(&conditions, ')');
        buffer_clear(&operand.items);
        buffer_clear(&operand.atoms);
    }
    if (!starts(t, "]")) FAIL_CLEANUP(t->error, HOB_BAD_FILE, "regular expression: [ without ]");
    t->at++;
    *ret_is_plain = !is_negated && !conditions.n_bytes && !operand.atoms.n_bytes;
    append_class(&operand, &conditions, is_negated, *ret_is_plain, out);
cleanup:
    buffer_release(&operand.items);
    buffer_release(&operand.atoms);
    buffer_release(&conditions);
    return status;
}

/* "(?im-x:": Ruby's m is PCRE2's s. */
static hob_status open_group(struct translation *t)
{
    if (t->n_groups == ARRAY_LENGTH(t->groups))
        FAIL(t->error, HOB_LIMIT, "regular expression: groups nested deeper than %zu", t->n_groups);
    t->groups[t->n_groups++] = t->out->n_bytes;
    buffer_append_byte(t->out, '(');
    t->at++;
    if (!starts(t, "?")) return HOB_OK;
    do {
        char c = t->pattern[t->at++];
        buffer_append_byte(t->out, (unsigned char)(c == 'm' ? 's' : c));
    } while (t->at < t->n_bytes && strchr("imx-", t->pattern[t->at]));
    return HOB_OK;
}

/* The length of "{n}", "{n,}", "{,m}" or "{n,m}" at the cursor, or 0. */
static size_t interval_bytes(const struct translation *t)
{
    size_t n = 1, n_digits = 0, n_commas = 0;
    for (; t->at + n < t->n_bytes; n++) {
        char c = t->pattern[t->at + n];
        if (c == '}') return n_digits && n_commas <= 1 ? n + 1 : 0;
        if (c == ',')
            n_commas++;
        else if (c >= '0' && c <= '9')
            n_digits++;
        else
            break;
    }
    return 0;
}

/* x{n,m}+ means (?:x{n,m})+ in Ruby, and {,m} is {0,m}. */
static void translate_interval(struct translation *t, size_t n)
{
    bool has_no_least = t->pattern[t->at + 1] == ',';
    bool is_repeated = t->at + n < t->n_bytes && t->pattern[t->at + n] == '+';
    struct buffer atom = {0};
    buffer_append(&atom, t->out->bytes + t->atom_begin, t->out->n_bytes - t->atom_begin);
    t->out->n_bytes = t->atom_begin;
    buffer_printf(t->out, "%s%s{%s%.*s%s", is_repeated ? "(?:" : "", buffer_text(&atom), has_no_least ? "0" : "",
                  (int)(n - 1), t->pattern + t->at + 1, is_repeated ? ")" : "");
    buffer_release(&atom);
    t->at += n;
}

static hob_status translate_one(struct translation *t)
{
    struct buffer *out = t->out;
    char c = t->pattern[t->at];
    size_t begin = out->n_bytes, n = c == '{' ? interval_bytes(t) : 0;
    bool ignored;
    if (n && begin > t->atom_begin) {
        translate_interval(t, n);
        return HOB_OK;
    }
    if (c == '(') {
        TRY(open_group(t));
    } else if (c == ')' && t->n_groups > 0) {
        begin = t->groups[--t->n_groups];
        buffer_append_byte(out, ')');
        t->at++;
    } else if (c == '\\') {
        TRY(translate_escape(t, false, out, &ignored));
    } else if (c == '[') {
        TRY(translate_class(t, 0, out, &ignored));
    } else {
        size_t n_char = unicode_char_bytes(t->pattern + t->at, t->n_bytes - t->at);
        buffer_append(out, t->pattern + t->at, n_char);
        t->at += n_char;
        if (strchr("+*?", c)) return HOB_OK; /* the atom before it stays the atom */
    }
    t->atom_begin = begin;
    return HOB_OK;
}

hob_status regex_translate(const char *pattern, size_t n_bytes, struct buffer *out, hob_error *error)
{
    struct translation translation = {
        .pattern = pattern, .n_bytes = n_bytes, .out = out, .atom_begin = out->n_bytes, .error = error};
    while (translation.at < n_bytes && !out->is_failed) TRY(translate_one(&translation));
    if (out->is_failed) FAIL(error, HOB_LIMIT, "regular expression \"%.80s\": too long", pattern);
    return HOB_OK;
}
