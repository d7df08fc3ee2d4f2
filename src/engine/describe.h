/* A description (JSON) as text: one object on one line, or a page for a person. */
#ifndef ENGINE_DESCRIBE_H
#define ENGINE_DESCRIBE_H

#include "hob/status.h"

#include <jansson.h>

/* ret_text: heap, freed with hob_free. Fails: HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status describe_dump(const json_t *root, char **ret_text, hob_error *error);
HOB_MUST_CHECK hob_status describe_render(const json_t *root, char **ret_text, hob_error *error);

#endif
