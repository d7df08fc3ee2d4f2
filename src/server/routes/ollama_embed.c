/* POST /api/embed: vectors of length 1 for one text or several. */
#include "server/jobs/embed.h"
#include "server/routes/answer_parts.h"
#include "server/routes/api_ollama.h"
#include "server/routes/generation.h"
#include "server/routes/job_inputs.h"

struct inputs {
    const char *model;
    bool truncates;
    size_t n_dimensions;
    const json_t *input, *keep_alive;
};

static const struct field_def fields[] = {
    {.name = "model",
     .kind = FIELD_TEXT,
     .is_required = true,
     .offset = offsetof(struct inputs, model),
     .help = "a model's name"},
    {.name = "input",
     .kind = FIELD_TEXTS,
     .most_items = 2048,
     .offset = offsetof(struct inputs, input),
     .help = "a text or a list of texts; \"\" or none: the model is only loaded"},
    {.name = "truncate",
     .kind = FIELD_BOOL,
     .offset = offsetof(struct inputs, truncates),
     .help = "cut what is too long (default), else it is an error"},
    {.name = "dimensions",
     .kind = FIELD_COUNT,
     .most = 1 << 20,
     .offset = offsetof(struct inputs, n_dimensions),
     .help = "only so many first numbers of each vector"},
    {.name = "keep_alive",
     .kind = FIELD_ANY,
     .offset = offsetof(struct inputs, keep_alive),
     .help = "how long the model stays"},
    {.name = "options", .kind = FIELD_IGNORED},
};

static json_t *whole(struct exchange *exchange, void *state)
{
    json_t *vectors = json_array();
    ANSWER_EVENTS(event, exchange, 0)
    for (size_t i = 0; event->kind == EVENT_VECTORS && i < event->n_rows; i++)
        json_append(&vectors, answer_vector(event->numbers + i * event->n_columns, event->n_columns));
    struct usage usage = generation_usage(exchange);
    return json_pack("{s:s,s:o,s:I,s:I,s:I}", "model", (const char *)state, "embeddings", vectors, "total_duration",
                     (json_int_t)(usage.total_ms * 1e6), "load_duration", (json_int_t)(usage.load_ms * 1e6),
                     "prompt_eval_count", (json_int_t)usage.n_prompt_tokens);
}

static const struct answer_def answer = {.whole = whole};

static bool fill_in(const struct inputs *inputs, struct embed_job *embed, struct problem *ret_problem)
{
    embed->inputs.truncates = inputs->truncates;
    embed->inputs.how = (hob_embed_options){.is_normalized = true, .n_dimensions = inputs->n_dimensions};
    embed->job.priority = PRIORITY_BATCH;
    if (!ollama_read_keep_alive(inputs->keep_alive, &embed->job.keep_alive_s, ret_problem)) return false;
    if (!inputs->input || (json_is_string(inputs->input) && !json_string_length(inputs->input))) return true;
    return inputs_copy_texts(&embed->job, inputs->input, "input", &embed->inputs.texts, &embed->inputs.text_bytes,
                             &embed->inputs.n_texts, ret_problem);
}

static bool handle(struct exchange *exchange, struct problem *ret_problem)
{
    struct inputs inputs = {.truncates = true};
    if (!fields_read(exchange_body(exchange), fields, sizeof fields / sizeof fields[0], &inputs, ret_problem))
        return false;
    struct embed_job *embed = embed_job_new(inputs.model);
    if (!exchange_add(exchange, (struct job *)embed, ret_problem) || !fill_in(&inputs, embed, ret_problem))
        return false;
    exchange_run(exchange, &answer, (void *)inputs.model, false);
    return true;
}

const struct route_def route_ollama_embed = {
    .method = "POST",
    .path = "/api/embed",
    .api = &api_ollama,
    .summary = "Embed texts",
    .fields = fields,
    .n_fields = sizeof fields / sizeof fields[0],
    .reply = "model, embeddings (a list of vectors of length 1), total_duration, load_duration, prompt_eval_count",
    .handle = handle,
};
