/* dlopen of the GnuTLS flavour (Debian's libcurl3-gnutls), which hob uses alone. */
#include "server/remote/curl_library.h"

#include "base/error.h"

#include <dlfcn.h>

static const char *const file_name = "libcurl-gnutls.so.4";

hob_status curl_library_open(struct curl_library *ret_library, hob_error *error)
{
    struct curl_library library = {.handle = dlopen(file_name, RTLD_NOW | RTLD_LOCAL)};
    if (!library.handle)
        FAIL(error, HOB_UNSUPPORTED, "remote backends: %s cannot be loaded (Debian's package libcurl3-gnutls): %s",
             file_name, dlerror());
#define X(name) library.name = (__typeof__(library.name))dlsym(library.handle, "curl_" #name);
    CURL_FUNCTIONS(X)
#undef X
#define X(name) \
    if (!library.name) FAIL(error, HOB_UNSUPPORTED, "remote backends: %s: found no curl_%s", file_name, #name);
    CURL_FUNCTIONS(X)
#undef X
    if (library.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        FAIL(error, HOB_UNSUPPORTED, "remote backends: libcurl does not start");
    *ret_library = library;
    return HOB_OK;
}
