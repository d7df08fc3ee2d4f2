/* POST /detokenize: the text of token ids. */
#include "server/jobs/tokens.h"
#include "server/routes/answer_parts.h"
#include "server/routes/api_llama.h"
#include "server/routes/job_inputs.h"

struct inputs {
    const char *model;
    const json_t *tokens;
};

static const struct field_def fields[] = {
    {.name = "tokens",
     .kind = FIELD_LIST,
     .is_required = true,
     .offset = offsetof(struct inputs, tokens),
     .help = "token ids"},
    {.name = "model",
     .kind = FIELD_TEXT,
     .offset = offsetof(struct inputs, model),
     .help = "a model's name; the configured one without it"},
};

static bool handle(struct exchange *exchange, struct problem *ret_problem)
{
    struct inputs inputs = {0};
    if (!fields_read(exchange_body(exchange), fields, sizeof fields / sizeof fields[0], &inputs, ret_problem))
        return false;
    struct tokens_job *job = tokens_job_new(inputs.model ? inputs.model : "");
    if (!exchange_add(exchange, (struct job *)job, ret_problem)) return false;
    job->inputs.task = TOKENS_DECODE;
    if (!inputs_copy_ids(&job->job, inputs.tokens, "tokens", &job->inputs.ids, &job->inputs.n_ids, ret_problem))
        return false;
    exchange_run(exchange, &answer_text, "content", false);
    return true;
}

const struct route_def route_llama_detokenize = {
    .method = "POST",
    .path = "/detokenize",
    .api = &api_llama,
    .summary = "Turn token ids into text",
    .fields = fields,
    .n_fields = sizeof fields / sizeof fields[0],
    .reply = "content",
    .handle = handle,
};
