/* Anthropic's words into OpenAI's: one message with blocks becomes as many messages as it has parts of another kind. Results of tools come
 * before the user's text beside them, as they answer what the assistant said before. */
#include "server/routes/api_anthropic.h"

#include "server/routes/api.h"
#include "server/routes/chat_inputs.h"
#include "server/routes/generation.h"
#include "server/routes/job_inputs.h"

#include <string.h>

/* ---- errors ---- */

enum { STATUS_OVERLOADED = 529 };

static const struct {
    const char *type;
    int status; /* 0: the kind's own */
} errors[] = {
    [PROBLEM_BAD_REQUEST] = {"invalid_request_error", 0},
    [PROBLEM_CONTEXT] = {"invalid_request_error", 0},
    [PROBLEM_UNAUTHORIZED] = {"authentication_error", 0},
    [PROBLEM_FORBIDDEN] = {"permission_error", 0},
    [PROBLEM_NO_ROUTE] = {"not_found_error", 0},
    [PROBLEM_NO_MODEL] = {"not_found_error", 0},
    [PROBLEM_BAD_METHOD] = {"invalid_request_error", 0},
    [PROBLEM_TOO_SLOW] = {"timeout_error", 0},
    [PROBLEM_TOO_LARGE] = {"request_too_large", 0},
    [PROBLEM_BAD_TYPE] = {"invalid_request_error", 0},
    [PROBLEM_UNPROCESSABLE] = {"invalid_request_error", 0},
    [PROBLEM_BUSY] = {"rate_limit_error", 0},
    [PROBLEM_CANCELLED] = {"api_error", 0},
    [PROBLEM_INTERNAL] = {"api_error", 0},
    [PROBLEM_UNSUPPORTED] = {"invalid_request_error", 400},
    [PROBLEM_LOADING] = {"overloaded_error", STATUS_OVERLOADED},
    [PROBLEM_DEADLINE] = {"timeout_error", 0},
    [PROBLEM_NO_MEMORY] = {"api_error", 500},
};

json_t *anthropic_problem(const struct problem *problem, int *ret_status)
{
    *ret_status = errors[problem->kind].status;
    return json_pack("{s:s,s:{s:s,s:o}}", "type", "error", "error", "type", errors[problem->kind].type, "message",
                     api_message(problem));
}

const struct api_def api_anthropic = {.name = "Anthropic", .problem = anthropic_problem};

/* ---- conversations ---- */

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static bool is_type(const json_t *block, const char *type)
{
    return !strcmp(text_of(block, "type"), type);
}

/* What one message of blocks becomes, while it is read. */
struct reading {
    char place[48]; /* "messages[3].content" */
    const char *field;
    json_t *out;       /* OpenAI's messages */
    json_t *texts;     /* parts of text of this message */
    json_t *calls;     /* of the assistant */
    json_t *reasoning; /* NULL: none */
    struct problem *problem;
};

static bool append(struct reading *reading, json_t *list, json_t *item)
{
    return json_array_append_new(list, item) == 0 || problem_no_memory(reading->problem);
}

static bool refuse(struct reading *reading, size_t i, const char *found, const char *expected)
{
    return problem_set_field(reading->problem, reading->field, "%s[%zu].type: found \"%.40s\", expected %s",
                             reading->place, i, found, expected);
}

static bool read_text(struct reading *reading, const json_t *block, size_t i)
{
    const json_t *text = json_object_get(block, "text");
    if (!json_is_string(text))
        return problem_set_field(reading->problem, reading->field, "%s[%zu].text: expected a text", reading->place, i);
    return append(reading, reading->texts, json_pack("{s:s,s:O}", "type", "text", "text", text));
}

static bool read_call(struct reading *reading, const json_t *block, size_t i)
{
    const json_t *input = json_object_get(block, "input");
    if (!*text_of(block, "id") || !*text_of(block, "name") || !json_is_object(input))
        return problem_set_field(reading->problem, reading->field,
                                 "%s[%zu]: expected a tool_use with id, name and an object as input", reading->place,
                                 i);
    char *arguments = json_dumps(input, JSON_COMPACT);
    bool is_read = append(reading, reading->calls,
                          json_pack("{s:s,s:s,s:{s:s,s:s?}}", "id", text_of(block, "id"), "type", "function",
                                    "function", "name", text_of(block, "name"), "arguments", arguments));
    free(arguments);
    return is_read;
}

/* The text of a result: as it is, or its parts behind each other. */
static bool read_result_text(struct reading *reading, const json_t *content, size_t i, struct buffer *ret_text)
{
    const json_t *part;
    size_t j;
    if (json_is_string(content)) buffer_append(ret_text, json_string_value(content), json_string_length(content));
    json_array_foreach (content, j, part) {
        if (!is_type(part, "text"))
            return refuse(reading, i, text_of(part, "type"), "a tool_result of \"text\": the model reads text only");
        if (j) buffer_append_byte(ret_text, '\n');
        buffer_append_string(ret_text, text_of(part, "text"));
    }
    return !ret_text->is_failed || problem_no_memory(reading->problem);
}

