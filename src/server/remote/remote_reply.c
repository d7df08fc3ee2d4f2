/* Lines, then JSON, then events. Lines are bounded; what is not understood is passed over, as both APIs ask of their clients. */
#include "server/remote/remote_reply.h"

#include <jansson.h>

enum { MOST_LINE_BYTES = 1 << 20 };

/* ---- events ---- */

static void start(struct remote_reply *reply)
{
    struct event *event = reply->has_started ? NULL : transcript_event(reply->transcript, EVENT_STARTED);
    if (!event) return;
    event->usage = reply->usage;
    transcript_append(reply->transcript, event);
    reply->has_started = true;
}

static void tell_text(struct remote_reply *reply, const char *text, const char *reasoning)
{
    start(reply);
    if ((!text || !*text) && (!reasoning || !*reasoning)) return;
    struct event *event = transcript_event(reply->transcript, EVENT_DELTA);
    const char *copy = event && text ? transcript_copy(reply->transcript, text, strlen(text)) : NULL;
    const char *thought = event && reasoning ? transcript_copy(reply->transcript, reasoning, strlen(reasoning)) : NULL;
    if (copy) event->text = copy, event->n_text_bytes = strlen(copy);
    if (thought) event->reasoning = thought, event->n_reasoning_bytes = strlen(thought);
    if (event) transcript_append(reply->transcript, event);
}

static void tell_call(struct remote_reply *reply, struct remote_call *call)
{
    if (call->is_told) return;
    call->is_told = true;
    json_t *object = json_pack("{s:s,s:s,s:{s:s,s:s}}", "id", buffer_text(&call->id), "type", "function", "function",
                               "name", buffer_text(&call->name), "arguments",
                               call->arguments.n_bytes ? buffer_text(&call->arguments) : "{}");
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    struct event *event = text ? transcript_event(reply->transcript, EVENT_TOOL_CALL) : NULL;
    if (event) {
        event->n_text_bytes = strlen(text);
        event->text = transcript_copy(reply->transcript, text, event->n_text_bytes);
        if (event->text) transcript_append(reply->transcript, event);
    }
    free(text);
}

static struct remote_call *call_at(struct remote_reply *reply, json_int_t index)
{
    if (index < 0 || index >= REMOTE_MOST_CALLS) return NULL;
    if ((size_t)index >= reply->n_calls) reply->n_calls = (size_t)index + 1;
    return &reply->calls[index];
}

static void add_to(struct buffer *buffer, const json_t *text)
{
    buffer->cap_bytes = MOST_LINE_BYTES;
    if (json_is_string(text)) buffer_append_string(buffer, json_string_value(text));
}

static void fail(struct remote_reply *reply, const json_t *error)
{
    const char *message = json_string_value(json_object_get(error, "message"));
    if (!message) message = json_string_value(error);
    reply->has_failed = true;
    snprintf(reply->failure, sizeof reply->failure, "%.300s", message ? message : "an error without a message");
}

static size_t count_of(const json_t *number)
{
    json_int_t count = json_integer_value(number);
    return count > 0 ? (size_t)count : 0;
}

/* ---- OpenAI ---- */

static void read_calls(struct remote_reply *reply, const json_t *calls)
{
    size_t i;
    const json_t *piece;
    json_array_foreach (calls, i, piece) {
        struct remote_call *call = call_at(reply, json_integer_value(json_object_get(piece, "index")));
        const json_t *function = json_object_get(piece, "function");
        if (!call) continue;
        if (!call->id.n_bytes) add_to(&call->id, json_object_get(piece, "id"));
        if (!call->name.n_bytes) add_to(&call->name, json_object_get(function, "name"));
        add_to(&call->arguments, json_object_get(function, "arguments"));
    }
}

static void read_openai(struct remote_reply *reply, const json_t *chunk)
{
    const json_t *choice = json_array_get(json_object_get(chunk, "choices"), 0),
                 *delta = json_object_get(choice, "delta");
    const json_t *usage = json_object_get(chunk, "usage");
    if (json_object_get(chunk, "error")) fail(reply, json_object_get(chunk, "error"));
    if (json_is_object(usage)) {
        reply->usage.n_prompt_tokens = count_of(json_object_get(usage, "prompt_tokens"));
        reply->usage.n_generated_tokens = count_of(json_object_get(usage, "completion_tokens"));
    }
    if (!choice) return;
    const json_t *text = delta ? json_object_get(delta, "content") : json_object_get(choice, "text");
    tell_text(reply, json_string_value(text), json_string_value(json_object_get(delta, "reasoning_content")));
    read_calls(reply, json_object_get(delta, "tool_calls"));
    const char *finish = json_string_value(json_object_get(choice, "finish_reason"));
    if (!finish) return;
    reply->is_over = true;
    reply->finish = !strcmp(finish, "length") ? HOB_FINISH_LENGTH : HOB_FINISH_END;
}

