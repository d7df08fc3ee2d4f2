/* What stands behind "is". */
#include "text/jinja/builtin.h"
#include "text/jinja/operators.h"
#include "text/jinja/write.h"
#include "text/unicode.h"

#include <string.h>

#define KIND_TEST(name, condition)                                                                                     \
    static hob_status run_##name(struct run *run, const struct call *call, struct value *ret_value)                   \
    {                                                                                                                  \
        const struct value *self = &call->self;                                                                        \
        (void)run, (void)self;                                                                                                   \
        *ret_value = value_bool(condition);                                                                            \
        return HOB_OK;                                                                                                 \
    }

KIND_TEST(defined, self->kind != VALUE_UNDEFINED)
KIND_TEST(undefined, self->kind == VALUE_UNDEFINED)
KIND_TEST(none, self->kind == VALUE_NONE)
KIND_TEST(boolean, self->kind == VALUE_BOOL)
KIND_TEST(true, self->kind == VALUE_BOOL && self->truth)
KIND_TEST(false, self->kind == VALUE_BOOL && !self->truth)
KIND_TEST(integer, self->kind == VALUE_INT)
KIND_TEST(float, self->kind == VALUE_FLOAT)
KIND_TEST(number, value_is_number(self))
KIND_TEST(string, self->kind == VALUE_TEXT)
KIND_TEST(mapping, self->kind == VALUE_DICT)
KIND_TEST(callable, self->kind == VALUE_CALLABLE || (self->kind == VALUE_LOOP && self->loop->recursion))
KIND_TEST(escaped, false)
KIND_TEST(sequence, self->kind == VALUE_TEXT || value_is_list(self) || self->kind == VALUE_DICT || self->kind == VALUE_UNDEFINED)
KIND_TEST(iterable, self->kind == VALUE_TEXT || value_is_list(self) || self->kind == VALUE_DICT || self->kind == VALUE_UNDEFINED ||
                        self->kind == VALUE_LOOP)
KIND_TEST(filter, self->kind == VALUE_TEXT && run->find_filter(self->text.bytes, self->text.n_bytes) != NULL)
KIND_TEST(test, self->kind == VALUE_TEXT && run->find_test(self->text.bytes, self->text.n_bytes) != NULL)

static hob_status is_multiple(struct run *run, const struct call *call, int64_t divisor, bool *ret_is)
{
    if (call->self.kind != VALUE_INT && call->self.kind != VALUE_BOOL)
        return RUN_ERROR(run, HOB_BAD_ARGUMENT, "%s: found %s, expected an integer", call->name, value_kind_name(&call->self));
    if (!divisor) return RUN_ERROR(run, HOB_BAD_ARGUMENT, "%s: division by zero", call->name);
    *ret_is = divisor == -1 || (int64_t)value_number(&call->self) % divisor == 0;
    if (call->self.kind == VALUE_INT && divisor != -1) *ret_is = call->self.integer % divisor == 0;
    return HOB_OK;
}

static hob_status run_even(struct run *run, const struct call *call, struct value *ret_value)
{
    bool is_even;
    TRY(is_multiple(run, call, 2, &is_even));
    *ret_value = value_bool(is_even);
    return HOB_OK;
}

static hob_status run_odd(struct run *run, const struct call *call, struct value *ret_value)
{
    bool is_even;
    TRY(is_multiple(run, call, 2, &is_even));
    *ret_value = value_bool(!is_even);
    return HOB_OK;
}

static hob_status run_divisibleby(struct run *run, const struct call *call, struct value *ret_value)
{
    int64_t divisor;
    bool is_multiple_of;
    TRY(call_int(run, call, 0, 0, &divisor));
    TRY(is_multiple(run, call, divisor, &is_multiple_of));
    *ret_value = value_bool(is_multiple_of);
    return HOB_OK;
}

