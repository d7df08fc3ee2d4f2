#include "engine/chat/chat.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"

#include <string.h>

hob_status hob_chat_new(hob_chat **ret_chat, hob_error *error)
{
    if (!ret_chat) FAIL(error, HOB_BAD_ARGUMENT, "hob_chat_new: ret_chat must be given");
    hob_chat *chat = memory_new(1, sizeof *chat);
    if (chat) chat->messages = json_array();
    if (!chat || !chat->messages) {
        memory_free(chat);
        FAIL(error, HOB_NO_MEMORY, "no memory for a conversation");
    }
    *ret_chat = chat;
    return HOB_OK;
}

void hob_chat_free(hob_chat *chat)
{
    if (!chat) return;
    json_decref(chat->messages);
    json_decref(chat->tools);
    memory_free(chat);
}

static json_t *new_message(const char *role, const char *content, hob_error *error)
{
    json_t *message = json_pack("{s:s, s:s}", "role", role, "content", content);
    if (!message) error_set(error, HOB_BAD_ARGUMENT, ERROR_HERE, "a message: found text that is not UTF-8");
    return message;
}

hob_status hob_chat_add(hob_chat *chat, const char *role, const char *content, hob_error *error)
{
    if (!chat || !role || !content) FAIL(error, HOB_BAD_ARGUMENT, "hob_chat_add: chat, role and content must be given");
    json_t *message = new_message(role, content, error);
    if (!message) return HOB_BAD_ARGUMENT;
    if (json_array_append_new(chat->messages, message) != 0) FAIL(error, HOB_NO_MEMORY, "no memory for a message");
    return HOB_OK;
}

/* Templates want the arguments of calls as objects; OpenAI's messages hold them as text. */
static hob_status read_arguments(json_t *call, hob_error *error)
{
    json_t *function = json_object_get(call, "function");
    const json_t *arguments = json_object_get(function ? function : call, "arguments");
    json_error_t reason;
    if (!json_is_string(arguments)) return HOB_OK;
    json_t *object = json_loadb(json_string_value(arguments), json_string_length(arguments), JSON_DECODE_ANY, &reason);
    if (!object) return HOB_OK; /* not JSON: the template gets the text */
    if (json_object_set_new(function ? function : call, "arguments", object) != 0) FAIL(error, HOB_NO_MEMORY, "no memory for a tool call");
    return HOB_OK;
}

static bool is_text_type(const char *type)
{
    return !strcmp(type, "text") || !strcmp(type, "input_text") || !strcmp(type, "output_text");
}

static hob_status append_part(const json_t *part, size_t message, size_t index, struct buffer *text, hob_error *error)
{
    const char *type = json_string_value(json_object_get(part, "type"));
    const json_t *shown = json_is_string(part) ? part : json_object_get(part, "text");
    if (type && !is_text_type(type))
        FAIL(error, HOB_UNSUPPORTED, "message %zu: content: part %zu: found type '%.60s', expected text: no other kind is read", message, index,
             type);
    if (!json_is_string(shown))
        FAIL(error, HOB_BAD_ARGUMENT, "message %zu: content: part %zu: found no text, expected {\"type\": \"text\", \"text\": …}", message, index);
    if (index) buffer_append_byte(text, '\n');
    buffer_append(text, json_string_value(shown), json_string_length(shown));
    return HOB_OK;
}

/* All templates take a text, few take parts. */
static hob_status join_parts(json_t *message, size_t index, hob_error *error)
{
    const json_t *parts = json_object_get(message, "content");
    struct buffer text = {0};
    hob_status status = HOB_OK;
    if (!json_is_array(parts)) return HOB_OK;
    for (size_t i = 0; i < json_array_size(parts); i++) TRY_CLEANUP(append_part(json_array_get(parts, i), index, i, &text, error));
    if (text.is_failed || json_object_set_new(message, "content", json_stringn(buffer_text(&text), text.n_bytes)) != 0)
        FAIL_CLEANUP(error, HOB_NO_MEMORY, "no memory for a message");
cleanup:
    buffer_release(&text);
    return status;
}

static hob_status check_message(json_t *message, size_t index, hob_error *error)
{
    const json_t *calls = json_object_get(message, "tool_calls");
    if (!json_is_object(message)) FAIL(error, HOB_BAD_ARGUMENT, "message %zu: expected an object", index);
    if (!json_is_string(json_object_get(message, "role")))
        FAIL(error, HOB_BAD_ARGUMENT, "message %zu: role: expected a string", index);
    if (calls && !json_is_array(calls) && !json_is_null(calls)) FAIL(error, HOB_BAD_ARGUMENT, "message %zu: tool_calls: expected a list", index);
    for (size_t i = 0; i < json_array_size(calls); i++) TRY(read_arguments(json_array_get(calls, i), error));
    return join_parts(message, index, error);
}

