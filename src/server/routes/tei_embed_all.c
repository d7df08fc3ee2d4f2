/* POST /embed_all: a vector for each token of each text. */
#include "server/routes/answer_parts.h"
#include "server/routes/api_tei.h"

struct inputs {
    struct tei_reading reading;
    const json_t *inputs;
};

static const struct field_def fields[] = {
    {.name = "inputs",
     .kind = FIELD_ANY,
     .is_required = true,
     .offset = offsetof(struct inputs, inputs),
     .help = "a text, token ids, or a list of either"},
    TEI_READING_FIELDS(struct inputs, reading),
};

/* A text's tokens may come in several events. */
static json_t *whole(struct exchange *exchange, void *state)
{
    json_t *texts = json_array();
    int failed = 0;
    (void)state;
    ANSWER_EVENTS(event, exchange, 0)
    {
        if (event->kind != EVENT_VECTORS) continue;
        while (texts && json_array_size(texts) <= event->first_row) json_append(&texts, json_array());
        for (size_t i = 0; texts && i < event->n_rows; i++)
            failed |= json_array_append_new(json_array_get(texts, event->first_row),
                                            answer_vector(event->numbers + i * event->n_columns, event->n_columns));
    }
    if (failed) json_append(&texts, NULL);
    return texts;
}

static const struct answer_def answer = {.whole = whole};

static bool handle(struct exchange *exchange, struct problem *ret_problem)
{
    struct inputs inputs = {0};
    if (!fields_read(exchange_body(exchange), fields, sizeof fields / sizeof fields[0], &inputs, ret_problem))
        return false;
    struct embed_job *embed = embed_job_new(tei_model(&inputs.reading));
    if (!exchange_add(exchange, (struct job *)embed, ret_problem) ||
        !tei_set_inputs(inputs.inputs, &inputs.reading, embed, ret_problem))
        return false;
    embed->inputs.has_tokens = true;
    exchange_run(exchange, &answer, NULL, false);
    return true;
}

const struct route_def route_tei_embed_all = {
    .method = "POST",
    .path = "/embed_all",
    .api = &api_tei,
    .summary = "Embed every token of texts",
    .fields = fields,
    .n_fields = sizeof fields / sizeof fields[0],
    .reply = "For each text a list of vectors, one for each token",
    .handle = handle,
};
