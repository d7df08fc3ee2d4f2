/* Methods of Python's str. */
#include "text/jinja/builtin.h"
#include "text/jinja/text_operations.h"
#include "text/jinja/write.h"
#include "text/unicode.h"

#include <string.h>
#include <utf8proc.h>

static hob_status run_upper(struct run *run, const struct call *call, struct value *ret_value)
{
    return text_change_case(run, call->self.text, CASE_UPPER, ret_value);
}

static hob_status run_lower(struct run *run, const struct call *call, struct value *ret_value)
{
    return text_change_case(run, call->self.text, CASE_LOWER, ret_value);
}

static hob_status run_title(struct run *run, const struct call *call, struct value *ret_value)
{
    return text_change_case(run, call->self.text, CASE_TITLE, ret_value);
}

static hob_status run_capitalize(struct run *run, const struct call *call, struct value *ret_value)
{
    return text_change_case(run, call->self.text, CASE_CAPITALIZE, ret_value);
}

static hob_status strip(struct run *run, const struct call *call, enum text_sides sides, struct value *ret_value)
{
    struct text characters;
    TRY(run_charge(run, call->self.text.n_bytes / 64));
    TRY(call_text(run, call, 0, "", &characters));
    struct text stripped = text_strip(call->self.text, call_has(call, 0) ? &characters : NULL, sides);
    *ret_value = (struct value){.kind = VALUE_TEXT, .text = stripped};
    return HOB_OK;
}

static hob_status run_strip(struct run *run, const struct call *call, struct value *ret_value)
{
    return strip(run, call, SIDE_BOTH, ret_value);
}

static hob_status run_lstrip(struct run *run, const struct call *call, struct value *ret_value)
{
    return strip(run, call, SIDE_LEFT, ret_value);
}

static hob_status run_rstrip(struct run *run, const struct call *call, struct value *ret_value)
{
    return strip(run, call, SIDE_RIGHT, ret_value);
}

static bool has_affix(struct text text, struct text affix, bool is_suffix)
{
    if (affix.n_bytes > text.n_bytes) return false;
    return !affix.n_bytes || !memcmp(text.bytes + (is_suffix ? text.n_bytes - affix.n_bytes : 0), affix.bytes, affix.n_bytes);
}

/* One affix, or a tuple of them. */
static hob_status has_any_affix(struct run *run, const struct call *call, bool is_suffix, struct value *ret_value)
{
    const struct value *affixes = call->arguments[0];
    bool has_it = false, is_list = value_is_list(affixes);
    size_t n = is_list ? affixes->list->n_items : 1;
    TRY(run_charge(run, n));
    for (size_t i = 0; !has_it && i < n; i++) {
        const struct value *affix = is_list ? &affixes->list->items[i] : affixes;
        if (affix->kind != VALUE_TEXT)
            return RUN_ERROR(run, HOB_BAD_ARGUMENT, "%s: found %s, expected a string", call->name, value_kind_name(affix));
        has_it = has_affix(call->self.text, affix->text, is_suffix);
    }
    *ret_value = value_bool(has_it);
    return HOB_OK;
}

static hob_status run_startswith(struct run *run, const struct call *call, struct value *ret_value)
{
    return has_any_affix(run, call, false, ret_value);
}

static hob_status run_endswith(struct run *run, const struct call *call, struct value *ret_value)
{
    return has_any_affix(run, call, true, ret_value);
}

static hob_status remove_affix(struct run *run, const struct call *call, bool is_suffix, struct value *ret_value)
{
    struct text text = call->self.text, affix;
    TRY(call_text(run, call, 0, NULL, &affix));
    if (has_affix(text, affix, is_suffix)) {
        text.n_bytes -= affix.n_bytes;
        text.bytes += is_suffix ? 0 : affix.n_bytes;
    }
    *ret_value = (struct value){.kind = VALUE_TEXT, .text = text};
    return HOB_OK;
}

static hob_status run_removeprefix(struct run *run, const struct call *call, struct value *ret_value)
{
    return remove_affix(run, call, false, ret_value);
}

static hob_status run_removesuffix(struct run *run, const struct call *call, struct value *ret_value)
{
    return remove_affix(run, call, true, ret_value);
}

static hob_status run_replace(struct run *run, const struct call *call, struct value *ret_value)
{
    struct text old, new;
    int64_t most;
    TRY(call_text(run, call, 0, NULL, &old));
    TRY(call_text(run, call, 1, NULL, &new));
    TRY(call_int(run, call, 2, -1, &most));
    return text_replace(run, call->self.text, old, new, most, ret_value);
}

