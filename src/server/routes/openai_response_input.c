/* Items that belong to one turn of the assistant (reasoning, text, calls) are told one by one here, and are one message in a chat: each is
 * put into the assistant's message at the end of the list while there is one. */
#include "server/routes/openai_response_input.h"

#include "base/json.h"

#include <string.h>

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static bool is_type(const json_t *item, const char *type)
{
    return !strcmp(text_of(item, "type"), type);
}

/* What is read so far. */
struct reading {
    json_t *messages;
    size_t index; /* of the item */
    struct problem *problem;
};

/* Takes message. */
static bool append(struct reading *reading, json_t *message)
{
    return json_array_append_new(reading->messages, message) == 0 || problem_no_memory(reading->problem);
}

/* The assistant's turn under way, begun where there is none; NULL: memory is out. */
static json_t *assistant_turn(struct reading *reading)
{
    json_t *last = json_array_get(reading->messages, json_array_size(reading->messages) - 1);
    if (last && !strcmp(text_of(last, "role"), "assistant")) return last;
    if (!append(reading, json_pack("{s:s,s:n}", "role", "assistant", "content"))) return NULL;
    return json_array_get(reading->messages, json_array_size(reading->messages) - 1);
}

/* ---- items ---- */

/* Parts of a message as a chat has them; NULL: a problem. */
static json_t *parts_of(struct reading *reading, const json_t *content)
{
    json_t *parts = json_array();
    const json_t *part;
    size_t i;
    json_array_foreach (content, i, part) {
        bool is_text = is_type(part, "input_text") || is_type(part, "output_text") || is_type(part, "text");
        const char *name = is_type(part, "refusal") ? "refusal" : "text";
        if ((is_text || is_type(part, "refusal")) && json_is_string(json_object_get(part, name))) {
            json_append(&parts, json_pack("{s:s,s:O}", "type", "text", "text", json_object_get(part, name)));
            continue;
        }
        problem_set_field(reading->problem, "input",
                          "input[%zu].content[%zu].type: found \"%.40s\", expected input_text or output_text: the "
                          "model reads text only",
                          reading->index, i, text_of(part, "type"));
        json_decref(parts);
        return NULL;
    }
    if (!parts) problem_no_memory(reading->problem);
    return parts;
}

static json_t *content_of(struct reading *reading, const json_t *content)
{
    if (json_is_string(content)) return json_incref((json_t *)content);
    if (json_is_array(content)) return parts_of(reading, content);
    problem_set_field(reading->problem, "input", "input[%zu].content: expected a text or a list of parts",
                      reading->index);
    return NULL;
}

static bool read_message(struct reading *reading, const json_t *item)
{
    const char *role = text_of(item, "role");
    json_t *content = content_of(reading, json_object_get(item, "content"));
    if (!content) return false;
    json_t *last = json_array_get(reading->messages, json_array_size(reading->messages) - 1);
    bool goes_on = !strcmp(role, "assistant") && last && !strcmp(text_of(last, "role"), role) &&
                   json_is_null(json_object_get(last, "content"));
    if (goes_on) return json_object_set_new(last, "content", content) == 0 || problem_no_memory(reading->problem);
    return append(reading, json_pack("{s:s,s:o}", "role", role, "content", content));
}

static bool read_call(struct reading *reading, const json_t *item)
{
    if (!*text_of(item, "call_id") || !*text_of(item, "name"))
        return problem_set_field(reading->problem, "input",
                                 "input[%zu]: expected a function_call with call_id, name and arguments",
                                 reading->index);
    json_t *turn = assistant_turn(reading);
    if (!turn) return false;
    if (!json_object_get(turn, "tool_calls")) json_object_set_new(turn, "tool_calls", json_array());
    json_t *call = json_pack("{s:s,s:s,s:{s:s,s:s}}", "id", text_of(item, "call_id"), "type", "function", "function",
                             "name", text_of(item, "name"), "arguments", text_of(item, "arguments"));
    return json_array_append_new(json_object_get(turn, "tool_calls"), call) == 0 || problem_no_memory(reading->problem);
}

static bool read_result(struct reading *reading, const json_t *item)
{
    if (!*text_of(item, "call_id"))
        return problem_set_field(reading->problem, "input", "input[%zu].call_id: expected a text", reading->index);
    json_t *content = content_of(reading, json_object_get(item, "output"));
    return content && append(reading, json_pack("{s:s,s:s,s:o}", "role", "tool", "tool_call_id",
                                                text_of(item, "call_id"), "content", content));
}

/* What the assistant thought before; what only its maker could read is left out. */
static bool read_reasoning(struct reading *reading, const json_t *item)
{
    const char *text = text_of(json_array_get(json_object_get(item, "content"), 0), "text");
    if (!*text) return true;
    json_t *turn = assistant_turn(reading);
    return turn && (json_object_set_new(turn, "reasoning_content", json_string(text)) == 0 ||
                    problem_no_memory(reading->problem));
}

static bool read_item(struct reading *reading, const json_t *item)
{
    if (is_type(item, "message") || (!json_object_get(item, "type") && json_object_get(item, "role")))
        return read_message(reading, item);
    if (is_type(item, "function_call")) return read_call(reading, item);
    if (is_type(item, "function_call_output")) return read_result(reading, item);
    if (is_type(item, "reasoning")) return read_reasoning(reading, item);
    return problem_set_field(
        reading->problem, "input",
        "input[%zu].type: found \"%.40s\", expected message, function_call, function_call_output or reasoning",
        reading->index, text_of(item, "type"));
}

static bool read_input(struct reading *reading, const json_t *input)
{
    const json_t *item;
    if (json_is_string(input)) return append(reading, json_pack("{s:s,s:O}", "role", "user", "content", input));
    if (!json_array_size(input))
        return problem_set_field(reading->problem, "input", "input: expected a text or a list of items");
    json_array_foreach (input, reading->index, item)
        if (!read_item(reading, item)) return false;
    return true;
}

json_t *response_input_messages(const json_t *input, const char *instructions, struct problem *ret_problem)
{
    struct reading reading = {.messages = json_array(), .problem = ret_problem};
    bool is_read = !instructions || append(&reading, json_pack("{s:s,s:s}", "role", "system", "content", instructions));
    if (is_read && read_input(&reading, input)) return reading.messages;
    json_decref(reading.messages);
    return NULL;
}

/* ---- tools ---- */

json_t *response_input_tools(const json_t *tools, struct problem *ret_problem)
{
    json_t *nested = json_array();
    const json_t *tool;
    size_t i;
    json_array_foreach (tools, i, tool) {
        if (!is_type(tool, "function")) {
            problem_set_field(ret_problem, "tools",
                              "tools[%zu].type: found \"%.40s\", expected \"function\": hob runs no tools itself", i,
                              text_of(tool, "type"));
            json_decref(nested);
            return NULL;
        }
        json_t *function = json_copy((json_t *)tool);
        json_object_del(function, "type");
        json_append(&nested, json_pack("{s:s,s:o}", "type", "function", "function", function));
    }
    if (!nested) problem_no_memory(ret_problem);
    return nested;
}

json_t *response_input_choice(const json_t *choice, struct problem *ret_problem)
{
    if (!json_is_object(choice)) return json_incref((json_t *)choice);
    if (is_type(choice, "function"))
        return json_pack("{s:s,s:{s:s}}", "type", "function", "function", "name", text_of(choice, "name"));
    problem_set_field(ret_problem, "tool_choice", "tool_choice.type: found \"%.40s\", expected \"function\"",
                      text_of(choice, "type"));
    return NULL;
}
