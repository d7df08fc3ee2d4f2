/* A string of any content may spell its characters as it likes; one that a pattern or format describes is spelt in one way, and
 * several descriptions are intersected. */
#include "grammar/schema_scalar.h"
#include "base/error.h"
#include "grammar/number_range.h"
#include "grammar/pattern.h"
#include "grammar/regular.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* ---- strings ---- */

#define DATE_OF_DAYS "(0[13578]|1[02])-(0[1-9]|[12]\\d|3[01])|(0[469]|11)-(0[1-9]|[12]\\d|30)|02-(0[1-9]|1\\d|2[0-8])"
#define LEAP_YEAR "(\\d{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)"
#define FULL_DATE "(\\d{4}-(" DATE_OF_DAYS ")|" LEAP_YEAR "-02-29)"
#define FULL_TIME "([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{1,9})?(Z|[+-]([01]\\d|2[0-3]):[0-5]\\d)"
#define BYTE "(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)"
#define LABEL "[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?"
#define HEX4 "[0-9A-Fa-f]{1,4}"
#define PATH_CHAR "([A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})"

static const struct {
    const char *name, *pattern;
} formats[] = {
    {"date", "^" FULL_DATE "$"},
    {"time", "^" FULL_TIME "$"},
    {"date-time", "^" FULL_DATE "T" FULL_TIME "$"},
    {"duration", "^P(\\d{1,4}W|(\\d{1,4}Y(\\d{1,4}M)?(\\d{1,4}D)?|\\d{1,4}M(\\d{1,4}D)?|\\d{1,4}D)(T(\\d{1,4}H|\\d{1,4}"
                 "M|\\d{1,4}S))?|T(\\d{1,4}H(\\d{1,4}M(\\d{1,4}S)?)?|"
                 "\\d{1,4}M(\\d{1,4}S)?|\\d{1,4}S))$"},
    {"uuid", "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"},
    {"email", "^[A-Za-z0-9_%+-]{1,32}(\\.[A-Za-z0-9_%+-]{1,16}){0,3}@(" LABEL "\\.){1,4}[A-Za-z]{2,12}$"},
    {"hostname", "^" LABEL "(\\." LABEL "){0,6}$"},
    {"ipv4", "^(" BYTE "\\.){3}" BYTE "$"},
    {"ipv6", "^((" HEX4 ":){7}" HEX4 "|::(" HEX4 "(:" HEX4 "){0,5})?|" HEX4 "::(" HEX4 "(:" HEX4 "){0,4})?)$"},
    {"uri", "^[a-z][a-z0-9+-]{1,12}://(" LABEL "\\.){0,5}" LABEL "(:[1-9]\\d{0,3})?(/" PATH_CHAR
            "{0,64}){0,16}(\\?" PATH_CHAR "{0,128})?(#" PATH_CHAR "{0,64})?$"},
};

/* What the descriptions so far have in common. */
struct described {
    struct fragment fragment;
    bool is_any; /* nothing described yet */
};

static void describe(struct schema_compiler *compiler, struct described *described, struct fragment more)
{
    described->fragment = described->is_any ? more : regular_intersect(compiler->builder, described->fragment, more);
    described->is_any = false;
}

static hob_status add_pattern(struct schema_compiler *compiler, const struct schema_item *item, const json_t *pattern,
                              struct described *described)
{
    struct fragment fragment;
    if (!json_is_string(pattern)) return schema_fail(compiler, item, "pattern", HOB_BAD_FILE, "expected a text");
    hob_status status = pattern_parse(compiler->builder, json_string_value(pattern), json_string_length(pattern),
                                      &fragment, compiler->error);
    if (status != HOB_OK) return error_prefix(compiler->error, status, "schema: %.200s/pattern", item->pointer);
    describe(compiler, described, fragment);
    return compiler->builder->status;
}

