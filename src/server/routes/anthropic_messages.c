/* POST /v1/messages. A reply is a list of blocks: one walk over the job's events opens and closes them, and either streams what happens or
 * only keeps the blocks for a whole reply. */
#include "server/routes/answer_parts.h"
#include "server/routes/api_anthropic.h"
#include "server/routes/generation.h"
#include "server/routes/route.h"
#include "server/routes/sampling.h"

#include "server/models/model_registry.h"

struct inputs {
    const char *model;
    size_t max_tokens;
    bool is_stream;
    const json_t *stop_sequences;
    struct anthropic_prompt prompt;
    struct sampling_fields sampling;
};

#define FIELD(name_, kind_, member, ...)                                                     \
    {                                                                                        \
        .name = name_, .kind = kind_, .offset = offsetof(struct inputs, member), __VA_ARGS__ \
    }

static const struct field_def fields[] = {
    FIELD("model", FIELD_TEXT, model, .help = "a name from /v1/models; without it the default one"),
    FIELD("max_tokens", FIELD_COUNT, max_tokens, .is_required = true, .least = 1, .most = 1e9,
          .help = "most tokens of the reply"),
    ANTHROPIC_PROMPT_FIELDS(struct inputs, prompt),
    FIELD("stop_sequences", FIELD_TEXTS, stop_sequences, .most_items = 64,
          .help = "texts that end the reply; the one that did is in stop_sequence"),
    FIELD("stream", FIELD_BOOL, is_stream, .help = "server-sent events with names"),
    SAMPLING_FIELDS(struct inputs, sampling),
    {.name = "metadata", .kind = FIELD_IGNORED},
    {.name = "service_tier", .kind = FIELD_IGNORED},
};

/* Anthropic's defaults: temperature 1, nothing cut off. */
static const struct inputs defaults = {.model = "", .sampling = SAMPLING_OFF};

static bool set_job(struct inputs *inputs, struct generate_job *generate, struct problem *ret_problem)
{
    generate->job.priority = PRIORITY_CHAT;
    generate->inputs.options.max_tokens = inputs->max_tokens;
    return anthropic_prompt_set(&inputs->prompt, &generate->inputs, &generate->job, ret_problem) &&
           sampling_fields_set(&inputs->sampling, generate, ret_problem) &&
           sampling_set_stops(inputs->stop_sequences, "stop_sequences", generate, ret_problem);
}

/* ---- blocks ---- */

enum block { BLOCK_NONE, BLOCK_THINKING, BLOCK_TEXT };

struct state {
    char id[GENERATION_ID_BYTES];
    enum block open;
    struct buffer text;      /* of the block that is open */
    json_t *content;         /* blocks that are closed */
    const struct event *end; /* of the text */
    bool has_failed;
};

/* out NULL: nobody listens. Takes data. */
static void put(struct buffer *out, const char *name, json_t *data)
{
    if (out) exchange_put_sse(out, name, data);
    else json_decref(data);
}

static json_int_t index_of_next(const struct state *state)
{
    return (json_int_t)json_array_size(state->content);
}

static void put_start(const struct state *state, json_t *block, struct buffer *out)
{
    put(out, "content_block_start",
        json_pack("{s:s,s:I,s:o}", "type", "content_block_start", "index", index_of_next(state), "content_block",
                  block));
}

static void put_delta(const struct state *state, json_t *delta, struct buffer *out)
{
    put(out, "content_block_delta",
        json_pack("{s:s,s:I,s:o}", "type", "content_block_delta", "index", index_of_next(state), "delta", delta));
}

/* Keeps the block, which is taken. */
static void put_stop(struct state *state, json_t *block, struct buffer *out)
{
    put(out, "content_block_stop", json_pack("{s:s,s:I}", "type", "content_block_stop", "index", index_of_next(state)));
    json_array_append_new(state->content, block);
}

static json_t *thinking_block(json_t *thinking)
{
    return json_pack("{s:s,s:o,s:s}", "type", "thinking", "thinking", thinking, "signature", "");
}

