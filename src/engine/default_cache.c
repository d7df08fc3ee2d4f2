#include "base/buffer.h"
#include "hob/session.h"

#include <stdlib.h>

char *hob_cache_default_folder(void)
{
    struct buffer path = {0};
    const char *cache_home = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache_home && *cache_home == '/') buffer_printf(&path, "%s/hob/kv", cache_home);
    else if (home && *home) buffer_printf(&path, "%s/.cache/hob/kv", home);
    return path.bytes; /* NULL still, where nothing was written */
}
