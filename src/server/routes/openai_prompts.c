#include "server/routes/openai_prompts.h"

#include "server/routes/job_inputs.h"

static bool check_items(const struct openai_prompts *prompts, const char *field, struct problem *ret_problem)
{
    size_t i;
    const json_t *item;
    json_array_foreach (prompts->value, i, item) {
        if (prompts->are_ids ? json_array_size(item) > 0 : json_is_string(item)) continue;
        return problem_set_field(ret_problem, field, "%s[%zu]: expected %s, as the items before", field, i,
                                 prompts->are_ids ? "a list of token ids, at least one" : "a text");
    }
    return true;
}

bool openai_prompts_read(const json_t *value, const char *field, size_t most, struct openai_prompts *ret_prompts,
                         struct problem *ret_problem)
{
    struct openai_prompts prompts = {.value = value, .field = field, .n_prompts = 1, .is_one = true};
    const json_t *first = json_array_get(value, 0);
    if (!json_is_string(value) && !first)
        return problem_set_field(ret_problem, field,
                                 "%s: expected a text, a list of texts, a list of token ids or a list of such lists",
                                 field);
    prompts.are_ids = json_is_number(first) || json_is_array(first);
    if (first && !json_is_number(first)) {
        prompts.is_one = false;
        prompts.n_prompts = json_array_size(value);
        if (!check_items(&prompts, field, ret_problem)) return false;
    }
    if (prompts.n_prompts > most)
        return problem_set_field(ret_problem, field, "%s: found %zu items, expected at most %zu", field,
                                 prompts.n_prompts, most);
    *ret_prompts = prompts;
    return true;
}

static const json_t *item_at(const struct openai_prompts *prompts, size_t index)
{
    return prompts->is_one ? prompts->value : json_array_get(prompts->value, index);
}

bool openai_prompts_text(const struct openai_prompts *prompts, size_t index, struct job *job, const char **ret_text,
                         size_t *ret_n_bytes, struct problem *ret_problem)
{
    const json_t *text = item_at(prompts, index);
    char *copy = job_copy(job, json_string_value(text), json_string_length(text));
    if (!copy) return problem_no_memory(ret_problem);
    *ret_text = copy;
    *ret_n_bytes = json_string_length(text);
    return true;
}

bool openai_prompts_ids(const struct openai_prompts *prompts, size_t index, struct job *job, const int32_t **ret_ids,
                        size_t *ret_n_ids, struct problem *ret_problem)
{
    return inputs_copy_ids(job, item_at(prompts, index), prompts->field, ret_ids, ret_n_ids, ret_problem);
}
