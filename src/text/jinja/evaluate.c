#include "text/jinja/evaluate.h"
#include "text/jinja/builtin.h"
#include "text/jinja/operators.h"
#include "text/jinja/scope.h"
#include "text/jinja/text_operations.h"
#include "text/jinja/write.h"

#include <string.h>

static hob_status evaluate_name(struct run *run, const struct expression *expression, struct value *ret_value)
{
    const struct value *found = scope_find(run, run->scope, expression->name);
    if (found) {
        *ret_value = *found;
        return HOB_OK;
    }
    const struct builtin *function = builtin_global(expression->name, strlen(expression->name));
    struct value nothing = value_none();
    if (function) return builtin_bind(run, function, &nothing, ret_value);
    *ret_value = value_undefined(expression->name);
    return HOB_OK;
}

static hob_status evaluate_list(struct run *run, const struct expression *expression, struct value *ret_value)
{
    enum value_kind kind = expression->kind == EXPRESSION_LIST ? VALUE_LIST : VALUE_TUPLE;
    struct value list, item;
    TRY(list_new(run, kind, expression->items.n_items, &list));
    for (size_t i = 0; i < expression->items.n_items; i++) {
        TRY(evaluate(run, expression->items.items[i], &item));
        TRY(list_append(run, list.list, item));
    }
    *ret_value = list;
    return HOB_OK;
}

static hob_status evaluate_dict(struct run *run, const struct expression *expression, struct value *ret_value)
{
    struct value dict, key, value;
    TRY(dict_new(run, VALUE_DICT, expression->items.n_items / 2, &dict));
    for (size_t i = 0; i + 1 < expression->items.n_items; i += 2) {
        TRY(evaluate(run, expression->items.items[i], &key));
        TRY(evaluate(run, expression->items.items[i + 1], &value));
        TRY(dict_set(run, dict.dict, key, value));
    }
    *ret_value = dict;
    return HOB_OK;
}

static hob_status evaluate_index(struct run *run, const struct expression *expression, struct value *ret_value)
{
    struct value left, right;
    TRY(evaluate(run, expression->left, &left));
    TRY(evaluate(run, expression->right, &right));
    run->offset = expression->offset;
    return item_get(run, &left, &right, ret_value);
}

static hob_status evaluate_attribute(struct run *run, const struct expression *expression, struct value *ret_value)
{
    struct value left;
    TRY(evaluate(run, expression->left, &left));
    run->offset = expression->offset;
    return attribute_get(run, &left, (struct text){expression->name, strlen(expression->name)}, ret_value);
}

/* ---- Slices */

struct slice {
    int64_t start, step;
    size_t n_items;
};

static hob_status slice_part(struct run *run, const struct expression *part, int64_t absent, int64_t *ret_number)
{
    struct value value = value_none();
    if (part) TRY(evaluate(run, part, &value));
    if (value.kind == VALUE_NONE) *ret_number = absent;
    else if (value.kind == VALUE_INT) *ret_number = value.integer;
    else if (value.kind == VALUE_BOOL) *ret_number = value.truth;
    else return RUN_ERROR(run, HOB_BAD_ARGUMENT, "found %s in a slice, expected an integer", value_kind_name(&value));
    return HOB_OK;
}

static int64_t clamp(int64_t index, int64_t n_items, int64_t least, int64_t most)
{
    if (index < 0) index += n_items;
    return index < least ? least : index > most ? most : index;
}

/* As Python's slice.indices. */
static hob_status read_slice(struct run *run, const struct expression *expression, size_t length, struct slice *ret_slice)
{
    int64_t n = (int64_t)length, start, stop, step;
    const struct expression *const *parts = expression->items.items;
    TRY(slice_part(run, parts[2], 1, &step));
    if (step == 0) return RUN_ERROR(run, HOB_BAD_ARGUMENT, "found a slice with step 0");
    if (step < -n - 1) step = -n - 1;
    if (step > n + 1) step = n + 1;
    TRY(slice_part(run, parts[0], step > 0 ? 0 : INT64_MAX, &start));
    TRY(slice_part(run, parts[1], step > 0 ? INT64_MAX : INT64_MIN + n, &stop));
    start = step > 0 ? clamp(start, n, 0, n) : clamp(start, n, -1, n - 1);
    stop = step > 0 ? clamp(stop, n, 0, n) : clamp(stop, n, -1, n - 1);
    int64_t distance = step > 0 ? stop - start : start - stop, width = step > 0 ? step : -step;
    *ret_slice = (struct slice){.start = start, .step = step, .n_items = distance > 0 ? (size_t)((distance + width - 1) / width) : 0};
    return HOB_OK;
}

