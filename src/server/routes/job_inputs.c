/* Request values into jobs. */
#include "server/routes/job_inputs.h"

bool inputs_copy_texts(struct job *job, const json_t *texts, const char *field, const char *const **ret_texts,
                       const size_t **ret_text_bytes, size_t *ret_n_texts, struct problem *ret_problem)
{
    size_t n_texts = json_is_array(texts) ? json_array_size(texts) : 1;
    const char **copies = ARENA_NEW(&job->arena, const char *, n_texts + 1);
    size_t *n_bytes = ARENA_NEW(&job->arena, size_t, n_texts + 1);
    if (!copies || !n_bytes) return problem_no_memory(ret_problem);
    for (size_t i = 0; i < n_texts; i++) {
        const json_t *text = json_is_array(texts) ? json_array_get(texts, i) : texts;
        if (!json_is_string(text)) return problem_set_field(ret_problem, field, "%s[%zu]: expected a text", field, i);
        n_bytes[i] = json_string_length(text);
        if (!(copies[i] = job_copy(job, json_string_value(text), n_bytes[i]))) return problem_no_memory(ret_problem);
    }
    *ret_texts = copies;
    if (ret_text_bytes) *ret_text_bytes = n_bytes;
    *ret_n_texts = n_texts;
    return true;
}

bool inputs_copy_ids(struct job *job, const json_t *ids, const char *field, const int32_t **ret_ids, size_t *ret_n_ids,
                     struct problem *ret_problem)
{
    size_t n_ids = json_array_size(ids);
    int32_t *copies = ARENA_NEW(&job->arena, int32_t, n_ids + 1);
    if (!copies) return problem_no_memory(ret_problem);
    for (size_t i = 0; i < n_ids; i++) {
        const json_t *id = json_array_get(ids, i);
        if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) > INT32_MAX)
            return problem_set_field(ret_problem, field, "%s[%zu]: expected a token id", field, i);
        copies[i] = (int32_t)json_integer_value(id);
    }
    *ret_ids = copies;
    *ret_n_ids = n_ids;
    return true;
}

bool inputs_copy_json(struct job *job, const json_t *value, const char **ret_text, size_t *ret_n_bytes,
                      struct problem *ret_problem)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    size_t n_bytes = text ? strlen(text) : 0;
    char *copy = text ? job_copy(job, text, n_bytes) : NULL;
    free(text);
    if (!copy) return problem_no_memory(ret_problem);
    *ret_text = copy;
    if (ret_n_bytes) *ret_n_bytes = n_bytes;
    return true;
}
