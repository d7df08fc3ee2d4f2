/* Kinds of problems and the sentences that go with them. */
#include "server/problem.h"

#include <stdarg.h>
#include <stdio.h>

static bool set(struct problem *problem, enum problem_kind kind, const char *field, const char *format,
                va_list arguments)
{
    *problem = (struct problem){.kind = kind, .field = field};
    vsnprintf(problem->message, sizeof problem->message, format, arguments);
    return false;
}

bool problem_set(struct problem *ret_problem, enum problem_kind kind, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    set(ret_problem, kind, NULL, format, arguments);
    va_end(arguments);
    return false;
}

bool problem_set_field(struct problem *ret_problem, const char *field, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    set(ret_problem, PROBLEM_BAD_REQUEST, field, format, arguments);
    va_end(arguments);
    return false;
}

bool problem_no_memory(struct problem *ret_problem)
{
    return problem_set(ret_problem, PROBLEM_NO_MEMORY, "no memory for the request");
}

static enum problem_kind kind_of(hob_status status)
{
    switch (status) {
    case HOB_BAD_ARGUMENT:
    case HOB_LIMIT:
    case HOB_BAD_FILE:
        return PROBLEM_BAD_REQUEST; /* a schema, a grammar or a template that does not compile */
    case HOB_UNSUPPORTED:
        return PROBLEM_UNSUPPORTED;
    case HOB_NO_MEMORY:
        return PROBLEM_NO_MEMORY;
    case HOB_CANCELLED:
        return PROBLEM_CANCELLED;
    default:
        return PROBLEM_INTERNAL;
    }
}

bool problem_from(struct problem *ret_problem, const hob_error *error)
{
    return problem_set(ret_problem, kind_of(error->code), "%s", error->message);
}

int problem_http_status(enum problem_kind kind)
{
    static const int statuses[] = {
#define X(kind, status, name) status,
        PROBLEM_MAP(X)
#undef X
    };
    return statuses[kind];
}

const char *problem_name(enum problem_kind kind)
{
    static const char *const names[] = {
#define X(kind, status, name) name,
        PROBLEM_MAP(X)
#undef X
    };
    return names[kind];
}