static json_t *text_block(json_t *text)
{
    return json_pack("{s:s,s:o}", "type", "text", "text", text);
}

static void close_block(struct state *state, struct buffer *out)
{
    json_t *text = json_text(buffer_text(&state->text), state->text.n_bytes);
    if (state->open == BLOCK_THINKING) {
        put_delta(state, json_pack("{s:s,s:s}", "type", "signature_delta", "signature", ""),
                  out); /* clients send it back; nobody checks it */
        put_stop(state, thinking_block(text), out);
    } else if (state->open == BLOCK_TEXT) put_stop(state, text_block(text), out);
    else json_decref(text);
    buffer_clear(&state->text);
    state->open = BLOCK_NONE;
}

static void open_block(struct state *state, enum block block, struct buffer *out)
{
    if (state->open == block) return;
    close_block(state, out);
    state->open = block;
    put_start(state, block == BLOCK_THINKING ? thinking_block(json_string("")) : text_block(json_string("")), out);
}

static void take_delta(struct state *state, const struct event *event, struct buffer *out)
{
    if (event->n_reasoning_bytes) {
        open_block(state, BLOCK_THINKING, out);
        buffer_append(&state->text, event->reasoning, event->n_reasoning_bytes);
        json_t *thinking = json_text(event->reasoning, event->n_reasoning_bytes);
        put_delta(state, json_pack("{s:s,s:o}", "type", "thinking_delta", "thinking", thinking), out);
    }
    if (event->n_text_bytes) {
        open_block(state, BLOCK_TEXT, out);
        buffer_append(&state->text, event->text, event->n_text_bytes);
        json_t *text = json_text(event->text, event->n_text_bytes);
        put_delta(state, json_pack("{s:s,s:o}", "type", "text_delta", "text", text), out);
    }
}

static void take_call(struct state *state, const struct event *event, struct buffer *out)
{
    json_t *call = json_loadb(event->text, event->n_text_bytes, 0, NULL), *function = json_object_get(call, "function");
    const json_t *id = json_object_get(call, "id"), *name = json_object_get(function, "name");
    const char *arguments = json_string_value(json_object_get(function, "arguments"));
    json_t *input = arguments ? json_loads(arguments, 0, NULL) : NULL;
    close_block(state, out);
    put_start(state, json_pack("{s:s,s:O?,s:O?,s:{}}", "type", "tool_use", "id", id, "name", name, "input"), out);
    put_delta(state, json_pack("{s:s,s:s?}", "type", "input_json_delta", "partial_json", arguments), out);
    put_stop(state,
             json_pack("{s:s,s:O?,s:O?,s:o}", "type", "tool_use", "id", id, "name", name, "input",
                       input ? input : json_object()),
             out);
    json_decref(call);
}

/* ---- messages ---- */

static const char *stop_reason(const struct event *end)
{
    if (!end || end->finish == HOB_FINISH_LENGTH || end->finish == HOB_FINISH_CONTEXT || end->finish == HOB_FINISH_TIME)
        return "max_tokens";
    if (end->has_tool_calls) return "tool_use";
    return end->finish == HOB_FINISH_STOP && end->stop ? "stop_sequence" : "end_turn";
}

/* Cached tokens are counted apart from those that were read. */
static json_t *usage_json(const struct usage *usage)
{
    size_t n_read = usage->n_prompt_tokens - usage->n_cached_tokens;
    return json_pack("{s:I,s:i,s:I,s:I}", "input_tokens", (json_int_t)n_read,
                     "cache_creation_input_tokens", 0, "cache_read_input_tokens", (json_int_t)usage->n_cached_tokens,
                     "output_tokens", (json_int_t)usage->n_generated_tokens);
}

