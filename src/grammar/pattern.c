/* A recursive descent. An alternative that lacks ^ or $ is joined to any text by loops at its ends. */
#include "grammar/pattern.h"
#include "base/error.h"
#include "grammar/json_text.h"
#include "text/unicode.h"

#include <string.h>

enum { MAX_DEPTH = 100, MAX_REPEAT = 10000 };

struct pattern {
    struct grammar_builder *builder;
    const char *text;
    size_t at, n_bytes;
    hob_error *error;
};

static hob_status fail(struct pattern *pattern, hob_status status, const char *what)
{
    FAIL(pattern->error, status, "pattern \"%.100s\": at byte %zu: %s", pattern->text, pattern->at, what);
}

static char peek(const struct pattern *pattern)
{
    return pattern->at < pattern->n_bytes ? pattern->text[pattern->at] : '\0';
}

static bool is_end(const struct pattern *pattern)
{
    return pattern->at >= pattern->n_bytes;
}

static bool take(struct pattern *pattern, const char *text)
{
    size_t n = strlen(text);
    if (pattern->n_bytes - pattern->at < n || memcmp(pattern->text + pattern->at, text, n)) return false;
    pattern->at += n;
    return true;
}

/* ---- classes ---- */

static void add_spaces(struct code_points *points)
{
    static const struct code_range spaces[] = {{'\t', '\r'},     {' ', ' '},       {0xA0, 0xA0},     {0x1680, 0x1680},
                                               {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F},
                                               {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
    for (size_t i = 0; i < sizeof spaces / sizeof spaces[0]; i++)
        code_points_add(points, spaces[i].low, spaces[i].high);
}

/* \d and its like; the capital letter is the complement. false: it is another escape. */
static bool add_named_class(struct code_points *points, char name)
{
    struct code_points class = {0};
    if (!name || !strchr("dDwWsS", name)) return false;
    char kind = (char)(name | 0x20);
    if (kind == 's') add_spaces(&class);
    if (kind != 's') code_points_add(&class, '0', '9');
    if (kind == 'w')
        code_points_add(&class, 'A', 'Z'), code_points_add(&class, 'a', 'z'), code_points_add(&class, '_', '_');
    code_points_finish(&class, name != kind);
    code_points_add_all(points, &class);
    points->is_failed |= class.is_failed;
    code_points_release(&class);
    return true;
}

static hob_status read_hex(struct pattern *pattern, size_t n_least, size_t n_most, uint32_t *ret_c)
{
    uint32_t c = 0;
    size_t n = 0;
    for (; n < n_most; n++, pattern->at++) {
        static const char digits[] = "0123456789abcdef";
        char byte = peek(pattern), lower = (char)(byte >= 'A' && byte <= 'F' ? byte | 0x20 : byte);
        const char *digit = lower ? strchr(digits, lower) : NULL;
        if (!digit) break;
        c = c << 4 | (uint32_t)(digit - digits);
    }
    if (n < n_least || c > UNICODE_MOST)
        return fail(pattern, HOB_BAD_FILE, "expected hexadecimal digits of a character");
    *ret_c = c;
    return HOB_OK;
}

static hob_status read_unicode_escape(struct pattern *pattern, uint32_t *ret_c)
{
    uint32_t low = 0;
    if (take(pattern, "{")) {
        TRY(read_hex(pattern, 1, 6, ret_c));
        return take(pattern, "}") ? HOB_OK : fail(pattern, HOB_BAD_FILE, "expected '}'");
    }
    TRY(read_hex(pattern, 4, 4, ret_c));
    if (*ret_c < 0xD800 || *ret_c > 0xDBFF || !take(pattern, "\\u")) return HOB_OK;
    TRY(read_hex(pattern, 4, 4, &low));
    *ret_c = 0x10000 + ((*ret_c - 0xD800) << 10) + ((low - 0xDC00) & 0x3FF);
    return HOB_OK;
}

/* Behind a backslash, no named class. */
static hob_status read_escape(struct pattern *pattern, bool is_in_class, uint32_t *ret_c)
{
    static const char names[] = "tnvfr", values[] = "\t\n\v\f\r";
    char c = peek(pattern);
    const char *name = c ? strchr(names, c) : NULL;
    if (is_end(pattern)) return fail(pattern, HOB_BAD_FILE, "expected a character behind '\\'");
    if ((c == 'b' && !is_in_class) || c == 'B')
        return fail(pattern, HOB_UNSUPPORTED, "word boundaries (\\b) are not supported");
    if ((c >= '1' && c <= '9') || c == 'k') return fail(pattern, HOB_UNSUPPORTED, "back references are not supported");
    if (c == 'p' || c == 'P') return fail(pattern, HOB_UNSUPPORTED, "Unicode properties (\\p) are not supported");
    pattern->at++;
    *ret_c = name ? (unsigned char)values[name - names] : (unsigned char)c;
    if (name || c == '0' || c == 'b') {
        if (!name) *ret_c = c == 'b' ? '\b' : 0;
        return HOB_OK;
    }
    if (c == 'x') return read_hex(pattern, 2, 2, ret_c);
    if (c == 'u') return read_unicode_escape(pattern, ret_c);
    if (c == 'c') {
        *ret_c = (uint32_t)(peek(pattern) & 31);
        pattern->at++;
        return HOB_OK;
    }
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return fail(pattern, HOB_BAD_FILE, "expected a known escape");
    if ((unsigned char)c < 0x80) return HOB_OK;
    size_t n;
    pattern->at--;
    *ret_c = unicode_next(pattern->text + pattern->at, pattern->n_bytes - pattern->at, &n);
    pattern->at += n;
    return HOB_OK;
}

static hob_status read_character(struct pattern *pattern, bool is_in_class, uint32_t *ret_c)
{
    size_t n;
    if (take(pattern, "\\")) return read_escape(pattern, is_in_class, ret_c);
    if (is_end(pattern)) return fail(pattern, HOB_BAD_FILE, "found the end, expected ']'");
    *ret_c = unicode_next(pattern->text + pattern->at, pattern->n_bytes - pattern->at, &n);
    pattern->at += n;
    return HOB_OK;
}

static bool take_named_class(struct pattern *pattern, struct code_points *points)
{
    bool is_named = peek(pattern) == '\\' && pattern->at + 1 < pattern->n_bytes &&
                    add_named_class(points, pattern->text[pattern->at + 1]);
    pattern->at += is_named ? 2 : 0;
    return is_named;
}

static hob_status read_ranges(struct pattern *pattern, struct code_points *points)
{
    while (!take(pattern, "]")) {
        uint32_t low, high;
        if (take_named_class(pattern, points)) continue;
        TRY(read_character(pattern, true, &low));
        high = low;
        bool is_range =
            peek(pattern) == '-' && pattern->at + 1 < pattern->n_bytes && pattern->text[pattern->at + 1] != ']';
        if (is_range) {
            pattern->at++;
            if (take_named_class(pattern, points)) code_points_add(points, '-', '-');
            else TRY(read_character(pattern, true, &high));
        }
        if (high < low) return fail(pattern, HOB_BAD_FILE, "expected a range from the lower to the higher character");
        code_points_add(points, low, high);
    }
    return HOB_OK;
}

static hob_status read_set(struct pattern *pattern, struct code_points *points)
{
    bool is_negated = false;
    uint32_t c;
    if (take(pattern, "[")) {
        is_negated = take(pattern, "^");
        TRY(read_ranges(pattern, points));
    } else if (take(pattern, ".")) {
        is_negated = true;
        code_points_add(points, '\n', '\n');
        code_points_add(points, '\r', '\r');
        code_points_add(points, 0x2028, 0x2029);
    } else if (!take_named_class(pattern, points)) {
        TRY(read_character(pattern, false, &c));
        code_points_add(points, c, c);
    }
    code_points_finish(points, is_negated);
    return points->is_failed ? fail(pattern, HOB_NO_MEMORY, "no memory") : HOB_OK;
}

/* ---- repetition ---- */

static bool read_number(struct pattern *pattern, uint32_t *ret_number)
{
    uint32_t number = 0;
    size_t begin = pattern->at;
    for (; peek(pattern) >= '0' && peek(pattern) <= '9'; pattern->at++)
        if (number <= MAX_REPEAT) number = number * 10 + (uint32_t)(peek(pattern) - '0');
    *ret_number = number;
    return pattern->at > begin;
}

/* Behind "{"; what is no repetition is an error here, as with the u flag. */
static hob_status read_bounds(struct pattern *pattern, uint32_t *ret_least, uint32_t *ret_most)
{
    if (!read_number(pattern, ret_least))
        return fail(pattern, HOB_BAD_FILE, "expected a number behind '{' (a literal one is \\{)");
    *ret_most = *ret_least;
    if (take(pattern, ",") && !read_number(pattern, ret_most)) *ret_most = GRAMMAR_UNBOUNDED;
    if (!take(pattern, "}")) return fail(pattern, HOB_BAD_FILE, "expected '}'");
    if (*ret_most < *ret_least)
        return fail(pattern, HOB_BAD_FILE, "expected a repetition from the lower to the higher number");
    if (*ret_least > MAX_REPEAT || (*ret_most > MAX_REPEAT && *ret_most != GRAMMAR_UNBOUNDED))
        return fail(pattern, HOB_LIMIT, "expected at most 10000 repetitions");
    return HOB_OK;
}

static hob_status read_repetition(struct pattern *pattern, size_t first_state, struct fragment *fragment)
{
    uint32_t least = 0, most = GRAMMAR_UNBOUNDED;
    if (take(pattern, "?")) most = 1;
    else if (take(pattern, "+")) least = 1;
    else if (take(pattern, "{")) TRY(read_bounds(pattern, &least, &most));
    else if (!take(pattern, "*")) return HOB_OK;
    take(pattern, "?"); /* lazy: which match is found does not matter */
    if (!is_end(pattern) && strchr("*+?{", peek(pattern)))
        return fail(pattern, HOB_BAD_FILE, "found a repetition of a repetition");
    *fragment = grammar_builder_repeat(pattern->builder, first_state, *fragment, least, most);
    return pattern->builder->status;
}

/* ---- alternatives ---- */

static hob_status read_alternatives(struct pattern *pattern, size_t depth, struct fragment *fragment);

static hob_status read_group(struct pattern *pattern, size_t depth, struct fragment *fragment)
{
    if (depth == MAX_DEPTH) return fail(pattern, HOB_LIMIT, "expected at most 100 groups within each other");
    if (take(pattern, "?=") || take(pattern, "?!"))
        return fail(pattern, HOB_UNSUPPORTED, "look-ahead is not supported");
    if (take(pattern, "?<=") || take(pattern, "?<!"))
        return fail(pattern, HOB_UNSUPPORTED, "look-behind is not supported");
    if (take(pattern, "?<"))
        while (!is_end(pattern) && !take(pattern, ">")) pattern->at++;
    else take(pattern, "?:");
    TRY(read_alternatives(pattern, depth + 1, fragment));
    return take(pattern, ")") ? HOB_OK : fail(pattern, HOB_BAD_FILE, "expected ')'");
}

static hob_status read_atom(struct pattern *pattern, size_t depth, struct fragment *fragment)
{
    struct code_points points = {0};
    if (take(pattern, "(")) return read_group(pattern, depth, fragment);
    if (strchr("*+?{}]", peek(pattern)))
        return fail(pattern, HOB_BAD_FILE, "expected a character (write \\ before one that has a meaning)");
    fragment->from = grammar_builder_state(pattern->builder);
    hob_status status = read_set(pattern, &points);
    if (status == HOB_OK) fragment->to = json_text_code_points(pattern->builder, fragment->from, &points);
    code_points_release(&points);
    return status;
}

/* Any text between two states. */
static void add_any(struct grammar_builder *builder, uint32_t from, uint32_t to)
{
    uint32_t loop = grammar_builder_state(builder);
    grammar_builder_skip(builder, from, loop);
    grammar_builder_skip(builder, json_text_plain_character(builder, loop), loop);
    grammar_builder_skip(builder, loop, to);
}

/* depth 0: the whole pattern's alternatives, where anchors may stand. */
static hob_status read_alternative(struct pattern *pattern, size_t depth, struct fragment all)
{
    struct grammar_builder *builder = pattern->builder;
    bool is_at_end = false, is_anchored = take(pattern, "^");
    uint32_t at = grammar_builder_state(builder);
    if (depth && is_anchored)
        return fail(pattern, HOB_UNSUPPORTED, "'^' is supported at the beginning of the whole pattern only");
    if (depth || is_anchored) grammar_builder_skip(builder, all.from, at);
    else add_any(builder, all.from, at);
    while (!is_end(pattern) && peek(pattern) != '|' && peek(pattern) != ')') {
        struct fragment fragment;
        size_t first_state = builder->n_states;
        bool is_inner_end = depth && peek(pattern) == '$';
        if (is_at_end || is_inner_end || peek(pattern) == '^')
            return fail(pattern, HOB_UNSUPPORTED, "an anchor within the pattern is not supported");
        if ((is_at_end = take(pattern, "$"))) continue;
        TRY(read_atom(pattern, depth, &fragment));
        TRY(read_repetition(pattern, first_state, &fragment));
        grammar_builder_skip(builder, at, fragment.from);
        at = fragment.to;
        TRY(builder->status);
    }
    if (depth || is_at_end) grammar_builder_skip(builder, at, all.to);
    else add_any(builder, at, all.to);
    return builder->status;
}

static hob_status read_alternatives(struct pattern *pattern, size_t depth, struct fragment *fragment)
{
    struct fragment all = {grammar_builder_state(pattern->builder), grammar_builder_state(pattern->builder)};
    do {
        TRY(read_alternative(pattern, depth, all));
    } while (take(pattern, "|"));
    *fragment = all;
    return HOB_OK;
}

hob_status pattern_parse(struct grammar_builder *builder, const char *text, size_t n_bytes,
                         struct fragment *ret_fragment, hob_error *error)
{
    struct pattern pattern = {.builder = builder, .text = text, .n_bytes = n_bytes, .error = error};
    struct fragment fragment = {0};
    TRY(builder->status);
    TRY(read_alternatives(&pattern, 0, &fragment));
    if (!is_end(&pattern)) return fail(&pattern, HOB_BAD_FILE, "found ')', expected the end");
    *ret_fragment = fragment;
    return builder->status;
}
