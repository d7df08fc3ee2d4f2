/* POST /v1/responses without state: each request brings its whole conversation, and nothing is kept of it. */
#include "server/models/model_registry.h"
#include "server/routes/answer_parts.h"
#include "server/routes/api_openai.h"
#include "server/routes/chat_inputs.h"
#include "server/routes/job_inputs.h"
#include "server/routes/openai_response_input.h"
#include "server/routes/openai_response_items.h"
#include "server/routes/route.h"

enum { MOST_TOP_LOGPROBS = 20 };

struct inputs {
    const char *model, *instructions, *previous_id;
    const json_t *input, *tools, *tool_choice, *text, *reasoning, *include, *conversation, *metadata;
    int64_t max_tokens; /* -1: as configured */
    size_t n_top_logprobs;
    bool is_stream, is_stored, is_background, has_parallel_calls;
    struct openai_sampling sampling;
};

#define FIELD(name_, kind_, member, ...)                                                     \
    {                                                                                        \
        .name = name_, .kind = kind_, .offset = offsetof(struct inputs, member), __VA_ARGS__ \
    }

static const struct field_def fields[] = {
    FIELD("model", FIELD_TEXT, model, .help = "a name from /v1/models; without it the default one"),
    FIELD("input", FIELD_ANY, input, .is_required = true,
          .help = "a text, or items: message, function_call, function_call_output, reasoning"),
    FIELD("instructions", FIELD_TEXT, instructions, .help = "the system message"),
    FIELD("max_output_tokens", FIELD_INTEGER, max_tokens, .least = 1, .most = 1e9,
          .help = "most tokens; without it as configured"),
    FIELD("tools", FIELD_LIST, tools, .help = "functions: type, name, description, parameters side by side"),
    FIELD("tool_choice", FIELD_ANY, tool_choice,
          .help = "\"auto\", \"none\", \"required\", or {\"type\": \"function\", \"name\"}"),
    FIELD("parallel_tool_calls", FIELD_BOOL, has_parallel_calls, .help = "false: one call at most"),
    FIELD("text", FIELD_OBJECT, text,
          .help = "{\"format\": {\"type\": \"text\" | \"json_object\"}}, or json_schema with its schema"),
    FIELD("reasoning", FIELD_OBJECT, reasoning,
          .help = "{\"effort\"}: for templates that know it; \"none\" turns reasoning off where the template can"),
    FIELD("include", FIELD_LIST, include, .help = "\"message.output_text.logprobs\": each token's log-probability"),
    FIELD("top_logprobs", FIELD_COUNT, n_top_logprobs, .least = 0, .most = MOST_TOP_LOGPROBS,
          .help = "with so many of the most probable tokens"),
    FIELD("stream", FIELD_BOOL, is_stream, .help = "server-sent events with names"),
    FIELD("store", FIELD_BOOL, is_stored, .help = "true is refused: nothing is stored"),
    FIELD("previous_response_id", FIELD_TEXT, previous_id, .help = "refused: nothing is stored"),
    FIELD("conversation", FIELD_ANY, conversation, .help = "refused: nothing is stored"),
    FIELD("background", FIELD_BOOL, is_background, .help = "true is refused: nothing is stored"),
    FIELD("metadata", FIELD_OBJECT, metadata, .help = "comes back as it is"),
    OPENAI_SAMPLING_FIELDS(struct inputs, sampling),
    {.name = "user", .kind = FIELD_IGNORED},
    {.name = "truncation", .kind = FIELD_IGNORED, .help = "nothing is cut silently: what is too long is an error"},
    {.name = "service_tier", .kind = FIELD_IGNORED},
    {.name = "prompt_cache_key", .kind = FIELD_IGNORED},
    {.name = "safety_identifier", .kind = FIELD_IGNORED},
};

/* ---- reading ---- */

static bool refuse_state(const struct inputs *inputs, struct problem *ret_problem)
{
    const char *field = inputs->is_stored      ? "store"
                        : inputs->previous_id  ? "previous_response_id"
                        : inputs->conversation ? "conversation"
                                               : NULL;
    if (inputs->is_background) field = "background";
    if (!field) return true;
    return problem_set_field(ret_problem, field,
                             "%s: nothing is stored here: please send the whole conversation as input, without %s",
                             field, field);
}

static bool wants_logprobs(const struct inputs *inputs)
{
    const json_t *word;
    size_t i;
    json_array_foreach (inputs->include, i, word)
        if (json_is_string(word) && !strcmp(json_string_value(word), "message.output_text.logprobs")) return true;
    return inputs->n_top_logprobs > 0;
}

static bool set_messages(const struct inputs *inputs, struct generate_job *generate, struct problem *ret_problem)
{
    json_t *messages = response_input_messages(inputs->input, inputs->instructions, ret_problem);
    bool is_set = messages && chat_inputs_check_roles(messages, ret_problem) &&
                  chat_inputs_set_messages(messages, &generate->inputs, &generate->job, ret_problem);
    if (!is_set && ret_problem->field)
        ret_problem->field = "input"; /* not "messages", which is the chat's name for it */
    json_decref(messages);
    return is_set;
}

