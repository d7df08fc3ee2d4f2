#include "server/routes/generation.h"

#include "server/routes/job_inputs.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

void generation_id(const char *prefix, char ret_id[GENERATION_ID_BYTES])
{
    unsigned char random[12] = {0};
    if (getrandom(random, sizeof random, 0) < 0)
        memset(random, 0, sizeof random); /* ids need not be secret, nor unique at any price */
    int n = snprintf(ret_id, GENERATION_ID_BYTES, "%.16s", prefix);
    for (size_t i = 0; i < sizeof random; i++)
        n += snprintf(ret_id + n, GENERATION_ID_BYTES - (size_t)n, "%02x", random[i]);
}

bool generation_set_schema(const json_t *schema, const char *field, struct generate_inputs *inputs, struct job *job,
                           struct problem *ret_problem)
{
    if (json_is_object(schema) || json_is_boolean(schema))
        return inputs_copy_json(job, schema, &inputs->options.json_schema, NULL, ret_problem);
    if (!json_is_string(schema))
        return problem_set_field(ret_problem, field, "%s: expected a JSON Schema: an object", field);
    inputs->options.json_schema = job_copy(job, json_string_value(schema), json_string_length(schema));
    return inputs->options.json_schema || problem_no_memory(ret_problem);
}

/* ---- what came of them ---- */

static const struct event *last_event(const struct transcript *transcript)
{
    const struct event *last = NULL;
    for (const struct event *event = transcript_next(transcript, NULL); event;
         event = transcript_next(transcript, event))
        last = event;
    return last;
}

static double most(double a, double b)
{
    return a > b ? a : b;
}

static void add_usage(struct usage *sum, const struct usage *usage)
{
    sum->n_prompt_tokens += usage->n_prompt_tokens;
    sum->n_cached_tokens += usage->n_cached_tokens;
    sum->n_generated_tokens += usage->n_generated_tokens;
    sum->n_drafted += usage->n_drafted;
    sum->n_draft_accepted += usage->n_draft_accepted;
    sum->queue_ms = most(sum->queue_ms, usage->queue_ms);
    sum->load_ms = most(sum->load_ms, usage->load_ms);
    sum->prompt_ms = most(sum->prompt_ms, usage->prompt_ms);
    sum->generate_ms = most(sum->generate_ms, usage->generate_ms);
    sum->total_ms = most(sum->total_ms, usage->total_ms);
}

struct usage generation_usage(const struct exchange *exchange)
{
    struct usage sum = {0};
    for (size_t i = 0; i < exchange_n_jobs(exchange); i++) {
        const struct event *last = last_event(exchange_transcript(exchange, i));
        if (last && last->kind == EVENT_DONE) add_usage(&sum, &last->usage);
    }
    return sum;
}

const char *generation_model_name(const struct job *job)
{
    return job->model ? job->model->name : job->model_name;
}

const hob_tokenizer *generation_tokenizer(const struct job *job)
{
    return job->model ? hob_model_tokenizer(job->model->model) : NULL;
}

hob_pieces *generation_pieces(const struct job *job)
{
    hob_pieces *pieces = NULL;
    const hob_tokenizer *tokenizer = generation_tokenizer(job);
    if (!tokenizer || hob_pieces_new(tokenizer, &pieces, NULL) != HOB_OK) return NULL;
    return pieces;
}
