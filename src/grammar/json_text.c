#include "grammar/json_text.h"
#include "text/unicode.h"

#include <string.h>

enum { INDENT_MOST = 20, INTEGER_DIGITS = 15, FRACTION_DIGITS = 15, EXPONENT_DIGITS = 2 };

uint32_t json_text_call(struct grammar_builder *builder, uint32_t from, uint32_t rule)
{
    uint32_t to = grammar_builder_state(builder);
    grammar_builder_call(builder, from, rule, to);
    return to;
}

uint32_t json_text_space(struct grammar_builder *builder, const struct json_text *text, uint32_t from)
{
    return json_text_call(builder, from, text->space);
}

static uint32_t start_of(const struct grammar_builder *builder, uint32_t rule)
{
    return builder->n_rules ? builder->rules[rule].start : 0;
}

static void end_at(struct grammar_builder *builder, uint32_t from, uint32_t rule)
{
    if (builder->n_rules) grammar_builder_skip(builder, from, builder->rules[rule].end);
}

static uint32_t add_literal_rule(struct grammar_builder *builder, uint32_t rule, const char *literal, size_t n_bytes)
{
    uint32_t at = grammar_builder_literal(builder, start_of(builder, rule), literal, n_bytes);
    end_at(builder, at, rule);
    return at;
}

static void add_space(struct grammar_builder *builder, uint32_t rule)
{
    end_at(builder, start_of(builder, rule), rule);
    add_literal_rule(builder, rule, " ", 1);
    uint32_t at = add_literal_rule(builder, rule, "\n", 1);
    for (int i = 0; i < INDENT_MOST; i++) {
        uint32_t next = grammar_builder_state(builder);
        grammar_builder_bytes(builder, at, ' ', ' ', next);
        grammar_builder_bytes(builder, at, '\t', '\t', next);
        end_at(builder, next, rule);
        at = next;
    }
}

/* ---- strings ---- */

static uint32_t add_hex(struct grammar_builder *builder, uint32_t from)
{
    uint32_t to = grammar_builder_state(builder);
    grammar_builder_bytes(builder, from, '0', '9', to);
    grammar_builder_bytes(builder, from, 'A', 'F', to);
    grammar_builder_bytes(builder, from, 'a', 'f', to);
    return to;
}

static uint32_t add_one_of(struct grammar_builder *builder, uint32_t from, const char *bytes, uint32_t to)
{
    for (; *bytes; bytes++) grammar_builder_bytes(builder, from, (uint8_t)*bytes, (uint8_t)*bytes, to);
    return to;
}

/* Behind "\u": any character of the first plane that is no surrogate, or a pair of surrogates. */
static void add_unicode_escape(struct grammar_builder *builder, uint32_t from, uint32_t to)
{
    uint32_t second = grammar_builder_state(builder), d = grammar_builder_state(builder),
             last = grammar_builder_state(builder);
    add_one_of(builder, from, "0123456789ABCEFabcef", second);
    uint32_t third = add_hex(builder, second);
    add_one_of(builder, from, "Dd", d);
    add_one_of(builder, d, "01234567", third);
    grammar_builder_skip(builder, add_hex(builder, add_hex(builder, third)), to);
    uint32_t high = grammar_builder_state(builder);
    add_one_of(builder, d, "89ABab", high);
    high = grammar_builder_literal(builder, add_hex(builder, add_hex(builder, high)), "\\u", 2);
    add_one_of(builder, high, "Dd", last);
    uint32_t low = add_one_of(builder, last, "CDEFcdef", grammar_builder_state(builder));
    grammar_builder_skip(builder, add_hex(builder, add_hex(builder, low)), to);
}

static uint32_t add_unescaped(struct grammar_builder *builder, uint32_t from)
{
    struct code_points points = {0};
    code_points_add(&points, 0, 0x1F);
    code_points_add(&points, '"', '"');
    code_points_add(&points, '\\', '\\');
    code_points_finish(&points, true);
    if (points.is_failed) grammar_builder_fail(builder, HOB_NO_MEMORY, "grammar: no memory");
    uint32_t to = grammar_builder_code_points(builder, from, &points);
    code_points_release(&points);
    return to;
}

static void add_character(struct grammar_builder *builder, uint32_t rule)
{
    uint32_t from = start_of(builder, rule), to = add_unescaped(builder, from);
    uint32_t escape = grammar_builder_literal(builder, from, "\\", 1);
    add_one_of(builder, escape, "\"\\/bfnrt", to);
    add_unicode_escape(builder, grammar_builder_literal(builder, escape, "u", 1), to);
    end_at(builder, to, rule);
}