static hob_status add_patterns(struct schema_compiler *compiler, const struct schema_item *item,
                               struct described *described)
{
    const json_t *pattern = json_object_get(item->schema, "pattern");
    if (pattern && !json_is_array(pattern)) return add_pattern(compiler, item, pattern, described);
    for (size_t i = 0; i < json_array_size(pattern); i++)
        TRY(add_pattern(compiler, item, json_array_get(pattern, i), described));
    return HOB_OK;
}

static hob_status add_format(struct schema_compiler *compiler, const struct schema_item *item,
                             struct described *described)
{
    const json_t *format = json_object_get(item->schema, "format");
    struct fragment fragment;
    if (!format) return HOB_OK;
    for (size_t i = 0; json_is_string(format) && i < sizeof formats / sizeof formats[0]; i++) {
        if (strcmp(json_string_value(format), formats[i].name)) continue;
        TRY(pattern_parse(compiler->builder, formats[i].pattern, strlen(formats[i].pattern), &fragment,
                          compiler->error));
        describe(compiler, described, fragment);
        return compiler->builder->status;
    }
    return schema_fail(compiler, item, "format", HOB_UNSUPPORTED,
                       "supported are date, time, date-time, duration, uuid, email, hostname, ipv4, ipv6 and uri");
}

/* least to most characters, spelt in one way where the string is described otherwise too. */
static struct fragment length_fragment(struct schema_compiler *compiler, bool is_plain, uint32_t least, uint32_t most)
{
    struct grammar_builder *builder = compiler->builder;
    size_t first_state = builder->n_states;
    struct fragment one = {.from = grammar_builder_state(builder)};
    one.to = is_plain ? json_text_plain_character(builder, one.from)
                      : json_text_call(builder, one.from, compiler->text.character);
    return grammar_builder_repeat(builder, first_state, one, least, most);
}

static hob_status add_content(struct schema_compiler *compiler, const struct schema_item *item,
                              struct fragment *ret_fragment)
{
    struct described described = {.is_any = true};
    uint32_t least, most;
    TRY(schema_count(compiler, item, "minLength", 0, &least));
    TRY(schema_count(compiler, item, "maxLength", GRAMMAR_UNBOUNDED, &most));
    if (most < least) return schema_fail(compiler, item, "maxLength", HOB_BAD_FILE, "expected at least \"minLength\"");
    if ((least > GRAMMAR_MAX_STATES) || (most > GRAMMAR_MAX_STATES && most != GRAMMAR_UNBOUNDED))
        return schema_fail(compiler, item, least > GRAMMAR_MAX_STATES ? "minLength" : "maxLength", HOB_LIMIT,
                           "expected at most 524288");
    TRY(add_patterns(compiler, item, &described));
    TRY(add_format(compiler, item, &described));
    bool is_bounded = least || most != GRAMMAR_UNBOUNDED;
    if (described.is_any || is_bounded)
        describe(compiler, &described, length_fragment(compiler, !described.is_any, least, most));
    *ret_fragment = described.fragment;
    return compiler->builder->status;
}

hob_status schema_add_string(struct schema_compiler *compiler, const struct schema_item *item, uint32_t from,
                             uint32_t to)
{
    struct grammar_builder *builder = compiler->builder;
    struct fragment content = {0};
    bool is_described = json_object_get(item->schema, "pattern") || json_object_get(item->schema, "format");
    builder->is_flat = is_described;
    hob_status status = add_content(compiler, item, &content);
    builder->is_flat = false;
    TRY(status);
    grammar_builder_skip(builder, grammar_builder_literal(builder, from, "\"", 1), content.from);
    grammar_builder_skip(builder, grammar_builder_literal(builder, content.to, "\"", 1), to);
    return builder->status;
}

/* ---- numbers ---- */