/* ---- Cutting */

static hob_status append_slice(struct run *run, struct list *list, struct text text, size_t from, size_t to)
{
    return list_append(run, list, value_text(text.bytes + from, to - from));
}

static hob_status split_at_space(struct run *run, struct text text, int64_t most, struct list *list)
{
    text = text_strip(text, NULL, SIDE_LEFT);
    while (text.n_bytes && most-- != 0) {
        size_t end = 0, n;
        while (end < text.n_bytes && !unicode_is_whitespace(unicode_next(text.bytes + end, text.n_bytes - end, &n))) end += n;
        TRY(append_slice(run, list, text, 0, end));
        text = text_strip((struct text){text.bytes + end, text.n_bytes - end}, NULL, SIDE_LEFT);
    }
    return text.n_bytes ? list_append(run, list, (struct value){.kind = VALUE_TEXT, .text = text}) : HOB_OK;
}

static hob_status split_at(struct run *run, struct text text, struct text separator, int64_t most, struct list *list)
{
    size_t from = 0;
    for (size_t found; most-- != 0 && (found = text_find(text, separator, from)) != SIZE_MAX; from = found + separator.n_bytes)
        TRY(append_slice(run, list, text, from, found));
    return append_slice(run, list, text, from, text.n_bytes);
}

/* Looking from the end compares at every place. */
static hob_status charge_search(struct run *run, struct text text, struct text needle)
{
    return run_charge(run, text.n_bytes / 8 + text.n_bytes / 64 * (needle.n_bytes < 1 << 24 ? needle.n_bytes : 1 << 24));
}

static hob_status call_separator(struct run *run, const struct call *call, struct text *ret_separator)
{
    TRY(call_text(run, call, 0, " ", ret_separator));
    if (!ret_separator->n_bytes) return RUN_ERROR(run, HOB_BAD_ARGUMENT, "%s: found an empty separator", call->name);
    return charge_search(run, call->self.text, *ret_separator);
}

static hob_status run_split(struct run *run, const struct call *call, struct value *ret_value)
{
    struct text separator;
    int64_t most;
    TRY(call_separator(run, call, &separator));
    TRY(call_int(run, call, 1, -1, &most));
    TRY(list_new(run, VALUE_LIST, 4, ret_value));
    if (!call_has(call, 0)) return split_at_space(run, call->self.text, most, ret_value->list);
    return split_at(run, call->self.text, separator, most, ret_value->list);
}

/* Where needle is found last before `to`; SIZE_MAX: nowhere. */
static size_t find_last(struct text text, struct text needle)
{
    size_t last = SIZE_MAX;
    if (needle.n_bytes > text.n_bytes) return SIZE_MAX;
    for (size_t at = text.n_bytes - needle.n_bytes + 1; at-- > 0 && last == SIZE_MAX;)
        if (!needle.n_bytes || !memcmp(text.bytes + at, needle.bytes, needle.n_bytes)) last = at;
    return last;
}

static struct text cut_last_word(struct text *text)
{
    size_t at = text->n_bytes;
    while (at > 0) {
        size_t last = unicode_last(text->bytes, at), n;
        if (unicode_is_whitespace(unicode_next(text->bytes + last, at - last, &n))) break;
        at = last;
    }
    struct text word = {text->bytes + at, text->n_bytes - at};
    text->n_bytes = at;
    *text = text_strip(*text, NULL, SIDE_RIGHT);
    return word;
}

/* From the right; the parts are turned round at the end. */
static hob_status run_rsplit(struct run *run, const struct call *call, struct value *ret_value)
{
    struct text separator, rest = call->self.text;
    int64_t most;
    TRY(call_separator(run, call, &separator));
    TRY(call_int(run, call, 1, -1, &most));
    TRY(list_new(run, VALUE_LIST, 4, ret_value));
    struct list *list = ret_value->list;
    bool has_separator = call_has(call, 0);
    if (!has_separator) rest = text_strip(rest, NULL, SIDE_RIGHT);
    for (size_t found; most-- != 0 && rest.n_bytes;) {
        if (!has_separator) {
            TRY(list_append(run, list, (struct value){.kind = VALUE_TEXT, .text = cut_last_word(&rest)}));
            continue;
        }
        if ((found = find_last(rest, separator)) == SIZE_MAX) break;
        TRY(append_slice(run, list, rest, found + separator.n_bytes, rest.n_bytes));
        rest.n_bytes = found;
    }
    if (has_separator || rest.n_bytes) TRY(list_append(run, list, (struct value){.kind = VALUE_TEXT, .text = rest}));
    for (size_t i = 0; i < list->n_items / 2; i++) {
        struct value item = list->items[i];
        list->items[i] = list->items[list->n_items - 1 - i];
        list->items[list->n_items - 1 - i] = item;
    }
    return HOB_OK;
}

