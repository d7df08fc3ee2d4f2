/* The environment's and the flags' values into a configuration being loaded. Their faults are the loader's. */
#ifndef CONFIG_TEXT_LAYERS_H
#define CONFIG_TEXT_LAYERS_H

#include "config/loader.h"

/* Notes variables of other programs that have one of ours, and those of ours that look misspelt. Fails: HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status environment_layer_read(struct loader *loader);
HOB_MUST_CHECK hob_status flag_layer_read(struct loader *loader);

#endif
