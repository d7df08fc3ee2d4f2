#include "server/routes/openai_response_items.h"

#include "server/routes/openai_logprobs.h"

#include <string.h>

bool response_items_init(struct response_items *items, bool has_logprobs)
{
    *items = (struct response_items){.output = json_array(), .logprobs = json_array(), .has_logprobs = has_logprobs};
    return items->output && items->logprobs;
}

void response_items_release(struct response_items *items)
{
    json_decref(items->output);
    json_decref(items->logprobs);
    buffer_release(&items->text);
    hob_pieces_free(items->pieces);
}

void response_items_put(struct response_items *items, const char *type, json_t *fields, struct buffer *out)
{
    if (!out) {
        json_decref(fields);
        return;
    }
    json_t *event = json_pack("{s:s,s:I}", "type", type, "sequence_number", items->sequence++);
    if (fields) json_object_update(event, fields);
    json_decref(fields);
    exchange_put_sse(out, type, event);
}

static json_int_t index_of_open(const struct response_items *items)
{
    return (json_int_t)json_array_size(items->output);
}

/* ---- texts ---- */

static json_t *part_of(const struct response_items *items, enum response_item kind, json_t *text)
{
    if (kind == ITEM_REASONING) return json_pack("{s:s,s:o}", "type", "reasoning_text", "text", text);
    return json_pack("{s:s,s:o,s:[],s:o}", "type", "output_text", "text", text, "annotations", "logprobs",
                     json_copy(items->logprobs));
}

/* content NULL: none yet; taken. */
static json_t *item_of(const struct response_items *items, enum response_item kind, const char *status, json_t *part)
{
    json_t *content = part ? json_pack("[o]", part) : json_array();
    if (kind == ITEM_REASONING)
        return json_pack("{s:s,s:s,s:[],s:o,s:s}", "id", items->id, "type", "reasoning", "summary", "content", content,
                         "status", status);
    return json_pack("{s:s,s:s,s:s,s:s,s:o}", "id", items->id, "type", "message", "status", status, "role", "assistant",
                     "content", content);
}

static void put_item(struct response_items *items, const char *type, json_t *item, struct buffer *out)
{
    response_items_put(items, type, json_pack("{s:I,s:o}", "output_index", index_of_open(items), "item", item), out);
}

/* An event of the open item's only part; name and value: what it carries, which is taken. */
static void put_of_part(struct response_items *items, const char *type, const char *name, json_t *value,
                        struct buffer *out)
{
    json_t *fields = json_pack("{s:s,s:I,s:i,s:o}", "item_id", items->id, "output_index", index_of_open(items),
                               "content_index", 0, name, value);
    response_items_put(items, type, fields, out);
}

static json_t *text_so_far(const struct response_items *items)
{
    return json_text(buffer_text(&items->text), items->text.n_bytes);
}

static void put_text_done(struct response_items *items, struct buffer *out)
{
    bool is_reasoning = items->open == ITEM_REASONING;
    json_t *fields = json_pack("{s:s,s:I,s:i,s:o}", "item_id", items->id, "output_index", index_of_open(items),
                               "content_index", 0, "text", text_so_far(items));
    if (!is_reasoning) json_object_set_new(fields, "logprobs", json_copy(items->logprobs));
    response_items_put(items, is_reasoning ? "response.reasoning_text.done" : "response.output_text.done", fields, out);
}

static void close_item(struct response_items *items, bool is_cut, struct buffer *out)
{
    if (items->open == ITEM_NONE) return;
    json_t *item = item_of(items, items->open, is_cut ? "incomplete" : "completed",
                           part_of(items, items->open, text_so_far(items)));
    put_text_done(items, out);
    put_of_part(items, "response.content_part.done", "part", part_of(items, items->open, text_so_far(items)), out);
    put_item(items, "response.output_item.done", json_incref(item), out);
    json_array_append_new(items->output, item);
    buffer_clear(&items->text);
    json_array_clear(items->logprobs);
    items->open = ITEM_NONE;
}

