#include "text/jinja/value.h"
#include "text/unicode.h"

#include <string.h>

const char *value_kind_name(const struct value *value)
{
    static const char *const names[] = {[VALUE_UNDEFINED] = "an undefined value", [VALUE_NONE] = "none", [VALUE_BOOL] = "a boolean",
                                        [VALUE_INT] = "an integer", [VALUE_FLOAT] = "a float", [VALUE_TEXT] = "a string",
                                        [VALUE_LIST] = "a list", [VALUE_TUPLE] = "a tuple", [VALUE_DICT] = "a dict",
                                        [VALUE_NAMESPACE] = "a namespace", [VALUE_LOOP] = "a loop", [VALUE_CALLABLE] = "a function"};
    return names[value->kind];
}

bool value_is_true(const struct value *value)
{
    switch (value->kind) {
    case VALUE_UNDEFINED:
    case VALUE_NONE:
        return false;
    case VALUE_BOOL:
        return value->truth;
    case VALUE_INT:
        return value->integer != 0;
    case VALUE_FLOAT:
        return value->number != 0.0;
    case VALUE_TEXT:
        return value->text.n_bytes > 0;
    case VALUE_LIST:
    case VALUE_TUPLE:
        return value->list->n_items > 0;
    case VALUE_DICT:
        return value->dict->n_entries > 0;
    case VALUE_NAMESPACE:
    case VALUE_LOOP:
    case VALUE_CALLABLE:
        break;
    }
    return true;
}

double value_number(const struct value *value)
{
    if (value->kind == VALUE_FLOAT) return value->number;
    return value->kind == VALUE_INT ? (double)value->integer : (double)value->truth;
}

static int64_t whole(const struct value *value)
{
    return value->kind == VALUE_INT ? value->integer : (int64_t)value->truth;
}

/* ---- Lists and dicts */

/* Doubles what *items points to. */
static hob_status grow(struct run *run, void **items, size_t n_items, size_t *n_reserved, size_t item_bytes)
{
    void *grown;
    size_t n_more = n_items < 4 ? 4 : n_items * 2;
    TRY(run_alloc(run, n_more, item_bytes, &grown));
    if (n_items) memcpy(grown, *items, n_items * item_bytes);
    *items = grown;
    *n_reserved = n_more;
    return HOB_OK;
}

hob_status list_new(struct run *run, enum value_kind kind, size_t n_reserved, struct value *ret_list)
{
    void *list, *items;
    TRY(run_alloc(run, 1, sizeof(struct list), &list));
    TRY(run_alloc(run, n_reserved, sizeof(struct value), &items));
    *(struct list *)list = (struct list){.items = items, .n_reserved = n_reserved};
    *ret_list = (struct value){.kind = kind, .list = list};
    return HOB_OK;
}

hob_status list_append(struct run *run, struct list *list, struct value item)
{
    void *items = list->items;
    if (list->n_items == list->n_reserved) TRY(grow(run, &items, list->n_items, &list->n_reserved, sizeof item));
    list->items = items;
    list->items[list->n_items++] = item;
    return HOB_OK;
}

hob_status dict_new(struct run *run, enum value_kind kind, size_t n_reserved, struct value *ret_dict)
{
    void *dict, *entries;
    TRY(run_alloc(run, 1, sizeof(struct dict), &dict));
    TRY(run_alloc(run, n_reserved, sizeof(struct dict_entry), &entries));
    *(struct dict *)dict = (struct dict){.entries = entries, .n_reserved = n_reserved};
    *ret_dict = (struct value){.kind = kind, .dict = dict};
    return HOB_OK;
}

/* Of keys, which are no lists. */
static bool is_same_key(const struct value *a, const struct value *b)
{
    if (a->kind == VALUE_TEXT || b->kind == VALUE_TEXT)
        return a->kind == b->kind && a->text.n_bytes == b->text.n_bytes && !memcmp(a->text.bytes, b->text.bytes, a->text.n_bytes);
    if (value_is_number(a) && value_is_number(b)) return value_number(a) == value_number(b);
    return a->kind == VALUE_NONE && b->kind == VALUE_NONE;
}

static struct dict_entry *find_entry(const struct dict *dict, const struct value *key)
{
    for (size_t i = 0; i < dict->n_entries; i++)
        if (is_same_key(&dict->entries[i].key, key)) return &dict->entries[i];
    return NULL;
}