/* end NULL: the message begins. */
static json_t *message_json(struct exchange *exchange, const struct state *state, const struct event *end,
                            const struct usage *usage)
{
    return json_pack("{s:s,s:s,s:s,s:s,s:O,s:s?,s:s?,s:o}", "id", state->id, "type", "message", "role", "assistant",
                     "model", generation_model_name(exchange_job(exchange, 0)), "content", state->content,
                     "stop_reason", end ? stop_reason(end) : NULL, "stop_sequence",
                     end && end->finish == HOB_FINISH_STOP ? end->stop : NULL, "usage", usage_json(usage));
}

static void put_begin(struct exchange *exchange, const struct state *state, const struct event *started,
                      struct buffer *out)
{
    if (!out) return;
    put(out, "message_start",
        json_pack("{s:s,s:o}", "type", "message_start", "message",
                  message_json(exchange, state, NULL, &started->usage)));
    put(out, "ping", json_pack("{s:s}", "type", "ping"));
}

static void take_event(struct exchange *exchange, void *context, size_t job, const struct event *event,
                       struct buffer *out)
{
    struct state *state = context;
    int status;
    (void)job;
    switch (event->kind) {
    case EVENT_STARTED:
        put_begin(exchange, state, event, out);
        break;
    case EVENT_DELTA:
        take_delta(state, event, out);
        break;
    case EVENT_TOOL_CALL:
        take_call(state, event, out);
        break;
    case EVENT_OUTPUT_END:
        close_block(state, out);
        state->end = event;
        break;
    case EVENT_FAILED:
        state->has_failed = true;
        put(out, "error", anthropic_problem(&event->problem, &status));
        break;
    default:
        break;
    }
}

static void put_end(struct exchange *exchange, void *context, struct buffer *out)
{
    const struct state *state = context;
    struct usage usage = generation_usage(exchange);
    if (state->has_failed) return;
    const char *stop = state->end && state->end->finish == HOB_FINISH_STOP ? state->end->stop : NULL;
    put(out, "message_delta",
        json_pack("{s:s,s:{s:s,s:s?},s:o}", "type", "message_delta", "delta", "stop_reason", stop_reason(state->end),
                  "stop_sequence", stop, "usage", usage_json(&usage)));
    put(out, "message_stop", json_pack("{s:s}", "type", "message_stop"));
}

static json_t *whole(struct exchange *exchange, void *context)
{
    struct state *state = context;
    ANSWER_EVENTS(event, exchange, 0) take_event(exchange, state, 0, event, NULL);
    struct usage usage = generation_usage(exchange);
    return message_json(exchange, state, state->end, &usage);
}

static void release(void *context)
{
    struct state *state = context;
    buffer_release(&state->text);
    json_decref(state->content);
}

static const struct answer_def answer = {.stream_type = "text/event-stream",
                                         .event = take_event,
                                         .end = put_end,
                                         .ping = "event: ping\ndata: {\"type\":\"ping\"}\n\n",
                                         .whole = whole,
                                         .release = release};

static bool handle(struct exchange *exchange, struct problem *ret_problem)
{
    struct inputs inputs = defaults;
    inputs.sampling.temperature = 1;
    exchange_set_header(exchange, "request-id", exchange_id(exchange));
    if (!fields_read(exchange_body(exchange), fields, sizeof fields / sizeof fields[0], &inputs, ret_problem))
        return false;
    struct generate_job *generate = generate_job_new(inputs.model);
    if (!exchange_add(exchange, (struct job *)generate, ret_problem) || !set_job(&inputs, generate, ret_problem))
        return false;
    struct state *state = ARENA_NEW(exchange_arena(exchange), struct state, 1);
    if (!state || !(state->content = json_array())) return problem_no_memory(ret_problem);
    generation_id("msg_", state->id);
    exchange_run(exchange, &answer, state, inputs.is_stream);
    return true;
}

const struct route_def route_anthropic_messages = {
    .method = "POST",
    .path = "/v1/messages",
    .api = &api_anthropic,
    .summary = "Answers a conversation in Anthropic's words. Temperature is 1 unless given, as Anthropic's.",
    .fields = fields,
    .n_fields = sizeof fields / sizeof fields[0],
    .reply = "A message with its blocks, or server-sent events from message_start to message_stop.",
    .handle = handle,
};
