/* The functions of libmicrohttpd under their own names, each of which calls the one that was found in the library. What else the server comes to
 * use has to be added here; the linker says what is missing. */
#include "server/http/microhttpd.h"

#include "base/error.h"

#include <dlfcn.h>
#include <microhttpd.h>
#include <stdarg.h>

static const char *const file_name = "libmicrohttpd.so.12";

/* X(result, name, parameters, arguments) */
#define FUNCTIONS(X)                                                                                                                          \
    X(enum MHD_Result, add_connection, (struct MHD_Daemon * daemon, MHD_socket fd, const struct sockaddr *address, socklen_t n_bytes),        \
      (daemon, fd, address, n_bytes))                                                                                                         \
    X(enum MHD_Result, add_response_header, (struct MHD_Response * response, const char *name, const char *value), (response, name, value))   \
    X(struct MHD_Response *, create_response_from_buffer, (size_t n_bytes, void *bytes, enum MHD_ResponseMemoryMode mode),                    \
      (n_bytes, bytes, mode))                                                                                                                 \
    X(struct MHD_Response *, create_response_from_callback,                                                                                   \
      (uint64_t n_bytes, size_t block, MHD_ContentReaderCallback read, void *context, MHD_ContentReaderFreeCallback free),                    \
      (n_bytes, block, read, context, free))                                                                                                  \
    X(int, get_connection_values,                                                                                                             \
      (struct MHD_Connection * connection, enum MHD_ValueKind kind, MHD_KeyValueIterator on_value, void *context),                            \
      (connection, kind, on_value, context))                                                                                                  \
    X(enum MHD_Result, get_timeout, (struct MHD_Daemon * daemon, MHD_UNSIGNED_LONG_LONG * ret_ms), (daemon, ret_ms))                          \
    X(const char *, lookup_connection_value, (struct MHD_Connection * connection, enum MHD_ValueKind kind, const char *key),                  \
      (connection, kind, key))                                                                                                                \
    X(enum MHD_Result, queue_response, (struct MHD_Connection * connection, unsigned status, struct MHD_Response *response),                  \
      (connection, status, response))                                                                                                         \
    X(enum MHD_Result, run, (struct MHD_Daemon * daemon), (daemon))

#define FUNCTIONS_WITHOUT_RESULT(X)                                             \
    X(destroy_response, (struct MHD_Response * response), (response))          \
    X(resume_connection, (struct MHD_Connection * connection), (connection))   \
    X(stop_daemon, (struct MHD_Daemon * daemon), (daemon))                     \
    X(suspend_connection, (struct MHD_Connection * connection), (connection))

/* Those that take any number of arguments: of two of them nothing is used behind the last named one. */
#define VARIADIC(X) X(get_connection_info) X(get_daemon_info) X(start_daemon_va)

/* Written once, by microhttpd_load, before anything calls. */
static struct {
    void *handle;
#define X(result, name, parameters, arguments) __typeof__(MHD_##name) *name;
    FUNCTIONS(X)
#undef X
#define X(name, parameters, arguments) __typeof__(MHD_##name) *name;
    FUNCTIONS_WITHOUT_RESULT(X)
#undef X
#define X(name) __typeof__(MHD_##name) *name;
    VARIADIC(X)
#undef X
} library;

#define FIND(name)                                                                 \
    library.name = (__typeof__(library.name))dlsym(library.handle, "MHD_" #name); \
    if (!library.name) FAIL(error, HOB_UNSUPPORTED, "%s: found no MHD_%s", file_name, #name);

hob_status microhttpd_load(hob_error *error)
{
    if (library.handle) return HOB_OK;
    library.handle = dlopen(file_name, RTLD_NOW | RTLD_LOCAL);
    if (!library.handle)
        FAIL(error, HOB_UNSUPPORTED, "HTTP: %s cannot be loaded (Debian's package libmicrohttpd12): %s", file_name, dlerror());
#define X(result, name, parameters, arguments) FIND(name)
    FUNCTIONS(X)
#undef X
#define X(name, parameters, arguments) FIND(name)
    FUNCTIONS_WITHOUT_RESULT(X)
#undef X
    VARIADIC(FIND)
    return HOB_OK;
}

#define X(result, name, parameters, arguments) \
    result MHD_##name parameters               \
    {                                          \
        return library.name arguments;         \
    }
FUNCTIONS(X)
#undef X
#define X(name, parameters, arguments) \
    void MHD_##name parameters         \
    {                                  \
        library.name arguments;        \
    }
FUNCTIONS_WITHOUT_RESULT(X)
#undef X

const union MHD_ConnectionInfo *MHD_get_connection_info(struct MHD_Connection *connection, enum MHD_ConnectionInfoType type, ...)
{
    return library.get_connection_info(connection, type);
}

const union MHD_DaemonInfo *MHD_get_daemon_info(struct MHD_Daemon *daemon, enum MHD_DaemonInfoType type, ...)
{
    return library.get_daemon_info(daemon, type);
}

struct MHD_Daemon *MHD_start_daemon(unsigned flags, uint16_t port, MHD_AcceptPolicyCallback accept_policy, void *policy_context,
                                    MHD_AccessHandlerCallback handler, void *handler_context, ...)
{
    va_list options;
    va_start(options, handler_context);
    struct MHD_Daemon *daemon = library.start_daemon_va(flags, port, accept_policy, policy_context, handler, handler_context, options);
    va_end(options);
    return daemon;
}
