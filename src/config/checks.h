/* What no value can be judged by alone: the last step of loading. */
#ifndef CONFIG_CHECKS_H
#define CONFIG_CHECKS_H

#include "config/loader.h"

/* Faults are the loader's. Fails: HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status checks_run(struct loader *loader);

#endif
