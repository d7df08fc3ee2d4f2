/* Filters of numbers. */
#include "text/jinja/builtin.h"
#include "text/jinja/text_operations.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static hob_status run_abs(struct run *run, const struct call *call, struct value *ret_value)
{
    const struct value *self = &call->self;
    if (self->kind == VALUE_FLOAT) *ret_value = value_float(fabs(self->number));
    else if (self->kind == VALUE_INT && self->integer != INT64_MIN) *ret_value = value_int(self->integer < 0 ? -self->integer : self->integer);
    else if (self->kind == VALUE_BOOL) *ret_value = value_int(self->truth);
    else return RUN_ERROR(run, HOB_BAD_ARGUMENT, "abs: found %s, expected a number", value_kind_name(self));
    return HOB_OK;
}

/* A whole text as a number without "_"; false: it is none. */
static bool digits_of(struct text text, char *digits, size_t n_reserved)
{
    size_t n = 0;
    text = text_strip(text, NULL, SIDE_BOTH);
    for (size_t i = 0; i < text.n_bytes; i++) {
        if (text.bytes[i] == '_') continue;
        if (!text.bytes[i] || n + 1 == n_reserved) return false;
        digits[n++] = text.bytes[i];
    }
    digits[n] = '\0';
    return n > 0;
}

static bool float_of(struct text text, double *ret_number)
{
    char digits[400], *end;
    if (!digits_of(text, digits, sizeof digits) || strpbrk(digits, "xXpP(")) return false;
    double number = strtod(digits, &end);
    if (*end) return false;
    *ret_number = number;
    return true;
}

static bool int_of(struct text text, int base, int64_t *ret_integer)
{
    char digits[100], *end;
    if (!digits_of(text, digits, sizeof digits) || (base == 10 && strpbrk(digits, "xXoO"))) return false;
    errno = 0;
    long long integer = strtoll(digits, &end, base);
    if (*end || errno == ERANGE) return false;
    *ret_integer = integer;
    return true;
}

static bool whole_of(double number, int64_t *ret_integer)
{
    if (!(number > -9.2e18 && number < 9.2e18)) return false;
    *ret_integer = (int64_t)number;
    return true;
}

static hob_status run_int(struct run *run, const struct call *call, struct value *ret_value)
{
    const struct value *self = &call->self;
    int64_t base, integer = 0;
    double number;
    TRY(call_int(run, call, 1, 10, &base));
    if (base != 0 && (base < 2 || base > 36)) return RUN_ERROR(run, HOB_BAD_ARGUMENT, "int: found a base of %lld", (long long)base);
    bool is_known = false;
    if (self->kind == VALUE_TEXT) is_known = int_of(self->text, (int)base, &integer) || (float_of(self->text, &number) && whole_of(number, &integer));
    else if (self->kind == VALUE_FLOAT) is_known = whole_of(self->number, &integer);
    else if (value_is_number(self)) is_known = (integer = self->kind == VALUE_INT ? self->integer : self->truth, true);
    if (is_known) *ret_value = value_int(integer);
    else *ret_value = call->arguments[0] ? *call->arguments[0] : value_int(0);
    return HOB_OK;
}

static hob_status run_float(struct run *run, const struct call *call, struct value *ret_value)
{
    (void)run;
    const struct value *self = &call->self;
    double number;
    if (value_is_number(self)) *ret_value = value_float(value_number(self));
    else if (self->kind == VALUE_TEXT && float_of(self->text, &number)) *ret_value = value_float(number);
    else *ret_value = call->arguments[0] ? *call->arguments[0] : value_float(0.0);
    return HOB_OK;
}

/* Python rounds the decimal that a float is exactly, halves to even; printf does the same. */
static double round_common(double number, int precision)
{
    char digits[400];
    if (precision >= 0) {
        snprintf(digits, sizeof digits, "%.*f", precision, number);
        return strtod(digits, NULL);
    }
    double scale = pow(10.0, -precision);
    return nearbyint(number / scale) * scale;
}

static hob_status run_round(struct run *run, const struct call *call, struct value *ret_value)
{
    const struct value *self = &call->self;
    struct text method;
    int64_t precision, whole;
    TRY(call_int(run, call, 0, 0, &precision));
    TRY(call_text(run, call, 1, "common", &method));
    if (!value_is_number(self)) return RUN_ERROR(run, HOB_BAD_ARGUMENT, "round: found %s, expected a number", value_kind_name(self));
    if (precision < -300 || precision > 300) return RUN_ERROR(run, HOB_BAD_ARGUMENT, "round: found a precision of %lld", (long long)precision);
    double number = value_number(self), scale = pow(10.0, (double)precision);
    bool is_whole = self->kind != VALUE_FLOAT && text_is(&method, "common");
    if (text_is(&method, "common")) number = round_common(number, (int)precision);
    else if (text_is(&method, "ceil")) number = ceil(number * scale) / scale;
    else if (text_is(&method, "floor")) number = floor(number * scale) / scale;
    else return RUN_ERROR(run, HOB_BAD_ARGUMENT, "round: expected common, ceil or floor");
    if (!is_whole) *ret_value = value_float(number);
    else if (precision >= 0) *ret_value = value_int(self->kind == VALUE_INT ? self->integer : (int64_t)self->truth); /* no detour by doubles */
    else if (whole_of(number, &whole)) *ret_value = value_int(whole);
    else return RUN_ERROR(run, HOB_BAD_ARGUMENT, "round: the result is no 64-bit integer");
    return HOB_OK;
}

const struct builtin number_filters[] = {{"abs", run_abs, {0}, 0},
                                         {"int", run_int, {"default", "base"}, 0},
                                         {"float", run_float, {"default"}, 0},
                                         {"round", run_round, {"precision", "method"}, 0},
                                         {0}};
