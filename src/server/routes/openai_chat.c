/* POST /v1/chat/completions: messages by the model's template, reasoning and tool calls told from the reply; n choices of one job. */
#include "server/routes/api_openai.h"
#include "server/routes/chat_inputs.h"
#include "server/routes/job_inputs.h"
#include "server/routes/openai_logprobs.h"
#include "server/routes/route.h"

enum { MOST_CHOICES = 128, MOST_TOP_LOGPROBS = 20, NOT_GIVEN = -2 };

struct inputs {
    const char *model, *reasoning_effort;
    const json_t *messages, *tools, *tool_choice, *format, *stream_options, *variables;
    int64_t max_tokens, max_completion_tokens; /* NOT_GIVEN: as configured */
    size_t n, n_top_logprobs;
    bool is_stream, has_logprobs, has_parallel_calls, continues_final, adds_prompt;
    struct openai_sampling sampling;
    bool includes_usage;
};

#define FIELD(name_, kind_, member, ...)                                                     \
    {                                                                                        \
        .name = name_, .kind = kind_, .offset = offsetof(struct inputs, member), __VA_ARGS__ \
    }

static const struct field_def fields[] = {
    FIELD("model", FIELD_TEXT, model, .help = "a name from /v1/models; without it the default one"),
    FIELD("messages", FIELD_LIST, messages, .is_required = true,
          .help = "objects with a role (system, developer, user, assistant, tool) and content: a text, or parts of "
                  "type text"),
    FIELD("max_completion_tokens", FIELD_INTEGER, max_completion_tokens, .least = -1, .most = 1e9,
          .help = "most tokens of a reply; without it as configured, -1: up to the context's end"),
    FIELD("max_tokens", FIELD_INTEGER, max_tokens, .least = -1, .most = 1e9,
          .help = "the older name of max_completion_tokens"),
    FIELD("n", FIELD_COUNT, n, .least = 1, .most = MOST_CHOICES, .help = "replies to choose from"),
    FIELD("stream", FIELD_BOOL, is_stream, .help = "server-sent events, a chunk for each token"),
    FIELD("stream_options", FIELD_OBJECT, stream_options,
          .help = "{\"include_usage\": true}: a last chunk with the usage"),
    FIELD("logprobs", FIELD_BOOL, has_logprobs, .help = "each token's log-probability"),
    FIELD("top_logprobs", FIELD_COUNT, n_top_logprobs, .least = 0, .most = MOST_TOP_LOGPROBS,
          .help = "with so many of the most probable tokens; wants logprobs"),
    FIELD("response_format", FIELD_OBJECT, format,
          .help = "{\"type\": \"text\" | \"json_object\"}, or json_schema with {\"json_schema\": {\"schema\"}}: the "
                  "reply is JSON of it"),
    FIELD("tools", FIELD_LIST, tools, .help = "functions that the model may call"),
    FIELD("tool_choice", FIELD_ANY, tool_choice,
          .help = "\"auto\", \"none\", \"required\", or {\"type\": \"function\", \"function\": {\"name\"}}"),
    FIELD("parallel_tool_calls", FIELD_BOOL, has_parallel_calls, .help = "false: one call at most"),
    FIELD("reasoning_effort", FIELD_TEXT, reasoning_effort,
          .help = "for templates that know it; \"none\" turns reasoning off where the template can"),
    FIELD("chat_template_kwargs", FIELD_OBJECT, variables,
          .help = "more names for the template, as {\"enable_thinking\": false}"),
    FIELD("add_generation_prompt", FIELD_BOOL, adds_prompt, .help = "false: nothing behind the last message"),
    FIELD("continue_final_message", FIELD_BOOL, continues_final,
          .help = "the reply goes on with the last message, which is the assistant's"),
    OPENAI_SAMPLING_FIELDS(struct inputs, sampling),
    {.name = "user", .kind = FIELD_IGNORED},
    {.name = "metadata", .kind = FIELD_IGNORED},
    {.name = "store", .kind = FIELD_IGNORED, .help = "nothing is stored"},
    {.name = "service_tier", .kind = FIELD_IGNORED},
    {.name = "prompt_cache_key", .kind = FIELD_IGNORED},
    {.name = "safety_identifier", .kind = FIELD_IGNORED},
};

/* ---- reading ---- */

