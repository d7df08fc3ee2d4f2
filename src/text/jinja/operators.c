#include "text/jinja/operators.h"
#include "text/jinja/text_operations.h"

#include <math.h>
#include <string.h>

static const char *const symbols[] = {[OPERATION_ADD] = "+", [OPERATION_SUBTRACT] = "-", [OPERATION_MULTIPLY] = "*",
                                      [OPERATION_DIVIDE] = "/", [OPERATION_FLOOR_DIVIDE] = "//", [OPERATION_MODULO] = "%",
                                      [OPERATION_POWER] = "**"};

static int64_t whole(const struct value *value)
{
    return value->kind == VALUE_INT ? value->integer : (int64_t)value->truth;
}

static hob_status too_large(struct run *run, enum operation operation)
{
    return RUN_ERROR(run, HOB_BAD_ARGUMENT, "the result of '%s' is no 64-bit integer", symbols[operation]);
}

/* base >= 0 powers only. false: it does not fit. */
static bool power(int64_t base, int64_t exponent, int64_t *ret_result)
{
    int64_t result = 1;
    bool has_square = true; /* a square that does not fit must not be used any more */
    for (; exponent > 0; exponent >>= 1) {
        if (!has_square) return false;
        if ((exponent & 1) && __builtin_mul_overflow(result, base, &result)) return false;
        has_square = !__builtin_mul_overflow(base, base, &base);
    }
    *ret_result = result;
    return true;
}

/* Division rounds down, and a remainder has its divisor's sign. divisor is neither 0 nor -1. */
static int64_t floor_divide(int64_t a, int64_t divisor)
{
    return a / divisor - (a % divisor != 0 && (a < 0) != (divisor < 0));
}

static hob_status operate_whole(struct run *run, enum operation operation, int64_t a, int64_t b, struct value *ret_value)
{
    int64_t result = 0;
    bool fits = true;
    bool divides = operation == OPERATION_FLOOR_DIVIDE || operation == OPERATION_MODULO;
    if (divides && b == 0) return RUN_ERROR(run, HOB_BAD_ARGUMENT, "division by zero");
    switch (operation) {
    case OPERATION_ADD:
        fits = !__builtin_add_overflow(a, b, &result);
        break;
    case OPERATION_SUBTRACT:
        fits = !__builtin_sub_overflow(a, b, &result);
        break;
    case OPERATION_MULTIPLY:
        fits = !__builtin_mul_overflow(a, b, &result);
        break;
    case OPERATION_FLOOR_DIVIDE:
        if (b == -1) fits = !__builtin_sub_overflow((int64_t)0, a, &result);
        else result = floor_divide(a, b);
        break;
    case OPERATION_MODULO:
        result = b == -1 ? 0 : a - floor_divide(a, b) * b;
        break;
    default:
        fits = power(a, b, &result);
    }
    if (!fits) return too_large(run, operation);
    *ret_value = value_int(result);
    return HOB_OK;
}

static hob_status operate_float(struct run *run, enum operation operation, double a, double b, struct value *ret_value)
{
    double result, remainder;
    bool divides = operation == OPERATION_DIVIDE || operation == OPERATION_FLOOR_DIVIDE || operation == OPERATION_MODULO;
    if (b == 0.0 && divides) return RUN_ERROR(run, HOB_BAD_ARGUMENT, "division by zero");
    switch (operation) {
    case OPERATION_ADD:
        result = a + b;
        break;
    case OPERATION_SUBTRACT:
        result = a - b;
        break;
    case OPERATION_MULTIPLY:
        result = a * b;
        break;
    case OPERATION_DIVIDE:
        result = a / b;
        break;
    case OPERATION_FLOOR_DIVIDE:
        result = floor(a / b);
        break;
    case OPERATION_MODULO:
        remainder = fmod(a, b);
        result = remainder != 0.0 && (remainder < 0.0) != (b < 0.0) ? remainder + b : remainder;
        break;
    default:
        if (a == 0.0 && b < 0.0) return RUN_ERROR(run, HOB_BAD_ARGUMENT, "0 cannot be raised to a negative power");
        result = pow(a, b);
        if (isnan(result) || isinf(result)) return RUN_ERROR(run, HOB_BAD_ARGUMENT, "the result of '**' is no finite number");
    }
    *ret_value = value_float(result);
    return HOB_OK;
}

static hob_status operate_numbers(struct run *run, enum operation operation, const struct value *left, const struct value *right,
                                  struct value *ret_value)
{
    bool is_whole = left->kind != VALUE_FLOAT && right->kind != VALUE_FLOAT && operation != OPERATION_DIVIDE &&
                    !(operation == OPERATION_POWER && whole(right) < 0);
    if (is_whole) return operate_whole(run, operation, whole(left), whole(right), ret_value);
    return operate_float(run, operation, value_number(left), value_number(right), ret_value);
}

static hob_status join_texts(struct run *run, struct text a, struct text b, struct value *ret_value)
{
    struct writer out = run_writer(run);
    writer_append(&out, a.bytes, a.n_bytes);
    writer_append(&out, b.bytes, b.n_bytes);
    return text_take(run, HOB_OK, &out, ret_value);
}