static hob_status slice_list(struct run *run, const struct value *left, const struct slice *slice, struct value *ret_value)
{
    struct value list;
    TRY(list_new(run, left->kind, slice->n_items, &list));
    for (size_t i = 0; i < slice->n_items; i++) {
        int64_t at = slice->start + (int64_t)i * slice->step;
        TRY(list_append(run, list.list, left->list->items[at]));
    }
    *ret_value = list;
    return HOB_OK;
}

/* One step at a time is a part of the same bytes. */
static hob_status slice_text(struct run *run, const struct value *left, const struct slice *slice, struct value *ret_value)
{
    struct writer out = run_writer(run);
    const struct list *characters;
    if (slice->step == 1) {
        size_t from = text_offset(left->text, (size_t)slice->start);
        struct text rest = {left->text.bytes + from, left->text.n_bytes - from};
        *ret_value = value_text(rest.bytes, text_offset(rest, slice->n_items));
        return HOB_OK;
    }
    TRY(value_iterate(run, left, &characters));
    for (size_t i = 0; i < slice->n_items; i++) {
        const struct text *character = &characters->items[slice->start + (int64_t)i * slice->step].text;
        writer_append(&out, character->bytes, character->n_bytes);
    }
    return text_take(run, HOB_OK, &out, ret_value);
}

static hob_status evaluate_slice(struct run *run, const struct expression *expression, struct value *ret_value)
{
    struct value left;
    struct slice slice;
    size_t length;
    TRY(evaluate(run, expression->left, &left));
    run->offset = expression->offset;
    if (!value_is_list(&left) && left.kind != VALUE_TEXT)
        return RUN_ERROR(run, HOB_BAD_ARGUMENT, "found a slice of %s, expected a list or a string", value_kind_name(&left));
    TRY(value_length(run, &left, &length));
    TRY(read_slice(run, expression, length, &slice));
    return left.kind == VALUE_TEXT ? slice_text(run, &left, &slice, ret_value) : slice_list(run, &left, &slice, ret_value);
}

/* ---- Calls, filters, tests */

static hob_status append_all_items(struct run *run, const struct expression *expression, struct list *items)
{
    struct value value;
    const struct list *more;
    TRY(evaluate(run, expression, &value));
    TRY(value_iterate(run, &value, &more));
    for (size_t i = 0; i < more->n_items; i++) TRY(list_append(run, items, more->items[i]));
    return HOB_OK;
}

static hob_status evaluate_keywords(struct run *run, const struct call_arguments *arguments, const struct value *caller,
                                    struct arguments *ret_arguments)
{
    struct value all = {.kind = VALUE_NONE};
    void *bytes;
    if (arguments->all_keywords) TRY(evaluate(run, arguments->all_keywords, &all));
    if (arguments->all_keywords && all.kind != VALUE_DICT)
        return RUN_ERROR(run, HOB_BAD_ARGUMENT, "found ** with %s, expected a dict", value_kind_name(&all));
    size_t n_all = all.kind == VALUE_DICT ? all.dict->n_entries : 0, n = 0;
    TRY(run_alloc(run, arguments->n_keywords + n_all + (caller != NULL), sizeof(struct keyword), &bytes));
    struct keyword *keywords = bytes;
    for (size_t i = 0; i < arguments->n_keywords; i++, n++) {
        keywords[n].name = arguments->keywords[i].name;
        TRY(evaluate(run, arguments->keywords[i].value, &keywords[n].value));
    }
    for (size_t i = 0; i < n_all; i++) {
        if (all.dict->entries[i].key.kind != VALUE_TEXT) return RUN_ERROR(run, HOB_BAD_ARGUMENT, "found ** with a key that is no string");
        keywords[n++] = (struct keyword){all.dict->entries[i].key.text, all.dict->entries[i].value};
    }
    if (caller) keywords[n++] = (struct keyword){{"caller", 6}, *caller};
    ret_arguments->keywords = keywords;
    ret_arguments->n_keywords = n;
    return HOB_OK;
}

