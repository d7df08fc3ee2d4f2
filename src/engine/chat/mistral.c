/* Mistral: [TOOL_CALLS][{"name": …, "arguments": {…}}, …], or from late 2025 on [TOOL_CALLS]name[ARGS]{…} for each call. */
#include "engine/chat/chat_format.h"
#include "engine/chat/json_calls.h"

#include <string.h>

#define BEGIN "[TOOL_CALLS]"
#define ARGUMENTS "[ARGS]"

static bool parse_named(const char *text, size_t n_bytes, json_t *calls)
{
    json_error_t end;
    while (n_bytes) {
        const char *mark = memmem(text, n_bytes, ARGUMENTS, strlen(ARGUMENTS));
        if (!mark || mark == text) return false;
        const char *body = mark + strlen(ARGUMENTS);
        size_t n_body = n_bytes - (size_t)(body - text);
        json_t *arguments = json_loadb(body, n_body, JSON_CALLS_FLAGS, &end);
        bool is_added = json_is_object(arguments) && json_calls_add(calls, text, (size_t)(mark - text), arguments, NULL);
        json_decref(arguments);
        if (!is_added) return false;
        text = body + end.position;
        n_bytes = n_body - (size_t)end.position;
        if (n_bytes > strlen(BEGIN) && !memcmp(text, BEGIN, strlen(BEGIN))) {
            text += strlen(BEGIN);
            n_bytes -= strlen(BEGIN);
        }
    }
    return true;
}

static bool parse(const char *text, size_t n_bytes, const json_t *tools, json_t *calls)
{
    return json_calls_parse(text, n_bytes, tools, calls) || (n_bytes && *text != '[' && parse_named(text, n_bytes, calls));
}

const struct chat_format_def chat_format_mistral = {
    .name = "mistral",
    .told_by = {BEGIN},
    .begin = BEGIN,
    .layouts = {{.told_by = ARGUMENTS, .before_name = BEGIN, .before_arguments = ARGUMENTS},
                {.before_all = BEGIN LAYOUT_MAY_SPACE "[",
                 .between = ", ",
                 .behind_all = "]",
                 .before_name = "{\"name\": \"",
                 .before_arguments = "\", \"arguments\": ",
                 .behind_arguments = "}"}},
    .parse = parse};
