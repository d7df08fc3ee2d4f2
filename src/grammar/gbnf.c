/* A recursive descent that makes states as it reads. What is used before it is defined is a rule without a body until the end. */
#include "grammar/gbnf.h"
#include "base/error.h"
#include "base/string_map.h"
#include "text/unicode.h"

#include <string.h>

enum { MAX_DEPTH = 200 };

struct gbnf {
    struct grammar_builder *builder;
    const char *text;
    size_t at, n_bytes;
    struct string_map names; /* rule by name */
    size_t *used_at;         /* where each rule is named first; in the builder's arena */
    bool *is_defined;
    hob_error *error;
};

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static char peek(const struct gbnf *gbnf)
{
    return gbnf->at < gbnf->n_bytes ? gbnf->text[gbnf->at] : '\0';
}

/* "line:column: expected …, found …" of the character at a place. */
static hob_status fail_at(struct gbnf *gbnf, size_t at, const char *expected)
{
    size_t line = 1, column = 1, n = 1;
    for (size_t i = 0; i < at; i += n, column++) {
        unicode_next(gbnf->text + i, gbnf->n_bytes - i, &n);
        if (gbnf->text[i] == '\n') line++, column = 0;
    }
    if (at >= gbnf->n_bytes)
        FAIL(gbnf->error, HOB_BAD_FILE, "grammar: %zu:%zu: found the end of the text, expected %s", line, column,
             expected);
    unicode_next(gbnf->text + at, gbnf->n_bytes - at, &n);
    if ((unsigned char)gbnf->text[at] < ' ')
        FAIL(gbnf->error, HOB_BAD_FILE, "grammar: %zu:%zu: found byte 0x%02X, expected %s", line, column,
             (unsigned char)gbnf->text[at], expected);
    FAIL(gbnf->error, HOB_BAD_FILE, "grammar: %zu:%zu: found '%.*s', expected %s", line, column, (int)n,
         gbnf->text + at, expected);
}

static void skip_space(struct gbnf *gbnf)
{
    for (; gbnf->at < gbnf->n_bytes; gbnf->at++) {
        char c = gbnf->text[gbnf->at];
        if (c == '#')
            while (gbnf->at + 1 < gbnf->n_bytes && gbnf->text[gbnf->at + 1] != '\n') gbnf->at++;
        else if (c != ' ' && c != '\t' && c != '\n' && c != '\r') return;
    }
}

static size_t name_bytes(const struct gbnf *gbnf)
{
    size_t n = 0;
    while (gbnf->at + n < gbnf->n_bytes && is_name_byte(gbnf->text[gbnf->at + n])) n++;
    return n;
}

/* Whether a name and "::=" stand here, which ends the rule before. */
static bool is_definition(const struct gbnf *gbnf)
{
    struct gbnf ahead = *gbnf;
    ahead.at += name_bytes(gbnf);
    if (ahead.at == gbnf->at) return false;
    skip_space(&ahead);
    return gbnf->n_bytes - ahead.at >= 3 && !memcmp(gbnf->text + ahead.at, "::=", 3);
}

/* ---- characters ---- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static hob_status read_hex(struct gbnf *gbnf, size_t n_digits, uint32_t *ret_c)
{
    uint32_t c = 0;
    size_t begin = gbnf->at;
    for (size_t i = 0; i < n_digits; i++, gbnf->at++) {
        int value = hex_value(peek(gbnf));
        if (value < 0) return fail_at(gbnf, gbnf->at, "a hexadecimal digit");
        c = c << 4 | (uint32_t)value;
    }
    if (c > UNICODE_MOST || (c >= 0xD800 && c <= 0xDFFF))
        return fail_at(gbnf, begin, "a Unicode character (no surrogate)");
    *ret_c = c;
    return HOB_OK;
}

static hob_status read_escape(struct gbnf *gbnf, uint32_t *ret_c)
{
    static const char names[] = "nrt\"\\[]-^", values[] = "\n\r\t\"\\[]-^";
    char c = peek(gbnf);
    const char *found = c ? strchr(names, c) : NULL;
    if (!found && c != 'x' && c != 'u' && c != 'U')
        return fail_at(gbnf, gbnf->at, "an escape: one of n r t \" \\ [ ] - ^ xHH uHHHH UHHHHHHHH");
    gbnf->at++;
    if (!found) return read_hex(gbnf, c == 'x' ? 2 : c == 'u' ? 4 : 8, ret_c);
    *ret_c = (unsigned char)values[found - names];
    return HOB_OK;
}

static hob_status read_character(struct gbnf *gbnf, const char *expected, uint32_t *ret_c)
{
    if (gbnf->at >= gbnf->n_bytes) return fail_at(gbnf, gbnf->at, expected);
    if (peek(gbnf) == '\\') {
        gbnf->at++;
        return read_escape(gbnf, ret_c);
    }
    size_t n;
    *ret_c = unicode_next(gbnf->text + gbnf->at, gbnf->n_bytes - gbnf->at, &n);
    gbnf->at += n;
    return HOB_OK;
}

/* ---- symbols ---- */

