#include "text/jinja/text_operations.h"
#include "text/jinja/write.h"
#include "text/unicode.h"

#include <stdio.h>
#include <string.h>
#include <utf8proc.h>

size_t text_find(struct text text, struct text needle, size_t from)
{
    if (from > text.n_bytes || !needle.n_bytes) return from > text.n_bytes ? SIZE_MAX : from;
    const char *found = from < text.n_bytes ? memmem(text.bytes + from, text.n_bytes - from, needle.bytes, needle.n_bytes) : NULL;
    return found ? (size_t)(found - text.bytes) : SIZE_MAX;
}

static bool is_stripped(const char *character, size_t n_bytes, uint32_t c, const struct text *characters)
{
    if (!characters) return unicode_is_whitespace(c) || (c >= 0x1C && c <= 0x1F); /* str.isspace */
    return text_find(*characters, (struct text){character, n_bytes}, 0) != SIZE_MAX;
}

struct text text_strip(struct text text, const struct text *characters, enum text_sides sides)
{
    size_t from = 0, to = text.n_bytes;
    while ((sides & SIDE_LEFT) && from < to) {
        size_t n;
        uint32_t c = unicode_next(text.bytes + from, to - from, &n);
        if (!is_stripped(text.bytes + from, n, c, characters)) break;
        from += n;
    }
    while ((sides & SIDE_RIGHT) && to > from) {
        size_t last = from + unicode_last(text.bytes + from, to - from), n;
        uint32_t c = unicode_next(text.bytes + last, to - last, &n);
        if (!is_stripped(text.bytes + last, to - last, c, characters)) break;
        to = last;
    }
    return (struct text){text.bytes + from, to - from};
}

static void append_upper(struct writer *out, uint32_t c)
{
    if (c == 0xDF) writer_string(out, "SS");
    else writer_character(out, (uint32_t)utf8proc_toupper((utf8proc_int32_t)c));
}

static bool is_letter(uint32_t c)
{
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);
    return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LT;
}

hob_status text_change_case(struct run *run, struct text text, enum text_case to, struct value *ret_text)
{
    struct writer out = run_writer(run);
    bool is_first = true;
    TRY(run_charge(run, text.n_bytes / 8));
    for (size_t at = 0, n; at < text.n_bytes; at += n) {
        uint32_t c = unicode_next(text.bytes + at, text.n_bytes - at, &n);
        bool is_upper = to == CASE_UPPER || (to != CASE_LOWER && is_first);
        if (is_upper) append_upper(&out, c);
        else unicode_append_lower(&out.text, c);
        is_first = to == CASE_TITLE && !is_letter(c);
    }
    writer_mark(&out, 0, text.bytes, text.n_bytes);
    return text_take(run, HOB_OK, &out, ret_text);
}

/* An empty `old` stands before every character and at the end. */
static void replace_nothing(struct text text, struct text new, int64_t most, struct writer *out)
{
    size_t at = 0;
    for (size_t n; at < text.n_bytes && most-- != 0; at += n) {
        (void)unicode_next(text.bytes + at, text.n_bytes - at, &n);
        writer_append(out, new.bytes, new.n_bytes);
        writer_append(out, text.bytes + at, n);
    }
    if (at == text.n_bytes && most != 0) writer_append(out, new.bytes, new.n_bytes);
    writer_append(out, text.bytes + at, text.n_bytes - at);
}

hob_status text_replace(struct run *run, struct text text, struct text old, struct text new, int64_t most, struct value *ret_text)
{
    struct writer out = run_writer(run);
    TRY(run_charge(run, text.n_bytes / 8));
    if (!old.n_bytes) {
        replace_nothing(text, new, most, &out);
        return text_take(run, HOB_OK, &out, ret_text);
    }
    size_t at = 0;
    for (size_t found; most-- != 0 && !out.text.is_failed && (found = text_find(text, old, at)) != SIZE_MAX; at = found + old.n_bytes) {
        writer_append(&out, text.bytes + at, found - at);
        writer_append(&out, new.bytes, new.n_bytes);
    }
    writer_append(&out, text.bytes + at, text.n_bytes - at);
    return text_take(run, HOB_OK, &out, ret_text);
}

/* ---- Formats */

/* One "%…" of a format. */
struct place {
    bool is_left, has_zeros, has_sign;
    int width, precision; /* precision -1: none */
    char letter;
};

enum { MOST_WIDTH = 1000 };

static size_t read_number(struct text format, size_t at, int *ret_number)
{
    int number = 0;
    for (; at < format.n_bytes && format.bytes[at] >= '0' && format.bytes[at] <= '9'; at++)
        if (number <= MOST_WIDTH) number = number * 10 + (format.bytes[at] - '0');
    *ret_number = number < MOST_WIDTH ? number : MOST_WIDTH;
    return at;
}

