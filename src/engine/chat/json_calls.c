#include "engine/chat/json_calls.h"

#include <stdint.h>
#include <string.h>

bool json_calls_add(json_t *calls, const char *name, size_t n_name_bytes, const json_t *arguments, const json_t *id)
{
    json_t *call = json_pack("{s:s%, s:o}", "name", name, n_name_bytes, "arguments", arguments ? json_deep_copy(arguments) : json_object());
    if (call && json_is_string(id)) json_object_set_new(call, "id", json_string(json_string_value(id)));
    return call && json_array_append_new(calls, call) == 0;
}

static const json_t *first_of(const json_t *object, const char *const *names)
{
    const json_t *found = NULL;
    for (; !found && *names; names++) found = json_object_get(object, *names);
    return found;
}

static bool add_object(json_t *calls, const json_t *object)
{
    static const char *const name_keys[] = {"name", "tool_name", NULL};
    static const char *const argument_keys[] = {"arguments", "parameters", NULL};
    static const char *const id_keys[] = {"id", "tool_call_id", NULL};
    const json_t *inner = json_object_get(object, "function");
    const json_t *holder = json_is_object(inner) ? inner : object;
    const json_t *name = first_of(holder, name_keys), *arguments = first_of(holder, argument_keys);
    if (!json_is_string(name) || !json_string_length(name)) return false;
    if (arguments && !json_is_object(arguments) && !json_is_string(arguments) && !json_is_null(arguments)) return false;
    return json_calls_add(calls, json_string_value(name), json_string_length(name), json_is_null(arguments) ? NULL : arguments,
                          first_of(object, id_keys));
}

static bool add_value(json_t *calls, const json_t *value)
{
    if (json_is_object(value)) return add_object(calls, value);
    bool is_right = json_is_array(value) && json_array_size(value) > 0;
    for (size_t i = 0; is_right && i < json_array_size(value); i++) is_right = add_object(calls, json_array_get(value, i));
    return is_right;
}

static size_t skip_between(const char *text, size_t n_bytes, size_t at)
{
    while (at < n_bytes && text[at] && strchr(" \t\r\n,;", text[at])) at++;
    return at;
}

bool json_calls_parse(const char *text, size_t n_bytes, const json_t *tools, json_t *calls)
{
    (void)tools;
    json_t *found = json_array();
    json_error_t end;
    size_t at = skip_between(text, n_bytes, 0);
    bool is_right = found && at < n_bytes;
    while (is_right && at < n_bytes) {
        json_t *value = json_loadb(text + at, n_bytes - at, JSON_CALLS_FLAGS, &end);
        is_right = value && add_value(found, value);
        json_decref(value);
        at = skip_between(text, n_bytes, at + (size_t)end.position);
    }
    is_right = is_right && json_array_extend(calls, found) == 0;
    json_decref(found);
    return is_right;
}

size_t json_calls_find_end(const char *text, size_t n_bytes, const char *end)
{
    size_t n_end = strlen(end);
    bool is_in_string = false;
    for (size_t at = 0; at < n_bytes; at++) {
        if (text[at] == '"') is_in_string = !is_in_string;
        else if (is_in_string && text[at] == '\\') at++;
        else if (!is_in_string && text[at] == *end && n_bytes - at >= n_end && !memcmp(text + at, end, n_end)) return at;
    }
    return SIZE_MAX;
}