static bool read_result(struct reading *reading, const json_t *block, size_t i)
{
    struct buffer text = {0};
    if (!*text_of(block, "tool_use_id"))
        return problem_set_field(reading->problem, reading->field, "%s[%zu].tool_use_id: expected a text",
                                 reading->place, i);
    if (json_is_true(json_object_get(block, "is_error"))) buffer_append_string(&text, "Error: ");
    bool is_read = read_result_text(reading, json_object_get(block, "content"), i, &text) &&
                   append(reading, reading->out,
                          json_pack("{s:s,s:s,s:o}", "role", "tool", "tool_call_id", text_of(block, "tool_use_id"),
                                    "content", json_text(buffer_text(&text), text.n_bytes)));
    buffer_release(&text);
    return is_read;
}

static bool read_block(struct reading *reading, const json_t *block, size_t i, bool is_assistant)
{
    if (is_type(block, "text")) return read_text(reading, block, i);
    if (is_assistant && is_type(block, "tool_use")) return read_call(reading, block, i);
    if (is_assistant && is_type(block, "thinking")) {
        json_decref(reading->reasoning);
        reading->reasoning = json_incref(json_object_get(block, "thinking"));
        return true;
    }
    if (is_assistant && is_type(block, "redacted_thinking")) return true; /* nobody here can read it */
    if (!is_assistant && is_type(block, "tool_result")) return read_result(reading, block, i);
    return refuse(reading, i, text_of(block, "type"),
                  is_assistant ? "text, tool_use or thinking" : "text or tool_result: the model reads text only");
}

static bool put_message(struct reading *reading, const char *role)
{
    json_t *message = json_pack("{s:s}", "role", role);
    bool has_texts = json_array_size(reading->texts) > 0, has_calls = json_array_size(reading->calls) > 0;
    if (has_texts) json_object_set(message, "content", reading->texts);
    else json_object_set_new(message, "content", has_calls ? json_null() : json_string(""));
    if (has_calls) json_object_set(message, "tool_calls", reading->calls);
    if (reading->reasoning) json_object_set(message, "reasoning_content", reading->reasoning);
    return append(reading, reading->out, message);
}

/* content: blocks of one message. */
static bool read_blocks(struct reading *reading, const json_t *content, const char *role)
{
    const json_t *block;
    size_t i, n_before = json_array_size(reading->out);
    bool is_read = true, is_assistant = !strcmp(role, "assistant");
    reading->texts = json_array();
    reading->calls = json_array();
    json_array_foreach (content, i, block) is_read = is_read && read_block(reading, block, i, is_assistant);
    bool is_all_results = json_array_size(reading->out) > n_before && !json_array_size(reading->texts);
    if (is_read && !is_all_results) is_read = put_message(reading, role);
    json_decref(reading->texts);
    json_decref(reading->calls);
    json_decref(reading->reasoning);
    reading->texts = reading->calls = reading->reasoning = NULL;
    return is_read;
}

static bool read_message(struct reading *reading, const json_t *message, size_t index)
{
    const json_t *content = json_object_get(message, "content");
    const char *role = text_of(message, "role");
    snprintf(reading->place, sizeof reading->place, "messages[%zu].content", index);
    if (strcmp(role, "user") != 0 && strcmp(role, "assistant") != 0 && strcmp(role, "system") != 0)
        return problem_set_field(reading->problem, "messages",
                                 "messages[%zu].role: found \"%.40s\", expected user or assistant", index, role);
    if (json_is_string(content))
        return append(reading, reading->out, json_pack("{s:s,s:O}", "role", role, "content", content));
    if (json_is_array(content)) return read_blocks(reading, content, role);
    return problem_set_field(reading->problem, "messages", "%s: expected a text or a list of blocks", reading->place);
}

static bool read_system(struct reading *reading, const json_t *system)
{
    struct reading of_system = {.place = "system", .field = "system", .out = reading->out, .problem = reading->problem};
    if (!system) return true;
    if (json_is_string(system))
        return append(reading, reading->out, json_pack("{s:s,s:O}", "role", "system", "content", system));
    if (json_is_array(system)) return read_blocks(&of_system, system, "system");
    return problem_set_field(reading->problem, "system", "system: expected a text or a list of blocks of text");
}

