/* Filters of texts: what they are given is written as a text first, as Jinja's do. */
#include "text/jinja/builtin.h"
#include "text/jinja/text_operations.h"
#include "text/jinja/write.h"
#include "text/unicode.h"

#include <string.h>

hob_status call_self_text(struct run *run, const struct call *call, struct text *ret_text)
{
    return write_to_text(run, &call->self, ret_text);
}

static hob_status change_case(struct run *run, const struct call *call, enum text_case to, struct value *ret_value)
{
    struct text text;
    TRY(call_self_text(run, call, &text));
    return text_change_case(run, text, to, ret_value);
}

static hob_status run_upper(struct run *run, const struct call *call, struct value *ret_value)
{
    return change_case(run, call, CASE_UPPER, ret_value);
}

static hob_status run_lower(struct run *run, const struct call *call, struct value *ret_value)
{
    return change_case(run, call, CASE_LOWER, ret_value);
}

static hob_status run_capitalize(struct run *run, const struct call *call, struct value *ret_value)
{
    return change_case(run, call, CASE_CAPITALIZE, ret_value);
}

/* Unlike str.title, a word begins behind white space, "-" and opening brackets only. */
static hob_status run_title(struct run *run, const struct call *call, struct value *ret_value)
{
    struct writer out = run_writer(run);
    struct value part;
    struct text text;
    size_t begin = 0;
    hob_status status = HOB_OK;
    TRY(call_self_text(run, call, &text));
    for (size_t at = 0, n; at < text.n_bytes && status == HOB_OK; at += n) {
        uint32_t c = unicode_next(text.bytes + at, text.n_bytes - at, &n);
        bool is_separator = unicode_is_whitespace(c) || (c < 0x80 && strchr("-({[<", (int)c) != NULL && c);
        bool is_end = at + n == text.n_bytes;
        if (!is_separator && !is_end) continue;
        status = text_change_case(run, (struct text){text.bytes + begin, at + n - begin}, CASE_CAPITALIZE, &part);
        if (status == HOB_OK) writer_append(&out, part.text.bytes, part.text.n_bytes);
        begin = at + n;
    }
    return text_take(run, status, &out, ret_value);
}

static hob_status run_trim(struct run *run, const struct call *call, struct value *ret_value)
{
    struct text text, characters;
    TRY(call_self_text(run, call, &text));
    TRY(call_text(run, call, 0, "", &characters));
    struct text stripped = text_strip(text, call_has(call, 0) ? &characters : NULL, SIDE_BOTH);
    *ret_value = (struct value){.kind = VALUE_TEXT, .text = stripped};
    return HOB_OK;
}

static hob_status run_replace(struct run *run, const struct call *call, struct value *ret_value)
{
    struct text text, old, new;
    int64_t most;
    TRY(call_self_text(run, call, &text));
    TRY(write_to_text(run, call->arguments[0], &old));
    TRY(write_to_text(run, call->arguments[1], &new));
    TRY(call_int(run, call, 2, -1, &most));
    return text_replace(run, text, old, new, most, ret_value);
}

static hob_status run_string(struct run *run, const struct call *call, struct value *ret_value)
{
    struct text text;
    TRY(call_self_text(run, call, &text));
    *ret_value = (struct value){.kind = VALUE_TEXT, .text = text};
    return HOB_OK;
}

static hob_status run_safe(struct run *run, const struct call *call, struct value *ret_value)
{
    (void)run;
    *ret_value = call->self;
    return HOB_OK;
}

static hob_status run_escape(struct run *run, const struct call *call, struct value *ret_value)
{
    struct writer out = run_writer(run);
    struct text text;
    TRY(call_self_text(run, call, &text));
    for (size_t i = 0; i < text.n_bytes; i++) {
        char byte = text.bytes[i];
        const char *name = byte == '&' ? "&amp;" : byte == '<' ? "&lt;" : byte == '>' ? "&gt;" : byte == '"' ? "&#34;" : byte == '\'' ? "&#39;" : NULL;
        if (name) writer_string(&out, name);
        else writer_byte(&out, (unsigned char)byte);
    }
    writer_mark(&out, 0, text.bytes, text.n_bytes);
    return text_take(run, HOB_OK, &out, ret_value);
}

/* The width of indentation: so many spaces, or a text. */
static hob_status indentation(struct run *run, const struct call *call, struct text *ret_text)
{
    static const char spaces[] = "                                                                                ";
    int64_t width;
    if (call->arguments[0] && call->arguments[0]->kind == VALUE_TEXT) {
        *ret_text = call->arguments[0]->text;
        return HOB_OK;
    }
    TRY(call_int(run, call, 0, 4, &width));
    if (width > (int64_t)sizeof spaces - 1) return RUN_ERROR(run, HOB_LIMIT, "indent: found %lld, expected at most %zu", (long long)width, sizeof spaces - 1);
    *ret_text = (struct text){spaces, width > 0 ? (size_t)width : 0};
    return HOB_OK;
}