static bool set_tools(const struct inputs *inputs, struct generate_job *generate, struct problem *ret_problem)
{
    json_t *tools = response_input_tools(inputs->tools, ret_problem), *choice = NULL;
    bool is_set = tools && chat_inputs_set_tools(tools, &generate->inputs, &generate->job, ret_problem);
    if (is_set && inputs->tool_choice) is_set = (choice = response_input_choice(inputs->tool_choice, ret_problem));
    is_set = is_set && chat_inputs_set_tool_choice(choice, tools, &generate->inputs, &generate->job, ret_problem);
    json_decref(tools);
    json_decref(choice);
    return is_set;
}

static bool set_effort(const json_t *reasoning, struct generate_job *generate, struct problem *ret_problem)
{
    const char *effort = json_string_value(json_object_get(reasoning, "effort"));
    if (!effort) return true;
    json_t *variables = json_pack("{s:s}", "reasoning_effort", effort);
    if (!strcmp(effort, "none")) json_object_set_new(variables, "enable_thinking", json_false());
    bool is_set = inputs_copy_json(&generate->job, variables, &generate->inputs.chat.variables, NULL, ret_problem);
    json_decref(variables);
    return is_set;
}

static bool set_job(const struct inputs *inputs, struct generate_job *generate, struct problem *ret_problem)
{
    struct generate_inputs *to = &generate->inputs;
    generate->job.priority = PRIORITY_CHAT;
    to->options.max_tokens = inputs->max_tokens > 0 ? (size_t)inputs->max_tokens : 0;
    to->options.has_logprobs = wants_logprobs(inputs);
    to->options.n_top_logprobs = inputs->n_top_logprobs;
    to->has_one_call = !inputs->has_parallel_calls;
    return set_messages(inputs, generate, ret_problem) && set_tools(inputs, generate, ret_problem) &&
           openai_sampling_set(&inputs->sampling, generate, ret_problem) &&
           chat_inputs_set_format(json_object_get(inputs->text, "format"), "text.format", true, to, &generate->job,
                                  ret_problem) &&
           set_effort(inputs->reasoning, generate, ret_problem);
}

/* ---- answering ---- */

struct state {
    char id[GENERATION_ID_BYTES];
    struct response_items items;
    json_t *asked; /* what the response repeats of the request */
    bool has_begun, has_failed;
};

static json_t *usage_json(const struct state *state, const struct usage *usage)
{
    return json_pack("{s:I,s:{s:I},s:I,s:{s:I},s:I}", "input_tokens", (json_int_t)usage->n_prompt_tokens,
                     "input_tokens_details", "cached_tokens", (json_int_t)usage->n_cached_tokens, "output_tokens",
                     (json_int_t)usage->n_generated_tokens, "output_tokens_details", "reasoning_tokens",
                     (json_int_t)state->items.n_reasoning_tokens, "total_tokens",
                     (json_int_t)usage->n_prompt_tokens + (json_int_t)usage->n_generated_tokens);
}

/* incomplete: why it is; NULL: it is not. error and usage may be NULL, and are taken. */
static json_t *response(struct exchange *exchange, const struct state *state, const char *status,
                        const char *incomplete, json_t *error, json_t *usage)
{
    json_t *details = incomplete ? json_pack("{s:s}", "reason", incomplete) : json_null();
    json_t *json = json_pack("{s:s,s:s,s:I,s:s,s:b,s:o,s:o,s:s,s:O,s:n,s:b,s:s,s:o}", "id", state->id, "object",
                             "response", "created_at", (json_int_t)exchange_now_s(exchange), "status", status,
                             "background", false, "error", error ? error : json_null(), "incomplete_details", details,
                             "model", generation_model_name(exchange_job(exchange, 0)), "output", state->items.output,
                             "previous_response_id", "store", false, "truncation", "disabled", "usage",
                             usage ? usage : json_null());
    if (!json || json_object_update(json, state->asked) == 0) return json;
    json_decref(json);
    return NULL;
}

/* Clients want it before anything else, failures too. */
static void put_begin(struct exchange *exchange, struct state *state, struct buffer *out)
{
    if (state->has_begun) return;
    state->has_begun = true;
    response_items_put(&state->items, "response.created",
                       json_pack("{s:o}", "response", response(exchange, state, "in_progress", NULL, NULL, NULL)), out);
    response_items_put(&state->items, "response.in_progress",
                       json_pack("{s:o}", "response", response(exchange, state, "in_progress", NULL, NULL, NULL)), out);
}