/* ret_messages: in OpenAI's words; to be released also on failure. */
static bool read_messages(const struct anthropic_prompt *prompt, json_t *ret_messages, struct problem *ret_problem)
{
    struct reading reading = {.field = "messages", .out = ret_messages, .problem = ret_problem};
    const json_t *message;
    size_t i;
    if (!json_array_size(prompt->messages))
        return problem_set_field(ret_problem, "messages", "messages: found none, expected at least one");
    if (!read_system(&reading, prompt->system)) return false;
    json_array_foreach (prompt->messages, i, message)
        if (!read_message(&reading, message, i)) return false;
    return true;
}

/* An assistant's message at the end is the beginning of the reply. */
static void set_prefill(const struct anthropic_prompt *prompt, struct generate_inputs *inputs)
{
    const json_t *last = json_array_get(prompt->messages, json_array_size(prompt->messages) - 1);
    inputs->chat.continues_final_message = !strcmp(text_of(last, "role"), "assistant");
}

/* ---- tools ---- */

static bool read_tools(const json_t *tools, json_t *ret_tools, struct problem *ret_problem)
{
    const json_t *tool;
    size_t i;
    json_array_foreach (tools, i, tool) {
        const char *type = text_of(tool, "type");
        if (*type && strcmp(type, "custom") != 0)
            return problem_set_field(ret_problem, "tools",
                                     "tools[%zu].type: found \"%.40s\", expected \"custom\": hob runs no tools itself",
                                     i, type);
        if (!*text_of(tool, "name"))
            return problem_set_field(ret_problem, "tools", "tools[%zu].name: expected a text", i);
        if (!json_is_object(json_object_get(tool, "input_schema")))
            return problem_set_field(ret_problem, "tools", "tools[%zu].input_schema: expected a JSON Schema: an object",
                                     i);
        json_t *function = json_pack("{s:s,s:s,s:O}", "name", text_of(tool, "name"), "description",
                                     text_of(tool, "description"), "parameters", json_object_get(tool, "input_schema"));
        if (json_array_append_new(ret_tools, json_pack("{s:s,s:o}", "type", "function", "function", function)) != 0)
            return problem_no_memory(ret_problem);
    }
    return true;
}

/* OpenAI's tool_choice; NULL: the default. */
static bool read_choice(const json_t *choice, json_t **ret_choice, struct problem *ret_problem)
{
    static const char *const words[][2] = {{"auto", "auto"}, {"any", "required"}, {"none", "none"}};
    const char *type = text_of(choice, "type");
    json_t *found = NULL;
    if (!choice) return true;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (!strcmp(type, words[i][0])) found = json_string(words[i][1]);
    if (!strcmp(type, "tool"))
        found = json_pack("{s:s,s:{s:s}}", "type", "function", "function", "name", text_of(choice, "name"));
    if (!found)
        return problem_set_field(ret_problem, "tool_choice",
                                 "tool_choice.type: found \"%.40s\", expected auto, any, tool or none", type);
    *ret_choice = found;
    return true;
}

static bool set_tools(const struct anthropic_prompt *prompt, struct generate_inputs *inputs, struct job *job,
                      struct problem *ret_problem)
{
    json_t *tools = json_array(), *choice = NULL;
    bool is_set = read_tools(prompt->tools, tools, ret_problem) &&
                  read_choice(prompt->tool_choice, &choice, ret_problem) &&
                  chat_inputs_set_tools(tools, inputs, job, ret_problem) &&
                  chat_inputs_set_tool_choice(choice, tools, inputs, job, ret_problem);
    inputs->has_one_call = json_is_true(json_object_get(prompt->tool_choice, "disable_parallel_tool_use"));
    json_decref(tools);
    json_decref(choice);
    return is_set;
}

/* ---- all ---- */

static bool set_thinking(const json_t *thinking, struct generate_inputs *inputs, struct job *job,
                         struct problem *ret_problem)
{
    bool is_disabled = is_type(thinking, "disabled");
    if (!thinking) return true;
    if (!is_disabled && !is_type(thinking, "enabled") && !is_type(thinking, "adaptive"))
        return problem_set_field(ret_problem, "thinking",
                                 "thinking.type: found \"%.40s\", expected enabled, adaptive or disabled",
                                 text_of(thinking, "type"));
    const char *variables = is_disabled ? "{\"enable_thinking\":false}" : "{\"enable_thinking\":true}";
    inputs->chat.variables = job_copy(job, variables, strlen(variables));
    return inputs->chat.variables || problem_no_memory(ret_problem);
}

bool anthropic_prompt_set(const struct anthropic_prompt *prompt, struct generate_inputs *inputs, struct job *job,
                          struct problem *ret_problem)
{
    json_t *messages = json_array();
    bool is_set =
        read_messages(prompt, messages, ret_problem) && chat_inputs_set_messages(messages, inputs, job, ret_problem);
    json_decref(messages);
    if (!is_set) return false;
    set_prefill(prompt, inputs);
    return set_tools(prompt, inputs, job, ret_problem) && set_thinking(prompt->thinking, inputs, job, ret_problem);
}