static hob_status run_indent(struct run *run, const struct call *call, struct value *ret_value)
{
    struct writer out = run_writer(run);
    struct text text, space;
    bool is_first = true, indents_blank = call_bool(call, 2, false);
    TRY(call_self_text(run, call, &text));
    TRY(indentation(run, call, &space));
    for (size_t at = 0; at <= text.n_bytes && !out.text.is_failed; is_first = false) {
        size_t end = text_find(text, (struct text){"\n", 1}, at);
        bool is_last = end == SIZE_MAX;
        if (is_last) end = text.n_bytes;
        bool is_indented = is_first ? call_bool(call, 1, false) : end > at || indents_blank;
        if (is_indented) writer_append(&out, space.bytes, space.n_bytes);
        writer_append(&out, text.bytes + at, end - at + !is_last);
        at = end + 1;
    }
    return text_take(run, HOB_OK, &out, ret_value);
}

static hob_status run_center(struct run *run, const struct call *call, struct value *ret_value)
{
    struct writer out = run_writer(run);
    struct text text;
    int64_t width;
    TRY(call_self_text(run, call, &text));
    TRY(call_int(run, call, 0, 80, &width));
    int64_t n_spaces = width - (int64_t)text_length(text);
    if (n_spaces > 1 << 20) return RUN_ERROR(run, HOB_LIMIT, "center: found a width of %lld", (long long)width);
    int64_t n_left = n_spaces / 2 + (n_spaces & width & 1); /* as CPython rounds */
    for (int64_t i = 0; i < n_left; i++) writer_byte(&out, ' ');
    writer_append(&out, text.bytes, text.n_bytes);
    for (int64_t i = n_left; i < n_spaces; i++) writer_byte(&out, ' ');
    return text_take(run, HOB_OK, &out, ret_value);
}

static hob_status run_truncate(struct run *run, const struct call *call, struct value *ret_value)
{
    struct writer out = run_writer(run);
    struct text text, end;
    int64_t length, leeway;
    TRY(call_self_text(run, call, &text));
    TRY(call_int(run, call, 0, 255, &length));
    TRY(call_text(run, call, 2, "...", &end));
    TRY(call_int(run, call, 3, 5, &leeway));
    int64_t n_kept = length - (int64_t)text_length(end);
    if (n_kept < 0 || leeway < 0) return RUN_ERROR(run, HOB_BAD_ARGUMENT, "truncate: found a length of %lld", (long long)length);
    if ((int64_t)text_length(text) <= length + leeway) return run_string(run, call, ret_value);
    text.n_bytes = text_offset(text, (size_t)n_kept);
    const char *space = call_bool(call, 1, false) || !text.n_bytes ? NULL : memrchr(text.bytes, ' ', text.n_bytes);
    if (space) text.n_bytes = (size_t)(space - text.bytes);
    writer_append(&out, text.bytes, text.n_bytes);
    writer_append(&out, end.bytes, end.n_bytes);
    return text_take(run, HOB_OK, &out, ret_value);
}

static hob_status run_wordcount(struct run *run, const struct call *call, struct value *ret_value)
{
    struct text text;
    int64_t n_words = 0;
    bool was_word = false;
    TRY(call_self_text(run, call, &text));
    for (size_t at = 0, n; at < text.n_bytes; at += n) {
        bool is_word = unicode_is_word(unicode_next(text.bytes + at, text.n_bytes - at, &n));
        n_words += is_word && !was_word;
        was_word = is_word;
    }
    *ret_value = value_int(n_words);
    return HOB_OK;
}

static hob_status run_format(struct run *run, const struct call *call, struct value *ret_value)
{
    struct text format;
    TRY(call_self_text(run, call, &format));
    return text_format(run, format, call->all->items, call->all->n_items, ret_value);
}

static hob_status run_urlencode(struct run *run, const struct call *call, struct value *ret_value)
{
    struct writer out = run_writer(run);
    struct text text;
    TRY(call_self_text(run, call, &text));
    for (size_t i = 0; i < text.n_bytes; i++) {
        unsigned char byte = (unsigned char)text.bytes[i];
        bool is_kept = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
                       (byte && strchr("_.-~/", byte));
        if (is_kept) writer_byte(&out, byte);
        else writer_printf(&out, "%%%02X", byte);
    }
    writer_mark(&out, 0, text.bytes, text.n_bytes);
    return text_take(run, HOB_OK, &out, ret_value);
}

const struct builtin text_filters[] = {{"upper", run_upper, {0}, 0},
                                       {"lower", run_lower, {0}, 0},
                                       {"capitalize", run_capitalize, {0}, 0},
                                       {"title", run_title, {0}, 0},
                                       {"trim", run_trim, {"chars"}, 0},
                                       {"replace", run_replace, {"old", "new", "count"}, 2},
                                       {"string", run_string, {0}, 0},
                                       {"safe", run_safe, {0}, 0},
                                       {"escape", run_escape, {0}, 0},
                                       {"e", run_escape, {0}, 0},
                                       {"forceescape", run_escape, {0}, 0},
                                       {"indent", run_indent, {"width", "first", "blank"}, 0},
                                       {"center", run_center, {"width"}, 0},
                                       {"truncate", run_truncate, {"length", "killwords", "end", "leeway"}, 0},
                                       {"wordcount", run_wordcount, {0}, 0},
                                       {"format", run_format, {"*"}, 0},
                                       {"urlencode", run_urlencode, {0}, 0},
                                       {0}};
