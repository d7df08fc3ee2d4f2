/* POST /predict: what a classifier makes of texts or of pairs of texts. */
#include "server/jobs/rerank.h"
#include "server/routes/answer_parts.h"
#include "server/routes/api_tei.h"

struct inputs {
    struct tei_reading reading;
    const json_t *inputs;
    bool is_raw;
};

static const struct field_def fields[] = {
    {.name = "inputs",
     .kind = FIELD_ANY,
     .is_required = true,
     .offset = offsetof(struct inputs, inputs),
     .help = "a text, a pair of texts, or a list of [text] and [text, text]"},
    TEI_READING_FIELDS(struct inputs, reading),
    {.name = "raw_scores",
     .kind = FIELD_BOOL,
     .offset = offsetof(struct inputs, is_raw),
     .help = "logits, not probabilities"},
};

struct label {
    size_t column;
    float score;
};

static int compare(const void *a, const void *b)
{
    const struct label *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return x->column < y->column ? -1 : x->column > y->column;
}

/* Labels of one text, the likeliest first. */
static json_t *predictions(struct exchange *exchange, const struct rerank_job *job, const float *scores,
                           size_t n_labels)
{
    struct label *labels = ARENA_NEW(exchange_arena(exchange), struct label, n_labels + 1);
    if (!labels) return NULL;
    for (size_t i = 0; i < n_labels; i++) labels[i] = (struct label){i, scores[i]};
    qsort(labels, n_labels, sizeof *labels, compare);
    json_t *list = json_array();
    for (size_t i = 0; i < n_labels; i++) {
        char made_up[32];
        snprintf(made_up, sizeof made_up, "LABEL_%zu", labels[i].column);
        const char *name = job->labels && labels[i].column < job->n_labels ? job->labels[labels[i].column] : NULL;
        json_append(&list, json_pack("{s:f,s:s}", "score", (double)labels[i].score, "label", name ? name : made_up));
    }
    return list;
}

static json_t *whole(struct exchange *exchange, void *state)
{
    const struct rerank_job *job = (const struct rerank_job *)exchange_job(exchange, 0);
    json_t *all = json_array();
    ANSWER_EVENTS(event, exchange, 0)
    for (size_t i = 0; event->kind == EVENT_SCORES && i < event->n_rows; i++)
        json_append(&all, predictions(exchange, job, event->numbers + i * event->n_columns, event->n_columns));
    return *(bool *)state ? answer_first(all) : all;
}

static const struct answer_def answer = {.whole = whole};

static bool is_texts(const json_t *list)
{
    size_t i;
    const json_t *item;
    json_array_foreach (list, i, item)
        if (!json_is_string(item)) return false;
    return json_array_size(list) == 1 || json_array_size(list) == 2;
}

/* text: a text, or a list of one or two. */
static bool set_one(struct rerank_job *job, const json_t *text, const char **ret_texts, size_t *ret_bytes,
                    struct problem *ret_problem)
{
    if (!json_is_string(text) && !is_texts(text))
        return problem_set_field(ret_problem, "inputs", "inputs: expected a text or a pair of texts");
    for (size_t i = 0; i < 2; i++) {
        const json_t *part = json_is_array(text) ? json_array_get(text, i) : i ? NULL : text;
        if (!part) continue;
        ret_bytes[i] = json_string_length(part);
        ret_texts[i] = job_copy(&job->job, json_string_value(part), ret_bytes[i]);
        if (!ret_texts[i]) return problem_no_memory(ret_problem);
    }
    return true;
}

/* ["a", "b"] is a pair, [["a"], ["b"]] are two texts. */
static bool fill_in(const struct inputs *inputs, struct rerank_job *job, bool *ret_is_single,
                    struct problem *ret_problem)
{
    bool is_single = json_is_string(inputs->inputs) || (json_is_array(inputs->inputs) && is_texts(inputs->inputs));
    size_t n_texts = is_single ? 1 : json_array_size(inputs->inputs);
    if (!tei_check_count(n_texts, "inputs", ret_problem)) return false;
    const char **texts = ARENA_NEW(&job->job.arena, const char *, n_texts),
               **seconds = ARENA_NEW(&job->job.arena, const char *, n_texts);
    size_t *bytes = ARENA_NEW(&job->job.arena, size_t, n_texts),
           *second_bytes = ARENA_NEW(&job->job.arena, size_t, n_texts);
    if (!texts || !seconds || !bytes || !second_bytes) return problem_no_memory(ret_problem);
    bool has_seconds = false;
    for (size_t i = 0; i < n_texts; i++) {
        const char *pair[2] = {NULL, NULL};
        size_t pair_bytes[2] = {0, 0};
        if (!set_one(job, is_single ? inputs->inputs : json_array_get(inputs->inputs, i), pair, pair_bytes,
                     ret_problem))
            return false;
        texts[i] = pair[0], seconds[i] = pair[1], bytes[i] = pair_bytes[0], second_bytes[i] = pair_bytes[1];
        has_seconds |= pair[1] != NULL;
    }
    *ret_is_single = is_single;
    job->job.priority = PRIORITY_BATCH;
    job->inputs = (struct rerank_inputs){.texts = texts,
                                         .text_bytes = bytes,
                                         .second_texts = has_seconds ? seconds : NULL,
                                         .second_bytes = second_bytes,
                                         .n_texts = n_texts,
                                         .is_raw = inputs->is_raw,
                                         .truncates = inputs->reading.truncates,
                                         .truncates_left = tei_is_left(&inputs->reading)};
    return true;
}

static bool handle(struct exchange *exchange, struct problem *ret_problem)
{
    struct inputs inputs = {0};
    if (!fields_read(exchange_body(exchange), fields, sizeof fields / sizeof fields[0], &inputs, ret_problem))
        return false;
    bool *is_single = ARENA_NEW(exchange_arena(exchange), bool, 1);
    if (!is_single) return problem_no_memory(ret_problem);
    struct rerank_job *job = rerank_job_new(tei_model(&inputs.reading));
    if (!exchange_add(exchange, (struct job *)job, ret_problem) || !fill_in(&inputs, job, is_single, ret_problem))
        return false;
    exchange_run(exchange, &answer, is_single, false);
    return true;
}

const struct route_def route_tei_predict = {
    .method = "POST",
    .path = "/predict",
    .api = &api_tei,
    .summary = "Classify texts or pairs of texts",
    .fields = fields,
    .n_fields = sizeof fields / sizeof fields[0],
    .reply = "A list of label and score, the likeliest first; a list of such lists for several texts",
    .handle = handle,
};
