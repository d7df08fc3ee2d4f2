/* Filters of lists, dicts and whatever else can be gone over. */
#include "text/jinja/builtin.h"
#include "text/jinja/sort.h"
#include "text/jinja/text_operations.h"
#include "text/jinja/write.h"

#include <string.h>

static hob_status self_list(struct run *run, const struct call *call, const struct list **ret_list)
{
    TRY(value_iterate(run, &call->self, ret_list));
    return run_charge(run, (*ret_list)->n_items / 8);
}

static hob_status run_length(struct run *run, const struct call *call, struct value *ret_value)
{
    size_t length;
    TRY(value_length(run, &call->self, &length));
    *ret_value = value_int((int64_t)length);
    return HOB_OK;
}

static hob_status run_first(struct run *run, const struct call *call, struct value *ret_value)
{
    const struct list *list;
    TRY(self_list(run, call, &list));
    *ret_value = list->n_items ? list->items[0] : value_undefined("the first item of nothing");
    return HOB_OK;
}

static hob_status run_last(struct run *run, const struct call *call, struct value *ret_value)
{
    const struct list *list;
    TRY(self_list(run, call, &list));
    *ret_value = list->n_items ? list->items[list->n_items - 1] : value_undefined("the last item of nothing");
    return HOB_OK;
}

static hob_status run_list(struct run *run, const struct call *call, struct value *ret_value)
{
    const struct list *list;
    TRY(self_list(run, call, &list));
    TRY(list_new(run, VALUE_LIST, list->n_items, ret_value));
    for (size_t i = 0; i < list->n_items; i++) TRY(list_append(run, ret_value->list, list->items[i]));
    return HOB_OK;
}

static hob_status run_reverse(struct run *run, const struct call *call, struct value *ret_value)
{
    struct writer out = run_writer(run);
    const struct list *list;
    TRY(self_list(run, call, &list));
    if (call->self.kind == VALUE_TEXT) {
        for (size_t i = list->n_items; i-- > 0;) writer_append(&out, list->items[i].text.bytes, list->items[i].text.n_bytes);
        return text_take(run, HOB_OK, &out, ret_value);
    }
    TRY(list_new(run, VALUE_LIST, list->n_items, ret_value));
    for (size_t i = list->n_items; i-- > 0;) TRY(list_append(run, ret_value->list, list->items[i]));
    return HOB_OK;
}

static hob_status write_joined(struct run *run, const struct list *list, struct text separator, const struct value *path, struct writer *out)
{
    for (size_t i = 0; i < list->n_items; i++) {
        struct value item = list->items[i];
        if (path) TRY(attribute_get_path(run, &item, path, &item));
        if (i) writer_append(out, separator.bytes, separator.n_bytes);
        TRY(write_text(run, &item, out));
    }
    return HOB_OK;
}

static hob_status run_join(struct run *run, const struct call *call, struct value *ret_value)
{
    struct writer out = run_writer(run);
    const struct list *list;
    struct text separator = {"", 0};
    TRY(self_list(run, call, &list));
    if (call->arguments[0]) TRY(write_to_text(run, call->arguments[0], &separator));
    hob_status status = write_joined(run, list, separator, call_has(call, 1) ? call->arguments[1] : NULL, &out);
    return text_take(run, status, &out, ret_value);
}

static hob_status run_items(struct run *run, const struct call *call, struct value *ret_value)
{
    const struct value *self = &call->self;
    if (self->kind != VALUE_DICT && self->kind != VALUE_UNDEFINED)
        return RUN_ERROR(run, HOB_BAD_ARGUMENT, "items: found %s, expected a dict", value_kind_name(self));
    size_t n = self->kind == VALUE_DICT ? self->dict->n_entries : 0;
    TRY(list_new(run, VALUE_LIST, n, ret_value));
    for (size_t i = 0; i < n; i++) {
        struct value pair;
        TRY(list_new(run, VALUE_TUPLE, 2, &pair));
        TRY(list_append(run, pair.list, self->dict->entries[i].key));
        TRY(list_append(run, pair.list, self->dict->entries[i].value));
        TRY(list_append(run, ret_value->list, pair));
    }
    return HOB_OK;
}

