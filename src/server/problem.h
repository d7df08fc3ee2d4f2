/* What went wrong with a request, before an API gives it its own shape: a kind, which decides the HTTP status, and a sentence.
 *
 * Plain memory, nothing to free. Each API's file turns the kind into its own words (api.h).
 *
 *     if (n_ids > n_context) return problem_set(problem, PROBLEM_CONTEXT, "prompt: found %zu tokens, expected at most %zu", …);
 */
#ifndef SERVER_PROBLEM_H
#define SERVER_PROBLEM_H

#include "hob/status.h"

#include <stdbool.h>
#include <stddef.h>

/* X(KIND, HTTP status, name) */
#define PROBLEM_MAP(X)                                                                        \
    X(BAD_REQUEST, 400, "bad request")           /* a field is missing or makes no sense */   \
    X(CONTEXT, 400, "context length exceeded")   /* n_found and n_allowed are set */          \
    X(UNAUTHORIZED, 401, "unauthorized")                                                      \
    X(FORBIDDEN, 403, "forbidden")               /* a foreign Host or Origin */               \
    X(NO_ROUTE, 404, "no such route")                                                         \
    X(NO_MODEL, 404, "no such model")                                                         \
    X(BAD_METHOD, 405, "method not allowed")                                                  \
    X(TOO_SLOW, 408, "request timed out")        /* the client sent too slowly */             \
    X(TOO_LARGE, 413, "request too large")                                                    \
    X(BAD_TYPE, 415, "unsupported media type")                                                \
    X(UNPROCESSABLE, 422, "cannot be processed") /* well-formed, but the tokenizer or model refuses it */ \
    X(BUSY, 429, "too many requests")            /* the queue is full; retry_after_s is set */ \
    X(CANCELLED, 499, "cancelled")                                                            \
    X(INTERNAL, 500, "internal error")                                                        \
    X(UNSUPPORTED, 501, "not supported")         /* the model cannot do that */               \
    X(LOADING, 503, "loading")                   /* not ready, or about to stop; retry_after_s is set */ \
    X(DEADLINE, 504, "deadline exceeded")        /* it did not begin, or not end, in time */  \
    X(NO_MEMORY, 507, "out of memory")

enum problem_kind {
#define X(kind, status, name) PROBLEM_##kind,
    PROBLEM_MAP(X)
#undef X
};

struct problem {
    enum problem_kind kind;
    char message[480];
    const char *field;         /* of the request; NULL: none in particular. Static, or as long as the request */
    size_t n_found, n_allowed; /* tokens */
    unsigned retry_after_s;    /* 0: not said */
};

/* Always false, so that a function may end with it. field is set to NULL, numbers to 0. */
bool problem_set(struct problem *ret_problem, enum problem_kind kind, const char *format, ...) __attribute__((format(printf, 3, 4), cold));
/* The same for a field of the request. */
bool problem_set_field(struct problem *ret_problem, const char *field, const char *format, ...) __attribute__((format(printf, 3, 4), cold));
bool problem_no_memory(struct problem *ret_problem) __attribute__((cold)); /* false: PROBLEM_NO_MEMORY, for a request */
/* From what the library said: HOB_BAD_ARGUMENT and HOB_LIMIT are the request's fault, HOB_NO_MEMORY and the rest ours. */
bool problem_from(struct problem *ret_problem, const hob_error *error);
int problem_http_status(enum problem_kind kind);
const char *problem_name(enum problem_kind kind); /* static */

#endif
