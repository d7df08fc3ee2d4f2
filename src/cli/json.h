/* What the commands' --json output shares. */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include "base/json.h"
#include "cli/output.h"

/* One line. Takes the object; returns STATUS_DONE, or STATUS_FAILED after saying that memory is out (object NULL). */
int json_print(json_t *object, struct output *output);

#endif
