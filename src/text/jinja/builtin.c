#include "text/jinja/builtin.h"

#include <string.h>

static const struct builtin *find_in(const struct builtin *rows, const char *name, size_t n_bytes)
{
    for (; rows->name; rows++)
        if (strlen(rows->name) == n_bytes && !memcmp(rows->name, name, n_bytes)) return rows;
    return NULL;
}

const struct builtin *builtin_filter(const char *name, size_t n_bytes)
{
    static const struct builtin *const tables[] = {text_filters, number_filters, list_filters, choice_filters};
    const struct builtin *found = NULL;
    for (size_t i = 0; !found && i < sizeof tables / sizeof tables[0]; i++) found = find_in(tables[i], name, n_bytes);
    return found;
}

const struct builtin *builtin_test(const char *name, size_t n_bytes)
{
    return find_in(value_tests, name, n_bytes);
}

const struct builtin *builtin_global(const char *name, size_t n_bytes)
{
    return find_in(global_functions, name, n_bytes);
}

const struct builtin *builtin_method(const struct value *self, const char *name, size_t n_bytes)
{
    if (self->kind == VALUE_TEXT) return find_in(text_methods, name, n_bytes);
    if (self->kind == VALUE_DICT) return find_in(dict_methods, name, n_bytes);
    if (self->kind == VALUE_LOOP) return find_in(loop_methods, name, n_bytes);
    return value_is_list(self) ? find_in(list_methods, name, n_bytes) : NULL;
}

/* BUILTIN_MOST_PARAMETERS when the row has none of that name. */
static size_t place_of(const struct builtin *builtin, struct text name)
{
    for (size_t i = 0; i < BUILTIN_MOST_PARAMETERS && builtin->parameters[i]; i++)
        if (text_is(&name, builtin->parameters[i])) return i;
    return BUILTIN_MOST_PARAMETERS;
}

static size_t n_parameters(const struct builtin *builtin)
{
    size_t n = 0;
    while (n < BUILTIN_MOST_PARAMETERS && builtin->parameters[n] && *builtin->parameters[n] != '*') n++;
    return n;
}

static hob_status place_keywords(struct run *run, const struct builtin *builtin, const struct arguments *arguments, bool is_open,
                                 struct call *call)
{
    for (size_t i = 0; i < arguments->n_keywords; i++) {
        const struct keyword *keyword = &arguments->keywords[i];
        size_t place = place_of(builtin, keyword->name);
        if (place == BUILTIN_MOST_PARAMETERS && is_open) continue;
        if (place == BUILTIN_MOST_PARAMETERS || call->arguments[place])
            return RUN_ERROR(run, HOB_BAD_ARGUMENT, "%s: found an argument '%.*s' that it does not take", builtin->name,
                            (int)(keyword->name.n_bytes < 64 ? keyword->name.n_bytes : 64), keyword->name.bytes);
        call->arguments[place] = &keyword->value;
    }
    return HOB_OK;
}

hob_status builtin_call(struct run *run, const struct builtin *builtin, const struct value *self, const struct arguments *arguments,
                        struct value *ret_value)
{
    struct call call = {.name = builtin->name, .self = *self, .all = arguments};
    size_t n = n_parameters(builtin);
    bool is_open = n < BUILTIN_MOST_PARAMETERS && builtin->parameters[n];
    if (arguments->n_items > n && !is_open)
        return RUN_ERROR(run, HOB_BAD_ARGUMENT, "%s: found %zu arguments, expected at most %zu", builtin->name, arguments->n_items, n);
    for (size_t i = 0; i < n && i < arguments->n_items; i++) call.arguments[i] = &arguments->items[i];
    TRY(place_keywords(run, builtin, arguments, is_open, &call));
    for (size_t i = 0; i < builtin->n_required; i++)
        if (!call.arguments[i])
            return RUN_ERROR(run, HOB_BAD_ARGUMENT, "%s: its argument '%s' is missing", builtin->name, builtin->parameters[i]);
    TRY(run_enter(run));
    hob_status status = builtin->run(run, &call, ret_value);
    run_leave(run);
    return status;
}

static hob_status call_bound(struct run *run, const struct callable *callable, const struct arguments *arguments, struct value *ret_value)
{
    return builtin_call(run, callable->data, &callable->self, arguments, ret_value);
}

hob_status builtin_bind(struct run *run, const struct builtin *builtin, const struct value *self, struct value *ret_value)
{
    void *bytes;
    TRY(run_alloc(run, 1, sizeof(struct callable), &bytes));
    struct callable *callable = bytes;
    *callable = (struct callable){.name = builtin->name, .call = call_bound, .self = *self, .data = builtin};
    *ret_value = (struct value){.kind = VALUE_CALLABLE, .callable = callable};
    return HOB_OK;
}

bool call_has(const struct call *call, size_t index)
{
    const struct value *value = call->arguments[index];
    return value && value->kind != VALUE_NONE && value->kind != VALUE_UNDEFINED;
}

hob_status call_int(struct run *run, const struct call *call, size_t index, int64_t absent, int64_t *ret_integer)
{
    const struct value *value = call->arguments[index];
    if (!call_has(call, index)) {
        *ret_integer = absent;
    } else if (value->kind == VALUE_INT || value->kind == VALUE_BOOL) {
        *ret_integer = value->kind == VALUE_INT ? value->integer : (int64_t)value->truth;
    } else {
        return RUN_ERROR(run, HOB_BAD_ARGUMENT, "%s: found %s, expected an integer", call->name, value_kind_name(value));
    }
    return HOB_OK;
}

hob_status call_text(struct run *run, const struct call *call, size_t index, const char *absent, struct text *ret_text)
{
    const struct value *value = call->arguments[index];
    if (!call_has(call, index) && absent) {
        *ret_text = (struct text){absent, strlen(absent)};
    } else if (value && value->kind == VALUE_TEXT) {
        *ret_text = value->text;
    } else {
        return RUN_ERROR(run, HOB_BAD_ARGUMENT, "%s: found %s, expected a string", call->name, value ? value_kind_name(value) : "nothing");
    }
    return HOB_OK;
}

bool call_bool(const struct call *call, size_t index, bool absent)
{
    return call->arguments[index] ? value_is_true(call->arguments[index]) : absent;
}
