/* POST /embed: a vector for each text. */
#include "server/routes/answer_parts.h"
#include "server/routes/api_tei.h"

struct inputs {
    struct tei_reading reading;
    const json_t *inputs;
    bool is_normalized;
    size_t n_dimensions;
};

static const struct field_def fields[] = {
    {.name = "inputs",
     .kind = FIELD_ANY,
     .is_required = true,
     .offset = offsetof(struct inputs, inputs),
     .help = "a text, token ids, or a list of either"},
    TEI_READING_FIELDS(struct inputs, reading),
    {.name = "normalize",
     .kind = FIELD_BOOL,
     .offset = offsetof(struct inputs, is_normalized),
     .help = "vectors of length 1 (default)"},
    {.name = "dimensions",
     .kind = FIELD_COUNT,
     .most = 1 << 20,
     .offset = offsetof(struct inputs, n_dimensions),
     .help = "only so many first numbers of each vector"},
};

static json_t *whole(struct exchange *exchange, void *state)
{
    json_t *vectors = json_array();
    (void)state;
    ANSWER_EVENTS(event, exchange, 0)
    for (size_t i = 0; event->kind == EVENT_VECTORS && i < event->n_rows; i++)
        json_append(&vectors, answer_vector(event->numbers + i * event->n_columns, event->n_columns));
    return vectors;
}

static const struct answer_def answer = {.whole = whole};

static bool handle(struct exchange *exchange, struct problem *ret_problem)
{
    struct inputs inputs = {.is_normalized = true};
    if (!fields_read(exchange_body(exchange), fields, sizeof fields / sizeof fields[0], &inputs, ret_problem))
        return false;
    struct embed_job *embed = embed_job_new(tei_model(&inputs.reading));
    if (!exchange_add(exchange, (struct job *)embed, ret_problem) ||
        !tei_set_inputs(inputs.inputs, &inputs.reading, embed, ret_problem))
        return false;
    embed->inputs.how.is_normalized = inputs.is_normalized;
    embed->inputs.how.is_raw = !inputs.is_normalized;
    embed->inputs.how.n_dimensions = inputs.n_dimensions;
    exchange_run(exchange, &answer, NULL, false);
    return true;
}

const struct route_def route_tei_embed = {
    .method = "POST",
    .path = "/embed",
    .api = &api_tei,
    .summary = "Embed texts",
    .fields = fields,
    .n_fields = sizeof fields / sizeof fields[0],
    .reply = "A list of vectors, one for each text",
    .handle = handle,
};
