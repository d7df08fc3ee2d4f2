/* Typed members of JSON objects, with errors that name the member. A member that is null counts as absent.
 *
 *     bool is_lowercase;
 *     TRY(json_read_bool(json, "lowercase", true, &is_lowercase, error));      true when absent
 */
#ifndef TEXT_JSON_READ_H
#define TEXT_JSON_READ_H

#include "hob/status.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

HOB_MUST_CHECK hob_status json_read_bool(const json_t *object, const char *name, bool absent, bool *ret_value,
                                         hob_error *error);
HOB_MUST_CHECK hob_status json_read_int(const json_t *object, const char *name, int64_t absent, int64_t *ret_value,
                                        hob_error *error);
/* absent NULL: the member must be there. The text belongs to the object. */
HOB_MUST_CHECK hob_status json_read_string(const json_t *object, const char *name, const char *absent,
                                           const char **ret_text, size_t *ret_n_bytes, hob_error *error);
HOB_MUST_CHECK hob_status json_read_array(const json_t *object, const char *name, const json_t **ret_array,
                                          hob_error *error);
HOB_MUST_CHECK hob_status json_read_object(const json_t *object, const char *name, const json_t **ret_object,
                                           hob_error *error);
/* The member, or NULL when absent or null. */
const json_t *json_read_optional(const json_t *object, const char *name);
/* "string", "array", …, for messages. */
const char *json_read_kind(const json_t *json);

#endif
