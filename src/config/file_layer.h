/* A file's values into a configuration being loaded. */
#ifndef CONFIG_FILE_LAYER_H
#define CONFIG_FILE_LAYER_H

#include "config/loader.h"

/* Its faults are the loader's. Fails: HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status file_layer_read(struct loader *loader, const char *path);

#endif
