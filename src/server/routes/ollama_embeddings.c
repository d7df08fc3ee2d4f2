/* POST /api/embeddings, the older one: a single text, its vector as the model makes it. */
#include "server/jobs/embed.h"
#include "server/routes/answer_parts.h"
#include "server/routes/api_ollama.h"
#include "server/routes/job_inputs.h"

struct inputs {
    const char *model;
    const json_t *prompt, *keep_alive;
};

static const struct field_def fields[] = {
    {.name = "model",
     .kind = FIELD_TEXT,
     .is_required = true,
     .offset = offsetof(struct inputs, model),
     .help = "a model's name"},
    {.name = "prompt",
     .kind = FIELD_TEXTS,
     .most_items = 1,
     .offset = offsetof(struct inputs, prompt),
     .help = "a text; \"\" or none: the model is only loaded"},
    {.name = "keep_alive",
     .kind = FIELD_ANY,
     .offset = offsetof(struct inputs, keep_alive),
     .help = "how long the model stays"},
    {.name = "options", .kind = FIELD_IGNORED},
};

static json_t *whole(struct exchange *exchange, void *state)
{
    json_t *body = json_pack("{s:[]}", "embedding");
    (void)state;
    ANSWER_EVENTS(event, exchange, 0)
    if (event->kind == EVENT_VECTORS)
        json_put(&body, "embedding", answer_vector(event->numbers, event->n_columns));
    return body;
}

static const struct answer_def answer = {.whole = whole};

static bool fill_in(const struct inputs *inputs, struct embed_job *embed, struct problem *ret_problem)
{
    embed->inputs.truncates = true;
    embed->inputs.how = (hob_embed_options){.is_raw = true};
    embed->job.priority = PRIORITY_BATCH;
    if (!ollama_read_keep_alive(inputs->keep_alive, &embed->job.keep_alive_s, ret_problem)) return false;
    if (!inputs->prompt || (json_is_string(inputs->prompt) && !json_string_length(inputs->prompt))) return true;
    return inputs_copy_texts(&embed->job, inputs->prompt, "prompt", &embed->inputs.texts, &embed->inputs.text_bytes,
                             &embed->inputs.n_texts, ret_problem);
}

static bool handle(struct exchange *exchange, struct problem *ret_problem)
{
    struct inputs inputs = {0};
    if (!fields_read(exchange_body(exchange), fields, sizeof fields / sizeof fields[0], &inputs, ret_problem))
        return false;
    struct embed_job *embed = embed_job_new(inputs.model);
    if (!exchange_add(exchange, (struct job *)embed, ret_problem) || !fill_in(&inputs, embed, ret_problem))
        return false;
    exchange_run(exchange, &answer, NULL, false);
    return true;
}

const struct route_def route_ollama_embeddings = {
    .method = "POST",
    .path = "/api/embeddings",
    .api = &api_ollama,
    .summary = "Embed a text (the older way)",
    .fields = fields,
    .n_fields = sizeof fields / sizeof fields[0],
    .reply = "embedding: a vector as the model makes it, of any length",
    .handle = handle,
};