/* From behind the "%"; returns behind the letter, 0 when the format ends before. */
static size_t read_place(struct text format, size_t at, struct place *ret_place)
{
    struct place place = {.precision = -1};
    for (; at < format.n_bytes && strchr("-0+", format.bytes[at]); at++) {
        place.is_left |= format.bytes[at] == '-';
        place.has_zeros |= format.bytes[at] == '0';
        place.has_sign |= format.bytes[at] == '+';
    }
    at = read_number(format, at, &place.width);
    if (at < format.n_bytes && format.bytes[at] == '.') at = read_number(format, at + 1, &place.precision);
    if (at >= format.n_bytes) return 0;
    place.letter = format.bytes[at];
    *ret_place = place;
    return at + 1;
}

static void write_padded(const struct place *place, struct text text, struct writer *out)
{
    size_t length = text_length(text), width = (size_t)place->width;
    for (size_t i = length; !place->is_left && i < width; i++) writer_byte(out, ' ');
    writer_append(out, text.bytes, text.n_bytes);
    for (size_t i = length; place->is_left && i < width; i++) writer_byte(out, ' ');
}

static hob_status write_number(struct run *run, const struct place *place, const struct value *value, struct writer *out)
{
    char number[MOST_WIDTH + 400], flags[8];
    if (!value_is_number(value))
        return RUN_ERROR(run, HOB_BAD_ARGUMENT, "%%%c: found %s, expected a number", place->letter, value_kind_name(value));
    snprintf(flags, sizeof flags, "%s%s%s", place->is_left ? "-" : "", place->has_zeros ? "0" : "", place->has_sign ? "+" : "");
    char format[32];
    bool is_float = strchr("feEgG", place->letter) != NULL;
    int precision = place->precision < 0 ? (is_float ? 6 : 1) : place->precision;
    snprintf(format, sizeof format, "%%%s*.*%s%c", flags, is_float ? "" : "ll", place->letter == 'i' ? 'd' : place->letter);
    if (!is_float && place->has_zeros && place->precision < 0) snprintf(format, sizeof format, "%%%s*ll%c", flags, place->letter == 'i' ? 'd' : place->letter);
    long long whole = value->kind == VALUE_FLOAT ? (long long)(value->number > -9e18 && value->number < 9e18 ? value->number : 0)
                                                 : (long long)value_number(value);
    if (value->kind == VALUE_INT) whole = value->integer;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    if (is_float) snprintf(number, sizeof number, format, place->width, precision, value_number(value));
    else if (strstr(format, "*.*")) snprintf(number, sizeof number, format, place->width, precision, whole);
    else snprintf(number, sizeof number, format, place->width, whole);
#pragma GCC diagnostic pop
    writer_string(out, number);
    return HOB_OK;
}

static hob_status write_place(struct run *run, const struct place *place, const struct value *value, struct writer *out)
{
    struct writer shown = run_writer(run);
    struct value text;
    if (place->letter && strchr("dixXofeEgG", place->letter)) return write_number(run, place, value, out);
    if (place->letter != 's' && place->letter != 'r')
        return RUN_ERROR(run, HOB_BAD_ARGUMENT, "found a format with %%%c, expected %%s, %%r, %%d, %%x or %%f", place->letter);
    hob_status status = place->letter == 's' ? write_text(run, value, &shown) : write_repr(run, value, &shown);
    TRY(text_take(run, status, &shown, &text));
    if (place->precision >= 0) text.text.n_bytes = text_offset(text.text, (size_t)place->precision);
    write_padded(place, text.text, out);
    return HOB_OK;
}

static hob_status write_format(struct run *run, struct text format, const struct value *values, size_t n_values, struct writer *out)
{
    size_t n_used = 0;
    for (size_t at = 0, percent; at < format.n_bytes;) {
        percent = text_find(format, (struct text){"%", 1}, at);
        size_t end = percent == SIZE_MAX ? format.n_bytes : percent;
        writer_append(out, format.bytes + at, end - at);
        if (percent == SIZE_MAX) break;
        struct place place;
        at = read_place(format, percent + 1, &place);
        if (!at) return RUN_ERROR(run, HOB_BAD_ARGUMENT, "found a format that ends behind '%%'");
        if (place.letter == '%') {
            writer_byte(out, '%');
            continue;
        }
        if (n_used == n_values) return RUN_ERROR(run, HOB_BAD_ARGUMENT, "found %zu values for a format with more places", n_values);
        TRY(write_place(run, &place, &values[n_used++], out));
    }
    if (n_used < n_values) return RUN_ERROR(run, HOB_BAD_ARGUMENT, "found %zu values for a format with %zu places", n_values, n_used);
    return HOB_OK;
}

hob_status text_format(struct run *run, struct text format, const struct value *values, size_t n_values, struct value *ret_text)
{
    struct writer out = run_writer(run);
    TRY(run_charge(run, format.n_bytes / 8));
    hob_status status = write_format(run, format, values, n_values, &out);
    return text_take(run, status, &out, ret_text);
}