/* ---- Order */

static hob_status run_sort(struct run *run, const struct call *call, struct value *ret_value)
{
    const struct list *list;
    TRY(self_list(run, call, &list));
    struct sort_order order = {.is_reversed = call_bool(call, 0, false), .is_case_sensitive = call_bool(call, 1, false),
                               .path = call_has(call, 2) ? call->arguments[2] : NULL};
    return sort_list(run, list, &order, ret_value);
}

static hob_status run_dictsort(struct run *run, const struct call *call, struct value *ret_value)
{
    struct text by;
    struct value pairs, place = value_int(0);
    TRY(call_text(run, call, 1, "key", &by));
    TRY(run_items(run, call, &pairs));
    if (text_is(&by, "value")) place = value_int(1);
    else if (!text_is(&by, "key")) return RUN_ERROR(run, HOB_BAD_ARGUMENT, "dictsort: expected by='key' or by='value'");
    struct sort_order order = {.is_case_sensitive = call_bool(call, 0, false), .is_reversed = call_bool(call, 2, false), .path = &place};
    return sort_list(run, pairs.list, &order, ret_value);
}

/* min and max: the first that nothing comes before. */
static hob_status extreme(struct run *run, const struct call *call, int sign, struct value *ret_value)
{
    const struct list *list;
    struct value best_key, key;
    TRY(self_list(run, call, &list));
    struct sort_order order = {.is_case_sensitive = call_bool(call, 0, false), .path = call_has(call, 1) ? call->arguments[1] : NULL};
    *ret_value = value_undefined("the extreme of nothing");
    for (size_t i = 0; i < list->n_items; i++) {
        int comparison = -1;
        TRY(sort_key(run, &list->items[i], &order, &key));
        if (i) TRY(value_compare(run, &key, &best_key, &comparison));
        if (i && comparison * sign >= 0) continue;
        best_key = key;
        *ret_value = list->items[i];
    }
    return HOB_OK;
}

static hob_status run_min(struct run *run, const struct call *call, struct value *ret_value)
{
    return extreme(run, call, 1, ret_value);
}

static hob_status run_max(struct run *run, const struct call *call, struct value *ret_value)
{
    return extreme(run, call, -1, ret_value);
}

static hob_status run_unique(struct run *run, const struct call *call, struct value *ret_value)
{
    const struct list *list;
    struct value keys, key;
    struct sort_order order = {.is_case_sensitive = call_bool(call, 0, false), .path = call_has(call, 1) ? call->arguments[1] : NULL};
    TRY(self_list(run, call, &list));
    TRY(list_new(run, VALUE_LIST, list->n_items, &keys));
    TRY(list_new(run, VALUE_LIST, list->n_items, ret_value));
    for (size_t i = 0; i < list->n_items; i++) {
        bool is_known;
        TRY(sort_key(run, &list->items[i], &order, &key));
        TRY(value_contains(run, &keys, &key, &is_known));
        if (is_known) continue;
        TRY(list_append(run, keys.list, key));
        TRY(list_append(run, ret_value->list, list->items[i]));
    }
    return HOB_OK;
}

