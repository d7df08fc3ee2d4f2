/* value.name and value[index]: of a dict, a name that is a method is the method and any other its key, as in Jinja2. */
#include "text/jinja/builtin.h"

#include <string.h>

static const struct value *neighbour(const struct loop *loop, size_t index)
{
    return index < loop->items->n_items ? &loop->items->items[index] : NULL;
}

static struct value loop_attribute(const struct loop *loop, struct text name)
{
    size_t n = loop->items->n_items, index = loop->index;
    const struct value *item = NULL;
    if (text_is(&name, "index")) return value_int((int64_t)index + 1);
    if (text_is(&name, "index0")) return value_int((int64_t)index);
    if (text_is(&name, "first")) return value_bool(index == 0);
    if (text_is(&name, "last")) return value_bool(index + 1 == n);
    if (text_is(&name, "length")) return value_int((int64_t)n);
    if (text_is(&name, "revindex")) return value_int((int64_t)(n - index));
    if (text_is(&name, "revindex0")) return value_int((int64_t)(n - index) - 1);
    if (text_is(&name, "depth")) return value_int((int64_t)loop->depth + 1);
    if (text_is(&name, "depth0")) return value_int((int64_t)loop->depth);
    if (text_is(&name, "previtem")) item = neighbour(loop, index - 1);
    if (text_is(&name, "nextitem")) item = neighbour(loop, index + 1);
    return item ? *item : value_undefined("an attribute of loop");
}

static hob_status undefined_of(struct run *run, const struct value *value, struct text name, struct value *ret_value)
{
    if (value->kind == VALUE_UNDEFINED)
        return RUN_ERROR(run, HOB_BAD_ARGUMENT, "'%s' is undefined, so it has no '%.*s'", value->name ? value->name : "a value",
                        (int)(name.n_bytes < 64 ? name.n_bytes : 64), name.bytes);
    void *bytes;
    TRY(run_alloc(run, name.n_bytes + 1, 1, &bytes));
    if (name.n_bytes) memcpy(bytes, name.bytes, name.n_bytes);
    *ret_value = value_undefined(bytes);
    return HOB_OK;
}

hob_status attribute_get(struct run *run, const struct value *value, struct text name, struct value *ret_value)
{
    const struct builtin *method = builtin_method(value, name.bytes, name.n_bytes);
    const struct value *member = NULL;
    if (method) return builtin_bind(run, method, value, ret_value);
    if (value->kind == VALUE_DICT || value->kind == VALUE_NAMESPACE) member = dict_get_text(run, value->dict, name);
    if (!member && value->kind != VALUE_LOOP) return undefined_of(run, value, name, ret_value);
    *ret_value = member ? *member : loop_attribute(value->loop, name);
    return HOB_OK;
}

/* Items from the end have negative indices. */
static bool index_within(int64_t index, size_t n_items, size_t *ret_index)
{
    if (index < 0) index += (int64_t)n_items;
    if (index < 0 || (uint64_t)index >= n_items) return false;
    *ret_index = (size_t)index;
    return true;
}

static hob_status item_at(struct run *run, const struct value *value, int64_t index, struct value *ret_value)
{
    size_t at;
    if (value_is_list(value)) {
        bool is_within = index_within(index, value->list->n_items, &at);
        *ret_value = is_within ? value->list->items[at] : value_undefined("an item behind the list's end");
        return HOB_OK;
    }
    TRY(run_charge(run, value->text.n_bytes / 64));
    if (!index_within(index, text_length(value->text), &at)) {
        *ret_value = value_undefined("a character behind the string's end");
        return HOB_OK;
    }
    size_t from = text_offset(value->text, at);
    struct text rest = {value->text.bytes + from, value->text.n_bytes - from};
    *ret_value = value_text(rest.bytes, text_offset(rest, 1));
    return HOB_OK;
}

hob_status item_get(struct run *run, const struct value *value, const struct value *index, struct value *ret_value)
{
    bool is_sequence = value_is_list(value) || value->kind == VALUE_TEXT;
    if (is_sequence && (index->kind == VALUE_INT || index->kind == VALUE_BOOL))
        return item_at(run, value, index->kind == VALUE_INT ? index->integer : (int64_t)index->truth, ret_value);
    const struct value *member = value->kind == VALUE_DICT ? dict_get(run, value->dict, index) : NULL;
    if (member) {
        *ret_value = *member;
        return HOB_OK;
    }
    if (index->kind == VALUE_TEXT) return attribute_get(run, value, index->text, ret_value);
    return undefined_of(run, value, (struct text){"item", 4}, ret_value);
}

static bool is_number_text(struct text text, int64_t *ret_number)
{
    int64_t number = 0;
    for (size_t i = 0; i < text.n_bytes; i++) {
        if (text.bytes[i] < '0' || text.bytes[i] > '9' || i == 15) return false;
        number = number * 10 + (text.bytes[i] - '0');
    }
    *ret_number = number;
    return text.n_bytes > 0;
}

/* Parts of a path are looked up as items first, as Jinja's filters do. */
hob_status attribute_get_path(struct run *run, const struct value *value, const struct value *path, struct value *ret_value)
{
    struct value current = *value;
    if (path->kind != VALUE_TEXT) return item_get(run, value, path, ret_value);
    for (size_t at = 0; at <= path->text.n_bytes;) {
        const char *rest = path->text.bytes + at;
        const char *dot = at < path->text.n_bytes ? memchr(rest, '.', path->text.n_bytes - at) : NULL;
        struct text part = {rest, dot ? (size_t)(dot - rest) : path->text.n_bytes - at};
        int64_t number;
        struct value index = is_number_text(part, &number) ? value_int(number) : (struct value){.kind = VALUE_TEXT, .text = part};
        TRY(item_get(run, &current, &index, &current));
        at += part.n_bytes + 1;
    }
    *ret_value = current;
    return HOB_OK;
}
