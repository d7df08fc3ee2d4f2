#include "server/routes/openai_sampling.h"

#include "server/routes/generation.h"

#include <math.h>

enum {
    BIAS_OF_ALL = 100,
    FORCING_BIAS = 1000
}; /* no model's logits are so far apart, and a float still tells forced ones from each other */

/* OpenAI: "values like -100 or 100 should result in a ban or exclusive selection of the relevant token". */
static bool sharpen_biases(struct generate_job *generate, struct problem *ret_problem)
{
    hob_generate_options *options = &generate->inputs.options;
    hob_logit_bias *biases = ARENA_NEW(&generate->job.arena, hob_logit_bias, options->n_logit_biases + 1);
    if (!biases) return problem_no_memory(ret_problem);
    for (size_t i = 0; i < options->n_logit_biases; i++) {
        biases[i] = options->logit_biases[i];
        if (biases[i].bias <= -BIAS_OF_ALL) biases[i].bias = -INFINITY;
        if (biases[i].bias >= BIAS_OF_ALL) biases[i].bias = FORCING_BIAS;
    }
    options->logit_biases = biases;
    return true;
}

static bool set_stop_ids(const json_t *list, struct generate_job *generate, struct problem *ret_problem)
{
    size_t i, n_ids = json_array_size(list);
    const json_t *item;
    if (!n_ids) return true;
    int32_t *ids = ARENA_NEW(&generate->job.arena, int32_t, n_ids);
    if (!ids) return problem_no_memory(ret_problem);
    json_array_foreach (list, i, item) {
        json_int_t id = json_integer_value(item);
        if (!json_is_integer(item) || id < 0 || id > INT32_MAX)
            return problem_set_field(ret_problem, "stop_token_ids", "stop_token_ids[%zu]: expected a token id", i);
        ids[i] = (int32_t)id;
    }
    generate->inputs.options.stop_ids = ids;
    generate->inputs.options.n_stop_ids = n_ids;
    return true;
}

static bool set_constraint(const struct openai_sampling *sampling, struct generate_job *generate,
                           struct problem *ret_problem)
{
    hob_generate_options *options = &generate->inputs.options;
    if (sampling->grammar && sampling->schema)
        return problem_set_field(ret_problem, "grammar", "grammar: found json_schema too, expected one of them");
    if (sampling->schema)
        return generation_set_schema(sampling->schema, "json_schema", &generate->inputs, &generate->job, ret_problem);
    if (!sampling->grammar || !*sampling->grammar) return true;
    options->gbnf = job_copy(&generate->job, sampling->grammar, strlen(sampling->grammar));
    return options->gbnf || problem_no_memory(ret_problem);
}

bool openai_sampling_set(const struct openai_sampling *sampling, struct generate_job *generate,
                         struct problem *ret_problem)
{
    struct sampling_fields shared = sampling->shared;
    if (sampling->repetition_penalty > 0) shared.repeat_penalty = sampling->repetition_penalty;
    generate->inputs.options.ignores_end = sampling->ignores_end;
    generate->inputs.options.min_tokens = sampling->min_tokens;
    return sampling_fields_set(&shared, generate, ret_problem) && sharpen_biases(generate, ret_problem) &&
           set_stop_ids(sampling->stop_ids, generate, ret_problem) && set_constraint(sampling, generate, ret_problem);
}

void openai_sampling_set_limit(int64_t max_tokens, struct generate_inputs *inputs)
{
    inputs->has_no_limit = max_tokens < 0;
    inputs->generates_nothing = max_tokens == 0;
    inputs->options.max_tokens = max_tokens > 0 ? (size_t)max_tokens : 0;
}