hob_status dict_set(struct run *run, struct dict *dict, struct value key, struct value value)
{
    if (key.kind != VALUE_TEXT && key.kind != VALUE_NONE && !value_is_number(&key))
        return RUN_ERROR(run, HOB_BAD_ARGUMENT, "found %s as the key of a dict", value_kind_name(&key));
    TRY(run_charge(run, dict->n_entries / 16));
    struct dict_entry *entry = find_entry(dict, &key);
    if (entry) {
        entry->value = value;
        return HOB_OK;
    }
    void *entries = dict->entries;
    if (dict->n_entries == dict->n_reserved) TRY(grow(run, &entries, dict->n_entries, &dict->n_reserved, sizeof *entry));
    dict->entries = entries;
    dict->entries[dict->n_entries++] = (struct dict_entry){key, value};
    return HOB_OK;
}

/* A look-up cannot fail, so what a large dict costs shows at the next charge. */
const struct value *dict_get(struct run *run, const struct dict *dict, const struct value *key)
{
    size_t n_left = run->limits.most_steps - run->n_steps, n_steps = dict->n_entries / 16;
    run->n_steps += n_steps < n_left ? n_steps : n_left;
    const struct dict_entry *entry = find_entry(dict, key);
    return entry ? &entry->value : NULL;
}

const struct value *dict_get_text(struct run *run, const struct dict *dict, struct text key)
{
    return dict_get(run, dict, &(struct value){.kind = VALUE_TEXT, .text = key});
}

/* ---- Making values */

hob_status text_copy(struct run *run, const char *bytes, size_t n_bytes, struct value *ret_text)
{
    void *copy;
    TRY(run_alloc(run, n_bytes, 1, &copy));
    if (n_bytes) memcpy(copy, bytes, n_bytes);
    *ret_text = value_text(copy, n_bytes);
    return HOB_OK;
}

hob_status text_take(struct run *run, hob_status status, struct writer *writer, struct value *ret_text)
{
    const struct buffer *text = &writer->text, *marks = &writer->marks;
    const char *copy = NULL;
    if (status == HOB_OK) status = run_check_buffer(run, writer);
    if (status == HOB_OK && !marks->n_bytes) status = text_copy(run, buffer_text(text), text->n_bytes, ret_text);
    else if (status == HOB_OK) status = run_copy_marked(run, text->bytes, text->n_bytes, marks->bytes, marks->n_bytes, &copy);
    if (copy) *ret_text = value_text(copy, text->n_bytes);
    writer_release(writer);
    return status;
}

/* A word that says who speaks is part of the marks that templates make of it. */
static bool is_speaker(struct run *run, const char *key, const json_t *value)
{
    const char *word = json_string_value(value), *trusted = run->limits.trusted_member;
    if (!word || !key || !trusted || strcmp(key, trusted) != 0) return false;
    size_t n_bytes = strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
    return n_bytes <= 32 && n_bytes == json_string_length(value);
}

static hob_status text_from_json(struct run *run, const char *bytes, size_t n_bytes, bool is_foreign, struct value *ret_text)
{
    if (is_foreign) TRY(run_copy_marked(run, bytes, n_bytes, NULL, 0, &bytes));
    *ret_text = value_text(bytes, n_bytes);
    return HOB_OK;
}

static hob_status list_from_json(struct run *run, const json_t *json, bool is_foreign, struct value *ret_value)
{
    struct value list;
    TRY(list_new(run, VALUE_LIST, json_array_size(json), &list));
    for (size_t i = 0; i < json_array_size(json); i++) {
        struct value item;
        TRY(value_from_json(run, json_array_get(json, i), is_foreign, &item));
        TRY(list_append(run, list.list, item));
    }
    *ret_value = list;
    return HOB_OK;
}

/* A JSON object's keys differ, so entries need not be looked for. */
static hob_status dict_from_json(struct run *run, const json_t *json, bool is_foreign, struct value *ret_value)
{
    struct value dict;
    TRY(dict_new(run, VALUE_DICT, json_object_size(json), &dict));
    for (void *at = json_object_iter((json_t *)(uintptr_t)json); at; at = json_object_iter_next((json_t *)(uintptr_t)json, at)) {
        struct dict_entry *entry = &dict.dict->entries[dict.dict->n_entries];
        const json_t *member = json_object_iter_value(at);
        TRY(text_from_json(run, json_object_iter_key(at), json_object_iter_key_len(at), is_foreign, &entry->key));
        TRY(value_from_json(run, member, is_foreign && !is_speaker(run, json_object_iter_key(at), member), &entry->value));
        dict.dict->n_entries++;
    }
    *ret_value = dict;
    return HOB_OK;
}

