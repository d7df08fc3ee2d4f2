#include "text/jinja/write.h"
#include "text/unicode.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Python's repr: as few digits as read back the same, an exponent below 1e-4 and from 1e16 on. */
void write_float(double number, struct writer *out)
{
    char digits[40];
    int precision = 0, exponent;
    if (isnan(number) || isinf(number)) {
        writer_string(out, isnan(number) ? "nan" : number < 0 ? "-inf" : "inf");
        return;
    }
    do snprintf(digits, sizeof digits, "%.*e", precision, number);
    while (strtod(digits, NULL) != number && ++precision < 17);
    exponent = (int)strtol(strchr(digits, 'e') + 1, NULL, 10);
    if (number == 0.0) exponent = 0;
    if (exponent < -4 || exponent >= 16) {
        writer_string(out, digits); /* C writes at least two digits of an exponent, as Python does */
        return;
    }
    int n_decimals = precision - exponent;
    writer_printf(out, "%.*f", n_decimals > 1 ? n_decimals : 1, number);
}

static bool is_printable(uint32_t c)
{
    return c >= 0x20 && c != 0x7F && !(c >= 0x80 && (unicode_is_other(c) || (unicode_is_whitespace(c))));
}

static void write_escaped(uint32_t c, char quote, struct writer *out)
{
    if (c == '\n') writer_string(out, "\\n");
    else if (c == '\r') writer_string(out, "\\r");
    else if (c == '\t') writer_string(out, "\\t");
    else if (c == '\\' || c == (uint32_t)(unsigned char)quote) writer_printf(out, "\\%c", (char)c);
    else if (is_printable(c)) writer_character(out, c);
    else if (c < 0x100) writer_printf(out, "\\x%02x", c);
    else if (c < 0x10000) writer_printf(out, "\\u%04x", c);
    else writer_printf(out, "\\U%08x", c);
}

/* Double quotes only where the text has single ones and no double ones. */
static void write_quoted(struct text text, struct writer *out)
{
    size_t from = out->text.n_bytes;
    bool has_single = text.n_bytes && memchr(text.bytes, '\'', text.n_bytes);
    bool has_double = text.n_bytes && memchr(text.bytes, '"', text.n_bytes);
    char quote = has_single && !has_double ? '"' : '\'';
    writer_byte(out, (unsigned char)quote);
    for (size_t at = 0, n; at < text.n_bytes; at += n) {
        uint32_t c = unicode_next(text.bytes + at, text.n_bytes - at, &n);
        write_escaped(c, quote, out);
    }
    writer_byte(out, (unsigned char)quote);
    writer_mark(out, from, text.bytes, text.n_bytes);
}

static hob_status write_list(struct run *run, const struct value *value, struct writer *out)
{
    const struct list *list = value->list;
    bool is_tuple = value->kind == VALUE_TUPLE;
    writer_byte(out, is_tuple ? '(' : '[');
    for (size_t i = 0; i < list->n_items; i++) {
        if (i) writer_append(out, ", ", 2);
        TRY(write_repr(run, &list->items[i], out));
    }
    if (is_tuple && list->n_items == 1) writer_byte(out, ',');
    writer_byte(out, is_tuple ? ')' : ']');
    return HOB_OK;
}

static hob_status write_dict(struct run *run, const struct dict *dict, struct writer *out)
{
    writer_byte(out, '{');
    for (size_t i = 0; i < dict->n_entries; i++) {
        if (i) writer_append(out, ", ", 2);
        TRY(write_repr(run, &dict->entries[i].key, out));
        writer_append(out, ": ", 2);
        TRY(write_repr(run, &dict->entries[i].value, out));
    }
    writer_byte(out, '}');
    return HOB_OK;
}

static hob_status write_container(struct run *run, const struct value *value, struct writer *out)
{
    TRY(run_enter(run));
    hob_status status = value_is_list(value) ? write_list(run, value, out) : write_dict(run, value->dict, out);
    run_leave(run);
    return status;
}

