/* POST /api/chat: messages in Ollama's shape, which is OpenAI's but for the arguments of calls and the names of a few fields. */
#include "server/routes/answer_parts.h"
#include "server/routes/api_ollama.h"
#include "server/routes/chat_inputs.h"

struct inputs {
    struct ollama_fields common;
    const json_t *messages, *tools;
};

static const struct field_def fields[] = {
    OLLAMA_FIELDS(struct inputs, common),
    {.name = "messages",
     .kind = FIELD_LIST,
     .offset = offsetof(struct inputs, messages),
     .help = "role, content, thinking, tool_calls, tool_name; none: the model is only loaded"},
    {.name = "tools", .kind = FIELD_LIST, .offset = offsetof(struct inputs, tools), .help = "functions that the model may call"},
};

/* Ollama's calls have neither id nor type. */
static json_t *openai_calls(const json_t *calls)
{
    size_t i;
    const json_t *call;
    json_t *list = json_array();
    json_array_foreach (calls, i, call) {
        json_t *copy = json_copy((json_t *)call);
        char id[16];
        snprintf(id, sizeof id, "call%05zu", i % 100000);
        if (!json_object_get(copy, "id")) json_put(&copy, "id", json_string(id));
        if (!json_object_get(copy, "type")) json_put(&copy, "type", json_string("function"));
        json_append(&list, copy);
    }
    return list;
}

static void rename_field(json_t **object, const char *from, const char *to)
{
    json_t *value = json_object_get(*object, from);
    if (!value) return;
    json_put(object, to, json_incref(value));
    json_object_del(*object, from);
}

/* Ollama: tool_name is the name; OpenAI's tool messages name a call, which templates can do without. */
static json_t *openai_message(const json_t *message)
{
    json_t *copy = json_copy((json_t *)message);
    rename_field(&copy, "thinking", "reasoning_content");
    rename_field(&copy, "tool_name", "name");
    json_object_del(copy, "images");
    if (!json_object_get(copy, "content")) json_put(&copy, "content", json_string(""));
    const json_t *calls = json_object_get(copy, "tool_calls");
    if (json_is_array(calls)) json_put(&copy, "tool_calls", openai_calls(calls));
    return copy;
}

static bool set_messages(const struct inputs *inputs, struct generate_job *generate, struct problem *ret_problem)
{
    size_t i;
    const json_t *message;
    json_t *list = json_array();
    json_array_foreach (inputs->messages, i, message) {
        const char *fault = !json_is_object(message)                              ? "an object"
                            : json_array_size(json_object_get(message, "images")) ? "no images"
                                                                                  : NULL;
        if (fault) {
            json_decref(list);
            return problem_set_field(ret_problem, "messages", "messages[%zu]: expected %s", i, fault);
        }
        json_append(&list, openai_message(message));
    }
    generate->inputs.kind = PROMPT_CHAT;
    bool is_set = list ? chat_inputs_set_messages(list, &generate->inputs, &generate->job, ret_problem) : problem_no_memory(ret_problem);
    json_decref(list);
    return is_set;
}

static bool fill_in(const struct inputs *inputs, struct generate_job *generate, struct problem *ret_problem)
{
    generate->job.priority = PRIORITY_CHAT;
    if (!ollama_fill_in(&inputs->common, generate, ret_problem) ||
        !chat_inputs_set_tools(inputs->tools, &generate->inputs, &generate->job, ret_problem))
        return false;
    if (json_array_size(inputs->messages)) return set_messages(inputs, generate, ret_problem);
    generate->inputs.text = "";
    generate->inputs.generates_nothing = true;
    return true;
}

static bool handle(struct exchange *exchange, struct problem *ret_problem)
{
    struct inputs inputs = {.common = {.is_stream = true}};
    if (!fields_read(exchange_body(exchange), fields, sizeof fields / sizeof fields[0], &inputs, ret_problem)) return false;
    struct generate_job *generate = generate_job_new(inputs.common.model);
    if (!exchange_add(exchange, (struct job *)generate, ret_problem) || !fill_in(&inputs, generate, ret_problem)) return false;
    return ollama_run(exchange, &inputs.common, generate, true, !json_array_size(inputs.messages), ret_problem);
}

const struct route_def route_ollama_chat = {
    .method = "POST",
    .path = "/api/chat",
    .api = &api_ollama,
    .summary = "Answer a conversation",
    .fields = fields,
    .n_fields = sizeof fields / sizeof fields[0],
    .reply = "A JSON object a line, the last one with done, done_reason, counts and durations in nanoseconds",
    .handle = handle,
};