static hob_status out_of_memory(struct gbnf *gbnf)
{
    FAIL(gbnf->error, HOB_NO_MEMORY, "grammar: no memory");
}

static hob_status read_literal(struct gbnf *gbnf, struct fragment *fragment)
{
    gbnf->at++;
    while (peek(gbnf) != '"' || gbnf->at >= gbnf->n_bytes) {
        struct buffer bytes = {0};
        uint32_t c;
        TRY(read_character(gbnf, "a closing '\"'", &c));
        unicode_append(&bytes, c);
        if (bytes.is_failed) return out_of_memory(gbnf);
        fragment->to = grammar_builder_literal(gbnf->builder, fragment->to, bytes.bytes, bytes.n_bytes);
        buffer_release(&bytes);
    }
    gbnf->at++;
    return HOB_OK;
}

static hob_status read_ranges(struct gbnf *gbnf, struct code_points *points)
{
    while (peek(gbnf) != ']' || gbnf->at >= gbnf->n_bytes) {
        uint32_t low = 0, high;
        size_t begin = gbnf->at;
        TRY(read_character(gbnf, "a closing ']'", &low));
        high = low;
        if (peek(gbnf) == '-' && gbnf->at + 1 < gbnf->n_bytes && gbnf->text[gbnf->at + 1] != ']') {
            gbnf->at++;
            TRY(read_character(gbnf, "the end of a range", &high));
        }
        if (high < low) return fail_at(gbnf, begin, "a range from the lower to the higher character");
        code_points_add(points, low, high);
    }
    gbnf->at++;
    return HOB_OK;
}

static hob_status add_class(struct gbnf *gbnf, struct code_points *points, bool is_negated, struct fragment *fragment)
{
    code_points_finish(points, is_negated);
    if (points->is_failed) return out_of_memory(gbnf);
    fragment->to = grammar_builder_code_points(gbnf->builder, fragment->from, points);
    return HOB_OK;
}

static hob_status read_class(struct gbnf *gbnf, struct fragment *fragment)
{
    struct code_points points = {0};
    bool is_any = peek(gbnf) == '.', is_negated = is_any;
    gbnf->at++;
    if (!is_any && peek(gbnf) == '^') is_negated = true, gbnf->at++;
    hob_status status = is_any ? HOB_OK : read_ranges(gbnf, &points);
    if (status == HOB_OK) status = add_class(gbnf, &points, is_negated, fragment);
    code_points_release(&points);
    return status;
}

/* The rule of a name, made when it is named first. */
static hob_status find_rule(struct gbnf *gbnf, const char *name, size_t n_bytes, uint32_t *ret_rule)
{
    uint64_t known;
    if (string_map_get(&gbnf->names, name, n_bytes, &known)) {
        *ret_rule = (uint32_t)known;
        return HOB_OK;
    }
    uint32_t rule = grammar_builder_rule(gbnf->builder, name, n_bytes);
    TRY(gbnf->builder->status);
    gbnf->used_at[rule] = (size_t)(name - gbnf->text);
    if (!string_map_put(&gbnf->names, name, n_bytes, rule)) return out_of_memory(gbnf);
    *ret_rule = rule;
    return HOB_OK;
}

static hob_status read_call(struct gbnf *gbnf, struct fragment *fragment)
{
    size_t n = name_bytes(gbnf);
    uint32_t rule = 0;
    TRY(find_rule(gbnf, gbnf->text + gbnf->at, n, &rule));
    gbnf->at += n;
    fragment->to = grammar_builder_state(gbnf->builder);
    grammar_builder_call(gbnf->builder, fragment->from, rule, fragment->to);
    return HOB_OK;
}