/* ---- Anthropic ---- */

static void begin_block(struct remote_reply *reply, const json_t *block)
{
    const char *type = json_string_value(json_object_get(block, "type"));
    if (!type || strcmp(type, "tool_use")) return;
    struct remote_call *call = call_at(reply, (json_int_t)reply->n_calls);
    if (!call) return;
    add_to(&call->id, json_object_get(block, "id"));
    add_to(&call->name, json_object_get(block, "name"));
}

static void read_block_delta(struct remote_reply *reply, const json_t *delta)
{
    tell_text(reply, json_string_value(json_object_get(delta, "text")),
              json_string_value(json_object_get(delta, "thinking")));
    if (reply->n_calls) add_to(&reply->calls[reply->n_calls - 1].arguments, json_object_get(delta, "partial_json"));
}

static void read_anthropic(struct remote_reply *reply, const json_t *event)
{
    const char *type = json_string_value(json_object_get(event, "type"));
    const json_t *delta = json_object_get(event, "delta");
    if (!type) return;
    if (!strcmp(type, "error")) fail(reply, json_object_get(event, "error"));
    if (!strcmp(type, "message_start")) {
        const json_t *usage = json_object_get(json_object_get(event, "message"), "usage");
        reply->usage.n_prompt_tokens = count_of(json_object_get(usage, "input_tokens"));
        start(reply);
    }
    if (!strcmp(type, "content_block_start")) begin_block(reply, json_object_get(event, "content_block"));
    if (!strcmp(type, "content_block_delta")) read_block_delta(reply, delta);
    if (!strcmp(type, "message_stop")) reply->is_over = true;
    if (strcmp(type, "message_delta")) return;
    const char *reason = json_string_value(json_object_get(delta, "stop_reason"));
    reply->usage.n_generated_tokens =
        count_of(json_object_get(json_object_get(event, "usage"), "output_tokens"));
    reply->finish = reason && !strcmp(reason, "max_tokens")      ? HOB_FINISH_LENGTH
                    : reason && !strcmp(reason, "stop_sequence") ? HOB_FINISH_STOP
                                                                 : HOB_FINISH_END;
}

/* ---- lines ---- */

static void read_line(struct remote_reply *reply, const char *line)
{
    static const char *const prefix = "data:";
    if (strncmp(line, prefix, strlen(prefix))) return;
    json_t *chunk = json_loads(line + strlen(prefix), 0, NULL); /* "[DONE]" is a list */
    if (json_is_object(chunk)) {
        if (reply->api == CONFIG_API_ANTHROPIC) read_anthropic(reply, chunk);
        else read_openai(reply, chunk);
    }
    json_decref(chunk);
}

void remote_reply_push(struct remote_reply *reply, const char *bytes, size_t n_bytes)
{
    const char *end = bytes + n_bytes;
    reply->line.cap_bytes = MOST_LINE_BYTES;
    while (bytes < end) {
        const char *line_end = memchr(bytes, '\n', (size_t)(end - bytes));
        buffer_append(&reply->line, bytes, (size_t)((line_end ? line_end : end) - bytes));
        if (!line_end) break;
        if (!reply->line.is_failed) read_line(reply, buffer_text(&reply->line));
        buffer_clear(&reply->line);
        reply->line.is_failed = false; /* a line that was too long is lost, those behind it are not */
        bytes = line_end + 1;
    }
}

bool remote_reply_finish(struct remote_reply *reply, struct problem *ret_problem)
{
    if (reply->has_failed) return problem_set(ret_problem, PROBLEM_INTERNAL, "%s", reply->failure);
    if (!reply->is_over) return problem_set(ret_problem, PROBLEM_INTERNAL, "the stream ended before the answer did");
    start(reply);
    for (size_t i = 0; i < reply->n_calls; i++) tell_call(reply, &reply->calls[i]);
    struct event *event = transcript_event(reply->transcript, EVENT_OUTPUT_END);
    if (!event) return problem_set(ret_problem, PROBLEM_NO_MEMORY, "no memory for the answer");
    event->finish = reply->finish;
    event->has_tool_calls = reply->n_calls > 0;
    transcript_append(reply->transcript, event);
    return true;
}

void remote_reply_release(struct remote_reply *reply)
{
    for (size_t i = 0; i < REMOTE_MOST_CALLS; i++) {
        buffer_release(&reply->calls[i].id);
        buffer_release(&reply->calls[i].name);
        buffer_release(&reply->calls[i].arguments);
    }
    buffer_release(&reply->line);
}
