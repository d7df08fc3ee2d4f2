/* Filters that choose or apply others: default, map, select, reject and their kind; sums; JSON. */
#include "text/jinja/builtin.h"
#include "text/jinja/operators.h"
#include "text/jinja/text_operations.h"
#include "text/jinja/write.h"

#include <string.h>

static hob_status run_default(struct run *run, const struct call *call, struct value *ret_value)
{
    (void)run;
    bool is_missing = call->self.kind == VALUE_UNDEFINED || (call_bool(call, 1, false) && !value_is_true(&call->self));
    struct value fallback = call->arguments[0] ? *call->arguments[0] : value_text("", 0);
    *ret_value = is_missing ? fallback : call->self;
    return HOB_OK;
}

static hob_status run_attr(struct run *run, const struct call *call, struct value *ret_value)
{
    struct text name;
    TRY(call_text(run, call, 0, NULL, &name));
    const struct builtin *method = builtin_method(&call->self, name.bytes, name.n_bytes);
    if (method) return builtin_bind(run, method, &call->self, ret_value);
    *ret_value = value_undefined("an attribute");
    return HOB_OK;
}

static hob_status find(struct run *run, const struct builtin *(*look)(const char *, size_t), const char *what, const struct value *name,
                       const struct builtin **ret_builtin)
{
    if (name->kind != VALUE_TEXT) return RUN_ERROR(run, HOB_BAD_ARGUMENT, "found %s, expected the name of a %s", value_kind_name(name), what);
    *ret_builtin = look(name->text.bytes, name->text.n_bytes);
    if (*ret_builtin) return HOB_OK;
    return RUN_ERROR(run, HOB_UNSUPPORTED, "there is no %s '%.*s'", what, (int)(name->text.n_bytes < 64 ? name->text.n_bytes : 64),
                    name->text.bytes);
}

static const struct value *keyword(const struct arguments *arguments, const char *name)
{
    for (size_t i = 0; i < arguments->n_keywords; i++)
        if (text_is(&arguments->keywords[i].name, name)) return &arguments->keywords[i].value;
    return NULL;
}

/* The arguments without the first `n_taken`. */
static struct arguments rest_of(const struct arguments *all, size_t n_taken)
{
    struct arguments rest = *all;
    size_t n = n_taken < all->n_items ? n_taken : all->n_items;
    rest.items += n;
    rest.n_items -= n;
    return rest;
}

static hob_status map_attribute(struct run *run, const struct list *list, const struct value *path, const struct value *fallback,
                                struct list *mapped)
{
    for (size_t i = 0; i < list->n_items; i++) {
        struct value item;
        TRY(attribute_get_path(run, &list->items[i], path, &item));
        TRY(list_append(run, mapped, item.kind == VALUE_UNDEFINED && fallback ? *fallback : item));
    }
    return HOB_OK;
}

/* map(attribute='a.b', default=…), or map('filter', its arguments …). */
static hob_status run_map(struct run *run, const struct call *call, struct value *ret_value)
{
    const struct list *list;
    const struct builtin *filter;
    const struct value *path = keyword(call->all, "attribute");
    TRY(value_iterate(run, &call->self, &list));
    TRY(list_new(run, VALUE_LIST, list->n_items, ret_value));
    if (path && !call->all->n_items) return map_attribute(run, list, path, keyword(call->all, "default"), ret_value->list);
    if (!call->all->n_items) return RUN_ERROR(run, HOB_BAD_ARGUMENT, "map: expected attribute=… or the name of a filter");
    TRY(find(run, run->find_filter, "filter", &call->all->items[0], &filter));
    struct arguments rest = rest_of(call->all, 1);
    for (size_t i = 0; i < list->n_items; i++) {
        struct value item;
        TRY(builtin_call(run, filter, &list->items[i], &rest, &item));
        TRY(list_append(run, ret_value->list, item));
    }
    return HOB_OK;
}

