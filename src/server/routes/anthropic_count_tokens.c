/* POST /v1/messages/count_tokens: how long the prompt of a conversation is; nothing is computed. */
#include "server/jobs/tokens.h"
#include "server/routes/answer_parts.h"
#include "server/routes/api_anthropic.h"
#include "server/routes/generation.h"
#include "server/routes/route.h"

struct inputs {
    const char *model;
    struct anthropic_prompt prompt;
};

static const struct field_def fields[] = {
    {.name = "model",
     .kind = FIELD_TEXT,
     .offset = offsetof(struct inputs, model),
     .help = "a name from /v1/models; without it the default one"},
    ANTHROPIC_PROMPT_FIELDS(struct inputs, prompt),
};

static json_t *whole(struct exchange *exchange, void *state)
{
    size_t n_tokens = 0;
    (void)state;
    ANSWER_EVENTS(event, exchange, 0)
    if (event->kind == EVENT_IDS) n_tokens += event->n_ids;
    return json_pack("{s:I}", "input_tokens", (json_int_t)n_tokens);
}

static const struct answer_def answer = {.whole = whole};

static bool handle(struct exchange *exchange, struct problem *ret_problem)
{
    struct inputs inputs = {.model = ""};
    exchange_set_header(exchange, "request-id", exchange_id(exchange));
    if (!fields_read(exchange_body(exchange), fields, sizeof fields / sizeof fields[0], &inputs, ret_problem))
        return false;
    struct tokens_job *tokens = tokens_job_new(inputs.model);
    if (!exchange_add(exchange, (struct job *)tokens, ret_problem)) return false;
    tokens->job.priority = PRIORITY_CHAT;
    tokens->inputs.task = TOKENS_RENDER;
    tokens->inputs.has_ids = true;
    if (!anthropic_prompt_set(&inputs.prompt, &tokens->inputs.prompt, &tokens->job, ret_problem)) return false;
    exchange_run(exchange, &answer, NULL, false);
    return true;
}

const struct route_def route_anthropic_count_tokens = {
    .method = "POST",
    .path = "/v1/messages/count_tokens",
    .api = &api_anthropic,
    .summary = "Counts the tokens of a conversation's prompt.",
    .fields = fields,
    .n_fields = sizeof fields / sizeof fields[0],
    .reply = "input_tokens.",
    .handle = handle,
};