static bool read_inputs(const json_t *body, struct inputs *inputs, struct problem *ret_problem)
{
    if (!fields_read(body, fields, sizeof fields / sizeof fields[0], inputs, ret_problem) ||
        !openai_read_stream_options(inputs->stream_options, &inputs->includes_usage, ret_problem))
        return false;
    if (inputs->n_top_logprobs && !inputs->has_logprobs)
        return problem_set_field(ret_problem, "top_logprobs",
                                 "top_logprobs: found %zu without logprobs, expected logprobs: true",
                                 inputs->n_top_logprobs);
    if (inputs->max_completion_tokens == NOT_GIVEN) inputs->max_completion_tokens = inputs->max_tokens;
    return true;
}

/* Names for the template: what the client gives, and its wish about reasoning in the words that templates know. */
static bool set_variables(const struct inputs *inputs, struct generate_job *generate, struct problem *ret_problem)
{
    if (!inputs->variables && !inputs->reasoning_effort) return true;
    json_t *variables = inputs->variables ? json_copy((json_t *)inputs->variables) : json_object();
    if (inputs->reasoning_effort) {
        json_object_set_new(variables, "reasoning_effort", json_string(inputs->reasoning_effort));
        if (!strcmp(inputs->reasoning_effort, "none")) json_object_set_new(variables, "enable_thinking", json_false());
    }
    bool is_set = inputs_copy_json(&generate->job, variables, &generate->inputs.chat.variables, NULL, ret_problem);
    json_decref(variables);
    return is_set;
}

static bool set_job(const struct inputs *inputs, struct generate_job *generate, struct problem *ret_problem)
{
    struct generate_inputs *to = &generate->inputs;
    struct job *job = &generate->job;
    job->priority = PRIORITY_CHAT;
    if (inputs->max_completion_tokens != NOT_GIVEN) openai_sampling_set_limit(inputs->max_completion_tokens, to);
    to->has_one_call = !inputs->has_parallel_calls;
    to->chat.omits_generation_prompt = !inputs->adds_prompt;
    to->chat.continues_final_message = inputs->continues_final;
    to->options.n_samples = inputs->n;
    to->options.has_logprobs = inputs->has_logprobs;
    to->options.n_top_logprobs = inputs->n_top_logprobs;
    return chat_inputs_check_roles(inputs->messages, ret_problem) &&
           chat_inputs_set_messages(inputs->messages, to, job, ret_problem) &&
           chat_inputs_set_tools(inputs->tools, to, job, ret_problem) &&
           chat_inputs_set_tool_choice(inputs->tool_choice, inputs->tools, to, job, ret_problem) &&
           openai_sampling_set(&inputs->sampling, generate, ret_problem) &&
           chat_inputs_set_format(inputs->format, "response_format", false, to, job, ret_problem) &&
           set_variables(inputs, generate, ret_problem);
}

/* ---- a stream ---- */

struct state {
    struct openai_reply *reply;
    size_t *n_calls; /* of each choice so far */
};

static void put_choice(struct exchange *exchange, struct state *state, size_t index, json_t *delta, json_t *logprobs,
                       const char *finish, struct buffer *out)
{
    json_t *choice = json_pack("{s:I,s:o,s:o,s:s?}", "index", (json_int_t)index, "delta", delta, "logprobs", logprobs,
                               "finish_reason", finish);
    openai_put_choice(exchange, state->reply, 0, choice, out);
}

static void put_begin(struct exchange *exchange, struct state *state, struct buffer *out)
{
    for (size_t i = 0; i < state->reply->n_choices; i++)
        put_choice(exchange, state, i, json_pack("{s:s,s:s,s:n}", "role", "assistant", "content", "", "refusal"),
                   json_null(), NULL, out);
}

/* {"content": […], "refusal": null}, or null where tokens cannot be spelt. */
static json_t *logprobs_of(struct state *state, const struct job *job, const struct event *delta)
{
    hob_pieces *pieces = openai_reply_pieces(state->reply, job);
    if (!pieces) return json_null();
    return json_pack("{s:[o],s:n}", "content", openai_logprob(pieces, generation_tokenizer(job), delta), "refusal");
}

