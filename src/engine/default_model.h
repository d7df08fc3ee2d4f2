/* Inside of hob_model_default_path. */
#ifndef ENGINE_DEFAULT_MODEL_H
#define ENGINE_DEFAULT_MODEL_H

#include "hob/model.h"

/* The environment variable that names the default model of that kind. */
const char *default_model_variable(hob_model_kind kind);

#endif
