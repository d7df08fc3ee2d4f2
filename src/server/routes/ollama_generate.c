/* POST /api/generate: a prompt by the model's template, as it is, or around a gap. */
#include "server/routes/api_ollama.h"
#include "server/routes/job_inputs.h"

struct inputs {
    const char *model, *prompt, *suffix, *system, *template_text;
    bool is_raw, is_stream, has_logprobs;
    size_t n_top_logprobs;
    const json_t *options, *format, *keep_alive, *think, *images, *context;
};

static const struct field_def fields[] = {
    {.name = "model",
     .kind = FIELD_TEXT,
     .is_required = true,
     .offset = offsetof(struct inputs, model),
     .help = "a model's name"},
    {.name = "prompt",
     .kind = FIELD_TEXT,
     .offset = offsetof(struct inputs, prompt),
     .help = "\"\": the model is only loaded"},
    {.name = "suffix",
     .kind = FIELD_TEXT,
     .offset = offsetof(struct inputs, suffix),
     .help = "text behind the gap that is to be filled"},
    {.name = "system", .kind = FIELD_TEXT, .offset = offsetof(struct inputs, system), .help = "the system message"},
    {.name = "template",
     .kind = FIELD_TEXT,
     .offset = offsetof(struct inputs, template_text),
     .help = "refused: templates here are Jinja, and the model's own"},
    {.name = "raw",
     .kind = FIELD_BOOL,
     .offset = offsetof(struct inputs, is_raw),
     .help = "the prompt is the whole prompt, special tokens and all"},
    {.name = "stream",
     .kind = FIELD_BOOL,
     .offset = offsetof(struct inputs, is_stream),
     .help = "a JSON object a line (default), or one in all"},
    {.name = "format",
     .kind = FIELD_ANY,
     .offset = offsetof(struct inputs, format),
     .help = "\"json\" or a JSON Schema that the text is held to"},
    {.name = "options",
     .kind = FIELD_OBJECT,
     .offset = offsetof(struct inputs, options),
     .help = "num_predict, seed, temperature, top_k, top_p, min_p, stop, …"},
    {.name = "keep_alive",
     .kind = FIELD_ANY,
     .offset = offsetof(struct inputs, keep_alive),
     .help = "how long the model stays: seconds or \"5m\"; 0: goes, below 0: stays"},
    {.name = "think",
     .kind = FIELD_ANY,
     .offset = offsetof(struct inputs, think),
     .help = "whether a reasoning model reasons"},
    {.name = "logprobs",
     .kind = FIELD_BOOL,
     .offset = offsetof(struct inputs, has_logprobs),
     .help = "log-probabilities of the tokens"},
    {.name = "top_logprobs",
     .kind = FIELD_COUNT,
     .most = 20,
     .offset = offsetof(struct inputs, n_top_logprobs),
     .help = "and of so many of the most probable ones"},
    {.name = "images", .kind = FIELD_LIST, .offset = offsetof(struct inputs, images), .help = "refused"},
    {.name = "context",
     .kind = FIELD_LIST,
     .offset = offsetof(struct inputs, context),
     .help = "refused: Ollama itself gave it up for /api/chat"},
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
        json_array_append_new(messages, json_pack("{s:s,s:s}", "role", "system", "content", inputs->system));
    json_array_append_new(messages, json_pack("{s:s,s:s}", "role", "user", "content", inputs->prompt));
    generate->inputs.kind = PROMPT_CHAT;
    generate->inputs.is_text_without_template = true;
    bool is_set = inputs_copy_json(&generate->job, messages, &generate->inputs.messages,
                                   &generate->inputs.n_messages_bytes, ret_problem);
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
    return (fill->prefix && fill->suffix) || problem_set(ret_problem, PROBLEM_NO_MEMORY, "no memory for the request");
}

static bool set_prompt(const struct inputs *inputs, struct generate_job *generate, struct problem *ret_problem)
{
    generate->inputs.n_text_bytes = strlen(inputs->prompt);
    generate->inputs.text = job_copy(&generate->job, inputs->prompt, generate->inputs.n_text_bytes);
    if (!generate->inputs.text) return problem_set(ret_problem, PROBLEM_NO_MEMORY, "no memory for the request");
    if (inputs->suffix && *inputs->suffix) return set_fill(inputs, generate, ret_problem);
    if (!inputs->is_raw && *inputs->prompt) return set_message(inputs, generate, ret_problem);
    generate->inputs.reads_special_tokens = inputs->is_raw;
    if (!*inputs->prompt) generate->inputs.generates_nothing = true;
    return true;
}

static bool fill_in(const struct inputs *inputs, struct generate_job *generate, struct problem *ret_problem)
{
    generate->inputs.options.has_logprobs = inputs->has_logprobs;
    generate->inputs.options.n_top_logprobs = inputs->has_logprobs ? inputs->n_top_logprobs : 0;
    generate->job.priority = inputs->suffix && *inputs->suffix ? PRIORITY_COMPLETION : PRIORITY_CHAT;
    return ollama_read_options(inputs->options, generate, ret_problem) &&
           ollama_read_format(inputs->format, generate, ret_problem) &&
           ollama_read_think(inputs->think, generate, ret_problem) &&
           ollama_read_keep_alive(inputs->keep_alive, &generate->job.keep_alive_s, ret_problem) &&
           set_prompt(inputs, generate, ret_problem);
}

static bool handle(struct exchange *exchange, struct problem *ret_problem)
{
    struct inputs inputs = {.prompt = "", .is_stream = true};
    if (!fields_read(exchange_body(exchange), fields, sizeof fields / sizeof fields[0], &inputs, ret_problem) ||
        !refuse_what_is_not_there(&inputs, ret_problem))
        return false;
    struct generate_job *generate = generate_job_new(inputs.model);
    if (!exchange_add(exchange, (struct job *)generate, ret_problem) || !fill_in(&inputs, generate, ret_problem))
        return false;
    struct ollama_answer *answer = ARENA_NEW(exchange_arena(exchange), struct ollama_answer, 1);
    if (!answer) return problem_set(ret_problem, PROBLEM_NO_MEMORY, "no memory for the request");
    *answer = (struct ollama_answer){.model = inputs.model,
                                     .is_empty = !*inputs.prompt && !(inputs.suffix && *inputs.suffix),
                                     .is_leaving = generate->job.keep_alive_s == 0,
                                     .has_logprobs = inputs.has_logprobs};
    exchange_run(exchange, &ollama_answer, answer, inputs.is_stream);
    return true;
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
