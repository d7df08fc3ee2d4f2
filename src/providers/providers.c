#include "providers/providers.h"

#include <string.h>

#define PROVIDER(name) extern const struct provider_def provider_##name;
#include "providers/providers.def"
#undef PROVIDER

static const struct provider_def *const providers[] = {
#define PROVIDER(name) &provider_##name,
#include "providers/providers.def"
#undef PROVIDER
};

const struct provider_def *provider_find(const char *name)
{
    for (size_t i = 0; i < sizeof providers / sizeof providers[0]; i++)
        if (!strcmp(providers[i]->name, name)) return providers[i];
    return NULL;
}
