/* libhob: private AI on one machine. Includes the whole public API.
 *
 *     hob_model *model;
 *     hob_error error;
 *     if (hob_model_open("model.gguf", NULL, &model, &error) != HOB_OK) …
 */
#ifndef HOB_HOB_H
#define HOB_HOB_H

#include "hob/chat.h"
#include "hob/embed.h"
#include "hob/encode.h"
#include "hob/fim.h"
#include "hob/generate.h"
#include "hob/grammar.h"
#include "hob/import.h"
#include "hob/memory.h"
#include "hob/model.h"
#include "hob/rerank.h"
#include "hob/score.h"
#include "hob/session.h"
#include "hob/status.h"
#include "hob/tensor.h"
#include "hob/tokenizer.h"

#define HOB_VERSION_MAJOR 0
#define HOB_VERSION_MINOR 1
#define HOB_VERSION_PATCH 0
#define HOB_VERSION_STRING "0.1.0"

/* The version of the library that runs, which may differ from the header's. Static string. */
HOB_API const char *hob_version(void);

#endif
