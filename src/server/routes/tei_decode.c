/* POST /decode: the texts of token ids. */
#include "server/jobs/tokens.h"
#include "server/routes/answer_parts.h"
#include "server/routes/api_tei.h"
#include "server/routes/job_inputs.h"

struct inputs {
    const char *model;
    const json_t *ids;
    bool skips_special;
};

static const struct field_def fields[] = {
    {.name = "ids",
     .kind = FIELD_LIST,
     .is_required = true,
     .offset = offsetof(struct inputs, ids),
     .help = "token ids, or a list of such lists"},
    {.name = "skip_special_tokens",
     .kind = FIELD_BOOL,
     .offset = offsetof(struct inputs, skips_special),
     .help = "leave special tokens out (default)"},
    {.name = "model",
     .kind = FIELD_TEXT,
     .offset = offsetof(struct inputs, model),
     .help = "a model's name; the configured one without it (hob's own field)"},
};

static json_t *whole(struct exchange *exchange, void *state)
{
    json_t *texts = json_array();
    (void)state;
    for (size_t i = 0; i < exchange_n_jobs(exchange); i++) ANSWER_EVENTS(event, exchange, i)
    if (event->kind == EVENT_TEXT) json_append(&texts, json_text(event->text, event->n_text_bytes));
    return texts;
}

static const struct answer_def answer = {.whole = whole};

static bool add_list(struct exchange *exchange, const struct inputs *inputs, const json_t *ids,
                     struct problem *ret_problem)
{
    struct tokens_job *job = tokens_job_new(inputs->model ? inputs->model : "");
    if (!exchange_add(exchange, (struct job *)job, ret_problem)) return false;
    job->job.use = USE_EMBED;
    job->inputs.task = TOKENS_DECODE;
    job->inputs.flags = inputs->skips_special ? HOB_SKIP_SPECIAL : 0;
    return inputs_copy_ids(&job->job, ids, "ids", &job->inputs.ids, &job->inputs.n_ids, ret_problem);
}

static bool handle(struct exchange *exchange, struct problem *ret_problem)
{
    size_t i;
    const json_t *item;
    struct inputs inputs = {.skips_special = true};
    if (!fields_read(exchange_body(exchange), fields, sizeof fields / sizeof fields[0], &inputs, ret_problem))
        return false;
    if (json_is_integer(json_array_get(inputs.ids, 0))) {
        if (!add_list(exchange, &inputs, inputs.ids, ret_problem)) return false;
    } else {
        if (!tei_check_count(json_array_size(inputs.ids), "ids", ret_problem)) return false;
        json_array_foreach (inputs.ids, i, item) {
            if (!json_is_array(item))
                return problem_set_field(ret_problem, "ids", "ids[%zu]: expected a list of token ids", i);
            if (!add_list(exchange, &inputs, item, ret_problem)) return false;
        }
    }
    exchange_run(exchange, &answer, NULL, false);
    return true;
}

const struct route_def route_tei_decode = {
    .method = "POST",
    .path = "/decode",
    .api = &api_tei,
    .summary = "Turn token ids into texts",
    .fields = fields,
    .n_fields = sizeof fields / sizeof fields[0],
    .reply = "A list of texts",
    .handle = handle,
};