/* A control character, quotation mark or backslash as JSON.stringify writes it. */
static uint32_t add_escaped(struct grammar_builder *builder, uint32_t from, uint32_t c)
{
    static const char named[] = "\b\t\n\f\r\"\\", names[] = "btnfr\"\\";
    char text[8] = {'\\', 'u', '0', '0', 0};
    for (size_t i = 0; i < sizeof named - 1; i++) {
        if ((uint32_t)named[i] != c) continue;
        text[1] = names[i];
        return grammar_builder_literal(builder, from, text, 2);
    }
    text[4] = "01"[c >> 4 & 1];
    text[5] = "0123456789abcdef"[c & 15];
    return grammar_builder_literal(builder, from, text, 6);
}

/* The escapes of several characters, which begin alike and share that: patterns are multiplied with each other, and so would be
 * their escapes. */
struct escapes {
    uint32_t from, to;
    uint32_t backslash, hex[2]; /* behind "\\", behind "\\u000" and "\\u001"; 0: not made yet */
};

static void share_escape(struct grammar_builder *builder, struct escapes *escapes, uint32_t c)
{
    static const char named[] = "\b\t\n\f\r\"\\", names[] = "btnfr\"\\", digits[] = "0123456789abcdef";
    const char *name = memchr(named, (int)c, sizeof named - 1);
    if (!escapes->backslash) escapes->backslash = grammar_builder_literal(builder, escapes->from, "\\", 1);
    if (name) {
        uint8_t letter = (uint8_t)names[name - named];
        grammar_builder_bytes(builder, escapes->backslash, letter, letter, escapes->to);
        return;
    }
    if (!escapes->hex[0]) {
        uint32_t zeros = grammar_builder_literal(builder, escapes->backslash, "u00", 3);
        for (size_t i = 0; i < 2; i++) escapes->hex[i] = grammar_builder_literal(builder, zeros, i ? "1" : "0", 1);
    }
    uint8_t digit = (uint8_t)digits[c & 15];
    grammar_builder_bytes(builder, escapes->hex[c >> 4 & 1], digit, digit, escapes->to);
}

static bool is_escaped(uint32_t c)
{
    return c < ' ' || c == '"' || c == '\\';
}

uint32_t json_text_code_points(struct grammar_builder *builder, uint32_t from, const struct code_points *points)
{
    struct code_points unescaped = {0};
    uint32_t to = grammar_builder_state(builder);
    struct escapes escapes = {.from = from, .to = to};
    for (uint32_t c = 0; c < 128; c++)
        if (is_escaped(c) && code_points_has(points, c)) share_escape(builder, &escapes, c);
    for (size_t i = 0; i < points->n_ranges; i++)
        for (uint32_t low = points->ranges[i].low, high; low <= points->ranges[i].high; low = high + 1) {
            for (high = low; high < points->ranges[i].high && high < 128 && !is_escaped(high) && !is_escaped(high + 1);)
                high++;
            if (high >= 128) high = points->ranges[i].high;
            if (!is_escaped(low)) code_points_add(&unescaped, low, high);
        }
    code_points_finish(&unescaped, false);
    if (unescaped.is_failed) grammar_builder_fail(builder, HOB_NO_MEMORY, "grammar: no memory");
    grammar_builder_skip(builder, grammar_builder_code_points(builder, from, &unescaped), to);
    code_points_release(&unescaped);
    return to;
}

uint32_t json_text_plain_character(struct grammar_builder *builder, uint32_t from)
{
    struct code_points all = {0};
    code_points_finish(&all, true);
    if (all.is_failed) grammar_builder_fail(builder, HOB_NO_MEMORY, "grammar: no memory");
    uint32_t to = json_text_code_points(builder, from, &all);
    code_points_release(&all);
    return to;
}

uint32_t json_text_string(struct grammar_builder *builder, uint32_t from, const char *bytes, size_t n_bytes)
{
    from = grammar_builder_literal(builder, from, "\"", 1);
    for (size_t at = 0, n; at < n_bytes; at += n) {
        uint32_t c = unicode_next(bytes + at, n_bytes - at, &n);
        from = is_escaped(c) ? add_escaped(builder, from, c) : grammar_builder_literal(builder, from, bytes + at, n);
    }
    return grammar_builder_literal(builder, from, "\"", 1);
}

static void add_string(struct grammar_builder *builder, const struct json_text *text)
{
    uint32_t at = grammar_builder_literal(builder, start_of(builder, text->string), "\"", 1);
    grammar_builder_call(builder, at, text->character, at);
    end_at(builder, grammar_builder_literal(builder, at, "\"", 1), text->string);
}

/* ---- numbers ---- */

/* Up to n more digits; all places where it may end lead to `to`. */
static uint32_t add_digits(struct grammar_builder *builder, uint32_t from, int n, uint32_t to)
{
    grammar_builder_skip(builder, from, to);
    for (int i = 0; i < n; i++) {
        uint32_t next = grammar_builder_state(builder);
        grammar_builder_bytes(builder, from, '0', '9', next);
        grammar_builder_skip(builder, next, to);
        from = next;
    }
    return to;
}

