/* Global functions, and the methods of dicts, lists and loops. */
#include "text/jinja/builtin.h"

#include <string.h>
#include <time.h>

/* ---- Global functions */

static hob_status run_raise_exception(struct run *run, const struct call *call, struct value *ret_value)
{
    struct text message;
    (void)ret_value;
    TRY(call_text(run, call, 0, NULL, &message));
    return RUN_ERROR(run, HOB_BAD_ARGUMENT, "%.*s", (int)(message.n_bytes < 300 ? message.n_bytes : 300), message.bytes);
}

static hob_status run_strftime_now(struct run *run, const struct call *call, struct value *ret_value)
{
    char format[128], shown[512];
    struct text text;
    struct tm local;
    time_t now = (time_t)run->limits.now;
    TRY(call_text(run, call, 0, NULL, &text));
    if (text.n_bytes + 1 > sizeof format || memchr(text.bytes, 0, text.n_bytes) || !localtime_r(&now, &local))
        return RUN_ERROR(run, HOB_BAD_ARGUMENT, "strftime_now: found a format of %zu bytes, expected at most %zu", text.n_bytes, sizeof format - 1);
    memcpy(format, text.bytes, text.n_bytes);
    format[text.n_bytes] = '\0';
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    size_t n_bytes = strftime(shown, sizeof shown, format, &local);
#pragma GCC diagnostic pop
    struct writer out = run_writer(run);
    writer_append(&out, shown, n_bytes);
    writer_mark(&out, 0, text.bytes, text.n_bytes);
    return text_take(run, HOB_OK, &out, ret_value);
}

enum { MOST_RANGE = 100000 }; /* as Jinja's sandbox */

static hob_status run_range(struct run *run, const struct call *call, struct value *ret_value)
{
    int64_t start = 0, stop, step;
    TRY(call_int(run, call, 0, 0, &stop));
    if (call->arguments[1]) {
        start = stop;
        TRY(call_int(run, call, 1, 0, &stop));
    }
    TRY(call_int(run, call, 2, 1, &step));
    if (!step) return RUN_ERROR(run, HOB_BAD_ARGUMENT, "range: found a step of 0");
    TRY(list_new(run, VALUE_LIST, 4, ret_value));
    for (int64_t i = start; step > 0 ? i < stop : i > stop;) {
        if (ret_value->list->n_items == MOST_RANGE) return RUN_ERROR(run, HOB_LIMIT, "range: more than %d numbers", MOST_RANGE);
        TRY(list_append(run, ret_value->list, value_int(i)));
        if (__builtin_add_overflow(i, step, &i)) break;
    }
    return HOB_OK;
}

static hob_status set_all(struct run *run, struct dict *dict, const struct dict *from)
{
    for (size_t i = 0; i < from->n_entries; i++) TRY(dict_set(run, dict, from->entries[i].key, from->entries[i].value));
    return HOB_OK;
}

/* A dict and keywords, each may be missing. */
static hob_status make_dict(struct run *run, const struct call *call, enum value_kind kind, struct value *ret_value)
{
    const struct arguments *all = call->all;
    TRY(dict_new(run, kind, all->n_keywords, ret_value));
    if (all->n_items > 1 || (all->n_items && all->items[0].kind != VALUE_DICT))
        return RUN_ERROR(run, HOB_BAD_ARGUMENT, "%s: expected a dict, names, or both", call->name);
    if (all->n_items) TRY(set_all(run, ret_value->dict, all->items[0].dict));
    for (size_t i = 0; i < all->n_keywords; i++)
        TRY(dict_set(run, ret_value->dict, (struct value){.kind = VALUE_TEXT, .text = all->keywords[i].name}, all->keywords[i].value));
    return HOB_OK;
}

static hob_status run_namespace(struct run *run, const struct call *call, struct value *ret_value)
{
    return make_dict(run, call, VALUE_NAMESPACE, ret_value);
}

static hob_status run_dict(struct run *run, const struct call *call, struct value *ret_value)
{
    return make_dict(run, call, VALUE_DICT, ret_value);
}

const struct builtin global_functions[] = {{"raise_exception", run_raise_exception, {"message"}, 1},
                                           {"strftime_now", run_strftime_now, {"format"}, 1},
                                           {"range", run_range, {"start", "stop", "step"}, 1},
                                           {"namespace", run_namespace, {"*"}, 0},
                                           {"dict", run_dict, {"*"}, 0},
                                           {0}};

