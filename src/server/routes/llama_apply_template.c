/* POST /apply-template: a conversation as the prompt that the model would get. */
#include "server/jobs/tokens.h"
#include "server/routes/answer_parts.h"
#include "server/routes/api_llama.h"
#include "server/routes/job_inputs.h"

struct inputs {
    const char *model;
    const json_t *messages, *tools, *variables;
};

static const struct field_def fields[] = {
    {.name = "messages",
     .kind = FIELD_LIST,
     .is_required = true,
     .offset = offsetof(struct inputs, messages),
     .help = "as for /v1/chat/completions"},
    {.name = "tools",
     .kind = FIELD_LIST,
     .offset = offsetof(struct inputs, tools),
     .help = "functions that the model may call"},
    {.name = "chat_template_kwargs",
     .kind = FIELD_OBJECT,
     .offset = offsetof(struct inputs, variables),
     .help = "more names for the template"},
    {.name = "model",
     .kind = FIELD_TEXT,
     .offset = offsetof(struct inputs, model),
     .help = "a model's name; the configured one without it"},
};

static bool fill_in(const struct inputs *inputs, struct tokens_job *job, struct problem *ret_problem)
{
    struct generate_inputs *prompt = &job->inputs.prompt;
    job->inputs.task = TOKENS_RENDER;
    prompt->kind = PROMPT_CHAT;
    return inputs_copy_json(&job->job, inputs->messages, &prompt->messages, &prompt->n_messages_bytes, ret_problem) &&
           (!json_array_size(inputs->tools) ||
            inputs_copy_json(&job->job, inputs->tools, &prompt->tools, NULL, ret_problem)) &&
           (!inputs->variables ||
            inputs_copy_json(&job->job, inputs->variables, &prompt->chat.variables, NULL, ret_problem));
}

static bool handle(struct exchange *exchange, struct problem *ret_problem)
{
    struct inputs inputs = {0};
    if (!fields_read(exchange_body(exchange), fields, sizeof fields / sizeof fields[0], &inputs, ret_problem))
        return false;
    struct tokens_job *job = tokens_job_new(inputs.model ? inputs.model : "");
    if (!exchange_add(exchange, (struct job *)job, ret_problem) || !fill_in(&inputs, job, ret_problem)) return false;
    exchange_run(exchange, &answer_text, "prompt", false);
    return true;
}

const struct route_def route_llama_apply_template = {
    .method = "POST",
    .path = "/apply-template",
    .api = &api_llama,
    .summary = "Write a conversation as the model's prompt",
    .fields = fields,
    .n_fields = sizeof fields / sizeof fields[0],
    .reply = "prompt",
    .handle = handle,
};