/* ---- repetition ---- */

static hob_status read_count(struct gbnf *gbnf, uint32_t *ret_count)
{
    uint64_t count = 0;
    size_t begin = gbnf->at;
    for (; peek(gbnf) >= '0' && peek(gbnf) <= '9'; gbnf->at++) {
        count = count * 10 + (uint64_t)(peek(gbnf) - '0');
        if (count > GRAMMAR_MAX_STATES) return fail_at(gbnf, begin, "at most 524288 repetitions");
    }
    if (gbnf->at == begin) return fail_at(gbnf, begin, "a number");
    *ret_count = (uint32_t)count;
    return HOB_OK;
}

/* Behind "{". */
static hob_status read_bounds(struct gbnf *gbnf, uint32_t *ret_least, uint32_t *ret_most)
{
    size_t begin = gbnf->at;
    *ret_least = 0;
    skip_space(gbnf);
    if (peek(gbnf) != ',') TRY(read_count(gbnf, ret_least));
    *ret_most = *ret_least;
    skip_space(gbnf);
    if (peek(gbnf) == ',') {
        gbnf->at++;
        skip_space(gbnf);
        *ret_most = GRAMMAR_UNBOUNDED;
        if (peek(gbnf) != '}') TRY(read_count(gbnf, ret_most));
        skip_space(gbnf);
    }
    if (peek(gbnf) != '}') return fail_at(gbnf, gbnf->at, "',' or '}' in a repetition");
    if (*ret_most < *ret_least) return fail_at(gbnf, begin, "a repetition from the lower to the higher number");
    gbnf->at++;
    return HOB_OK;
}

static hob_status read_repetitions(struct gbnf *gbnf, size_t first_state, struct fragment *fragment)
{
    for (;;) {
        uint32_t least, most = GRAMMAR_UNBOUNDED;
        skip_space(gbnf);
        char c = peek(gbnf);
        if (c != '*' && c != '+' && c != '?' && c != '{') return HOB_OK;
        gbnf->at++;
        least = c == '+';
        if (c == '?') most = 1;
        if (c == '{') TRY(read_bounds(gbnf, &least, &most));
        *fragment = grammar_builder_repeat(gbnf->builder, first_state, *fragment, least, most);
        TRY(gbnf->builder->status);
    }
}

/* ---- alternatives ---- */

static hob_status read_alternatives(struct gbnf *gbnf, size_t depth, struct fragment *fragment);

static hob_status read_group(struct gbnf *gbnf, size_t depth, struct fragment *fragment)
{
    size_t begin = gbnf->at++;
    if (depth == MAX_DEPTH) return fail_at(gbnf, begin, "at most 200 groups within each other");
    TRY(read_alternatives(gbnf, depth + 1, fragment));
    if (peek(gbnf) != ')') return fail_at(gbnf, gbnf->at, "')', a symbol, a repetition or '|'");
    gbnf->at++;
    return HOB_OK;
}

static hob_status read_symbol(struct gbnf *gbnf, size_t depth, struct fragment *fragment)
{
    char c = peek(gbnf);
    fragment->from = fragment->to = grammar_builder_state(gbnf->builder);
    if (c == '"') return read_literal(gbnf, fragment);
    if (c == '[' || c == '.') return read_class(gbnf, fragment);
    if (c == '(') return read_group(gbnf, depth, fragment);
    if (c == '<') return fail_at(gbnf, gbnf->at, "text, a class, a rule or a group (tokens by name are not supported)");
    return read_call(gbnf, fragment);
}

static bool is_symbol(const struct gbnf *gbnf)
{
    char c = peek(gbnf);
    return c == '"' || c == '[' || c == '.' || c == '(' || c == '<' || (is_name_byte(c) && !is_definition(gbnf));
}

static hob_status read_sequence(struct gbnf *gbnf, size_t depth, uint32_t from, uint32_t to)
{
    for (skip_space(gbnf); is_symbol(gbnf); skip_space(gbnf)) {
        size_t first_state = gbnf->builder->n_states;
        struct fragment symbol;
        TRY(read_symbol(gbnf, depth, &symbol));
        TRY(read_repetitions(gbnf, first_state, &symbol));
        grammar_builder_skip(gbnf->builder, from, symbol.from);
        from = symbol.to;
        TRY(gbnf->builder->status);
    }
    grammar_builder_skip(gbnf->builder, from, to);
    return HOB_OK;
}