static uint32_t add_integer(struct grammar_builder *builder, uint32_t from)
{
    uint32_t to = grammar_builder_state(builder), minus = grammar_builder_literal(builder, from, "-", 1);
    uint32_t first = grammar_builder_state(builder);
    grammar_builder_bytes(builder, from, '0', '0', to);
    grammar_builder_bytes(builder, from, '1', '9', first);
    grammar_builder_bytes(builder, minus, '1', '9', first);
    return add_digits(builder, first, INTEGER_DIGITS - 1, to);
}

static void add_number(struct grammar_builder *builder, uint32_t rule)
{
    uint32_t whole = grammar_builder_state(builder), fraction = grammar_builder_state(builder),
             exponent = grammar_builder_state(builder);
    uint32_t digit = grammar_builder_state(builder), start = start_of(builder, rule);
    grammar_builder_skip(builder, add_integer(builder, start), whole);
    grammar_builder_skip(builder, grammar_builder_literal(builder, start, "-0", 2), digit); /* -0.5, never -0 alone */
    grammar_builder_skip(builder, whole, digit);
    uint32_t first = grammar_builder_state(builder);
    grammar_builder_bytes(builder, grammar_builder_literal(builder, digit, ".", 1), '0', '9', first);
    add_digits(builder, first, FRACTION_DIGITS - 1, fraction);
    grammar_builder_skip(builder, whole, fraction);
    add_one_of(builder, fraction, "eE", exponent);
    uint32_t sign = add_one_of(builder, exponent, "+-", grammar_builder_state(builder)),
             first_exponent = grammar_builder_state(builder);
    grammar_builder_bytes(builder, exponent, '0', '9', first_exponent);
    grammar_builder_bytes(builder, sign, '0', '9', first_exponent);
    uint32_t end = add_digits(builder, first_exponent, EXPONENT_DIGITS - 1, grammar_builder_state(builder));
    end_at(builder, fraction, rule);
    end_at(builder, end, rule);
}

/* ---- values ---- */

static void add_object(struct grammar_builder *builder, const struct json_text *text)
{
    uint32_t open = grammar_builder_literal(builder, start_of(builder, text->object), "{", 1),
             member = grammar_builder_state(builder);
    uint32_t close = grammar_builder_state(builder);
    uint32_t inside = json_text_space(builder, text, open);
    grammar_builder_skip(builder, inside, member);
    grammar_builder_skip(builder, inside, close);
    uint32_t at = grammar_builder_literal(builder, json_text_call(builder, member, text->string), ":", 1);
    uint32_t end = json_text_call(builder, json_text_space(builder, text, at), text->value);
    grammar_builder_skip(builder, json_text_space(builder, text, grammar_builder_literal(builder, end, ",", 1)),
                         member);
    grammar_builder_skip(builder, json_text_space(builder, text, end), close);
    end_at(builder, grammar_builder_literal(builder, close, "}", 1), text->object);
}

static void add_array(struct grammar_builder *builder, const struct json_text *text)
{
    uint32_t open = grammar_builder_literal(builder, start_of(builder, text->array), "[", 1),
             element = grammar_builder_state(builder);
    uint32_t close = grammar_builder_state(builder);
    uint32_t inside = json_text_space(builder, text, open);
    grammar_builder_skip(builder, inside, element);
    grammar_builder_skip(builder, inside, close);
    uint32_t end = json_text_call(builder, element, text->value);
    grammar_builder_skip(builder, json_text_space(builder, text, grammar_builder_literal(builder, end, ",", 1)),
                         element);
    grammar_builder_skip(builder, json_text_space(builder, text, end), close);
    end_at(builder, grammar_builder_literal(builder, close, "]", 1), text->array);
}

static void add_value(struct grammar_builder *builder, const struct json_text *text)
{
    const uint32_t rules[] = {text->object, text->array, text->string, text->number};
    uint32_t start = start_of(builder, text->value);
    for (size_t i = 0; i < 4; i++) end_at(builder, json_text_call(builder, start, rules[i]), text->value);
    add_literal_rule(builder, text->value, "true", 4);
    add_literal_rule(builder, text->value, "false", 5);
    add_literal_rule(builder, text->value, "null", 4);
}

void json_text_init(struct json_text *text, struct grammar_builder *builder)
{
    text->space = grammar_builder_rule(builder, "white space", 11);
    text->character = grammar_builder_rule(builder, "character", 9);
    text->value = grammar_builder_rule(builder, "value", 5);
    text->object = grammar_builder_rule(builder, "object", 6);
    text->array = grammar_builder_rule(builder, "array", 5);
    text->number = grammar_builder_rule(builder, "number", 6);
    text->integer = grammar_builder_rule(builder, "integer", 7);
    text->string = grammar_builder_rule(builder, "string", 6);
    if (builder->status != HOB_OK) return;
    add_space(builder, text->space);
    add_character(builder, text->character);
    add_string(builder, text);
    add_number(builder, text->number);
    end_at(builder, add_integer(builder, start_of(builder, text->integer)), text->integer);
    add_object(builder, text);
    add_array(builder, text);
    add_value(builder, text);
}
