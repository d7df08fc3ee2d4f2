/* POST /completion (and /completions): a prompt as text, as ids, as a mixture of both, or several of them. Special tokens that stand in a
 * prompt are read, since llama.cpp's clients write their templates themselves. */
#include "server/routes/api_llama.h"

struct inputs {
    struct llama_fields common;
    const json_t *prompt;
};

static const struct field_def fields[] = {
    {.name = "prompt",
     .kind = FIELD_ANY,
     .is_required = true,
     .offset = offsetof(struct inputs, prompt),
     .help = "a text, a list of token ids and texts, or a list of such prompts"},
    LLAMA_FIELDS(struct inputs, common),
};

static bool is_mixture(const json_t *prompt)
{
    size_t i, n_ids = 0;
    const json_t *part;
    json_array_foreach (prompt, i, part) {
        if (!json_is_integer(part) && !json_is_string(part)) return false;
        n_ids += json_is_integer(part);
    }
    return n_ids > 0;
}

/* Texts among ids are cut into tokens when the model is known. */
static bool set_mixture(const json_t *prompt, struct generate_job *generate, struct problem *ret_problem)
{
    size_t i, n_parts = json_array_size(prompt);
    const json_t *part;
    struct prompt_part *parts = ARENA_NEW(&generate->job.arena, struct prompt_part, n_parts);
    if (!parts) return problem_no_memory(ret_problem);
    json_array_foreach (prompt, i, part) {
        if (json_is_integer(part) && (json_integer_value(part) < 0 || json_integer_value(part) > INT32_MAX))
            return problem_set_field(ret_problem, "prompt", "prompt[%zu]: expected a token id or a text", i);
        parts[i].id = json_is_integer(part) ? (int32_t)json_integer_value(part) : HOB_NO_TOKEN;
        parts[i].n_text_bytes = json_string_length(part);
        if (json_is_string(part) &&
            !(parts[i].text = job_copy(&generate->job, json_string_value(part), parts[i].n_text_bytes)))
            return problem_no_memory(ret_problem);
    }
    generate->inputs.parts = parts;
    generate->inputs.n_parts = n_parts;
    return true;
}

static bool set_prompt(const json_t *prompt, struct generate_job *generate, struct problem *ret_problem)
{
    generate->inputs.reads_special_tokens = true;
    if (json_is_array(prompt) && is_mixture(prompt)) {
        generate->inputs.kind = PROMPT_PARTS;
        return set_mixture(prompt, generate, ret_problem);
    }
    if (!json_is_string(prompt))
        return problem_set_field(ret_problem, "prompt", "prompt: expected a text or a list of token ids and texts");
    generate->inputs.kind = PROMPT_TEXT;
    generate->inputs.n_text_bytes = json_string_length(prompt);
    generate->inputs.text = job_copy(&generate->job, json_string_value(prompt), json_string_length(prompt));
    return generate->inputs.text || problem_no_memory(ret_problem);
}

static bool add_prompt(struct exchange *exchange, const struct inputs *inputs, const json_t *prompt,
                       struct problem *ret_problem)
{
    struct generate_job *generate = generate_job_new(inputs->common.model ? inputs->common.model : "");
    if (!exchange_add(exchange, (struct job *)generate, ret_problem)) return false;
    generate->job.priority = PRIORITY_COMPLETION;
    return llama_fill_in(&inputs->common, generate, ret_problem) && set_prompt(prompt, generate, ret_problem);
}

static bool add_prompts(struct exchange *exchange, const struct inputs *inputs, struct problem *ret_problem)
{
    size_t i;
    const json_t *prompt;
    if (!json_is_array(inputs->prompt) || is_mixture(inputs->prompt))
        return add_prompt(exchange, inputs, inputs->prompt, ret_problem);
    if (!json_array_size(inputs->prompt))
        return problem_set_field(ret_problem, "prompt", "prompt: found an empty list, expected a prompt");
    if (json_array_size(inputs->prompt) > 256)
        return problem_set_field(ret_problem, "prompt", "prompt: found %zu, expected at most 256",
                                 json_array_size(inputs->prompt));
    json_array_foreach (inputs->prompt, i, prompt)
        if (!add_prompt(exchange, inputs, prompt, ret_problem)) return false;
    return true;
}

static bool handle(struct exchange *exchange, struct problem *ret_problem)
{
    struct inputs inputs = {.common = LLAMA_DEFAULTS};
    if (!fields_read(exchange_body(exchange), fields, sizeof fields / sizeof fields[0], &inputs, ret_problem))
        return false;
    return add_prompts(exchange, &inputs, ret_problem) && llama_run(exchange, &inputs.common, ret_problem);
}

const struct route_def route_llama_completion = {
    .method = "POST",
    .path = "/completion",
    .api = &api_llama,
    .summary = "Continue a text",
    .fields = fields,
    .n_fields = sizeof fields / sizeof fields[0],
    .reply = "content, tokens, stop_type, stopping_word, tokens_predicted, tokens_evaluated, timings, "
             "completion_probabilities",
    .handle = handle,
};

const struct route_def route_llama_completions = {
    .method = "POST",
    .path = "/completions",
    .api = &api_llama,
    .flags = ROUTE_IS_HIDDEN,
    .summary = "The same as /completion",
    .fields = fields,
    .n_fields = sizeof fields / sizeof fields[0],
    .handle = handle,
};
