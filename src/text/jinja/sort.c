/* Merges, because qsort is neither stable nor able to stop at an error. */
#include "text/jinja/sort.h"
#include "text/jinja/builtin.h"
#include "text/jinja/text_operations.h"

#include <string.h>

struct keyed {
    struct value key, item;
};

static hob_status fold_case(struct run *run, struct value *key, bool is_case_sensitive)
{
    if (key->kind != VALUE_TEXT || is_case_sensitive) return HOB_OK;
    return text_change_case(run, key->text, CASE_LOWER, key);
}

/* "a,b": a list of both attributes. */
static hob_status several_keys(struct run *run, const struct value *item, const struct sort_order *order, struct value *ret_key)
{
    struct text rest = order->path->text;
    TRY(list_new(run, VALUE_LIST, 2, ret_key));
    for (bool is_last = false; !is_last;) {
        struct value part;
        size_t comma = text_find(rest, (struct text){",", 1}, 0);
        is_last = comma == SIZE_MAX;
        struct value path = value_text(rest.bytes, is_last ? rest.n_bytes : comma);
        TRY(attribute_get_path(run, item, &path, &part));
        TRY(fold_case(run, &part, order->is_case_sensitive));
        TRY(list_append(run, ret_key->list, part));
        if (!is_last) rest = (struct text){rest.bytes + comma + 1, rest.n_bytes - comma - 1};
    }
    return HOB_OK;
}

hob_status sort_key(struct run *run, const struct value *item, const struct sort_order *order, struct value *ret_key)
{
    struct value key = *item;
    bool has_several = order->path && order->path->kind == VALUE_TEXT && text_find(order->path->text, (struct text){",", 1}, 0) != SIZE_MAX;
    if (has_several) return several_keys(run, item, order, ret_key);
    if (order->path) TRY(attribute_get_path(run, item, order->path, &key));
    TRY(fold_case(run, &key, order->is_case_sensitive));
    *ret_key = key;
    return HOB_OK;
}

/* from[begin..middle) and from[middle..end), each in order, into to. */
static hob_status merge(struct run *run, const struct keyed *from, size_t begin, size_t middle, size_t end, bool is_reversed, struct keyed *to)
{
    size_t left = begin, right = middle;
    for (size_t at = begin; at < end; at++) {
        bool takes_left = right == end;
        if (left < middle && right < end) {
            int comparison;
            TRY(value_compare(run, &from[right].key, &from[left].key, &comparison));
            takes_left = is_reversed ? comparison <= 0 : comparison >= 0;
        }
        to[at] = takes_left ? from[left++] : from[right++];
    }
    return HOB_OK;
}

static hob_status merge_all(struct run *run, struct keyed **items, struct keyed **spare, size_t n, bool is_reversed)
{
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t begin = 0; begin < n; begin += 2 * width) {
            size_t middle = begin + width < n ? begin + width : n, end = middle + width < n ? middle + width : n;
            TRY(merge(run, *items, begin, middle, end, is_reversed, *spare));
        }
        struct keyed *merged = *spare;
        *spare = *items;
        *items = merged;
    }
    return HOB_OK;
}

hob_status sort_list(struct run *run, const struct list *list, const struct sort_order *order, struct value *ret_list)
{
    void *first, *second;
    size_t n = list->n_items;
    TRY(run_alloc(run, n, sizeof(struct keyed), &first));
    TRY(run_alloc(run, n, sizeof(struct keyed), &second));
    struct keyed *items = first, *spare = second;
    for (size_t i = 0; i < n; i++) {
        items[i].item = list->items[i];
        TRY(sort_key(run, &list->items[i], order, &items[i].key));
    }
    TRY(merge_all(run, &items, &spare, n, order->is_reversed));
    TRY(list_new(run, VALUE_LIST, n, ret_list));
    for (size_t i = 0; i < n; i++) TRY(list_append(run, ret_list->list, items[i].item));
    return HOB_OK;
}
