/* Replies as they come: the first line names a template (a built-in one, or text with marks of a format), the rest is pushed in pieces. Deltas
 * put together are the message's texts, calls that were told stay, and nothing is read twice or lost whatever the pieces are. */
#include "base/buffer.h"
#include "engine/chat/chat.h"
#include "engine/chat/reply_form.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct told {
    struct buffer content, reasoning;
    size_t n_calls;
};

static void note(struct told *told, const hob_reply *reply, const hob_reply_delta *delta)
{
    buffer_append(&told->content, delta->content, delta->n_content_bytes);
    buffer_append(&told->reasoning, delta->reasoning, delta->n_reasoning_bytes);
    if (delta->n_tool_calls < told->n_calls) abort();
    for (size_t i = told->n_calls; i < delta->n_tool_calls; i++)
        if (!hob_reply_tool_call(reply, i)) abort();
    told->n_calls = delta->n_tool_calls;
}

/* The message leaves out blanks at an end, nothing else. */
static void expect_text(const struct buffer *told, const json_t *text)
{
    size_t n_bytes = json_string_length(text);
    if (n_bytes > told->n_bytes || (n_bytes && memcmp(told->bytes, json_string_value(text), n_bytes))) abort();
    for (size_t i = n_bytes; i < told->n_bytes; i++)
        if (!memchr(" \t\r\n", told->bytes[i], 4)) abort();
}

/* Pieces of n bytes; 0: of lengths that the bytes themselves say. */
static void read_reply(const struct reply_form *form, const char *text, size_t n_bytes, size_t n_piece, struct told *told)
{
    hob_reply *reply;
    hob_reply_delta delta;
    hob_error error;
    if (reply_new(form, NULL, &reply, &error) != HOB_OK) abort();
    for (size_t at = 0, n; at < n_bytes; at += n) {
        n = n_piece ? n_piece : (size_t)1 + (unsigned char)text[at] % 7u;
        if (n > n_bytes - at) n = n_bytes - at;
        if (hob_reply_push_text(reply, text + at, n, &delta, &error) != HOB_OK) abort();
        note(told, reply, &delta);
    }
    if (hob_reply_finish(reply, &delta, &error) != HOB_OK) abort();
    note(told, reply, &delta);
    json_t *message = json_loads(hob_reply_message(reply), JSON_ALLOW_NUL, NULL);
    if (!message || json_array_size(json_object_get(message, "tool_calls")) != told->n_calls) abort();
    const json_t *content = json_object_get(message, "content"), *reasoning = json_object_get(message, "reasoning_content");
    bool is_clean = json_string_length(content) <= told->content.n_bytes; /* broken UTF-8 becomes longer */
    json_t *whole = json_stringn(buffer_text(&told->content), told->content.n_bytes);
    json_t *thought = json_stringn(buffer_text(&told->reasoning), told->reasoning.n_bytes);
    if (whole && is_clean) expect_text(&told->content, content);
    if (thought && reasoning) expect_text(&told->reasoning, reasoning);
    json_decref(whole);
    json_decref(thought);
    json_decref(message);
    hob_reply_free(reply);
}

static void release(struct told *told)
{
    buffer_release(&told->content);
    buffer_release(&told->reasoning);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char tools_text[] = "[{\"function\": {\"name\": \"f\", \"parameters\": {\"properties\": {\"a\": {\"type\": \"string\"}}}}}]";
    char name[256];
    const uint8_t *line_end = size ? memchr(data, '\n', size) : NULL;
    size_t n_name = line_end ? (size_t)(line_end - data) : 0;
    if (!line_end || n_name >= sizeof name || size > 8192) return 0;
    memcpy(name, data, n_name);
    name[n_name] = '\0';
    const char *template_text = chat_built_in_template(name) ? chat_built_in_template(name) : name;
    json_t *tools = json_loads(tools_text, 0, NULL);
    struct reply_form form;
    struct told whole = {0}, pieces = {0};
    const char *text = (const char *)line_end + 1;
    size_t n_bytes = size - n_name - 1;
    reply_form_tell(template_text, name, n_name, tools, HOB_TOOL_CHOICE_REQUIRED, &form);
    form.has_one_call = n_name % 2;
    read_reply(&form, text, n_bytes, n_bytes ? n_bytes : 1, &whole);
    read_reply(&form, text, n_bytes, 0, &pieces);
    if (whole.content.n_bytes != pieces.content.n_bytes || whole.n_calls != pieces.n_calls ||
        whole.reasoning.n_bytes != pieces.reasoning.n_bytes)
        abort();
    release(&whole);
    release(&pieces);
    json_decref(tools);
    return 0;
}
