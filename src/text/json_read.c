#include "text/json_read.h"
#include "base/error.h"

#include <string.h>

const char *json_read_kind(const json_t *json)
{
    static const char *const kinds[] = {"an object", "an array", "a string", "an integer",
                                        "a number",  "true",     "false",    "null"};
    return json ? kinds[json_typeof(json)] : "nothing";
}

const json_t *json_read_optional(const json_t *object, const char *name)
{
    const json_t *member = json_object_get(object, name);
    return json_is_null(member) ? NULL : member;
}

hob_status json_read_bool(const json_t *object, const char *name, bool absent, bool *ret_value, hob_error *error)
{
    const json_t *member = json_read_optional(object, name);
    if (member && !json_is_boolean(member))
        FAIL(error, HOB_BAD_FILE, "\"%s\": found %s, expected true or false", name, json_read_kind(member));
    *ret_value = member ? json_is_true(member) : absent;
    return HOB_OK;
}

hob_status json_read_int(const json_t *object, const char *name, int64_t absent, int64_t *ret_value, hob_error *error)
{
    const json_t *member = json_read_optional(object, name);
    if (member && !json_is_integer(member))
        FAIL(error, HOB_BAD_FILE, "\"%s\": found %s, expected an integer", name, json_read_kind(member));
    *ret_value = member ? json_integer_value(member) : absent;
    return HOB_OK;
}

hob_status json_read_string(const json_t *object, const char *name, const char *absent, const char **ret_text,
                            size_t *ret_n_bytes, hob_error *error)
{
    const json_t *member = json_read_optional(object, name);
    if (member ? !json_is_string(member) : !absent)
        FAIL(error, HOB_BAD_FILE, "\"%s\": found %s, expected a string", name, json_read_kind(member));
    *ret_text = member ? json_string_value(member) : absent;
    *ret_n_bytes = member ? json_string_length(member) : strlen(absent);
    return HOB_OK;
}

hob_status json_read_array(const json_t *object, const char *name, const json_t **ret_array, hob_error *error)
{
    const json_t *member = json_read_optional(object, name);
    if (!json_is_array(member))
        FAIL(error, HOB_BAD_FILE, "\"%s\": found %s, expected an array", name, json_read_kind(member));
    *ret_array = member;
    return HOB_OK;
}

hob_status json_read_object(const json_t *object, const char *name, const json_t **ret_object, hob_error *error)
{
    const json_t *member = json_read_optional(object, name);
    if (!json_is_object(member))
        FAIL(error, HOB_BAD_FILE, "\"%s\": found %s, expected an object", name, json_read_kind(member));
    *ret_object = member;
    return HOB_OK;
}