hob_status value_from_json(struct run *run, const json_t *json, bool is_foreign, struct value *ret_value)
{
    hob_status status = HOB_OK;
    switch (json ? json_typeof(json) : JSON_NULL) {
    case JSON_OBJECT:
        TRY(run_enter(run));
        status = dict_from_json(run, json, is_foreign, ret_value);
        run_leave(run);
        return status;
    case JSON_ARRAY:
        TRY(run_enter(run));
        status = list_from_json(run, json, is_foreign, ret_value);
        run_leave(run);
        return status;
    case JSON_STRING:
        return text_from_json(run, json_string_value(json), json_string_length(json), is_foreign, ret_value);
    case JSON_INTEGER:
        *ret_value = value_int(json_integer_value(json));
        return HOB_OK;
    case JSON_REAL:
        *ret_value = value_float(json_real_value(json));
        return HOB_OK;
    case JSON_TRUE:
    case JSON_FALSE:
        *ret_value = value_bool(json_is_true(json));
        return HOB_OK;
    case JSON_NULL:
        break;
    }
    *ret_value = value_none();
    return HOB_OK;
}

/* ---- Comparing */

static hob_status are_lists_equal(struct run *run, const struct list *a, const struct list *b, bool *ret_is_equal)
{
    bool is_equal = a->n_items == b->n_items;
    for (size_t i = 0; is_equal && i < a->n_items; i++) TRY(value_is_equal(run, &a->items[i], &b->items[i], &is_equal));
    *ret_is_equal = is_equal;
    return HOB_OK;
}

static hob_status are_dicts_equal(struct run *run, const struct dict *a, const struct dict *b, bool *ret_is_equal)
{
    bool is_equal = a->n_entries == b->n_entries;
    for (size_t i = 0; is_equal && i < a->n_entries; i++) {
        const struct value *other = dict_get(run, b, &a->entries[i].key);
        if (!other) is_equal = false;
        else TRY(value_is_equal(run, &a->entries[i].value, other, &is_equal));
    }
    *ret_is_equal = is_equal;
    return HOB_OK;
}

static hob_status are_containers_equal(struct run *run, const struct value *a, const struct value *b, bool *ret_is_equal)
{
    TRY(run_enter(run));
    hob_status status = value_is_list(a) ? are_lists_equal(run, a->list, b->list, ret_is_equal)
                                         : are_dicts_equal(run, a->dict, b->dict, ret_is_equal);
    run_leave(run);
    return status;
}

hob_status value_is_equal(struct run *run, const struct value *a, const struct value *b, bool *ret_is_equal)
{
    bool is_equal = false;
    if (value_is_number(a) && value_is_number(b)) {
        bool is_whole = a->kind != VALUE_FLOAT && b->kind != VALUE_FLOAT;
        is_equal = is_whole ? whole(a) == whole(b) : value_number(a) == value_number(b);
    } else if (a->kind == b->kind) {
        switch (a->kind) {
        case VALUE_TEXT:
            TRY(run_charge(run, a->text.n_bytes / 64));
            is_equal = is_same_key(a, b);
            break;
        case VALUE_LIST:
        case VALUE_TUPLE:
        case VALUE_DICT:
            return are_containers_equal(run, a, b, ret_is_equal);
        case VALUE_NAMESPACE:
            is_equal = a->dict == b->dict;
            break;
        case VALUE_LOOP:
            is_equal = a->loop == b->loop;
            break;
        case VALUE_CALLABLE:
            is_equal = a->callable == b->callable;
            break;
        default: /* none is none, and Jinja holds all undefined values for equal */
            is_equal = true;
        }
    }
    *ret_is_equal = is_equal;
    return HOB_OK;
}

static int compare_texts(struct text a, struct text b)
{
    size_t n_both = a.n_bytes < b.n_bytes ? a.n_bytes : b.n_bytes;
    int order = n_both ? memcmp(a.bytes, b.bytes, n_both) : 0; /* UTF-8's order is the characters' */
    return order ? order : (a.n_bytes > b.n_bytes) - (a.n_bytes < b.n_bytes);
}

static hob_status compare_lists(struct run *run, const struct list *a, const struct list *b, int *ret_order)
{
    for (size_t i = 0; i < a->n_items && i < b->n_items; i++) {
        bool is_equal;
        TRY(value_is_equal(run, &a->items[i], &b->items[i], &is_equal));
        if (is_equal) continue;
        TRY(run_enter(run));
        hob_status status = value_compare(run, &a->items[i], &b->items[i], ret_order);
        run_leave(run);
        return status;
    }
    *ret_order = (a->n_items > b->n_items) - (a->n_items < b->n_items);
    return HOB_OK;
}

