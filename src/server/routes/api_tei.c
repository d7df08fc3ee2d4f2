/* text-embeddings-inference's words. Where it would answer 424 for a failing backend, so do these routes. */
#include "server/routes/api_tei.h"

#include "server/routes/job_inputs.h"

static const char *error_type(enum problem_kind kind, int *ret_status)
{
    switch (kind) {
    case PROBLEM_BUSY:
        return "Overloaded";
    case PROBLEM_LOADING:
        return "Unhealthy";
    case PROBLEM_CONTEXT:
        *ret_status = 413;
        return "Validation";
    case PROBLEM_UNPROCESSABLE:
        return "Tokenizer";
    case PROBLEM_INTERNAL:
    case PROBLEM_NO_MEMORY:
    case PROBLEM_DEADLINE:
    case PROBLEM_UNSUPPORTED:
        *ret_status = 424;
        return "Backend";
    default:
        return "Validation";
    }
}

static json_t *problem_body(const struct problem *problem, int *ret_status)
{
    return json_pack("{s:o,s:s}", "error", api_message(problem), "error_type", error_type(problem->kind, ret_status));
}

const struct api_def api_tei = {.name = "text-embeddings-inference", .problem = problem_body};

const char *const tei_directions[] = {"Right", "Left", "right", "left", NULL};

const char *tei_model(const struct tei_reading *reading)
{
    return reading->model ? reading->model : "";
}

bool tei_is_left(const struct tei_reading *reading)
{
    return reading->direction % 2 == 1;
}

bool tei_check_count(size_t n_texts, const char *field, struct problem *ret_problem)
{
    if (!n_texts) return problem_set_field(ret_problem, field, "%s: found none, expected at least one", field);
    if (n_texts <= TEI_MOST_TEXTS) return true;
    problem_set(ret_problem, PROBLEM_TOO_LARGE, "%s: found %zu, expected at most %d", field, n_texts, TEI_MOST_TEXTS);
    ret_problem->field = field;
    return false;
}

static bool is_ids(const json_t *value)
{
    return json_is_array(value) && json_is_integer(json_array_get(value, 0));
}

static bool set_ids(const json_t *inputs, struct embed_job *embed, struct problem *ret_problem)
{
    size_t n_texts = is_ids(inputs) ? 1 : json_array_size(inputs);
    const int32_t **ids = ARENA_NEW(&embed->job.arena, const int32_t *, n_texts);
    size_t *n_ids = ARENA_NEW(&embed->job.arena, size_t, n_texts);
    if (!ids || !n_ids) return problem_no_memory(ret_problem);
    for (size_t i = 0; i < n_texts; i++) {
        const json_t *item = is_ids(inputs) ? inputs : json_array_get(inputs, i);
        if (!is_ids(item))
            return problem_set_field(ret_problem, "inputs", "inputs[%zu]: expected token ids, as in the others", i);
        if (!inputs_copy_ids(&embed->job, item, "inputs", &ids[i], &n_ids[i], ret_problem)) return false;
    }
    embed->inputs.ids = ids;
    embed->inputs.n_ids = n_ids;
    embed->inputs.n_texts = n_texts;
    return true;
}

bool tei_set_inputs(const json_t *inputs, const struct tei_reading *reading, struct embed_job *embed,
                    struct problem *ret_problem)
{
    embed->job.priority = PRIORITY_BATCH;
    embed->inputs.truncates = reading->truncates;
    embed->inputs.truncates_left = tei_is_left(reading);
    if (reading->prompt_name &&
        !(embed->inputs.how.prompt = job_copy(&embed->job, reading->prompt_name, strlen(reading->prompt_name))))
        return problem_no_memory(ret_problem);
    if (!json_is_string(inputs) && !json_is_array(inputs))
        return problem_set_field(ret_problem, "inputs", "inputs: expected a text, token ids, or a list of either");
    if (!tei_check_count(json_is_array(inputs) && !is_ids(inputs) ? json_array_size(inputs) : 1, "inputs", ret_problem))
        return false;
    if (is_ids(inputs) || is_ids(json_array_get(inputs, 0))) return set_ids(inputs, embed, ret_problem);
    return inputs_copy_texts(&embed->job, inputs, "inputs", &embed->inputs.texts, &embed->inputs.text_bytes,
                             &embed->inputs.n_texts, ret_problem);
}
