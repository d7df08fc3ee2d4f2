/* Errors are formatted into the caller's struct: no allocation, so that running out of memory can be reported too. */
#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

hob_status error_set(hob_error *error, hob_status code, const char *where, const char *format, ...)
{
    if (!error) return code;
    error->code = code;
    snprintf(error->where, sizeof error->where, "%s", where);
    va_list args;
    va_start(args, format);
    vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    return code;
}

hob_status error_prefix(hob_error *error, hob_status code, const char *format, ...)
{
    if (!error) return code;
    char old[sizeof error->message];
    memcpy(old, error->message, sizeof old);
    va_list args;
    va_start(args, format);
    int n_prefix = vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    if (n_prefix >= 0 && (size_t)n_prefix < sizeof error->message)
        snprintf(error->message + n_prefix, sizeof error->message - (size_t)n_prefix, ": %.*s",
                 (int)sizeof old - n_prefix - 3, old);
    return code;
}

void error_assert_failed(const char *condition, const char *where)
{
    fprintf(stderr, "hob: internal error at %s: %s does not hold\n", where, condition);
    abort();
}

static const struct {
    const char *name, *sentence;
} statuses[] = {
#define X(code, name, sentence) [HOB_##code] = {name, sentence},
    HOB_STATUS_MAP(X)
#undef X
};

static int status_index(hob_status status)
{
    size_t n_statuses = sizeof statuses / sizeof statuses[0];
    return (size_t)status < n_statuses ? (int)status : (int)HOB_INTERNAL;
}

const char *hob_status_name(hob_status status)
{
    return statuses[status_index(status)].name;
}

const char *hob_status_sentence(hob_status status)
{
    return statuses[status_index(status)].sentence;
}
