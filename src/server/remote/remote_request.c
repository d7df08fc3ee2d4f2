/* OpenAI's words are those that inputs have already; Anthropic's messages are made of them. */
#include "server/remote/remote_request.h"

bool remote_can_ask(const struct generate_job *generate)
{
    const struct generate_inputs *inputs = &generate->inputs;
    const hob_generate_options *options = &inputs->options;
    return (inputs->kind == PROMPT_TEXT || inputs->kind == PROMPT_CHAT) && options->n_samples <= 1 &&
           options->beam_width <= 1 && !options->has_logprobs && !options->gbnf && !options->grammar &&
           !inputs->generates_nothing && !inputs->echoes;
}

const char *remote_path(const struct generate_job *generate, enum config_api api)
{
    if (api == CONFIG_API_ANTHROPIC) return "/messages";
    return generate->inputs.kind == PROMPT_CHAT ? "/chat/completions" : "/completions";
}

static void set_number(json_t *body, const char *name, double value, bool is_set)
{
    if (is_set) json_object_set_new(body, name, json_real(value));
}

static json_t *stops_of(const hob_generate_options *options)
{
    json_t *stops = json_array();
    for (size_t i = 0; i < options->n_stops; i++) json_array_append_new(stops, json_string(options->stops[i]));
    return stops;
}

/* ---- OpenAI ---- */

static json_t *response_format(const char *schema)
{
    if (!*schema) return json_pack("{s:s}", "type", "json_object");
    return json_pack("{s:s,s:{s:s,s:o}}", "type", "json_schema", "json_schema", "name", "answer", "schema",
                     json_loads(schema, 0, NULL));
}

static json_t *openai_choice(const struct generate_inputs *inputs)
{
    if (inputs->tool_name) return json_pack("{s:s,s:{s:s}}", "type", "function", "function", "name", inputs->tool_name);
    return inputs->tool_choice ? json_string(inputs->tool_choice) : NULL;
}

static json_t *openai_body(const struct generate_inputs *inputs, const char *model)
{
    const hob_generate_options *options = &inputs->options;
    json_t *body =
        json_pack("{s:s,s:b,s:{s:b}}", "model", model, "stream", true, "stream_options", "include_usage", true);
    if (inputs->kind == PROMPT_CHAT)
        json_object_set_new(body, "messages", json_loadb(inputs->messages, inputs->n_messages_bytes, 0, NULL));
    else json_object_set_new(body, "prompt", json_stringn(inputs->text, inputs->n_text_bytes));
    if (inputs->tools) json_object_set_new(body, "tools", json_loads(inputs->tools, 0, NULL));
    json_t *choice = inputs->tools ? openai_choice(inputs) : NULL;
    if (choice) json_object_set_new(body, "tool_choice", choice);
    if (options->max_tokens) json_object_set_new(body, "max_tokens", json_integer((json_int_t)options->max_tokens));
    if (options->n_stops) json_object_set_new(body, "stop", stops_of(options));
    if (options->json_schema) json_object_set_new(body, "response_format", response_format(options->json_schema));
    if (inputs->has_seed) json_object_set_new(body, "seed", json_integer((json_int_t)options->seed));
    set_number(body, "temperature", (double)options->temperature, true);
    set_number(body, "top_p", (double)options->top_p, options->top_p > 0);
    set_number(body, "presence_penalty", (double)options->presence_penalty, options->presence_penalty != 0);
    set_number(body, "frequency_penalty", (double)options->frequency_penalty, options->frequency_penalty != 0);
    return body;
}

/* ---- Anthropic ---- */

/* Content as text: parts are joined. */
static json_t *plain_text(const json_t *content)
{
    if (json_is_string(content)) return json_incref((json_t *)content);
    size_t i;
    const json_t *part;
    struct buffer text = {0};
    json_array_foreach (content, i, part)
        if (json_is_string(json_object_get(part, "text")))
            buffer_append_string(&text, json_string_value(json_object_get(part, "text")));
    json_t *joined = json_string(buffer_text(&text));
    buffer_release(&text);
    return joined;
}

static json_t *blocks_of_calls(const json_t *message)
{
    size_t i;
    const json_t *call;
    json_t *blocks = json_array(), *text = plain_text(json_object_get(message, "content"));
    if (json_string_length(text)) json_array_append_new(blocks, json_pack("{s:s,s:O}", "type", "text", "text", text));
    json_decref(text);
    json_array_foreach (json_object_get(message, "tool_calls"), i, call) {
        const json_t *function = json_object_get(call, "function"), *arguments = json_object_get(function, "arguments");
        json_t *input = json_is_string(arguments) ? json_loads(json_string_value(arguments), 0, NULL)
                                                  : json_incref((json_t *)arguments);
        json_array_append_new(blocks, json_pack("{s:s,s:O,s:O,s:o}", "type", "tool_use", "id",
                                                json_object_get(call, "id"), "name", json_object_get(function, "name"),
                                                "input", input ? input : json_object()));
    }
    return blocks;
}

