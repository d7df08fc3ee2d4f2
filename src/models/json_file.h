/* A small JSON file beside a model, read whole. jansson owns the result (json_decref). Thread-safe.
 *
 *     json_t *config;
 *     TRY(json_file_read(path, &config, error));
 */
#ifndef MODELS_JSON_FILE_H
#define MODELS_JSON_FILE_H

#include "hob/status.h"

#include <jansson.h>

/* Fails: HOB_NOT_FOUND, HOB_IO, HOB_LIMIT (above 16 MiB), HOB_BAD_FILE (with line and column). */
HOB_MUST_CHECK hob_status json_file_read(const char *path, json_t **ret_json, hob_error *error);
/* "FOLDER/NAME", heap: memory_free. */
HOB_MUST_CHECK hob_status json_file_path(const char *folder, const char *name, char **ret_path, hob_error *error);
/* "a text", "a list", … for messages. */
const char *json_kind_name(const json_t *json);

#endif
