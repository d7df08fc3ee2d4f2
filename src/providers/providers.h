/* The table of execution providers. */
#ifndef PROVIDERS_PROVIDERS_H
#define PROVIDERS_PROVIDERS_H

#include "graph/provider.h"

/* NULL when there is none of that name. */
const struct provider_def *provider_find(const char *name);

#endif