static json_t *anthropic_message(const json_t *message, const char *role)
{
    if (!strcmp(role, "tool"))
        return json_pack("{s:s,s:[{s:s,s:O*,s:o}]}", "role", "user", "content", "type", "tool_result", "tool_use_id",
                         json_object_get(message, "tool_call_id"), "content",
                         plain_text(json_object_get(message, "content")));
    if (json_array_size(json_object_get(message, "tool_calls")))
        return json_pack("{s:s,s:o}", "role", "assistant", "content", blocks_of_calls(message));
    return json_pack("{s:s,s:o}", "role", !strcmp(role, "assistant") ? "assistant" : "user", "content",
                     plain_text(json_object_get(message, "content")));
}

static void set_messages(json_t *body, const struct generate_inputs *inputs)
{
    size_t i;
    const json_t *message;
    struct buffer system = {0};
    json_t *all = json_loadb(inputs->messages, inputs->n_messages_bytes, 0, NULL), *messages = json_array();
    json_array_foreach (all, i, message) {
        const char *role = json_string_value(json_object_get(message, "role"));
        if (role && strcmp(role, "system") && strcmp(role, "developer")) {
            json_array_append_new(messages, anthropic_message(message, role));
            continue;
        }
        json_t *text = plain_text(json_object_get(message, "content"));
        buffer_printf(&system, "%s%s", system.n_bytes ? "\n\n" : "", json_string_value(text));
        json_decref(text);
    }
    if (system.n_bytes) json_object_set_new(body, "system", json_string(buffer_text(&system)));
    json_object_set_new(body, "messages", messages);
    buffer_release(&system);
    json_decref(all);
}

static json_t *anthropic_tools(const char *tools_text)
{
    size_t i;
    const json_t *tool;
    json_t *tools = json_loads(tools_text, 0, NULL), *list = json_array();
    json_array_foreach (tools, i, tool) {
        const json_t *function = json_object_get(tool, "function");
        json_t *schema = json_object_get(function, "parameters");
        json_array_append_new(list, json_pack("{s:O,s:O*,s:o}", "name", json_object_get(function, "name"),
                                              "description", json_object_get(function, "description"), "input_schema",
                                              schema ? json_incref(schema) : json_pack("{s:s}", "type", "object")));
    }
    json_decref(tools);
    return list;
}

static json_t *anthropic_choice(const struct generate_inputs *inputs)
{
    if (inputs->tool_name) return json_pack("{s:s,s:s}", "type", "tool", "name", inputs->tool_name);
    if (!inputs->tool_choice) return NULL;
    return json_pack("{s:s}", "type", !strcmp(inputs->tool_choice, "required") ? "any" : inputs->tool_choice);
}

/* Anthropic wants a bound on the tokens. */
enum { ANTHROPIC_TOKENS = 4096 };

static json_t *anthropic_body(const struct generate_inputs *inputs, const char *model)
{
    const hob_generate_options *options = &inputs->options;
    size_t n_tokens = options->max_tokens ? options->max_tokens : ANTHROPIC_TOKENS;
    json_t *body = json_pack("{s:s,s:b,s:I}", "model", model, "stream", true, "max_tokens", (json_int_t)n_tokens);
    if (inputs->kind == PROMPT_CHAT) set_messages(body, inputs);
    else
        json_object_set_new(
            body, "messages",
            json_pack("[{s:s,s:o}]", "role", "user", "content", json_stringn(inputs->text, inputs->n_text_bytes)));
    if (inputs->tools) json_object_set_new(body, "tools", anthropic_tools(inputs->tools));
    json_t *choice = inputs->tools ? anthropic_choice(inputs) : NULL;
    if (choice) json_object_set_new(body, "tool_choice", choice);
    if (options->n_stops) json_object_set_new(body, "stop_sequences", stops_of(options));
    set_number(body, "temperature", options->temperature < 1 ? (double)options->temperature : 1, true);
    set_number(body, "top_p", (double)options->top_p, options->top_p > 0 && options->top_p < 1);
    return body;
}

json_t *remote_body(const struct generate_job *generate, enum config_api api, const char *model)
{
    return api == CONFIG_API_ANTHROPIC ? anthropic_body(&generate->inputs, model)
                                       : openai_body(&generate->inputs, model);
}