hob_status write_repr(struct run *run, const struct value *value, struct writer *out)
{
    TRY(run_charge(run, 1));
    switch (value->kind) {
    case VALUE_UNDEFINED:
        writer_string(out, "Undefined");
        break;
    case VALUE_NONE:
        writer_string(out, "None");
        break;
    case VALUE_BOOL:
        writer_string(out, value->truth ? "True" : "False");
        break;
    case VALUE_INT:
        writer_printf(out, "%lld", (long long)value->integer);
        break;
    case VALUE_FLOAT:
        write_float(value->number, out);
        break;
    case VALUE_TEXT:
        TRY(run_charge(run, value->text.n_bytes / 64));
        write_quoted(value->text, out);
        break;
    case VALUE_LIST:
    case VALUE_TUPLE:
    case VALUE_DICT:
        TRY(write_container(run, value, out));
        break;
    case VALUE_NAMESPACE:
        writer_string(out, "<Namespace ");
        TRY(write_container(run, value, out));
        writer_byte(out, '>');
        break;
    case VALUE_LOOP:
        writer_printf(out, "<LoopContext %zu/%zu>", value->loop->index + 1, value->loop->items->n_items);
        break;
    case VALUE_CALLABLE:
        writer_printf(out, "<function %s>", value->callable->name);
        break;
    }
    return run_check_buffer(run, out);
}

hob_status write_text(struct run *run, const struct value *value, struct writer *out)
{
    if (value->kind == VALUE_UNDEFINED) return HOB_OK;
    if (value->kind != VALUE_TEXT) return write_repr(run, value, out);
    TRY(run_charge(run, value->text.n_bytes / 64));
    writer_append(out, value->text.bytes, value->text.n_bytes);
    return run_check_buffer(run, out);
}

hob_status write_to_text(struct run *run, const struct value *value, struct text *ret_text)
{
    struct writer out = run_writer(run);
    struct value text = *value;
    if (value->kind != VALUE_TEXT) {
        hob_status status = write_text(run, value, &out);
        TRY(text_take(run, status, &out, &text));
    }
    *ret_text = text.text;
    return HOB_OK;
}

/* ---- JSON */

