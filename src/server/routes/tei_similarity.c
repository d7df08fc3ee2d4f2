/* POST /similarity: cosines between a sentence and others. */
#include "server/routes/answer_parts.h"
#include "server/routes/api_tei.h"
#include "server/routes/job_inputs.h"

struct inputs {
    struct tei_reading reading;
    const json_t *inputs, *parameters;
};
struct sentences {
    const char *source;
    const json_t *others;
};

static const struct field_def fields[] = {
    {.name = "inputs",
     .kind = FIELD_OBJECT,
     .is_required = true,
     .offset = offsetof(struct inputs, inputs),
     .help = "source_sentence, and sentences: a list"},
    {.name = "parameters",
     .kind = FIELD_OBJECT,
     .offset = offsetof(struct inputs, parameters),
     .help = "truncate, truncation_direction, prompt_name"},
};
static const struct field_def input_fields[] = {
    {.name = "source_sentence", .kind = FIELD_TEXT, .is_required = true, .offset = offsetof(struct sentences, source)},
    {.name = "sentences", .kind = FIELD_TEXTS, .is_required = true, .offset = offsetof(struct sentences, others)},
};
static const struct field_def reading_fields[] = {TEI_READING_FIELDS(struct inputs, reading)};

/* The first vector is the source's; vectors may come in several events. */
static json_t *whole(struct exchange *exchange, void *state)
{
    json_t *cosines = json_array();
    const float *source = NULL;
    (void)state;
    ANSWER_EVENTS(event, exchange, 0)
    for (size_t i = 0; event->kind == EVENT_VECTORS && i < event->n_rows; i++) {
        const float *vector = event->numbers + i * event->n_columns;
        if (source) json_append(&cosines, json_real((double)hob_similarity(source, vector, event->n_columns)));
        else source = vector;
    }
    return cosines;
}

static const struct answer_def answer = {.whole = whole};

/* As one list of texts, the source first. */
static bool set_sentences(const struct sentences *sentences, const struct tei_reading *reading, struct embed_job *embed,
                          struct problem *ret_problem)
{
    if (json_is_string(sentences->others))
        return problem_set_field(ret_problem, "inputs", "inputs.sentences: found a text, expected a list of texts");
    if (!tei_check_count(json_array_size(sentences->others), "inputs.sentences", ret_problem)) return false;
    json_t *all = json_pack("[s]", sentences->source);
    bool is_set = all && !json_array_extend(all, (json_t *)sentences->others);
    is_set = is_set ? tei_set_inputs(all, reading, embed, ret_problem) : problem_no_memory(ret_problem);
    json_decref(all);
    return is_set;
}

static bool handle(struct exchange *exchange, struct problem *ret_problem)
{
    struct inputs inputs = {0};
    struct sentences sentences = {0};
    if (!fields_read(exchange_body(exchange), fields, sizeof fields / sizeof fields[0], &inputs, ret_problem) ||
        !fields_read(inputs.inputs, input_fields, sizeof input_fields / sizeof input_fields[0], &sentences,
                     ret_problem) ||
        (inputs.parameters && !fields_read(inputs.parameters, reading_fields,
                                           sizeof reading_fields / sizeof reading_fields[0], &inputs, ret_problem)))
        return false;
    struct embed_job *embed = embed_job_new(tei_model(&inputs.reading));
    if (!exchange_add(exchange, (struct job *)embed, ret_problem) ||
        !set_sentences(&sentences, &inputs.reading, embed, ret_problem))
        return false;
    embed->inputs.how.is_normalized = true;
    exchange_run(exchange, &answer, NULL, false);
    return true;
}

const struct route_def route_tei_similarity = {
    .method = "POST",
    .path = "/similarity",
    .api = &api_tei,
    .summary = "Compare a sentence with others",
    .fields = fields,
    .n_fields = sizeof fields / sizeof fields[0],
    .reply = "A cosine for each of the sentences",
    .handle = handle,
};