static hob_status run_splitlines(struct run *run, const struct call *call, struct value *ret_value)
{
    struct text text = call->self.text;
    bool keeps = call_bool(call, 0, false);
    TRY(list_new(run, VALUE_LIST, 4, ret_value));
    for (size_t at = 0; at < text.n_bytes;) {
        size_t end = at;
        while (end < text.n_bytes && text.bytes[end] != '\n' && text.bytes[end] != '\r') end++;
        size_t next = end + (end < text.n_bytes);
        if (next < text.n_bytes && text.bytes[end] == '\r' && text.bytes[next] == '\n') next++;
        TRY(append_slice(run, ret_value->list, text, at, keeps ? next : end));
        at = next;
    }
    return HOB_OK;
}

static hob_status partition(struct run *run, const struct call *call, bool is_last, struct value *ret_value)
{
    struct text text = call->self.text, separator;
    TRY(call_separator(run, call, &separator));
    size_t found = is_last ? find_last(text, separator) : text_find(text, separator, 0);
    size_t end = found == SIZE_MAX ? (is_last ? 0 : text.n_bytes) : found;
    size_t next = found == SIZE_MAX ? end : found + separator.n_bytes;
    TRY(list_new(run, VALUE_TUPLE, 3, ret_value));
    TRY(append_slice(run, ret_value->list, text, 0, end));
    TRY(append_slice(run, ret_value->list, text, end, next));
    return append_slice(run, ret_value->list, text, next, text.n_bytes);
}

static hob_status run_partition(struct run *run, const struct call *call, struct value *ret_value)
{
    return partition(run, call, false, ret_value);
}

static hob_status run_rpartition(struct run *run, const struct call *call, struct value *ret_value)
{
    return partition(run, call, true, ret_value);
}

/* ---- Looking */

static hob_status find_index(struct run *run, const struct call *call, bool is_last, struct value *ret_value)
{
    struct text text = call->self.text, needle;
    TRY(call_text(run, call, 0, NULL, &needle));
    TRY(charge_search(run, text, needle));
    size_t found = is_last ? find_last(text, needle) : text_find(text, needle, 0);
    *ret_value = value_int(found == SIZE_MAX ? -1 : (int64_t)text_length((struct text){text.bytes, found}));
    return HOB_OK;
}

static hob_status run_find(struct run *run, const struct call *call, struct value *ret_value)
{
    return find_index(run, call, false, ret_value);
}

static hob_status run_rfind(struct run *run, const struct call *call, struct value *ret_value)
{
    return find_index(run, call, true, ret_value);
}

static hob_status run_index(struct run *run, const struct call *call, struct value *ret_value)
{
    TRY(find_index(run, call, false, ret_value));
    return ret_value->integer < 0 ? RUN_ERROR(run, HOB_BAD_ARGUMENT, "index: the string is not found") : HOB_OK;
}

static hob_status run_count(struct run *run, const struct call *call, struct value *ret_value)
{
    struct text text = call->self.text, needle;
    int64_t n = 0;
    TRY(call_text(run, call, 0, NULL, &needle));
    TRY(run_charge(run, text.n_bytes / 8));
    if (!needle.n_bytes) n = (int64_t)text_length(text) + 1;
    else for (size_t at = 0; (at = text_find(text, needle, at)) != SIZE_MAX; at += needle.n_bytes) n++;
    *ret_value = value_int(n);
    return HOB_OK;
}

typedef bool is_kind(uint32_t c);

static bool is_alpha(uint32_t c)
{
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);
    return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

static bool is_digit(uint32_t c)
{
    return utf8proc_category((utf8proc_int32_t)c) == UTF8PROC_CATEGORY_ND;
}

static bool is_alnum(uint32_t c)
{
    return is_alpha(c) || unicode_is_number(c);
}

