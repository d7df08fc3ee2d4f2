/* Cast between strings and numbers. The texts of an output lie in memory of the run, as the output itself does. */
#include "ops/math/cast.h"
#include "ops/moving.h"
#include "ops/numbers.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum { NUMBER_TEXT_BYTES = 40 };

static bool parse_real(const char *text, double *ret_number)
{
    char *end;
    *ret_number = strtod(text, &end);
    return !*end;
}

/* A whole number, which f64 might not hold; u64 as the same bits. */
static bool parse_whole(const char *text, int64_t *ret_number)
{
    char *end;
    errno = 0;
    *ret_number = *text == '-' ? strtoll(text, &end, 10) : (int64_t)strtoull(text, &end, 10);
    return !*end && !errno;
}

/* Fills one element of numbers, which are i64 or f64. */
static bool parse_item(const struct tensor_string *string, const struct tensor *numbers, size_t i)
{
    char text[64];
    double real;
    if (!string->n_bytes || string->n_bytes >= sizeof text) return false;
    memcpy(text, string->bytes, string->n_bytes);
    text[string->n_bytes] = 0;
    if (numbers->dtype == DTYPE_F64) return parse_real(text, (double *)numbers->data + i);
    int64_t *whole = (int64_t *)numbers->data + i;
    if (parse_whole(text, whole)) return true;
    if (!parse_real(text, &real)) return false;
    *whole = real >= 0x1p63 ? INT64_MAX : real > -0x1p63 ? (int64_t)real : real <= -0x1p63 ? INT64_MIN : 0;
    return true;
}

hob_status cast_from_strings(struct op_context *ctx, const struct cast_rules *rules)
{
    const struct tensor *from = ctx->inputs[0], *to = ctx->outputs[0];
    size_t n_items = (size_t)tensor_n_items(from);
    struct tensor_string *texts = ARENA_NEW(ctx->scratch, struct tensor_string, n_items);
    struct tensor numbers = *to;
    numbers.dtype = dtype_is_integer(to->dtype) ? DTYPE_I64 : DTYPE_F64;
    numbers.data = ARENA_NEW(ctx->scratch, double, n_items);
    if (!texts || !numbers.data) OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
    tensor_copy_contiguous(from, texts);
    for (size_t i = 0; i < n_items; i++)
        if (!parse_item(&texts[i], &numbers, i))
            OP_FAIL(ctx, HOB_BAD_ARGUMENT, "element %zu: found \"%.*s\", expected a number", i,
                    texts[i].n_bytes < 64 ? (int)texts[i].n_bytes : 64, texts[i].n_bytes ? texts[i].bytes : "");
    cast_apply_rules(ctx, &numbers, to, rules);
    return HOB_OK;
}

/* The fewest digits that tell the number from its neighbours, which are 17 for f64 and 9 for f32. */
static int print_real(double number, bool is_f64, char *text)
{
    int n_bytes = 0;
    if (isnan(number)) return snprintf(text, NUMBER_TEXT_BYTES, "nan");
    if (isinf(number)) return snprintf(text, NUMBER_TEXT_BYTES, number < 0 ? "-inf" : "inf");
    for (int n_digits = 1; n_digits <= 17; n_digits++) {
        n_bytes = snprintf(text, NUMBER_TEXT_BYTES, "%.*g", n_digits, number);
        bool is_same = is_f64 ? strtod(text, NULL) == number : strtof(text, NULL) == (float)number;
        if (is_same) break;
    }
    /* Python marks a float: 2.0, and 100000.0 where C's %g with one digit gives 1e+05. Between those bounds an
     * exponent means an integer. */
    if (fabs(number) < 1e16 && fabs(number) >= 1e-4 && strchr(text, 'e'))
        n_bytes = snprintf(text, NUMBER_TEXT_BYTES, "%.0f", strtod(text, NULL));
    if (!strpbrk(text, ".e")) n_bytes += snprintf(text + n_bytes, NUMBER_TEXT_BYTES - (size_t)n_bytes, ".0");
    return n_bytes;
}

static int print_number(const struct tensor *x, int64_t i, char *text)
{
    if (dtype_is_float(x->dtype)) {
        double real;
        numbers_load_f64(x, i, 1, 1, &real);
        return print_real(real, x->dtype == DTYPE_F64, text);
    }
    int64_t integer;
    numbers_load_i64(x, i, 1, 1, &integer);
    if (x->dtype == DTYPE_BOOL) return snprintf(text, NUMBER_TEXT_BYTES, integer ? "True" : "False");
    if (x->dtype == DTYPE_U64) return snprintf(text, NUMBER_TEXT_BYTES, "%llu", (unsigned long long)integer);
    return snprintf(text, NUMBER_TEXT_BYTES, "%lld", (long long)integer);
}

hob_status cast_to_strings(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0];
    size_t n_items = (size_t)tensor_n_items(x);
    struct tensor packed = *x;
    struct tensor_string *strings = ctx->outputs[0]->data;
    void *bytes;
    if (n_items > SIZE_MAX / NUMBER_TEXT_BYTES) OP_FAIL(ctx, HOB_LIMIT, "found %zu elements, too many for strings", n_items);
    TRY(ctx->allocate(ctx, n_items * NUMBER_TEXT_BYTES, &bytes));
    packed.data = arena_alloc(ctx->scratch, tensor_n_bytes(x) + 1, 64);
    if (!packed.data) OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
    tensor_copy_contiguous(x, packed.data);
    char *text = bytes;
    for (size_t i = 0; i < n_items; i++, text += NUMBER_TEXT_BYTES)
        strings[i] = (struct tensor_string){text, (size_t)print_number(&packed, (int64_t)i, text)};
    return HOB_OK;
}
