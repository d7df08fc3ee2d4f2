#include "server/jobs/tokens.h"

#include "server/jobs/prompt.h"

static struct tokens_job *tokens_of(const struct job *job)
{
    return (struct tokens_job *)job;
}

static bool no_memory(struct problem *ret_problem)
{
    return problem_set(ret_problem, PROBLEM_NO_MEMORY, "tokens: out of memory");
}

/* ---- events ---- */

static bool tell_ids(struct job *job, size_t text, const int32_t *ids, size_t n_ids, struct problem *ret_problem)
{
    struct event *event = transcript_event(job->transcript, EVENT_IDS);
    if (!event || !(event->ids = transcript_copy(job->transcript, ids, n_ids * sizeof *ids))) return no_memory(ret_problem);
    event->first_row = text;
    event->n_ids = n_ids;
    transcript_append(job->transcript, event);
    return true;
}

static bool tell_text(struct job *job, const char *text, size_t n_bytes, struct problem *ret_problem)
{
    struct event *event = transcript_event(job->transcript, EVENT_TEXT);
    if (!event || !(event->text = transcript_copy(job->transcript, text, n_bytes))) return no_memory(ret_problem);
    event->n_text_bytes = n_bytes;
    transcript_append(job->transcript, event);
    return true;
}

/* ---- tasks ---- */

static bool encode_one(struct tokens_job *tokens, size_t text, struct problem *ret_problem)
{
    hob_error error;
    int32_t *ids;
    size_t n_ids;
    const struct tokens_inputs *inputs = &tokens->inputs;
    if (hob_tokenizer_encode(tokens->tokenizer, inputs->texts[text], inputs->text_bytes[text], inputs->flags, &ids, &n_ids, &error) != HOB_OK)
        return problem_from(ret_problem, &error);
    bool is_told = tell_ids(&tokens->job, text, ids, n_ids, ret_problem);
    hob_free(ids);
    return is_told;
}

static bool encode(struct tokens_job *tokens, const struct loaded_model *model, struct problem *ret_problem)
{
    (void)model;
    for (size_t i = 0; i < tokens->inputs.n_texts; i++)
        if (!encode_one(tokens, i, ret_problem)) return false;
    return true;
}

static bool decode(struct tokens_job *tokens, const struct loaded_model *model, struct problem *ret_problem)
{
    (void)model;
    hob_error error;
    char *text;
    size_t n_bytes;
    const struct tokens_inputs *inputs = &tokens->inputs;
    if (hob_tokenizer_decode(tokens->tokenizer, inputs->ids, inputs->n_ids, inputs->flags, &text, &n_bytes, &error) != HOB_OK)
        return problem_from(ret_problem, &error);
    bool is_told = tell_text(&tokens->job, text, n_bytes, ret_problem);
    hob_free(text);
    return is_told;
}

static bool render(struct tokens_job *tokens, const struct loaded_model *model, struct problem *ret_problem)
{
    char *text;
    size_t n_bytes;
    struct prompt prompt;
    if (!prompt_render(&tokens->inputs.prompt, model, &text, &n_bytes, ret_problem)) return false;
    bool is_told = tell_text(&tokens->job, text, n_bytes, ret_problem);
    hob_free(text);
    if (!is_told || !tokens->inputs.has_ids) return is_told;
    if (!prompt_make(&tokens->inputs.prompt, model, &prompt, ret_problem)) return false;
    is_told = tell_ids(&tokens->job, 0, prompt.ids, prompt.n_ids, ret_problem);
    prompt_release(&prompt);
    return is_told;
}

static bool prepare(struct job *job, struct loaded_model *model, struct problem *ret_problem)
{
    static bool (*const tasks[])(struct tokens_job *, const struct loaded_model *, struct problem *) = {
        [TOKENS_ENCODE] = encode, [TOKENS_DECODE] = decode, [TOKENS_RENDER] = render};
    struct tokens_job *tokens = tokens_of(job);
    tokens->tokenizer = hob_model_tokenizer(model->model);
    job->is_answered = true;
    if (!tokens->tokenizer) return problem_set(ret_problem, PROBLEM_UNSUPPORTED, "model %s: it has no tokenizer", model->name);
    return tasks[tokens->inputs.task](tokens, model, ret_problem);
}

const struct job_def job_tokens = {.name = "tokens", .use = USE_ANY, .prepare = prepare};

struct tokens_job *tokens_job_new(const char *model_name)
{
    return job_new(&job_tokens, sizeof(struct tokens_job), model_name);
}