static hob_status evaluate_arguments(struct run *run, const struct call_arguments *arguments, const struct value *caller,
                                     struct arguments *ret_arguments)
{
    struct value list, item;
    *ret_arguments = (struct arguments){0};
    if (!arguments->items.n_items && !arguments->n_keywords && !arguments->all_items && !arguments->all_keywords && !caller) return HOB_OK;
    TRY(list_new(run, VALUE_LIST, arguments->items.n_items, &list));
    for (size_t i = 0; i < arguments->items.n_items; i++) {
        TRY(evaluate(run, arguments->items.items[i], &item));
        TRY(list_append(run, list.list, item));
    }
    if (arguments->all_items) TRY(append_all_items(run, arguments->all_items, list.list));
    TRY(evaluate_keywords(run, arguments, caller, ret_arguments));
    ret_arguments->items = list.list->items;
    ret_arguments->n_items = list.list->n_items;
    return HOB_OK;
}

hob_status evaluate_call(struct run *run, const struct expression *expression, const struct value *caller, struct value *ret_value)
{
    struct value function;
    struct arguments arguments;
    TRY(evaluate(run, expression->left, &function));
    TRY(evaluate_arguments(run, &expression->arguments, caller, &arguments));
    run->offset = expression->left->offset;
    const struct callable *callable = function.kind == VALUE_CALLABLE ? function.callable : NULL;
    if (function.kind == VALUE_LOOP) callable = function.loop->recursion;
    if (callable) return callable->call(run, callable, &arguments, ret_value);
    if (function.kind == VALUE_UNDEFINED)
        return RUN_ERROR(run, HOB_BAD_ARGUMENT, "'%s' is undefined, so it cannot be called", function.name ? function.name : "a value");
    return RUN_ERROR(run, HOB_BAD_ARGUMENT, "found %s, which cannot be called", value_kind_name(&function));
}

static hob_status apply(struct run *run, const struct expression *expression, const struct value *left, struct value *ret_value)
{
    struct arguments arguments;
    const char *what = expression->kind == EXPRESSION_TEST ? "test" : "filter";
    TRY(evaluate_arguments(run, &expression->arguments, NULL, &arguments));
    run->offset = expression->offset;
    if (!expression->builtin) return RUN_ERROR(run, HOB_UNSUPPORTED, "there is no %s '%s'", what, expression->name);
    return builtin_call(run, expression->builtin, left, &arguments, ret_value);
}

static hob_status evaluate_applied(struct run *run, const struct expression *expression, struct value *ret_value)
{
    struct value left;
    TRY(evaluate(run, expression->left, &left));
    return apply(run, expression, &left, ret_value);
}

hob_status evaluate_filters(struct run *run, const struct expression *filters, const struct value *input, struct value *ret_value)
{
    struct value left = *input;
    TRY(run_enter(run));
    hob_status status = filters->left ? evaluate_filters(run, filters->left, input, &left) : HOB_OK;
    run_leave(run);
    TRY(status);
    return apply(run, filters, &left, ret_value);
}

/* ---- Operators */

static hob_status evaluate_sign(struct run *run, const struct expression *expression, struct value *ret_value)
{
    struct value left, zero = value_int(0);
    TRY(evaluate(run, expression->left, &left));
    run->offset = expression->offset;
    if (!value_is_number(&left)) return RUN_ERROR(run, HOB_BAD_ARGUMENT, "found %s behind a sign", value_kind_name(&left));
    if (expression->kind == EXPRESSION_POSITIVE) return operate(run, OPERATION_ADD, &zero, &left, ret_value);
    if (left.kind != VALUE_FLOAT) return operate(run, OPERATION_SUBTRACT, &zero, &left, ret_value);
    *ret_value = value_float(-left.number);
    return HOB_OK;
}

static hob_status evaluate_arithmetic(struct run *run, const struct expression *expression, struct value *ret_value)
{
    struct value left, right;
    TRY(evaluate(run, expression->left, &left));
    TRY(evaluate(run, expression->right, &right));
    run->offset = expression->offset;
    return operate(run, expression->operation, &left, &right, ret_value);
}

