/* libcurl, loaded when a backend is configured and not before: a daemon without one has no code in it that speaks to the network. */
#ifndef SERVER_REMOTE_CURL_LIBRARY_H
#define SERVER_REMOTE_CURL_LIBRARY_H

#include "hob/status.h"

#include <curl/curl.h>

/* Its functions, under the names they have there. */
struct curl_library {
    void *handle;
#define CURL_FUNCTIONS(X)                                                                                        \
    X(global_init)                                                                                               \
    X(easy_init) X(easy_setopt) X(easy_perform) X(easy_getinfo) X(easy_cleanup) X(easy_strerror) X(slist_append) \
        X(slist_free_all)
#define X(name) __typeof__(curl_##name) *name;
    CURL_FUNCTIONS(X)
#undef X
};

/* Not thread-safe: before threads use it. Stays loaded until the process ends. Fails: HOB_UNSUPPORTED. */
HOB_MUST_CHECK hob_status curl_library_open(struct curl_library *ret_library, hob_error *error);

#endif
