/* Inside of hob/encode.h. */
#ifndef ENGINE_ENCODE_H
#define ENGINE_ENCODE_H

#include "engine/model.h"
#include "hob/encode.h"

/* hob_model_info.n_text_tokens */
int64_t encode_most_tokens(const struct hob_model *model);

#endif