static void write_json_character(uint32_t c, bool is_ascii, struct writer *out)
{
    static const char letters[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r', ['"'] = '"', ['\\'] = '\\'};
    bool is_plain = c >= 0x20 && (c < 0x7F || !is_ascii);
    if (c < sizeof letters && letters[c]) writer_printf(out, "\\%c", letters[c]);
    else if (is_plain) writer_character(out, c);
    else if (c < 0x10000) writer_printf(out, "\\u%04x", c);
    else writer_printf(out, "\\u%04x\\u%04x", 0xD800 + ((c - 0x10000) >> 10), 0xDC00 + (c & 0x3FF));
}

static hob_status write_json_text(struct run *run, struct text text, bool is_ascii, struct writer *out)
{
    TRY(run_charge(run, text.n_bytes / 64));
    size_t from = out->text.n_bytes;
    writer_byte(out, '"');
    for (size_t at = 0, n; at < text.n_bytes; at += n) {
        uint32_t c = unicode_next(text.bytes + at, text.n_bytes - at, &n);
        write_json_character(c, is_ascii, out);
    }
    writer_byte(out, '"');
    writer_mark(out, from, text.bytes, text.n_bytes);
    return HOB_OK;
}

static hob_status write_json_at(struct run *run, const struct value *value, const struct json_layout *layout, size_t level,
                                struct writer *out);

static void begin_line(const struct json_layout *layout, size_t level, struct writer *out)
{
    if (!layout->has_indent) return;
    writer_byte(out, '\n');
    for (size_t i = 0; i < level && !out->text.is_failed; i++) writer_append(out, layout->indent.bytes, layout->indent.n_bytes);
}

static hob_status write_json_list(struct run *run, const struct list *list, const struct json_layout *layout, size_t level,
                                  struct writer *out)
{
    writer_byte(out, '[');
    for (size_t i = 0; i < list->n_items; i++) {
        if (i) writer_append(out, layout->item_separator.bytes, layout->item_separator.n_bytes);
        begin_line(layout, level + 1, out);
        TRY(write_json_at(run, &list->items[i], layout, level + 1, out));
    }
    if (list->n_items) begin_line(layout, level, out);
    writer_byte(out, ']');
    return HOB_OK;
}

/* Keys that are no texts become what JSON would write, in quotes. */
static hob_status write_json_key(struct run *run, const struct value *key, const struct json_layout *layout, struct writer *out)
{
    if (key->kind == VALUE_TEXT) return write_json_text(run, key->text, layout->is_ascii, out);
    writer_byte(out, '"');
    TRY(write_json_at(run, key, layout, 0, out));
    writer_byte(out, '"');
    return HOB_OK;
}

static hob_status write_json_entries(struct run *run, const struct dict *dict, const struct json_layout *layout, size_t level,
                                     struct writer *out)
{
    writer_byte(out, '{');
    for (size_t i = 0; i < dict->n_entries; i++) {
        if (i) writer_append(out, layout->item_separator.bytes, layout->item_separator.n_bytes);
        begin_line(layout, level + 1, out);
        TRY(write_json_key(run, &dict->entries[i].key, layout, out));
        writer_append(out, layout->key_separator.bytes, layout->key_separator.n_bytes);
        TRY(write_json_at(run, &dict->entries[i].value, layout, level + 1, out));
    }
    if (dict->n_entries) begin_line(layout, level, out);
    writer_byte(out, '}');
    return HOB_OK;
}

static int by_key(const void *a, const void *b)
{
    const struct text *x = &((const struct dict_entry *)a)->key.text, *y = &((const struct dict_entry *)b)->key.text;
    size_t n_both = x->n_bytes < y->n_bytes ? x->n_bytes : y->n_bytes;
    int order = n_both ? memcmp(x->bytes, y->bytes, n_both) : 0;
    return order ? order : (x->n_bytes > y->n_bytes) - (x->n_bytes < y->n_bytes);
}

static hob_status sorted(struct run *run, const struct dict *dict, struct dict *ret_sorted)
{
    void *entries;
    for (size_t i = 0; i < dict->n_entries; i++)
        if (dict->entries[i].key.kind != VALUE_TEXT)
            return RUN_ERROR(run, HOB_BAD_ARGUMENT, "sort_keys: found %s as a key, expected strings", value_kind_name(&dict->entries[i].key));
    TRY(run_alloc(run, dict->n_entries, sizeof *dict->entries, &entries));
    if (dict->n_entries) memcpy(entries, dict->entries, dict->n_entries * sizeof *dict->entries);
    if (dict->n_entries) qsort(entries, dict->n_entries, sizeof *dict->entries, by_key);
    *ret_sorted = (struct dict){.entries = entries, .n_entries = dict->n_entries};
    return HOB_OK;
}

static hob_status write_json_container(struct run *run, const struct value *value, const struct json_layout *layout, size_t level,
                                       struct writer *out)
{
    struct dict dict;
    if (value_is_list(value)) return write_json_list(run, value->list, layout, level, out);
    dict = *value->dict;
    if (layout->is_sorted) TRY(sorted(run, value->dict, &dict));
    return write_json_entries(run, &dict, layout, level, out);
}

static void write_json_number(double number, struct writer *out)
{
    if (isnan(number)) writer_string(out, "NaN");
    else if (isinf(number)) writer_string(out, number < 0 ? "-Infinity" : "Infinity");
    else write_float(number, out);
}

static hob_status write_json_at(struct run *run, const struct value *value, const struct json_layout *layout, size_t level,
                                struct writer *out)
{
    hob_status status = HOB_OK;
    TRY(run_enter(run));
    switch (value->kind) {
    case VALUE_NONE:
        writer_string(out, "null");
        break;
    case VALUE_BOOL:
        writer_string(out, value->truth ? "true" : "false");
        break;
    case VALUE_INT:
        writer_printf(out, "%lld", (long long)value->integer);
        break;
    case VALUE_FLOAT:
        write_json_number(value->number, out);
        break;
    case VALUE_TEXT:
        status = write_json_text(run, value->text, layout->is_ascii, out);
        break;
    case VALUE_LIST:
    case VALUE_TUPLE:
    case VALUE_DICT:
        status = write_json_container(run, value, layout, level, out);
        break;
    default:
        status = RUN_ERROR(run, HOB_BAD_ARGUMENT, "tojson: found %s, which JSON has no word for", value_kind_name(value));
    }
    run_leave(run);
    return status == HOB_OK ? run_check_buffer(run, out) : status;
}

hob_status write_json(struct run *run, const struct value *value, const struct json_layout *layout, struct writer *out)
{
    return write_json_at(run, value, layout, 0, out);
}
