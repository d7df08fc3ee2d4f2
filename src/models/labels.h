/* What a classifier's labels are called, and what its numbers are made into. As model_read_labels (models/model.h), from what is open
 * already. Fail: HOB_BAD_FILE, HOB_LIMIT, HOB_NO_MEMORY. */
#ifndef MODELS_LABELS_H
#define MODELS_LABELS_H

#include "models/source.h"

HOB_MUST_CHECK hob_status labels_of_config(const json_t *config, const char *where, int64_t n_labels, struct arena *arena,
                                           struct model_labels *ret_labels, hob_error *error);
HOB_MUST_CHECK hob_status labels_of_gguf(const struct model_source *source, int64_t n_labels, struct arena *arena,
                                         struct model_labels *ret_labels, hob_error *error);

#endif