static hob_status are_all(struct run *run, const struct call *call, is_kind *is, struct value *ret_value)
{
    struct text text = call->self.text;
    bool are = text.n_bytes > 0;
    TRY(run_charge(run, text.n_bytes / 64));
    for (size_t at = 0, n; are && at < text.n_bytes; at += n) are = is(unicode_next(text.bytes + at, text.n_bytes - at, &n));
    *ret_value = value_bool(are);
    return HOB_OK;
}

static hob_status run_isalpha(struct run *run, const struct call *call, struct value *ret_value)
{
    return are_all(run, call, is_alpha, ret_value);
}

static hob_status run_isdigit(struct run *run, const struct call *call, struct value *ret_value)
{
    return are_all(run, call, is_digit, ret_value);
}

static hob_status run_isalnum(struct run *run, const struct call *call, struct value *ret_value)
{
    return are_all(run, call, is_alnum, ret_value);
}

static hob_status run_isspace(struct run *run, const struct call *call, struct value *ret_value)
{
    return are_all(run, call, unicode_is_whitespace, ret_value);
}

/* At least one letter with a case, and none of the other one. */
static hob_status has_case(struct run *run, const struct call *call, utf8proc_category_t wanted, utf8proc_category_t other,
                           struct value *ret_value)
{
    struct text text = call->self.text;
    bool has_wanted = false, has_other = false;
    TRY(run_charge(run, text.n_bytes / 64));
    for (size_t at = 0, n; at < text.n_bytes; at += n) {
        utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)unicode_next(text.bytes + at, text.n_bytes - at, &n));
        has_wanted |= category == wanted;
        has_other |= category == other || category == UTF8PROC_CATEGORY_LT;
    }
    *ret_value = value_bool(has_wanted && !has_other);
    return HOB_OK;
}

static hob_status run_isupper(struct run *run, const struct call *call, struct value *ret_value)
{
    return has_case(run, call, UTF8PROC_CATEGORY_LU, UTF8PROC_CATEGORY_LL, ret_value);
}

static hob_status run_islower(struct run *run, const struct call *call, struct value *ret_value)
{
    return has_case(run, call, UTF8PROC_CATEGORY_LL, UTF8PROC_CATEGORY_LU, ret_value);
}

/* ---- Joining and filling */

static hob_status run_join(struct run *run, const struct call *call, struct value *ret_value)
{
    struct writer out = run_writer(run);
    const struct list *items;
    hob_status status = HOB_OK;
    TRY(value_iterate(run, call->arguments[0], &items));
    for (size_t i = 0; i < items->n_items && status == HOB_OK; i++) {
        const struct value *item = &items->items[i];
        if (item->kind != VALUE_TEXT) status = RUN_ERROR(run, HOB_BAD_ARGUMENT, "join: found %s, expected strings", value_kind_name(item));
        if (i && status == HOB_OK) writer_append(&out, call->self.text.bytes, call->self.text.n_bytes);
        if (status == HOB_OK) writer_append(&out, item->text.bytes, item->text.n_bytes);
    }
    return text_take(run, status, &out, ret_value);
}

enum { MOST_WIDTH = 1 << 20 };

static hob_status fill(struct run *run, const struct call *call, enum text_sides side, char filler, struct value *ret_value)
{
    struct writer out = run_writer(run);
    struct text text = call->self.text;
    int64_t width;
    TRY(call_int(run, call, 0, 0, &width));
    int64_t n_fillers = width - (int64_t)text_length(text);
    if (n_fillers > MOST_WIDTH) return RUN_ERROR(run, HOB_LIMIT, "%s: found a width of %lld", call->name, (long long)width);
    bool has_sign = filler == '0' && text.n_bytes && (text.bytes[0] == '-' || text.bytes[0] == '+');
    if (has_sign) writer_append(&out, text.bytes, 1);
    for (int64_t i = 0; side == SIDE_LEFT && i < n_fillers; i++) writer_byte(&out, (unsigned char)filler);
    writer_append(&out, text.bytes + has_sign, text.n_bytes - has_sign);
    for (int64_t i = 0; side == SIDE_RIGHT && i < n_fillers; i++) writer_byte(&out, (unsigned char)filler);
    return text_take(run, HOB_OK, &out, ret_value);
}

static hob_status run_ljust(struct run *run, const struct call *call, struct value *ret_value)
{
    return fill(run, call, SIDE_RIGHT, ' ', ret_value);
}

static hob_status run_rjust(struct run *run, const struct call *call, struct value *ret_value)
{
    return fill(run, call, SIDE_LEFT, ' ', ret_value);
}

