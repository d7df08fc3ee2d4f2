/* POST /embedding: vectors of texts in llama.cpp's shape, each in a list of its own (of one pooled vector). */
#include "server/jobs/embed.h"
#include "server/routes/answer_parts.h"
#include "server/routes/api_llama.h"
#include "server/routes/job_inputs.h"

struct inputs {
    const char *model;
    const json_t *content, *input;
};

static const struct field_def fields[] = {
    {.name = "content",
     .kind = FIELD_TEXTS,
     .most_items = 2048,
     .offset = offsetof(struct inputs, content),
     .help = "a text or a list of texts"},
    {.name = "input",
     .kind = FIELD_TEXTS,
     .most_items = 2048,
     .offset = offsetof(struct inputs, input),
     .help = "another word for content"},
    {.name = "model",
     .kind = FIELD_TEXT,
     .offset = offsetof(struct inputs, model),
     .help = "a model's name; the configured one without it"},
};

static json_t *whole(struct exchange *exchange, void *state)
{
    json_t *list = json_array();
    (void)state;
    ANSWER_EVENTS(event, exchange, 0)
    for (size_t i = 0; event->kind == EVENT_VECTORS && i < event->n_rows; i++)
        json_append(&list, json_pack("{s:I,s:[o]}", "index", (json_int_t)event->first_row + (json_int_t)i, "embedding",
                                     answer_vector(event->numbers + i * event->n_columns, event->n_columns)));
    return list;
}

static const struct answer_def answer = {.whole = whole};

static bool handle(struct exchange *exchange, struct problem *ret_problem)
{
    struct inputs inputs = {0};
    if (!fields_read(exchange_body(exchange), fields, sizeof fields / sizeof fields[0], &inputs, ret_problem))
        return false;
    const json_t *texts = inputs.content ? inputs.content : inputs.input;
    if (!texts)
        return problem_set_field(ret_problem, "content", "content: found nothing, expected a text or a list of texts");
    struct embed_job *embed = embed_job_new(inputs.model ? inputs.model : "");
    if (!exchange_add(exchange, (struct job *)embed, ret_problem)) return false;
    embed->job.priority = PRIORITY_BATCH;
    embed->inputs.how.is_normalized = true;
    if (!inputs_copy_texts(&embed->job, texts, "content", &embed->inputs.texts, &embed->inputs.text_bytes,
                           &embed->inputs.n_texts, ret_problem))
        return false;
    exchange_run(exchange, &answer, NULL, false);
    return true;
}

const struct route_def route_llama_embedding = {
    .method = "POST",
    .path = "/embedding",
    .api = &api_llama,
    .summary = "Embed texts",
    .fields = fields,
    .n_fields = sizeof fields / sizeof fields[0],
    .reply = "A list of index and embedding, a list of one vector",
    .handle = handle,
};