static void put_delta(struct exchange *exchange, struct state *state, const struct event *event, struct buffer *out)
{
    bool has_token = state->reply->has_logprobs && event->id != HOB_NO_TOKEN;
    if (!event->n_text_bytes && !event->n_reasoning_bytes && !has_token) return;
    json_t *delta = json_object();
    if (event->n_reasoning_bytes)
        json_object_set_new(delta, "reasoning_content", json_text(event->reasoning, event->n_reasoning_bytes));
    if (event->n_text_bytes || !event->n_reasoning_bytes)
        json_object_set_new(delta, "content", json_text(event->text, event->n_text_bytes));
    json_t *logprobs = has_token ? logprobs_of(state, exchange_job(exchange, 0), event) : json_null();
    put_choice(exchange, state, event->output, delta, logprobs, NULL, out);
}

/* First the name, then the arguments: clients gather them by index. */
static void put_call(struct exchange *exchange, struct state *state, const struct event *event, struct buffer *out)
{
    json_t *call = json_loadb(event->text, event->n_text_bytes, 0, NULL), *function = json_object_get(call, "function");
    json_int_t index = (json_int_t)state->n_calls[event->output]++;
    json_t *name =
        json_pack("{s:[{s:I,s:O?,s:s,s:{s:O?,s:s}}]}", "tool_calls", "index", index, "id", json_object_get(call, "id"),
                  "type", "function", "function", "name", json_object_get(function, "name"), "arguments", "");
    json_t *arguments = json_pack("{s:[{s:I,s:{s:O?}}]}", "tool_calls", "index", index, "function", "arguments",
                                  json_object_get(function, "arguments"));
    put_choice(exchange, state, event->output, name, json_null(), NULL, out);
    put_choice(exchange, state, event->output, arguments, json_null(), NULL, out);
    json_decref(call);
}

static void put_event(struct exchange *exchange, void *context, size_t job, const struct event *event,
                      struct buffer *out)
{
    struct state *state = context;
    (void)job;
    switch (event->kind) {
    case EVENT_STARTED:
        put_begin(exchange, state, out);
        break;
    case EVENT_DELTA:
        put_delta(exchange, state, event, out);
        break;
    case EVENT_TOOL_CALL:
        put_call(exchange, state, event, out);
        break;
    case EVENT_OUTPUT_END:
        put_choice(exchange, state, event->output, json_object(), json_null(), openai_finish(event), out);
        break;
    case EVENT_FAILED:
        openai_put_failure(state->reply, &event->problem, out);
        break;
    default:
        break;
    }
}

static void put_end(struct exchange *exchange, void *context, struct buffer *out)
{
    openai_put_end(exchange, ((struct state *)context)->reply, out);
}

/* ---- a whole reply ---- */

struct gathered {
    struct buffer content, reasoning;
    json_t *calls, *logprobs;
    const char *finish;
};

static void gather(struct gathered *gathered, struct state *state, const struct job *job, const struct event *event)
{
    if (event->kind == EVENT_OUTPUT_END) gathered->finish = openai_finish(event);
    if (event->kind == EVENT_TOOL_CALL)
        json_append(&gathered->calls, json_loadb(event->text, event->n_text_bytes, 0, NULL));
    if (event->kind != EVENT_DELTA) return;
    buffer_append(&gathered->content, event->text, event->n_text_bytes);
    buffer_append(&gathered->reasoning, event->reasoning, event->n_reasoning_bytes);
    hob_pieces *pieces =
        state->reply->has_logprobs && event->id != HOB_NO_TOKEN ? openai_reply_pieces(state->reply, job) : NULL;
    if (pieces) json_append(&gathered->logprobs, openai_logprob(pieces, generation_tokenizer(job), event));
}

/* Calls alone have null as content. */
static json_t *message_of(const struct gathered *gathered)
{
    bool has_calls = json_array_size(gathered->calls) > 0, has_content = gathered->content.n_bytes || !has_calls;
    json_t *content = has_content ? json_text(buffer_text(&gathered->content), gathered->content.n_bytes) : json_null();
    json_t *message = json_pack("{s:s,s:o,s:n}", "role", "assistant", "content", content, "refusal");
    if (gathered->reasoning.n_bytes)
        json_object_set_new(message, "reasoning_content",
                            json_text(buffer_text(&gathered->reasoning), gathered->reasoning.n_bytes));
    if (has_calls) json_object_set(message, "tool_calls", gathered->calls);
    return message;
}

