/* What config.json beside an ONNX model says that the graph does not: context length, layers, the ids that begin and end a text. */
#ifndef ENGINE_NEIGHBOURS_H
#define ENGINE_NEIGHBOURS_H

#include "models/model.h"

struct neighbour_config {
    int64_t n_context, n_layers; /* 0: not said */
    int64_t bos_id;              /* -1: not said */
    int64_t eos_ids[MODEL_MAX_EOS_IDS];
    size_t n_eos_ids;
};

/* No config.json gives the "not said" values. Fails: HOB_BAD_FILE, HOB_IO, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status neighbour_config_read(const char *folder, struct neighbour_config *ret_config, hob_error *error);

#endif