static hob_status read_alternatives(struct gbnf *gbnf, size_t depth, struct fragment *fragment)
{
    fragment->from = grammar_builder_state(gbnf->builder);
    fragment->to = grammar_builder_state(gbnf->builder);
    TRY(read_sequence(gbnf, depth, fragment->from, fragment->to));
    while (peek(gbnf) == '|') {
        gbnf->at++;
        TRY(read_sequence(gbnf, depth, fragment->from, fragment->to));
    }
    return gbnf->builder->status;
}

static hob_status read_rule(struct gbnf *gbnf)
{
    size_t begin = gbnf->at, n = name_bytes(gbnf);
    uint32_t rule = 0;
    struct fragment body;
    if (n == 0) return fail_at(gbnf, begin, "the name of a rule");
    TRY(find_rule(gbnf, gbnf->text + begin, n, &rule));
    if (gbnf->is_defined[rule]) return fail_at(gbnf, begin, "a name that no rule above has");
    gbnf->is_defined[rule] = true;
    gbnf->at += n;
    skip_space(gbnf);
    if (gbnf->n_bytes - gbnf->at < 3 || memcmp(gbnf->text + gbnf->at, "::=", 3))
        return fail_at(gbnf, gbnf->at, "\"::=\"");
    gbnf->at += 3;
    TRY(read_alternatives(gbnf, 0, &body));
    grammar_builder_skip(gbnf->builder, gbnf->builder->rules[rule].start, body.from);
    grammar_builder_skip(gbnf->builder, body.to, gbnf->builder->rules[rule].end);
    skip_space(gbnf);
    if (gbnf->at < gbnf->n_bytes && !is_definition(gbnf))
        return fail_at(gbnf, gbnf->at, "a symbol, a repetition, '|' or the next rule");
    return gbnf->builder->status;
}

static hob_status check_defined(struct gbnf *gbnf, size_t first_rule)
{
    for (size_t r = first_rule; r < gbnf->builder->n_rules; r++) {
        if (gbnf->used_at[r] == SIZE_MAX || gbnf->is_defined[r]) continue; /* SIZE_MAX: made of a repetition */
        return fail_at(gbnf, gbnf->used_at[r], "the name of a rule that is defined");
    }
    return HOB_OK;
}

static hob_status read_all(struct gbnf *gbnf, const char *root, uint32_t *ret_root)
{
    uint64_t rule;
    size_t n = 0, first_rule = gbnf->builder->n_rules;
    for (size_t at = 0; at < gbnf->n_bytes; at += n) {
        n = unicode_char_bytes(gbnf->text + at, gbnf->n_bytes - at);
        if (n == 0) return fail_at(gbnf, at, "UTF-8");
    }
    skip_space(gbnf);
    while (gbnf->at < gbnf->n_bytes) TRY(read_rule(gbnf));
    TRY(check_defined(gbnf, first_rule));
    if (!string_map_get(&gbnf->names, root, strlen(root), &rule))
        FAIL(gbnf->error, HOB_BAD_FILE, "grammar: found no rule \"%.60s\", expected one to begin with", root);
    *ret_root = (uint32_t)rule;
    return HOB_OK;
}

hob_status gbnf_parse(struct grammar_builder *builder, const char *text, size_t n_bytes, const char *root,
                      uint32_t *ret_root, hob_error *error)
{
    struct gbnf gbnf = {.builder = builder, .text = text, .n_bytes = n_bytes, .error = error};
    gbnf.used_at = arena_alloc(&builder->arena, GRAMMAR_MAX_RULES * sizeof *gbnf.used_at, _Alignof(size_t));
    gbnf.is_defined = ARENA_NEW(&builder->arena, bool, GRAMMAR_MAX_RULES);
    if (!gbnf.used_at || !gbnf.is_defined) return out_of_memory(&gbnf);
    memset(gbnf.used_at, 0xFF, GRAMMAR_MAX_RULES * sizeof *gbnf.used_at);
    hob_status status = read_all(&gbnf, root, ret_root);
    string_map_release(&gbnf.names);
    return status;
}
