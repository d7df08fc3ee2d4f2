/* POST /api/generate: a prompt by the model's template, as it is, or around a gap. */
#include "server/routes/api_ollama.h"
#include "server/routes/job_inputs.h"

struct inputs {
    struct ollama_fields common;
    const char *prompt, *suffix, *system, *template_text;
    bool is_raw;
    const json_t *images, *context;
};

static const struct field_def fields[] = {
    OLLAMA_FIELDS(struct inputs, common),
    {.name = "prompt", .kind = FIELD_TEXT, .offset = offsetof(struct inputs, prompt), .help = "\"\": the model is only loaded"},
    {.name = "suffix", .kind = FIELD_TEXT, .offset = offsetof(struct inputs, suffix), .help = "text behind the gap that is to be filled"},
    {.name = "system", .kind = FIELD_TEXT, .offset = offsetof(struct inputs, system), .help = "the system message"},
    {.name = "template",
     .kind = FIELD_TEXT,
     .offset = offsetof(struct inputs, template_text),
     .help = "refused: templates here are Jinja, and the model's own"},
    {.name = "raw", .kind = FIELD_BOOL, .offset = offsetof(struct inputs, is_raw), .help = "the prompt is the whole prompt, special tokens and all"},
    {.name = "images", .kind = FIELD_LIST, .offset = offsetof(struct inputs, images), .help = "refused"},
    {.name = "context", .kind = FIELD_LIST, .offset = offsetof(struct inputs, context), .help = "refused: Ollama itself gave it up for /api/chat"},
};

static bool refuse_what_is_not_there(const struct inputs *inputs, struct problem *ret_problem)
{
    if (json_array_size(inputs->images))
        return problem_set_field(ret_problem, "images", "images: found some, expected none: the models here read text");
    if (json_array_size(inputs->context))
        return problem_set_field(ret_problem, "context", "context: found some, expected none: please use /api/chat");
    if (inputs->template_text && *inputs->template_text)
        return problem_set_field(ret_problem, "template",
                                 "template: found one, expected none: please use raw, or the model's own");
    return true;
}

/* The same text twice: as a user's message, and as it is for models without a template. */
static bool set_message(const struct inputs *inputs, struct generate_job *generate, struct problem *ret_problem)
{
    json_t *messages = json_array();
    if (inputs->system && *inputs->system)
        json_append(&messages, json_pack("{s:s,s:s}", "role", "system", "content", inputs->system));
    json_append(&messages, json_pack("{s:s,s:s}", "role", "user", "content", inputs->prompt));
    generate->inputs.kind = PROMPT_CHAT;
    generate->inputs.is_text_without_template = true;
    bool is_set = messages ? inputs_copy_json(&generate->job, messages, &generate->inputs.messages,
                                              &generate->inputs.n_messages_bytes, ret_problem)
                           : problem_no_memory(ret_problem);
    json_decref(messages);
    return is_set;
}

static bool set_fill(const struct inputs *inputs, struct generate_job *generate, struct problem *ret_problem)
{
    hob_fim *fill = &generate->inputs.fill;
    generate->inputs.kind = PROMPT_FILL;
    fill->n_prefix_bytes = strlen(inputs->prompt);
    fill->n_suffix_bytes = strlen(inputs->suffix);
    fill->prefix = job_copy(&generate->job, inputs->prompt, fill->n_prefix_bytes);
    fill->suffix = job_copy(&generate->job, inputs->suffix, fill->n_suffix_bytes);
    return (fill->prefix && fill->suffix) || problem_no_memory(ret_problem);
}

static bool set_prompt(const struct inputs *inputs, struct generate_job *generate, struct problem *ret_problem)
{
    generate->inputs.n_text_bytes = strlen(inputs->prompt);
    generate->inputs.text = job_copy(&generate->job, inputs->prompt, generate->inputs.n_text_bytes);
    if (!generate->inputs.text) return problem_no_memory(ret_problem);
    if (inputs->suffix && *inputs->suffix) return set_fill(inputs, generate, ret_problem);
    if (!inputs->is_raw && *inputs->prompt) return set_message(inputs, generate, ret_problem);
    generate->inputs.reads_special_tokens = inputs->is_raw;
    if (!*inputs->prompt) generate->inputs.generates_nothing = true;
    return true;
}

static bool handle(struct exchange *exchange, struct problem *ret_problem)
{
    struct inputs inputs = {.common = {.is_stream = true}, .prompt = ""};
    if (!fields_read(exchange_body(exchange), fields, sizeof fields / sizeof fields[0], &inputs, ret_problem) ||
        !refuse_what_is_not_there(&inputs, ret_problem))
        return false;
    bool is_gap = inputs.suffix && *inputs.suffix;
    struct generate_job *generate = generate_job_new(inputs.common.model);
    if (!exchange_add(exchange, (struct job *)generate, ret_problem) || !ollama_fill_in(&inputs.common, generate, ret_problem) ||
        !set_prompt(&inputs, generate, ret_problem))
        return false;
    generate->job.priority = is_gap ? PRIORITY_COMPLETION : PRIORITY_CHAT;
    return ollama_run(exchange, &inputs.common, generate, false, !*inputs.prompt && !is_gap, ret_problem);
}

const struct route_def route_ollama_generate = {
    .method = "POST",
    .path = "/api/generate",
    .api = &api_ollama,
    .summary = "Continue a text or answer a prompt",
    .fields = fields,
    .n_fields = sizeof fields / sizeof fields[0],
    .reply = "A JSON object a line, the last one with done, done_reason, counts and durations in nanoseconds",
    .handle = handle,
};