static hob_status run_zfill(struct run *run, const struct call *call, struct value *ret_value)
{
    return fill(run, call, SIDE_LEFT, '0', ret_value);
}

/* Replacement fields "{}", "{0}" and "{name}" without formats of their own. */
static const struct value *field_value(const struct call *call, struct text field, size_t *n_used)
{
    const struct arguments *all = call->all;
    size_t index = 0;
    for (size_t i = 0; i < all->n_keywords; i++)
        if (all->keywords[i].name.n_bytes == field.n_bytes && !memcmp(all->keywords[i].name.bytes, field.bytes, field.n_bytes))
            return &all->keywords[i].value;
    if (!field.n_bytes) index = (*n_used)++;
    for (size_t i = 0; i < field.n_bytes; i++) {
        if (field.bytes[i] < '0' || field.bytes[i] > '9' || index > 1000) return NULL;
        index = index * 10 + (size_t)(field.bytes[i] - '0');
    }
    return index < all->n_items ? &all->items[index] : NULL;
}

static hob_status write_fields(struct run *run, const struct call *call, struct writer *out)
{
    struct text text = call->self.text;
    size_t n_used = 0;
    for (size_t at = 0; at < text.n_bytes; at++) {
        char byte = text.bytes[at];
        bool is_doubled = (byte == '{' || byte == '}') && at + 1 < text.n_bytes && text.bytes[at + 1] == byte;
        if (byte != '{' || is_doubled) {
            writer_append(out, text.bytes + at, 1);
            at += is_doubled;
            continue;
        }
        size_t end = text_find(text, (struct text){"}", 1}, at);
        struct text field = {text.bytes + at + 1, end == SIZE_MAX ? 0 : end - at - 1};
        const struct value *value = end == SIZE_MAX ? NULL : field_value(call, field, &n_used);
        if (!value) return RUN_ERROR(run, HOB_BAD_ARGUMENT, "format: found a field that is nothing's name or number");
        TRY(write_text(run, value, out));
        at = end;
    }
    return HOB_OK;
}

static hob_status run_format(struct run *run, const struct call *call, struct value *ret_value)
{
    struct writer out = run_writer(run);
    hob_status status = write_fields(run, call, &out);
    return text_take(run, status, &out, ret_value);
}

const struct builtin text_methods[] = {{"upper", run_upper, {0}, 0},
                                       {"lower", run_lower, {0}, 0},
                                       {"title", run_title, {0}, 0},
                                       {"capitalize", run_capitalize, {0}, 0},
                                       {"strip", run_strip, {"chars"}, 0},
                                       {"lstrip", run_lstrip, {"chars"}, 0},
                                       {"rstrip", run_rstrip, {"chars"}, 0},
                                       {"startswith", run_startswith, {"prefix"}, 1},
                                       {"endswith", run_endswith, {"suffix"}, 1},
                                       {"removeprefix", run_removeprefix, {"prefix"}, 1},
                                       {"removesuffix", run_removesuffix, {"suffix"}, 1},
                                       {"replace", run_replace, {"old", "new", "count"}, 2},
                                       {"split", run_split, {"sep", "maxsplit"}, 0},
                                       {"rsplit", run_rsplit, {"sep", "maxsplit"}, 0},
                                       {"splitlines", run_splitlines, {"keepends"}, 0},
                                       {"partition", run_partition, {"sep"}, 1},
                                       {"rpartition", run_rpartition, {"sep"}, 1},
                                       {"find", run_find, {"sub"}, 1},
                                       {"rfind", run_rfind, {"sub"}, 1},
                                       {"index", run_index, {"sub"}, 1},
                                       {"count", run_count, {"sub"}, 1},
                                       {"isalpha", run_isalpha, {0}, 0},
                                       {"isdigit", run_isdigit, {0}, 0},
                                       {"isnumeric", run_isdigit, {0}, 0},
                                       {"isdecimal", run_isdigit, {0}, 0},
                                       {"isalnum", run_isalnum, {0}, 0},
                                       {"isspace", run_isspace, {0}, 0},
                                       {"isupper", run_isupper, {0}, 0},
                                       {"islower", run_islower, {0}, 0},
                                       {"join", run_join, {"iterable"}, 1},
                                       {"ljust", run_ljust, {"width"}, 1},
                                       {"rjust", run_rjust, {"width"}, 1},
                                       {"zfill", run_zfill, {"width"}, 1},
                                       {"format", run_format, {"*"}, 0},
                                       {0}};