/* ---- Methods of dicts */

static hob_status run_get(struct run *run, const struct call *call, struct value *ret_value)
{
    const struct value *member = dict_get(run, call->self.dict, call->arguments[0]);
    if (!member && call->arguments[1]) member = call->arguments[1];
    *ret_value = member ? *member : value_none();
    return HOB_OK;
}

static hob_status entries(struct run *run, const struct call *call, bool has_keys, bool has_values, struct value *ret_value)
{
    const struct dict *dict = call->self.dict;
    TRY(list_new(run, VALUE_LIST, dict->n_entries, ret_value));
    for (size_t i = 0; i < dict->n_entries; i++) {
        struct value item = has_keys ? dict->entries[i].key : dict->entries[i].value;
        if (has_keys && has_values) {
            TRY(list_new(run, VALUE_TUPLE, 2, &item));
            TRY(list_append(run, item.list, dict->entries[i].key));
            TRY(list_append(run, item.list, dict->entries[i].value));
        }
        TRY(list_append(run, ret_value->list, item));
    }
    return HOB_OK;
}

static hob_status run_items(struct run *run, const struct call *call, struct value *ret_value)
{
    return entries(run, call, true, true, ret_value);
}

static hob_status run_keys(struct run *run, const struct call *call, struct value *ret_value)
{
    return entries(run, call, true, false, ret_value);
}

static hob_status run_values(struct run *run, const struct call *call, struct value *ret_value)
{
    return entries(run, call, false, true, ret_value);
}

static hob_status run_copy(struct run *run, const struct call *call, struct value *ret_value)
{
    TRY(dict_new(run, VALUE_DICT, call->self.dict->n_entries, ret_value));
    return set_all(run, ret_value->dict, call->self.dict);
}

const struct builtin dict_methods[] = {{"get", run_get, {"key", "default"}, 1},
                                       {"items", run_items, {0}, 0},
                                       {"keys", run_keys, {0}, 0},
                                       {"values", run_values, {0}, 0},
                                       {"copy", run_copy, {0}, 0},
                                       {0}};

/* ---- Methods of lists and loops */

static hob_status run_index(struct run *run, const struct call *call, struct value *ret_value)
{
    const struct list *list = call->self.list;
    TRY(run_charge(run, list->n_items));
    for (size_t i = 0; i < list->n_items; i++) {
        bool is_equal;
        TRY(value_is_equal(run, &list->items[i], call->arguments[0], &is_equal));
        *ret_value = value_int((int64_t)i);
        if (is_equal) return HOB_OK;
    }
    return RUN_ERROR(run, HOB_BAD_ARGUMENT, "index: the item is not in the list");
}

static hob_status run_count(struct run *run, const struct call *call, struct value *ret_value)
{
    const struct list *list = call->self.list;
    int64_t n = 0;
    TRY(run_charge(run, list->n_items));
    for (size_t i = 0; i < list->n_items; i++) {
        bool is_equal;
        TRY(value_is_equal(run, &list->items[i], call->arguments[0], &is_equal));
        n += is_equal;
    }
    *ret_value = value_int(n);
    return HOB_OK;
}

const struct builtin list_methods[] = {{"index", run_index, {"value"}, 1}, {"count", run_count, {"value"}, 1}, {0}};

static hob_status run_cycle(struct run *run, const struct call *call, struct value *ret_value)
{
    if (!call->all->n_items) return RUN_ERROR(run, HOB_BAD_ARGUMENT, "cycle: expected items to cycle through");
    *ret_value = call->all->items[call->self.loop->index % call->all->n_items];
    return HOB_OK;
}

/* Whether the arguments are others than the last time. */
static hob_status run_changed(struct run *run, const struct call *call, struct value *ret_value)
{
    struct loop *loop = call->self.loop;
    struct value seen;
    bool is_equal = false;
    TRY(list_new(run, VALUE_TUPLE, call->all->n_items, &seen));
    for (size_t i = 0; i < call->all->n_items; i++) TRY(list_append(run, seen.list, call->all->items[i]));
    if (loop->has_changed_value) TRY(value_is_equal(run, &seen, &loop->changed_value, &is_equal));
    loop->has_changed_value = true;
    loop->changed_value = seen;
    *ret_value = value_bool(!is_equal);
    return HOB_OK;
}

const struct builtin loop_methods[] = {{"cycle", run_cycle, {"*"}, 0}, {"changed", run_changed, {"*"}, 0}, {0}};