/* Whether a text has letters and changing its case changes nothing. */
static hob_status has_case(struct run *run, const struct call *call, const char *method, struct value *ret_value)
{
    struct value text = {.kind = VALUE_TEXT};
    const struct arguments none = {0};
    TRY(write_to_text(run, &call->self, &text.text));
    return builtin_call(run, builtin_method(&text, method, strlen(method)), &text, &none, ret_value);
}

static hob_status run_lower(struct run *run, const struct call *call, struct value *ret_value)
{
    return has_case(run, call, "islower", ret_value);
}

static hob_status run_upper(struct run *run, const struct call *call, struct value *ret_value)
{
    return has_case(run, call, "isupper", ret_value);
}

#define COMPARE_TEST(name, operation)                                                                                  \
    static hob_status run_##name(struct run *run, const struct call *call, struct value *ret_value)                   \
    {                                                                                                                  \
        return operate(run, operation, &call->self, call->arguments[0], ret_value);                                    \
    }

COMPARE_TEST(eq, OPERATION_EQUAL)
COMPARE_TEST(ne, OPERATION_NOT_EQUAL)
COMPARE_TEST(lt, OPERATION_LESS)
COMPARE_TEST(le, OPERATION_LESS_EQUAL)
COMPARE_TEST(gt, OPERATION_GREATER)
COMPARE_TEST(ge, OPERATION_GREATER_EQUAL)
COMPARE_TEST(in, OPERATION_IN)

/* The same object: the same value of the same kind, and the same list. */
static hob_status run_sameas(struct run *run, const struct call *call, struct value *ret_value)
{
    const struct value *a = &call->self, *b = call->arguments[0];
    bool is_same = a->kind == b->kind, has_items = value_is_list(a) || a->kind == VALUE_DICT;
    if (is_same && has_items) is_same = value_is_list(a) ? a->list == b->list : a->dict == b->dict;
    else if (is_same) TRY(value_is_equal(run, a, b, &is_same));
    *ret_value = value_bool(is_same);
    return HOB_OK;
}

#define OTHER {"other"}, 1
const struct builtin value_tests[] = {{"defined", run_defined, {0}, 0},
                                      {"undefined", run_undefined, {0}, 0},
                                      {"none", run_none, {0}, 0},
                                      {"boolean", run_boolean, {0}, 0},
                                      {"true", run_true, {0}, 0},
                                      {"false", run_false, {0}, 0},
                                      {"integer", run_integer, {0}, 0},
                                      {"float", run_float, {0}, 0},
                                      {"number", run_number, {0}, 0},
                                      {"string", run_string, {0}, 0},
                                      {"mapping", run_mapping, {0}, 0},
                                      {"callable", run_callable, {0}, 0},
                                      {"escaped", run_escaped, {0}, 0},
                                      {"sequence", run_sequence, {0}, 0},
                                      {"iterable", run_iterable, {0}, 0},
                                      {"filter", run_filter, {0}, 0},
                                      {"test", run_test, {0}, 0},
                                      {"even", run_even, {0}, 0},
                                      {"odd", run_odd, {0}, 0},
                                      {"divisibleby", run_divisibleby, {"num"}, 1},
                                      {"lower", run_lower, {0}, 0},
                                      {"upper", run_upper, {0}, 0},
                                      {"in", run_in, OTHER},
                                      {"sameas", run_sameas, OTHER},
                                      {"eq", run_eq, OTHER},
                                      {"equalto", run_eq, OTHER},
                                      {"==", run_eq, OTHER},
                                      {"ne", run_ne, OTHER},
                                      {"!=", run_ne, OTHER},
                                      {"lt", run_lt, OTHER},
                                      {"lessthan", run_lt, OTHER},
                                      {"<", run_lt, OTHER},
                                      {"le", run_le, OTHER},
                                      {"<=", run_le, OTHER},
                                      {"gt", run_gt, OTHER},
                                      {"greaterthan", run_gt, OTHER},
                                      {">", run_gt, OTHER},
                                      {"ge", run_ge, OTHER},
                                      {">=", run_ge, OTHER},
                                      {0}};