static hob_status add_messages(hob_chat *chat, json_t *list, hob_error *error)
{
    for (size_t i = 0; i < json_array_size(list); i++) TRY(check_message(json_array_get(list, i), i, error));
    if (json_array_extend(chat->messages, list) != 0) FAIL(error, HOB_NO_MEMORY, "no memory for messages");
    return HOB_OK;
}

static hob_status read_json(const char *what, const char *json, size_t n_bytes, json_t **ret_json, hob_error *error)
{
    json_error_t reason;
    json_t *read = json_loadb(json, n_bytes, JSON_REJECT_DUPLICATES, &reason);
    if (!read) FAIL(error, HOB_BAD_ARGUMENT, "%s: line %d, column %d: %s", what, reason.line, reason.column, reason.text);
    *ret_json = read;
    return HOB_OK;
}

hob_status hob_chat_add_json(hob_chat *chat, const char *json, size_t n_bytes, hob_error *error)
{
    json_t *read, *list;
    if (!chat || !json) FAIL(error, HOB_BAD_ARGUMENT, "hob_chat_add_json: chat and json must be given");
    TRY(read_json("messages", json, n_bytes, &read, error));
    list = json_is_array(read) ? json_incref(read) : json_pack("[O]", read);
    hob_status status = list ? add_messages(chat, list, error) : error_set(error, HOB_NO_MEMORY, ERROR_HERE, "no memory for messages");
    json_decref(list);
    json_decref(read);
    return status;
}

hob_status hob_chat_set_tools(hob_chat *chat, const char *json, hob_error *error)
{
    json_t *tools = NULL;
    if (!chat) FAIL(error, HOB_BAD_ARGUMENT, "hob_chat_set_tools: chat must be given");
    if (json) TRY(read_json("tools", json, strlen(json), &tools, error));
    if (tools && !json_is_array(tools)) {
        json_decref(tools);
        FAIL(error, HOB_BAD_ARGUMENT, "tools: expected a list");
    }
    json_decref(chat->tools);
    chat->tools = tools;
    return HOB_OK;
}

hob_status hob_chat_set_system(hob_chat *chat, const char *content, hob_error *error)
{
    if (!chat) FAIL(error, HOB_BAD_ARGUMENT, "hob_chat_set_system: chat must be given");
    json_t *message = content ? new_message("system", content, error) : NULL;
    if (content && !message) return HOB_BAD_ARGUMENT;
    const char *first = hob_chat_role(chat, 0);
    if (first && !strcmp(first, "system")) json_array_remove(chat->messages, 0);
    if (message && json_array_insert_new(chat->messages, 0, message) != 0) FAIL(error, HOB_NO_MEMORY, "no memory for a message");
    return HOB_OK;
}

void hob_chat_truncate(hob_chat *chat, size_t n_messages)
{
    while (chat && json_array_size(chat->messages) > n_messages) json_array_remove(chat->messages, json_array_size(chat->messages) - 1);
}

size_t hob_chat_n_messages(const hob_chat *chat)
{
    return chat ? json_array_size(chat->messages) : 0;
}

const char *hob_chat_role(const hob_chat *chat, size_t index)
{
    return chat ? json_string_value(json_object_get(json_array_get(chat->messages, index), "role")) : NULL;
}

const char *hob_chat_content(const hob_chat *chat, size_t index)
{
    return chat ? json_string_value(json_object_get(json_array_get(chat->messages, index), "content")) : NULL;
}

hob_status hob_chat_to_json(const hob_chat *chat, char **ret_json, hob_error *error)
{
    if (!chat || !ret_json) FAIL(error, HOB_BAD_ARGUMENT, "hob_chat_to_json: chat and ret_json must be given");
    char *dumped = json_dumps(chat->messages, JSON_INDENT(2));
    char *copy = memory_copy_string(dumped); /* jansson's memory is freed by jansson */
    json_free_t release;
    json_get_alloc_funcs(NULL, &release);
    release(dumped);
    if (!copy) FAIL(error, HOB_NO_MEMORY, "no memory for the conversation as JSON");
    *ret_json = copy;
    return HOB_OK;
}