/* Keeps the items, or those whose attribute (the first argument then), that pass a test. Without a test: those that are true. */
static hob_status choose(struct run *run, const struct call *call, bool has_attribute, bool is_kept, struct value *ret_value)
{
    const struct list *list;
    const struct builtin *test = NULL;
    const struct arguments *all = call->all;
    TRY(value_iterate(run, &call->self, &list));
    if (has_attribute && !all->n_items) return RUN_ERROR(run, HOB_BAD_ARGUMENT, "%s: expected the name of an attribute", call->name);
    if (all->n_items > (size_t)has_attribute) TRY(find(run, run->find_test, "test", &all->items[has_attribute], &test));
    struct arguments rest = rest_of(all, (size_t)has_attribute + 1);
    TRY(list_new(run, VALUE_LIST, 4, ret_value));
    for (size_t i = 0; i < list->n_items; i++) {
        struct value item = list->items[i], result;
        if (has_attribute) TRY(attribute_get_path(run, &item, &all->items[0], &item));
        result = item;
        if (test) TRY(builtin_call(run, test, &item, &rest, &result));
        if (value_is_true(&result) == is_kept) TRY(list_append(run, ret_value->list, list->items[i]));
    }
    return HOB_OK;
}

static hob_status run_select(struct run *run, const struct call *call, struct value *ret_value)
{
    return choose(run, call, false, true, ret_value);
}

static hob_status run_reject(struct run *run, const struct call *call, struct value *ret_value)
{
    return choose(run, call, false, false, ret_value);
}

static hob_status run_selectattr(struct run *run, const struct call *call, struct value *ret_value)
{
    return choose(run, call, true, true, ret_value);
}

static hob_status run_rejectattr(struct run *run, const struct call *call, struct value *ret_value)
{
    return choose(run, call, true, false, ret_value);
}

static hob_status run_sum(struct run *run, const struct call *call, struct value *ret_value)
{
    const struct list *list;
    struct value sum = call->arguments[1] ? *call->arguments[1] : value_int(0);
    TRY(value_iterate(run, &call->self, &list));
    for (size_t i = 0; i < list->n_items; i++) {
        struct value item = list->items[i];
        if (call_has(call, 0)) TRY(attribute_get_path(run, &item, call->arguments[0], &item));
        TRY(operate(run, OPERATION_ADD, &sum, &item, &sum));
    }
    *ret_value = sum;
    return HOB_OK;
}

/* A number of spaces or a text; "separators" is a pair. */
static hob_status read_layout(struct run *run, const struct call *call, struct json_layout *layout)
{
    static const char spaces[] = "                ";
    const struct value *indent = call->arguments[1], *separators = call->arguments[2];
    int64_t width = 0;
    *layout = (struct json_layout){.item_separator = {", ", 2}, .key_separator = {": ", 2}, .is_ascii = call_bool(call, 0, false),
                                   .is_sorted = call_bool(call, 3, false)};
    if (call_has(call, 1)) {
        layout->has_indent = true;
        layout->item_separator = (struct text){",", 1};
        if (indent->kind != VALUE_TEXT) TRY(call_int(run, call, 1, 0, &width));
        if (width > (int64_t)sizeof spaces - 1) return RUN_ERROR(run, HOB_LIMIT, "tojson: found an indent of %lld, expected at most %zu", (long long)width, sizeof spaces - 1);
        layout->indent = indent->kind == VALUE_TEXT ? indent->text : (struct text){spaces, width > 0 ? (size_t)width : 0};
    }
    if (!call_has(call, 2)) return HOB_OK;
    if (!value_is_list(separators) || separators->list->n_items != 2 || separators->list->items[0].kind != VALUE_TEXT ||
        separators->list->items[1].kind != VALUE_TEXT)
        return RUN_ERROR(run, HOB_BAD_ARGUMENT, "tojson: expected separators=(text, text)");
    layout->item_separator = separators->list->items[0].text;
    layout->key_separator = separators->list->items[1].text;
    return HOB_OK;
}

static hob_status run_tojson(struct run *run, const struct call *call, struct value *ret_value)
{
    struct writer out = run_writer(run);
    struct json_layout layout;
    TRY(read_layout(run, call, &layout));
    hob_status status = write_json(run, &call->self, &layout, &out);
    return text_take(run, status, &out, ret_value);
}

const struct builtin choice_filters[] = {{"default", run_default, {"default_value", "boolean"}, 0},
                                         {"d", run_default, {"default_value", "boolean"}, 0},
                                         {"attr", run_attr, {"name"}, 1},
                                         {"map", run_map, {"*"}, 0},
                                         {"select", run_select, {"*"}, 0},
                                         {"reject", run_reject, {"*"}, 0},
                                         {"selectattr", run_selectattr, {"*"}, 0},
                                         {"rejectattr", run_rejectattr, {"*"}, 0},
                                         {"sum", run_sum, {"attribute", "start"}, 0},
                                         {"tojson", run_tojson, {"ensure_ascii", "indent", "separators", "sort_keys"}, 0},
                                         {0}};
