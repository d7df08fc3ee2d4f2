/* What a model holds of memory, counted once when it is opened. */
#ifndef ENGINE_MODEL_MEMORY_H
#define ENGINE_MODEL_MEMORY_H

#include "engine/model.h"

/* Weights and graph, of a model that is compiled. Fails: HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status model_count_weights(struct hob_model *model, hob_error *error);

#endif