/* [(key, [items with it]), …], in the keys' order. */
static hob_status run_groupby(struct run *run, const struct call *call, struct value *ret_value)
{
    const struct list *list;
    struct value sorted, key, group_key, group, pair;
    struct sort_order order = {.is_case_sensitive = call_bool(call, 2, false), .path = call->arguments[0]};
    TRY(self_list(run, call, &list));
    TRY(sort_list(run, list, &order, &sorted));
    TRY(list_new(run, VALUE_LIST, 4, ret_value));
    for (size_t i = 0; i < sorted.list->n_items; i++) {
        bool is_same = false;
        TRY(sort_key(run, &sorted.list->items[i], &order, &key));
        if (i) TRY(value_is_equal(run, &key, &group_key, &is_same));
        if (!is_same) {
            struct value shown;
            TRY(attribute_get_path(run, &sorted.list->items[i], order.path, &shown));
            group_key = key;
            TRY(list_new(run, VALUE_LIST, 4, &group));
            TRY(list_new(run, VALUE_TUPLE, 2, &pair));
            TRY(list_append(run, pair.list, shown));
            TRY(list_append(run, pair.list, group));
            TRY(list_append(run, ret_value->list, pair));
        }
        TRY(list_append(run, group.list, sorted.list->items[i]));
    }
    return HOB_OK;
}

/* ---- In pieces */

static hob_status positive(struct run *run, const struct call *call, size_t *ret_count)
{
    int64_t count;
    TRY(call_int(run, call, 0, 0, &count));
    if (count < 1 || count > 1 << 20) return RUN_ERROR(run, HOB_BAD_ARGUMENT, "%s: found %lld, expected 1 or more", call->name, (long long)count);
    *ret_count = (size_t)count;
    return HOB_OK;
}

static hob_status run_batch(struct run *run, const struct call *call, struct value *ret_value)
{
    const struct list *list;
    struct value row = {0};
    size_t n_columns;
    TRY(self_list(run, call, &list));
    TRY(positive(run, call, &n_columns));
    TRY(list_new(run, VALUE_LIST, 4, ret_value));
    for (size_t i = 0; i < list->n_items; i++) {
        if (i % n_columns == 0) TRY(list_new(run, VALUE_LIST, 4, &row));
        if (i % n_columns == 0) TRY(list_append(run, ret_value->list, row));
        TRY(list_append(run, row.list, list->items[i]));
    }
    while (list->n_items && call_has(call, 1) && row.list->n_items < n_columns) TRY(list_append(run, row.list, *call->arguments[1]));
    return HOB_OK;
}

static hob_status run_slice(struct run *run, const struct call *call, struct value *ret_value)
{
    const struct list *list;
    size_t n_slices, at = 0;
    TRY(self_list(run, call, &list));
    TRY(positive(run, call, &n_slices));
    TRY(list_new(run, VALUE_LIST, n_slices, ret_value));
    for (size_t i = 0; i < n_slices; i++) {
        struct value slice;
        size_t n = list->n_items / n_slices + (i < list->n_items % n_slices);
        TRY(list_new(run, VALUE_LIST, n + 1, &slice));
        for (size_t j = 0; j < n; j++) TRY(list_append(run, slice.list, list->items[at++]));
        if (call_has(call, 1) && i >= list->n_items % n_slices) TRY(list_append(run, slice.list, *call->arguments[1]));
        TRY(list_append(run, ret_value->list, slice));
    }
    return HOB_OK;
}

const struct builtin list_filters[] = {{"length", run_length, {0}, 0},
                                       {"count", run_length, {0}, 0},
                                       {"first", run_first, {0}, 0},
                                       {"last", run_last, {0}, 0},
                                       {"list", run_list, {0}, 0},
                                       {"reverse", run_reverse, {0}, 0},
                                       {"join", run_join, {"d", "attribute"}, 0},
                                       {"items", run_items, {0}, 0},
                                       {"sort", run_sort, {"reverse", "case_sensitive", "attribute"}, 0},
                                       {"dictsort", run_dictsort, {"case_sensitive", "by", "reverse"}, 0},
                                       {"min", run_min, {"case_sensitive", "attribute"}, 0},
                                       {"max", run_max, {"case_sensitive", "attribute"}, 0},
                                       {"unique", run_unique, {"case_sensitive", "attribute"}, 0},
                                       {"groupby", run_groupby, {"attribute", "default", "case_sensitive"}, 1},
                                       {"batch", run_batch, {"linecount", "fill_with"}, 1},
                                       {"slice", run_slice, {"slices", "fill_with"}, 1},
                                       {0}};