/* a < b < c: until one does not hold. */
static hob_status evaluate_comparison(struct run *run, const struct expression *expression, struct value *ret_value)
{
    struct value left, right;
    TRY(evaluate(run, expression->items.items[0], &left));
    for (size_t i = 1; i < expression->items.n_items; i++) {
        TRY(evaluate(run, expression->items.items[i], &right));
        run->offset = expression->offset;
        TRY(operate(run, expression->operations[i - 1], &left, &right, ret_value));
        if (!value_is_true(ret_value)) break;
        left = right;
    }
    return HOB_OK;
}

static hob_status evaluate_concat(struct run *run, const struct expression *expression, struct value *ret_value)
{
    struct writer out = run_writer(run);
    hob_status status = HOB_OK;
    for (size_t i = 0; i < expression->items.n_items && status == HOB_OK; i++) {
        struct value part;
        status = evaluate(run, expression->items.items[i], &part);
        if (status == HOB_OK) status = write_text(run, &part, &out);
    }
    return text_take(run, status, &out, ret_value);
}

static hob_status evaluate_choice(struct run *run, const struct expression *expression, struct value *ret_value)
{
    struct value left;
    if (expression->kind == EXPRESSION_CONDITIONAL) {
        TRY(evaluate(run, expression->condition, &left));
        const struct expression *chosen = value_is_true(&left) ? expression->left : expression->right;
        if (chosen) return evaluate(run, chosen, ret_value);
        *ret_value = value_undefined("the else of a condition without one");
        return HOB_OK;
    }
    TRY(evaluate(run, expression->left, &left));
    bool is_decided = value_is_true(&left) == (expression->kind == EXPRESSION_OR);
    if (!is_decided) return evaluate(run, expression->right, ret_value);
    *ret_value = left;
    return HOB_OK;
}

static hob_status evaluate_not(struct run *run, const struct expression *expression, struct value *ret_value)
{
    struct value left;
    TRY(evaluate(run, expression->left, &left));
    *ret_value = value_bool(!value_is_true(&left));
    return HOB_OK;
}

static hob_status evaluate_kind(struct run *run, const struct expression *expression, struct value *ret_value)
{
    switch (expression->kind) {
    case EXPRESSION_CONSTANT:
        *ret_value = expression->constant;
        return HOB_OK;
    case EXPRESSION_NAME:
        return evaluate_name(run, expression, ret_value);
    case EXPRESSION_LIST:
    case EXPRESSION_TUPLE:
        return evaluate_list(run, expression, ret_value);
    case EXPRESSION_DICT:
        return evaluate_dict(run, expression, ret_value);
    case EXPRESSION_ATTRIBUTE:
        return evaluate_attribute(run, expression, ret_value);
    case EXPRESSION_INDEX:
        return evaluate_index(run, expression, ret_value);
    case EXPRESSION_SLICE:
        return evaluate_slice(run, expression, ret_value);
    case EXPRESSION_CALL:
        return evaluate_call(run, expression, NULL, ret_value);
    case EXPRESSION_FILTER:
    case EXPRESSION_TEST:
        return evaluate_applied(run, expression, ret_value);
    case EXPRESSION_NOT:
        return evaluate_not(run, expression, ret_value);
    case EXPRESSION_NEGATIVE:
    case EXPRESSION_POSITIVE:
        return evaluate_sign(run, expression, ret_value);
    case EXPRESSION_CONCAT:
        return evaluate_concat(run, expression, ret_value);
    case EXPRESSION_ARITHMETIC:
        return evaluate_arithmetic(run, expression, ret_value);
    case EXPRESSION_COMPARE:
        return evaluate_comparison(run, expression, ret_value);
    case EXPRESSION_AND:
    case EXPRESSION_OR:
    case EXPRESSION_CONDITIONAL:
        break;
    }
    return evaluate_choice(run, expression, ret_value);
}

hob_status evaluate(struct run *run, const struct expression *expression, struct value *ret_value)
{
    TRY(run_enter(run));
    hob_status status = evaluate_kind(run, expression, ret_value);
    run_leave(run);
    return status;
}