static hob_status join_lists(struct run *run, const struct value *a, const struct value *b, struct value *ret_value)
{
    struct value joined;
    TRY(list_new(run, a->kind, a->list->n_items + b->list->n_items, &joined));
    for (size_t i = 0; i < a->list->n_items; i++) TRY(list_append(run, joined.list, a->list->items[i]));
    for (size_t i = 0; i < b->list->n_items; i++) TRY(list_append(run, joined.list, b->list->items[i]));
    *ret_value = joined;
    return HOB_OK;
}

/* A text or list many times. */
static hob_status repeat(struct run *run, const struct value *value, int64_t n_times, struct value *ret_value)
{
    size_t n = n_times > 0 ? (size_t)n_times : 0, n_bytes = value->kind == VALUE_TEXT ? value->text.n_bytes : 0;
    if (n > (size_t)1 << 40) return RUN_ERROR(run, HOB_LIMIT, "found '*' with %lld", (long long)n_times);
    if (value->kind == VALUE_TEXT) {
        struct writer out = run_writer(run);
        if (__builtin_mul_overflow(n, n_bytes, &n_bytes)) n_bytes = SIZE_MAX;
        TRY(run_charge(run, n_bytes / 64));
        for (size_t i = 0; i < n && value->text.n_bytes && !out.text.is_failed; i++) writer_append(&out, value->text.bytes, value->text.n_bytes);
        return text_take(run, HOB_OK, &out, ret_value);
    }
    struct value repeated;
    if (!value->list->n_items) n = 0;
    TRY(list_new(run, value->kind, 4, &repeated));
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < value->list->n_items; j++) TRY(list_append(run, repeated.list, value->list->items[j]));
    *ret_value = repeated;
    return HOB_OK;
}

static bool is_whole(const struct value *value)
{
    return value->kind == VALUE_INT || value->kind == VALUE_BOOL;
}

static bool is_sequence(const struct value *value)
{
    return value->kind == VALUE_TEXT || value_is_list(value);
}

static hob_status calculate(struct run *run, enum operation operation, const struct value *left, const struct value *right,
                            struct value *ret_value)
{
    if (value_is_number(left) && value_is_number(right)) return operate_numbers(run, operation, left, right, ret_value);
    if (operation == OPERATION_ADD && left->kind == VALUE_TEXT && right->kind == VALUE_TEXT)
        return join_texts(run, left->text, right->text, ret_value);
    if (operation == OPERATION_ADD && value_is_list(left) && left->kind == right->kind) return join_lists(run, left, right, ret_value);
    if (operation == OPERATION_MULTIPLY && is_sequence(left) && is_whole(right)) return repeat(run, left, whole(right), ret_value);
    if (operation == OPERATION_MULTIPLY && is_whole(left) && is_sequence(right)) return repeat(run, right, whole(left), ret_value);
    if (operation == OPERATION_MODULO && left->kind == VALUE_TEXT) {
        bool is_tuple = right->kind == VALUE_TUPLE;
        return text_format(run, left->text, is_tuple ? right->list->items : right, is_tuple ? right->list->n_items : 1, ret_value);
    }
    const struct value *undefined = left->kind == VALUE_UNDEFINED ? left : right;
    if (undefined->kind == VALUE_UNDEFINED)
        return RUN_ERROR(run, HOB_BAD_ARGUMENT, "'%s' is undefined, found '%s' with it", undefined->name ? undefined->name : "a value",
                        symbols[operation]);
    return RUN_ERROR(run, HOB_BAD_ARGUMENT, "found '%s' between %s and %s", symbols[operation], value_kind_name(left), value_kind_name(right));
}

hob_status operate(struct run *run, enum operation operation, const struct value *left, const struct value *right,
                   struct value *ret_value)
{
    bool is_true;
    int order = 0;
    if (operation <= OPERATION_POWER) return calculate(run, operation, left, right, ret_value);
    if (operation == OPERATION_EQUAL || operation == OPERATION_NOT_EQUAL) {
        TRY(value_is_equal(run, left, right, &is_true));
        *ret_value = value_bool(is_true == (operation == OPERATION_EQUAL));
        return HOB_OK;
    }
    if (operation == OPERATION_IN || operation == OPERATION_NOT_IN) {
        TRY(value_contains(run, right, left, &is_true));
        *ret_value = value_bool(is_true == (operation == OPERATION_IN));
        return HOB_OK;
    }
    TRY(value_compare(run, left, right, &order));
    bool is_unordered = (left->kind == VALUE_FLOAT && isnan(left->number)) || (right->kind == VALUE_FLOAT && isnan(right->number));
    if (operation == OPERATION_LESS) is_true = order < 0;
    else if (operation == OPERATION_LESS_EQUAL) is_true = order <= 0;
    else if (operation == OPERATION_GREATER) is_true = order > 0;
    else is_true = order >= 0;
    *ret_value = value_bool(is_true && !is_unordered);
    return HOB_OK;
}
