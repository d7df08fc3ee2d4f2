/* Setting and forwarding errors.
 *
 *     hob_status thing_open(const char *path, struct thing **ret_thing, hob_error *error)
 *     {
 *         TRY(file_map(path, &map, error));                       forward
 *         if (n > MAX) FAIL(error, HOB_LIMIT, "%s: found %zu …", path, n);
 *
 * A function that owns something half-built declares `hob_status status = HOB_OK;`, uses the *_CLEANUP forms and has
 * one label `cleanup:` at its end, reached by falling through as well.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "hob/status.h"

#include <stdarg.h>

#define ERROR_STRING2(x) #x
#define ERROR_STRING(x) ERROR_STRING2(x)
#define ERROR_HERE __FILE__ ":" ERROR_STRING(__LINE__)

/* Fills error (may be NULL) and returns code. */
hob_status error_set(hob_error *error, hob_status code, const char *where, const char *format, ...)
    __attribute__((format(printf, 4, 5), cold));

/* Puts "prefix: " before the message of an error that is already set; returns its code. For adding the file or node
 * name on the way up. */
hob_status error_prefix(hob_error *error, hob_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));

#define TRY(expr)                                                                                          \
    do {                                                                                                   \
        hob_status try_status_ = (expr);                                                                   \
        if (__builtin_expect(try_status_ != HOB_OK, 0)) return try_status_;                                \
    } while (0)

/* Returns the code itself, not what error_set gives back, so that the compiler sees that it is not HOB_OK. */
#define FAIL(error, code, ...)                                                                             \
    do {                                                                                                   \
        hob_status fail_code_ = (code);                                                                    \
        error_set((error), fail_code_, ERROR_HERE, __VA_ARGS__);                                           \
        return fail_code_;                                                                                 \
    } while (0)

#define TRY_CLEANUP(expr)                                                                                  \
    do {                                                                                                   \
        status = (expr);                                                                                   \
        if (__builtin_expect(status != HOB_OK, 0)) goto cleanup;                                           \
    } while (0)

#define FAIL_CLEANUP(error, code, ...)                                                                     \
    do {                                                                                                   \
        status = (code);                                                                                   \
        error_set((error), status, ERROR_HERE, __VA_ARGS__);                                               \
        goto cleanup;                                                                                      \
    } while (0)

/* Programmer errors only, never for input. */
#define HOB_ASSERT(condition)                                                                              \
    do {                                                                                                   \
        if (__builtin_expect(!(condition), 0)) error_assert_failed(#condition, ERROR_HERE);                \
    } while (0)
void error_assert_failed(const char *condition, const char *where) __attribute__((noreturn, cold));

#endif
