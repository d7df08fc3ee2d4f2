/* What the commands' --json output shares. */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include "cli/output.h"

#include <jansson.h>
#include <stdint.h>

/* A JSON string of any bytes: what is not UTF-8 becomes U+FFFD. NULL when memory is out, as jansson's makers do. */
json_t *json_text(const char *bytes, size_t n_bytes);
json_t *json_ids(const int32_t *ids, size_t n_ids);
/* One line. Takes the object; returns STATUS_DONE, or STATUS_FAILED after saying that memory is out (object NULL). */
int json_print(json_t *object, struct output *output);

#endif
