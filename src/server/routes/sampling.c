/* From fields of a request to hob_generate_options. */
#include "server/routes/sampling.h"

#include <errno.h>
#include <limits.h>

/* ret_texts: NULL for an empty list. */
static bool copy_texts(struct job *job, const json_t *texts, const char *const **ret_texts, size_t *ret_n_texts,
                       struct problem *ret_problem)
{
    size_t n_texts = json_is_array(texts) ? json_array_size(texts) : 1, n_kept = 0;
    const char **copies = ARENA_NEW(&job->arena, const char *, n_texts + 1);
    if (!copies) return problem_no_memory(ret_problem);
    for (size_t i = 0; i < n_texts; i++) {
        const json_t *text = json_is_array(texts) ? json_array_get(texts, i) : texts;
        if (!json_string_length(text)) continue; /* an empty text would end everything at once */
        if (!(copies[n_kept++] = job_copy(job, json_string_value(text), json_string_length(text))))
            return problem_no_memory(ret_problem);
    }
    *ret_texts = n_kept ? copies : NULL;
    *ret_n_texts = n_kept;
    return true;
}

bool sampling_set_stops(const json_t *stop, const char *field, struct generate_job *generate,
                        struct problem *ret_problem)
{
    (void)field; /* its row has judged it */
    if (!stop) return true;
    hob_generate_options *options = &generate->inputs.options;
    return copy_texts(&generate->job, stop, &options->stops, &options->n_stops, ret_problem);
}

/* ---- biases ---- */

static bool read_bias(const char *field, const json_t *value, float *ret_bias, struct problem *ret_problem)
{
    if (json_is_false(value)) *ret_bias = -INFINITY;
    else if (json_is_number(value)) *ret_bias = (float)json_number_value(value);
    else return problem_set_field(ret_problem, field, "%s: a bias is a number or false", field);
    return true;
}

static bool read_id(const char *field, const char *text, int32_t *ret_id, struct problem *ret_problem)
{
    char *end;
    errno = 0;
    long long id = strtoll(text, &end, 10);
    if (errno || end == text || *end || id < 0 || id > INT32_MAX)
        return problem_set_field(ret_problem, field, "%s: found the token id \"%.40s\", expected digits", field, text);
    *ret_id = (int32_t)id;
    return true;
}

static bool read_bias_map(const json_t *map, const char *field, hob_logit_bias *ret_biases, struct problem *ret_problem)
{
    const char *key;
    json_t *value;
    hob_logit_bias *next = ret_biases;
    json_object_foreach ((json_t *)map, key, value) {
        if (!read_id(field, key, &next->id, ret_problem) || !read_bias(field, value, &next->bias, ret_problem)) return false;
        next++;
    }
    return true;
}

static bool read_bias_list(const json_t *list, const char *field, hob_logit_bias *ret_biases,
                           struct problem *ret_problem)
{
    size_t i;
    json_t *pair;
    json_array_foreach (list, i, pair) {
        const json_t *id = json_array_get(pair, 0), *bias = json_array_get(pair, 1);
        if (!json_is_integer(id) || json_array_size(pair) != 2 || json_integer_value(id) < 0 ||
            json_integer_value(id) > INT32_MAX)
            return problem_set_field(ret_problem, field, "%s[%zu]: expected a list of a token id and a bias", field, i);
        ret_biases[i].id = (int32_t)json_integer_value(id);
        if (!read_bias(field, bias, &ret_biases[i].bias, ret_problem)) return false;
    }
    return true;
}

bool sampling_set_biases(const json_t *biases, const char *field, struct generate_job *generate,
                         struct problem *ret_problem)
{
    if (!biases) return true;
    if (!json_is_object(biases) && !json_is_array(biases))
        return problem_set_field(ret_problem, field,
                                 "%s: expected an object of token ids and biases, or a list of pairs", field);
    size_t n_biases = json_is_object(biases) ? json_object_size(biases) : json_array_size(biases);
    hob_logit_bias *copies = ARENA_NEW(&generate->job.arena, hob_logit_bias, n_biases + 1);
    if (!copies) return problem_no_memory(ret_problem);
    if (json_is_object(biases) ? !read_bias_map(biases, field, copies, ret_problem)
                               : !read_bias_list(biases, field, copies, ret_problem))
        return false;
    generate->inputs.options.logit_biases = copies;
    generate->inputs.options.n_logit_biases = n_biases;
    return true;
}

/* ---- all ---- */

static size_t last_n(int64_t n)
{
    return n < 0 ? SIZE_MAX : (size_t)n;
}

static void set_numbers(const struct sampling_fields *sampling, hob_generate_options *options)
{
    options->temperature = (float)sampling->temperature;
    options->top_k = sampling->top_k > 0 ? (size_t)sampling->top_k : 0;
    options->top_p = (float)sampling->top_p;
    options->min_p = (float)sampling->min_p;
    options->typical_p = sampling->typical_p < 1 ? (float)sampling->typical_p : 0;
    options->top_n_sigma = sampling->top_n_sigma > 0 ? (float)sampling->top_n_sigma : 0;
    options->xtc_probability = (float)sampling->xtc_probability;
    options->xtc_threshold = (float)sampling->xtc_threshold;
    options->mirostat_tau = sampling->mirostat ? (float)sampling->mirostat_tau : 0;
    options->mirostat_eta = (float)sampling->mirostat_eta;
    options->dry_multiplier = sampling->dry_last_n ? (float)sampling->dry_multiplier : 0;
    options->dry_base = (float)sampling->dry_base;
    options->dry_allowed_length = sampling->dry_allowed_length;
    options->dry_last_n = sampling->dry_last_n > 0 ? (size_t)sampling->dry_last_n : 0;
}

/* The library's 0 stands for 64 last tokens: none means that the penalties are off. */
static void set_penalties(const struct sampling_fields *sampling, hob_generate_options *options)
{
    if (!sampling->repeat_last_n) return;
    options->penalty_last_n = last_n(sampling->repeat_last_n);
    options->repetition_penalty = (float)sampling->repeat_penalty;
    options->frequency_penalty = (float)sampling->frequency_penalty;
    options->presence_penalty = (float)sampling->presence_penalty;
}

bool sampling_fields_set(const struct sampling_fields *sampling, struct generate_job *generate, struct problem *ret_problem)
{
    hob_generate_options *options = &generate->inputs.options;
    set_numbers(sampling, options);
    set_penalties(sampling, options);
    generate->inputs.has_seed = sampling->seed >= 0;
    options->seed = sampling->seed >= 0 ? (uint64_t)sampling->seed : 0;
    if (sampling->dry_breakers && !copy_texts(&generate->job, sampling->dry_breakers, &options->dry_breakers,
                                              &options->n_dry_breakers, ret_problem))
        return false;
    return sampling_set_biases(sampling->logit_bias, "logit_bias", generate, ret_problem) &&
           sampling_set_stops(sampling->stop, "stop", generate, ret_problem);
}