static json_t *whole_choice(struct exchange *exchange, struct state *state, size_t output)
{
    struct gathered gathered = {.calls = json_array(), .logprobs = json_array(), .finish = "length"};
    const struct transcript *transcript = exchange_transcript(exchange, 0);
    for (const struct event *event = transcript_next(transcript, NULL); event;
         event = transcript_next(transcript, event))
        if (event->output == output) gather(&gathered, state, exchange_job(exchange, 0), event);
    bool is_whole = !gathered.content.is_failed && !gathered.reasoning.is_failed && gathered.calls && gathered.logprobs;
    json_t *logprobs =
        state->reply->has_logprobs ? json_pack("{s:O,s:n}", "content", gathered.logprobs, "refusal") : json_null();
    json_t *choice =
        json_pack("{s:I,s:o,s:o,s:s}", "index", (json_int_t)output, "message", is_whole ? message_of(&gathered) : NULL,
                  "logprobs", logprobs, "finish_reason", gathered.finish);
    json_decref(gathered.calls);
    json_decref(gathered.logprobs);
    buffer_release(&gathered.content);
    buffer_release(&gathered.reasoning);
    return choice;
}

static json_t *whole(struct exchange *exchange, void *context)
{
    struct state *state = context;
    json_t *choices = json_array();
    int failed = 0;
    for (size_t i = 0; i < state->reply->n_choices; i++)
        failed |= json_array_append_new(choices, whole_choice(exchange, state, i));
    if (!failed)
        return openai_add_usage(exchange,
                                openai_envelope(exchange, state->reply, exchange_job(exchange, 0), false, choices));
    json_decref(choices);
    return NULL;
}

static void release(void *context)
{
    openai_reply_release(((struct state *)context)->reply);
}

static const struct answer_def answer = {.stream_type = "text/event-stream",
                                         .event = put_event,
                                         .end = put_end,
                                         .ping = ": ping\n\n",
                                         .whole = whole,
                                         .release = release};

static struct state *new_state(struct exchange *exchange, const struct inputs *inputs)
{
    struct state *state = ARENA_NEW(exchange_arena(exchange), struct state, 1);
    struct openai_reply *reply = openai_reply_new(exchange, "chatcmpl-", "chat.completion", "chat.completion.chunk");
    size_t *n_calls = ARENA_NEW(exchange_arena(exchange), size_t, inputs->n);
    if (!state || !reply || !n_calls) return NULL;
    reply->n_choices = inputs->n;
    reply->includes_usage = inputs->includes_usage;
    reply->has_logprobs = inputs->has_logprobs;
    *state = (struct state){.reply = reply, .n_calls = n_calls};
    return state;
}

static bool handle(struct exchange *exchange, struct problem *ret_problem)
{
    struct inputs inputs = {.model = "",
                            .max_tokens = NOT_GIVEN,
                            .max_completion_tokens = NOT_GIVEN,
                            .n = 1,
                            .has_parallel_calls = true,
                            .adds_prompt = true,
                            .sampling = OPENAI_SAMPLING_DEFAULTS};
    if (!read_inputs(exchange_body(exchange), &inputs, ret_problem)) return false;
    struct generate_job *generate = generate_job_new(inputs.model);
    if (!exchange_add(exchange, (struct job *)generate, ret_problem) || !set_job(&inputs, generate, ret_problem))
        return false;
    struct state *state = new_state(exchange, &inputs);
    if (!state) return problem_no_memory(ret_problem);
    exchange_run(exchange, &answer, state, inputs.is_stream);
    return true;
}

const struct route_def route_openai_chat = {
    .method = "POST",
    .path = "/v1/chat/completions",
    .api = &api_openai,
    .summary =
        "Answers a conversation, with tools and formats where asked for. Temperature is 1 unless given, as OpenAI's.",
    .fields = fields,
    .n_fields = sizeof fields / sizeof fields[0],
    .reply = "A chat.completion with its choices, or server-sent events that end with [DONE].",
    .handle = handle,
};

const struct route_def route_openai_chat_unversioned = {
    .method = "POST",
    .path = "/chat/completions",
    .api = &api_openai,
    .flags = ROUTE_IS_HIDDEN,
    .summary = "As /v1/chat/completions, for clients that are pointed at llama-server without /v1.",
    .fields = fields,
    .n_fields = sizeof fields / sizeof fields[0],
    .reply = "As /v1/chat/completions.",
    .handle = handle,
};