/* The two ways to say a bound, as one; the stricter one counts. */
static hob_status find_bound(struct schema_compiler *compiler, const struct schema_item *item, const char *inclusive,
                             const char *exclusive, bool is_low, const json_t **ret_bound, bool *ret_is_strict)
{
    const json_t *bound = json_object_get(item->schema, inclusive), *strict = json_object_get(item->schema, exclusive);
    *ret_is_strict = json_is_true(strict) && bound; /* draft 4 */
    if (json_is_boolean(strict)) strict = NULL;
    if ((bound && !json_is_number(bound)) || (strict && !json_is_number(strict)))
        return schema_fail(compiler, item, strict ? exclusive : inclusive, HOB_BAD_FILE, "expected a number");
    bool is_stricter = strict && (!bound || (is_low ? json_number_value(strict) >= json_number_value(bound)
                                                    : json_number_value(strict) <= json_number_value(bound)));
    *ret_is_strict |= is_stricter;
    *ret_bound = is_stricter ? strict : bound;
    return HOB_OK;
}

/* The least whole number at or above a low bound, the greatest at or below a high one. */
static hob_status whole_bound(struct schema_compiler *compiler, const struct schema_item *item, const json_t *bound,
                              bool is_strict, bool is_low, int64_t *ret_bound)
{
    double value = bound ? json_number_value(bound) : 0, whole = is_low ? ceil(value) : floor(value);
    if (!(fabs(value) <= 9e15))
        return schema_fail(compiler, item, is_low ? "minimum" : "maximum", HOB_UNSUPPORTED,
                           "expected a bound of at most 9e15");
    *ret_bound = json_is_integer(bound) ? (int64_t)json_integer_value(bound) : (int64_t)whole;
    if (is_strict && whole == value) *ret_bound += is_low ? 1 : -1;
    return HOB_OK;
}

static hob_status decimal_bound(struct schema_compiler *compiler, const struct schema_item *item, const json_t *bound,
                                bool is_strict, const char *keyword, struct number_bound *ret_bound)
{
    char text[64];
    if (!bound) return HOB_OK;
    if (json_is_integer(bound)) snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, json_integer_value(bound));
    for (int digits = 1; json_is_real(bound) && digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, json_real_value(bound));
        if (strtod(text, NULL) == json_real_value(bound)) break;
    }
    hob_status status = number_bound_read(strcmp(text, "-0") ? text : "0", is_strict, ret_bound, compiler->error);
    return status == HOB_OK ? HOB_OK
                            : error_prefix(compiler->error, status, "schema: %.200s/%s", item->pointer, keyword);
}

hob_status schema_add_number(struct schema_compiler *compiler, const struct schema_item *item, bool is_integer,
                             uint32_t from, uint32_t to)
{
    struct grammar_builder *builder = compiler->builder;
    const json_t *low = NULL, *high = NULL;
    bool is_low_strict, is_high_strict;
    TRY(find_bound(compiler, item, "minimum", "exclusiveMinimum", true, &low, &is_low_strict));
    TRY(find_bound(compiler, item, "maximum", "exclusiveMaximum", false, &high, &is_high_strict));
    if (!low && !high) {
        grammar_builder_call(builder, from, is_integer ? compiler->text.integer : compiler->text.number, to);
        return builder->status;
    }
    struct fragment range = {0};
    if (is_integer) {
        int64_t least = 0, most = 0;
        TRY(whole_bound(compiler, item, low, is_low_strict, true, &least));
        TRY(whole_bound(compiler, item, high, is_high_strict, false, &most));
        range = number_range_integers(builder, low != NULL, least, high != NULL, most);
    } else {
        struct number_bound least = {0}, most = {0};
        TRY(decimal_bound(compiler, item, low, is_low_strict, "minimum", &least));
        TRY(decimal_bound(compiler, item, high, is_high_strict, "maximum", &most));
        hob_status status = number_range_decimals(builder, &least, &most, &range, compiler->error);
        if (status != HOB_OK) return error_prefix(compiler->error, status, "schema: %.200s", item->pointer);
    }
    grammar_builder_skip(builder, from, range.from);
    grammar_builder_skip(builder, range.to, to);
    return builder->status;
}
