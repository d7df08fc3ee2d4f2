#include "server/routes/chat_inputs.h"

#include "server/routes/generation.h"
#include "server/routes/job_inputs.h"

#include <string.h>

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

/* ---- messages ---- */

/* Templates work on C's texts. */
static bool has_nul(const json_t *text)
{
    return json_is_string(text) && strlen(json_string_value(text)) != json_string_length(text);
}

static bool check_part(const json_t *part, size_t message, size_t i, struct problem *ret_problem)
{
    const char *type = text_of(part, "type");
    if (has_nul(json_object_get(part, "text")))
        return problem_set_field(ret_problem, "messages",
                                 "messages[%zu].content[%zu].text: found a NUL character, expected none", message, i);
    if (!strcmp(type, "text") && json_is_string(json_object_get(part, "text"))) return true;
    if (!strcmp(type, "refusal") && json_is_string(json_object_get(part, "refusal"))) return true;
    if (!strcmp(type, "text"))
        return problem_set_field(ret_problem, "messages", "messages[%zu].content[%zu].text: expected a text", message,
                                 i);
    return problem_set_field(
        ret_problem, "messages",
        "messages[%zu].content[%zu].type: found \"%.40s\", expected \"text\": the model reads text only", message, i,
        type);
}

static bool check_content(const json_t *message, size_t index, struct problem *ret_problem)
{
    const json_t *content = json_object_get(message, "content"), *part;
    size_t i;
    if (has_nul(content))
        return problem_set_field(ret_problem, "messages", "messages[%zu].content: found a NUL character, expected none",
                                 index);
    bool may_lack = !strcmp(text_of(message, "role"), "assistant");
    if (json_is_string(content) || (may_lack && (!content || json_is_null(content)))) return true;
    if (!json_is_array(content))
        return problem_set_field(ret_problem, "messages", "messages[%zu].content: expected a text or a list of parts",
                                 index);
    json_array_foreach (content, i, part)
        if (!check_part(part, index, i, ret_problem)) return false;
    return true;
}

static bool check_message(const json_t *message, size_t index, struct problem *ret_problem)
{
    if (!json_is_object(message))
        return problem_set_field(ret_problem, "messages", "messages[%zu]: expected an object", index);
    if (!*text_of(message, "role"))
        return problem_set_field(ret_problem, "messages", "messages[%zu].role: expected a text", index);
    return check_content(message, index, ret_problem);
}

static bool is_role(const char *role)
{
    static const char *const roles[] = {"system", "developer", "user", "assistant", "tool", "function"};
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (!strcmp(role, roles[i])) return true;
    return false;
}

bool chat_inputs_check_roles(const json_t *messages, struct problem *ret_problem)
{
    const json_t *message;
    size_t i;
    json_array_foreach (messages, i, message)
        if (*text_of(message, "role") && !is_role(text_of(message, "role")))
            return problem_set_field(
                ret_problem, "messages",
                "messages[%zu].role: found \"%.40s\", expected system, developer, user, assistant or tool", i,
                text_of(message, "role"));
    return true;
}

/* Refusals are said by somebody: text as all other. NULL: memory is out. */
static json_t *plain_parts(const json_t *parts)
{
    json_t *plain = json_array();
    const json_t *part;
    size_t i;
    int failed = 0;
    json_array_foreach (parts, i, part) {
        const json_t *text = json_object_get(part, json_object_get(part, "text") ? "text" : "refusal");
        failed |= json_array_append_new(plain, json_pack("{s:s,s:O}", "type", "text", "text", text));
    }
    if (!failed) return plain;
    json_decref(plain);
    return NULL;
}

/* Templates know no developers: they are the system's voice; and many take any content for a text, where an assistant who only calls tools
 * has null. NULL: memory is out. */
static json_t *plain_message(const json_t *message)
{
    json_t *plain = json_copy((json_t *)message);
    const json_t *content = json_object_get(message, "content");
    int failed = 0;
    if (!strcmp(text_of(message, "role"), "developer"))
        failed |= json_object_set_new(plain, "role", json_string("system"));
    if (json_is_array(content)) failed |= json_object_set_new(plain, "content", plain_parts(content));
    if (!content || json_is_null(content)) failed |= json_object_set_new(plain, "content", json_string(""));
    if (!failed) return plain;
    json_decref(plain);
    return NULL;
}

static bool copy_messages(const json_t *messages, struct generate_inputs *inputs, struct job *job,
                          struct problem *ret_problem)
{
    json_t *plain = json_array();
    const json_t *message;
    size_t i;
    int failed = 0;
    json_array_foreach (messages, i, message) failed |= json_array_append_new(plain, plain_message(message));
    inputs->kind = PROMPT_CHAT;
    bool is_copied = failed ? problem_no_memory(ret_problem)
                            : inputs_copy_json(job, plain, &inputs->messages, &inputs->n_messages_bytes, ret_problem);
    json_decref(plain);
    return is_copied;
}