static void open_item(struct response_items *items, enum response_item kind, struct buffer *out)
{
    if (items->open == kind) return;
    close_item(items, false, out);
    items->open = kind;
    generation_id(kind == ITEM_REASONING ? "rs_" : "msg_", items->id);
    put_item(items, "response.output_item.added", item_of(items, kind, "in_progress", NULL), out);
    put_of_part(items, "response.content_part.added", "part", part_of(items, kind, json_string("")), out);
}

static json_t *logprobs_of(struct response_items *items, const struct job *job, const struct event *event)
{
    if (!items->has_logprobs || event->id == HOB_NO_TOKEN) return json_array();
    if (!items->pieces) items->pieces = generation_pieces(job);
    if (!items->pieces) return json_array();
    json_t *logprob = openai_logprob(items->pieces, generation_tokenizer(job), event);
    json_array_append(items->logprobs, logprob);
    return json_pack("[o]", logprob);
}

static void take_delta(struct response_items *items, const struct job *job, const struct event *event,
                       struct buffer *out)
{
    if (event->n_reasoning_bytes) {
        open_item(items, ITEM_REASONING, out);
        buffer_append(&items->text, event->reasoning, event->n_reasoning_bytes);
        put_of_part(items, "response.reasoning_text.delta", "delta",
                    json_text(event->reasoning, event->n_reasoning_bytes), out);
    }
    if (event->id != HOB_NO_TOKEN && items->open == ITEM_REASONING && !event->n_text_bytes) items->n_reasoning_tokens++;
    if (!event->n_text_bytes) return;
    open_item(items, ITEM_MESSAGE, out);
    buffer_append(&items->text, event->text, event->n_text_bytes);
    json_t *fields = json_pack("{s:s,s:I,s:i,s:o,s:o}", "item_id", items->id, "output_index", index_of_open(items),
                               "content_index", 0, "delta", json_text(event->text, event->n_text_bytes),
                               "logprobs", logprobs_of(items, job, event));
    response_items_put(items, "response.output_text.delta", fields, out);
}

/* ---- calls ---- */

static json_t *call_item(const char *id, const json_t *call, const char *status, const char *arguments)
{
    const char *call_id = json_string_value(json_object_get(call, "id"));
    const char *name = json_string_value(json_object_get(json_object_get(call, "function"), "name"));
    return json_pack("{s:s,s:s,s:s,s:s?,s:s?,s:s}", "id", id, "type", "function_call", "status", status, "call_id",
                     call_id, "name", name, "arguments", arguments);
}

static void put_arguments(struct response_items *items, const char *type, const char *id, const char *name,
                          const char *arguments, struct buffer *out)
{
    response_items_put(items, type,
                       json_pack("{s:s,s:I,s:s}", "item_id", id, "output_index", index_of_open(items), name, arguments),
                       out);
}

static void take_call(struct response_items *items, const struct event *event, struct buffer *out)
{
    char id[GENERATION_ID_BYTES];
    json_t *call = json_loadb(event->text, event->n_text_bytes, 0, NULL);
    const char *text = json_string_value(json_object_get(json_object_get(call, "function"), "arguments")),
               *arguments = text ? text : "";
    close_item(items, false, out);
    generation_id("fc_", id);
    put_item(items, "response.output_item.added", call_item(id, call, "in_progress", ""), out);
    put_arguments(items, "response.function_call_arguments.delta", id, "delta", arguments, out);
    put_arguments(items, "response.function_call_arguments.done", id, "arguments", arguments, out);
    put_item(items, "response.output_item.done", call_item(id, call, "completed", arguments), out);
    json_array_append_new(items->output, call_item(id, call, "completed", arguments));
    json_decref(call);
}

void response_items_take(struct response_items *items, const struct job *job, const struct event *event,
                         struct buffer *out)
{
    if (event->kind == EVENT_DELTA) take_delta(items, job, event, out);
    if (event->kind == EVENT_TOOL_CALL) take_call(items, event, out);
    if (event->kind != EVENT_OUTPUT_END) return;
    bool is_cut =
        event->finish == HOB_FINISH_LENGTH || event->finish == HOB_FINISH_CONTEXT || event->finish == HOB_FINISH_TIME;
    close_item(items, is_cut, out);
    items->end = event;
}
