#include "engine/chat/chat_format.h"

#include <string.h>

static const struct chat_format_def *const formats[] = {
#define CHAT_FORMAT(name) &chat_format_##name,
#include "engine/chat/chat_formats.def"
#undef CHAT_FORMAT
};

const struct chat_format_def *chat_format_of(const char *template_text)
{
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        for (size_t j = 0; formats[i]->told_by[j]; j++)
            if (strstr(template_text, formats[i]->told_by[j])) return formats[i];
    return NULL;
}

const struct chat_call_layout *chat_format_layout(const struct chat_format_def *format, const char *template_text)
{
    const char *told_by = format->layouts[0].told_by;
    return &format->layouts[told_by && !strstr(template_text, told_by)];
}

const json_t *chat_tool_function(const json_t *tool)
{
    const json_t *function = json_object_get(tool, "function");
    return json_is_object(function) ? function : tool;
}

const char *chat_tool_name(const json_t *tool)
{
    return json_string_value(json_object_get(chat_tool_function(tool), "name"));
}

const json_t *chat_tool_parameters(const json_t *tools, const char *name, size_t n_bytes)
{
    for (size_t i = 0; i < json_array_size(tools); i++) {
        const json_t *tool = json_array_get(tools, i);
        const char *other = chat_tool_name(tool);
        if (other && strlen(other) == n_bytes && !memcmp(other, name, n_bytes))
            return json_object_get(chat_tool_function(tool), "parameters");
    }
    return NULL;
}