static void put_failure(struct exchange *exchange, struct state *state, const struct problem *problem,
                        struct buffer *out)
{
    const char *code = problem->kind == PROBLEM_BUSY ? "rate_limit_exceeded" : "server_error";
    json_t *error = json_pack("{s:s,s:o}", "code", code, "message", api_message(problem));
    state->has_failed = true;
    put_begin(exchange, state, out);
    response_items_put(&state->items, "response.failed",
                       json_pack("{s:o}", "response", response(exchange, state, "failed", NULL, error, NULL)), out);
}

static void put_event(struct exchange *exchange, void *context, size_t job, const struct event *event,
                      struct buffer *out)
{
    struct state *state = context;
    if (event->kind == EVENT_STARTED) put_begin(exchange, state, out);
    else if (event->kind == EVENT_FAILED) put_failure(exchange, state, &event->problem, out);
    else response_items_take(&state->items, exchange_job(exchange, job), event, out);
}

static json_t *finished(struct exchange *exchange, const struct state *state, bool *ret_is_complete)
{
    const struct event *end = state->items.end;
    struct usage usage = generation_usage(exchange);
    *ret_is_complete = end && strcmp(openai_finish(end), "length") != 0;
    return response(exchange, state, *ret_is_complete ? "completed" : "incomplete",
                    *ret_is_complete ? NULL : "max_output_tokens", NULL, usage_json(state, &usage));
}

static void put_end(struct exchange *exchange, void *context, struct buffer *out)
{
    struct state *state = context;
    bool is_complete;
    if (state->has_failed) return;
    json_t *whole = finished(exchange, state, &is_complete);
    response_items_put(&state->items, is_complete ? "response.completed" : "response.incomplete",
                       json_pack("{s:o}", "response", whole), out);
}

static json_t *whole(struct exchange *exchange, void *context)
{
    struct state *state = context;
    bool is_complete;
    ANSWER_EVENTS(event, exchange, 0) response_items_take(&state->items, exchange_job(exchange, 0), event, NULL);
    return finished(exchange, state, &is_complete);
}

static void release(void *context)
{
    struct state *state = context;
    response_items_release(&state->items);
    json_decref(state->asked);
}

static const struct answer_def answer = {.stream_type = "text/event-stream",
                                         .event = put_event,
                                         .end = put_end,
                                         .ping = ": ping\n\n",
                                         .whole = whole,
                                         .release = release};

static json_t *given_or(const json_t *value, json_t *otherwise)
{
    if (!value) return otherwise;
    json_decref(otherwise);
    return json_incref((json_t *)value);
}

/* What clients read back: the request's fields and the defaults of those it left out. */
static json_t *asked_for(const struct inputs *inputs)
{
    json_t *limit = inputs->max_tokens > 0 ? json_integer(inputs->max_tokens) : json_null();
    return json_pack("{s:s?,s:o,s:b,s:f,s:f,s:o,s:o,s:o,s:o,s:o}", "instructions", inputs->instructions,
                     "max_output_tokens", limit, "parallel_tool_calls", (int)inputs->has_parallel_calls, "temperature",
                     inputs->sampling.shared.temperature, "top_p", inputs->sampling.shared.top_p, "tools",
                     given_or(inputs->tools, json_array()), "tool_choice",
                     given_or(inputs->tool_choice, json_string("auto")), "text",
                     given_or(inputs->text, json_pack("{s:{s:s}}", "format", "type", "text")), "reasoning",
                     given_or(inputs->reasoning, json_pack("{s:n,s:n}", "effort", "summary")), "metadata",
                     given_or(inputs->metadata, json_object()));
}

static bool handle(struct exchange *exchange, struct problem *ret_problem)
{
    struct inputs inputs = {
        .model = "", .max_tokens = -1, .has_parallel_calls = true, .sampling = OPENAI_SAMPLING_DEFAULTS};
    if (!fields_read(exchange_body(exchange), fields, sizeof fields / sizeof fields[0], &inputs, ret_problem) ||
        !refuse_state(&inputs, ret_problem))
        return false;
    struct generate_job *generate = generate_job_new(inputs.model);
    if (!exchange_add(exchange, (struct job *)generate, ret_problem) || !set_job(&inputs, generate, ret_problem))
        return false;
    struct state *state = ARENA_NEW(exchange_arena(exchange), struct state, 1);
    if (!state) return problem_no_memory(ret_problem);
    state->asked = asked_for(&inputs);
    if (!response_items_init(&state->items, generate->inputs.options.has_logprobs) || !state->asked) {
        release(state);
        return problem_no_memory(ret_problem);
    }
    generation_id("resp_", state->id);
    exchange_run(exchange, &answer, state, inputs.is_stream);
    return true;
}

const struct route_def route_openai_responses = {
    .method = "POST",
    .path = "/v1/responses",
    .api = &api_openai,
    .summary =
        "Answers a conversation by a list of items; nothing is stored. Temperature is 1 unless given, as OpenAI's.",
    .fields = fields,
    .n_fields = sizeof fields / sizeof fields[0],
    .reply = "A response with its output items, or server-sent events from response.created to response.completed.",
    .handle = handle,
};