hob_status value_compare(struct run *run, const struct value *a, const struct value *b, int *ret_order)
{
    TRY(run_charge(run, 1));
    if (value_is_number(a) && value_is_number(b)) {
        if (a->kind != VALUE_FLOAT && b->kind != VALUE_FLOAT) *ret_order = (whole(a) > whole(b)) - (whole(a) < whole(b));
        else *ret_order = (value_number(a) > value_number(b)) - (value_number(a) < value_number(b));
    } else if (a->kind == VALUE_TEXT && b->kind == VALUE_TEXT) {
        TRY(run_charge(run, a->text.n_bytes / 64));
        *ret_order = compare_texts(a->text, b->text);
    } else if (value_is_list(a) && a->kind == b->kind) {
        return compare_lists(run, a->list, b->list, ret_order);
    } else {
        return RUN_ERROR(run, HOB_BAD_ARGUMENT, "%s and %s have no order", value_kind_name(a), value_kind_name(b));
    }
    return HOB_OK;
}

static hob_status text_contains(struct run *run, struct text text, const struct value *item, bool *ret_is_in)
{
    if (item->kind != VALUE_TEXT)
        return RUN_ERROR(run, HOB_BAD_ARGUMENT, "'in <string>' expects a string on its left, found %s", value_kind_name(item));
    TRY(run_charge(run, text.n_bytes / 64));
    *ret_is_in = !item->text.n_bytes || (text.n_bytes && memmem(text.bytes, text.n_bytes, item->text.bytes, item->text.n_bytes));
    return HOB_OK;
}

hob_status value_contains(struct run *run, const struct value *container, const struct value *item, bool *ret_is_in)
{
    bool is_in = false;
    switch (container->kind) {
    case VALUE_TEXT:
        return text_contains(run, container->text, item, ret_is_in);
    case VALUE_LIST:
    case VALUE_TUPLE:
        TRY(run_charge(run, container->list->n_items));
        for (size_t i = 0; !is_in && i < container->list->n_items; i++)
            TRY(value_is_equal(run, &container->list->items[i], item, &is_in));
        break;
    case VALUE_DICT:
        is_in = dict_get(run, container->dict, item) != NULL;
        break;
    case VALUE_UNDEFINED:
        break;
    default:
        return RUN_ERROR(run, HOB_BAD_ARGUMENT, "found 'in' with %s on its right", value_kind_name(container));
    }
    *ret_is_in = is_in;
    return HOB_OK;
}

/* ---- Going over values */

static hob_status characters(struct run *run, struct text text, struct value *ret_list)
{
    TRY(list_new(run, VALUE_LIST, text_length(text), ret_list));
    for (size_t at = 0, n; at < text.n_bytes; at += n) {
        (void)unicode_next(text.bytes + at, text.n_bytes - at, &n);
        TRY(list_append(run, ret_list->list, value_text(text.bytes + at, n)));
    }
    return HOB_OK;
}

static hob_status keys(struct run *run, const struct dict *dict, struct value *ret_list)
{
    TRY(list_new(run, VALUE_LIST, dict->n_entries, ret_list));
    for (size_t i = 0; i < dict->n_entries; i++) TRY(list_append(run, ret_list->list, dict->entries[i].key));
    return HOB_OK;
}

hob_status value_iterate(struct run *run, const struct value *value, const struct list **ret_list)
{
    struct value list;
    switch (value->kind) {
    case VALUE_LIST:
    case VALUE_TUPLE:
        *ret_list = value->list;
        return HOB_OK;
    case VALUE_TEXT:
        TRY(characters(run, value->text, &list));
        break;
    case VALUE_DICT:
        TRY(keys(run, value->dict, &list));
        break;
    case VALUE_UNDEFINED:
        TRY(list_new(run, VALUE_LIST, 0, &list));
        break;
    default:
        return RUN_ERROR(run, HOB_BAD_ARGUMENT, "found %s where something to go over was expected", value_kind_name(value));
    }
    *ret_list = list.list;
    return HOB_OK;
}

hob_status value_length(struct run *run, const struct value *value, size_t *ret_length)
{
    if (value->kind == VALUE_TEXT) {
        TRY(run_charge(run, value->text.n_bytes / 64));
        *ret_length = text_length(value->text);
    } else if (value_is_list(value)) {
        *ret_length = value->list->n_items;
    } else if (value->kind == VALUE_DICT) {
        *ret_length = value->dict->n_entries;
    } else if (value->kind == VALUE_UNDEFINED) {
        *ret_length = 0;
    } else {
        return RUN_ERROR(run, HOB_BAD_ARGUMENT, "found %s, which has no length", value_kind_name(value));
    }
    return HOB_OK;
}

size_t text_length(struct text text)
{
    size_t n_characters = 0;
    for (size_t at = 0, n; at < text.n_bytes; at += n, n_characters++) (void)unicode_next(text.bytes + at, text.n_bytes - at, &n);
    return n_characters;
}

size_t text_offset(struct text text, size_t index)
{
    size_t at = 0;
    for (size_t n; at < text.n_bytes && index > 0; at += n, index--) (void)unicode_next(text.bytes + at, text.n_bytes - at, &n);
    return at;
}