bool chat_inputs_set_messages(const json_t *messages, struct generate_inputs *inputs, struct job *job,
                              struct problem *ret_problem)
{
    const json_t *message;
    size_t i;
    if (!json_array_size(messages))
        return problem_set_field(ret_problem, "messages", "messages: found none, expected at least one");
    json_array_foreach (messages, i, message)
        if (!check_message(message, i, ret_problem)) return false;
    return copy_messages(messages, inputs, job, ret_problem);
}

/* ---- tools ---- */

static bool check_tool(const json_t *tool, size_t i, struct problem *ret_problem)
{
    const json_t *function = json_object_get(tool, "function"), *parameters = json_object_get(function, "parameters");
    if (strcmp(text_of(tool, "type"), "function") != 0)
        return problem_set_field(ret_problem, "tools", "tools[%zu].type: found \"%.40s\", expected \"function\"", i,
                                 text_of(tool, "type"));
    if (!*text_of(function, "name"))
        return problem_set_field(ret_problem, "tools", "tools[%zu].function.name: expected a text", i);
    if (parameters && !json_is_null(parameters) && !json_is_object(parameters))
        return problem_set_field(ret_problem, "tools",
                                 "tools[%zu].function.parameters: expected a JSON Schema: an object", i);
    return true;
}

bool chat_inputs_set_tools(const json_t *tools, struct generate_inputs *inputs, struct job *job,
                           struct problem *ret_problem)
{
    const json_t *tool;
    size_t i;
    if (!json_array_size(tools)) return true;
    json_array_foreach (tools, i, tool)
        if (!check_tool(tool, i, ret_problem)) return false;
    return inputs_copy_json(job, tools, &inputs->tools, NULL, ret_problem);
}

static bool has_tool(const json_t *tools, const char *name)
{
    const json_t *tool;
    size_t i;
    json_array_foreach (tools, i, tool)
        if (!strcmp(text_of(json_object_get(tool, "function"), "name"), name)) return true;
    return false;
}

static bool set_named_tool(const json_t *choice, const json_t *tools, struct generate_inputs *inputs, struct job *job,
                           struct problem *ret_problem)
{
    const char *name = text_of(json_object_get(choice, "function"), "name");
    if (!has_tool(tools, name))
        return problem_set_field(ret_problem, "tool_choice",
                                 "tool_choice.function.name: found \"%.60s\", expected the name of one of the tools",
                                 name);
    inputs->tool_choice = "required";
    inputs->tool_name = job_copy(job, name, strlen(name));
    return inputs->tool_name || problem_no_memory(ret_problem);
}

bool chat_inputs_set_tool_choice(const json_t *choice, const json_t *tools, struct generate_inputs *inputs,
                                 struct job *job, struct problem *ret_problem)
{
    static const char *const words[] = {"auto", "none", "required"};
    const char *word = json_string_value(choice);
    if (!choice) return true;
    if (json_is_object(choice)) return set_named_tool(choice, tools, inputs, job, ret_problem);
    for (size_t i = 0; word && i < sizeof words / sizeof words[0]; i++)
        if (!strcmp(word, words[i])) inputs->tool_choice = words[i];
    if (!inputs->tool_choice)
        return problem_set_field(
            ret_problem, "tool_choice",
            "tool_choice: expected \"auto\", \"none\", \"required\" or an object that names a function");
    if (!strcmp(inputs->tool_choice, "required") && !json_array_size(tools))
        return problem_set_field(ret_problem, "tool_choice", "tool_choice: found \"required\" without tools");
    return true;
}

/* ---- formats ---- */

bool chat_inputs_set_format(const json_t *format, const char *field, bool is_flat, struct generate_inputs *inputs,
                            struct job *job, struct problem *ret_problem)
{
    const char *type = text_of(format, "type");
    if (!format || !strcmp(type, "text")) return true;
    if (!strcmp(type, "json_object")) { /* llama.cpp's clients put a schema beside it */
        const json_t *schema = json_object_get(format, "schema");
        if (schema) return generation_set_schema(schema, field, inputs, job, ret_problem);
        inputs->options.json_schema = "{\"type\":\"object\"}";
        return true;
    }
    if (strcmp(type, "json_schema") != 0)
        return problem_set_field(ret_problem, field,
                                 "%s.type: found \"%.40s\", expected text, json_object or json_schema", field, type);
    const json_t *holder = is_flat ? format : json_object_get(format, "json_schema"),
                 *schema = json_object_get(holder, "schema");
    if (!schema) return problem_set_field(ret_problem, field, "%s: found no schema, expected a JSON Schema", field);
    return generation_set_schema(schema, field, inputs, job, ret_problem);
}
