/* The clerk makes prompt, grammar and readers; the engine makes the generation, behind the echo of the prompt where one is wanted.
 *
 * A prompt that is only to be computed is a generation of one token of which nothing is told: what it leaves in the prefix cache is what
 * later texts find. */
#include "server/jobs/generate.h"

#include "base/memory.h"
#include "server/jobs/echo.h"
#include "server/jobs/generate_key.h"
#include "server/jobs/reply.h"

#include <sys/random.h>

enum { MOST_GRAMMAR_BYTES = 1 << 20, DRAFTS_OF_A_MODEL = 8 };

struct generate_state {
    struct prompt prompt;
    struct reply reply;
    hob_grammar *grammar;
    hob_generate_options options;
    struct echo *echo; /* under way; NULL: none is wanted, or it is told */
    hob_generation *later; /* what follows the echo */
};

static struct generate_job *generate_of(const struct job *job)
{
    return (struct generate_job *)job;
}

/* ---- prepare ---- */

/* A seed is drawn for those who did not choose one, and told in the job, so that the text can be had again. */
static bool choose_seed(struct generate_job *generate, struct problem *ret_problem)
{
    generate->seed = generate->inputs.options.seed;
    if (generate->inputs.has_seed || generate->inputs.options.temperature == 0) return true;
    if (getrandom(&generate->seed, sizeof generate->seed, 0) != (ssize_t)sizeof generate->seed)
        return problem_set(ret_problem, PROBLEM_INTERNAL, "the system has no random numbers");
    generate->seed >>= 11; /* exact in JSON, where numbers are doubles */
    return true;
}

static bool check_prompt(const struct generate_job *generate, const struct prompt *prompt, const struct loaded_model *model, struct problem *ret_problem)
{
    (void)generate;
    if (!prompt->n_ids)
        return problem_set(ret_problem, PROBLEM_BAD_REQUEST, "the prompt is empty, and model %s has no token that begins a text", model->name);
    if (prompt->n_ids <= model->n_context_tokens) return true;
    problem_set(ret_problem, PROBLEM_CONTEXT, "the prompt has %zu tokens, and the context of model %s holds %zu", prompt->n_ids, model->name,
                model->n_context_tokens);
    ret_problem->n_found = prompt->n_ids;
    ret_problem->n_allowed = model->n_context_tokens;
    return false;
}

static bool check_grammar(const char *field, const char *text, struct problem *ret_problem)
{
    if (!text || strlen(text) <= MOST_GRAMMAR_BYTES) return true;
    return problem_set_field(ret_problem, field, "%s: found %zu bytes, expected at most %d", field, strlen(text), MOST_GRAMMAR_BYTES);
}

/* Of a conversation, tools and schema make one grammar together. */
static bool make_grammar(const struct generate_inputs *inputs, const struct loaded_model *model, struct generate_state *state,
                         struct problem *ret_problem)
{
    hob_error error;
    hob_status status = HOB_OK;
    const char *gbnf = inputs->options.gbnf, *schema = inputs->options.json_schema;
    if (!check_grammar("grammar", gbnf, ret_problem) || !check_grammar("json_schema", schema, ret_problem)) return false;
    if (gbnf && schema) return problem_set(ret_problem, PROBLEM_BAD_REQUEST, "found a grammar and a JSON Schema, expected at most one of them");
    if (gbnf) status = hob_grammar_new_gbnf(gbnf, strlen(gbnf), &state->grammar, &error);
    else if (state->prompt.chat) status = hob_chat_new_grammar(state->prompt.chat, model->model, &state->prompt.chat_options, &state->grammar, &error);
    else if (schema) status = hob_grammar_new_json_schema(schema, strlen(schema), &state->grammar, &error);
    return status == HOB_OK || problem_from(ret_problem, &error);
}

static bool add_end_text(struct generate_job *generate, const char *end_text, hob_generate_options *options, struct problem *ret_problem)
{
    if (!end_text || options->beam_width > 1) return true;
    const char **stops = ARENA_NEW(&generate->job.arena, const char *, options->n_stops + 1);
    if (!stops) return problem_set(ret_problem, PROBLEM_NO_MEMORY, "a request: out of memory");
    if (options->n_stops) memcpy(stops, options->stops, options->n_stops * sizeof *stops);
    stops[options->n_stops++] = end_text;
    options->stops = stops;
    return true;
}

/* What ends a middle, behind what the request says. */
static bool add_ends(struct generate_job *generate, const struct prompt *prompt, hob_generate_options *options, struct problem *ret_problem)
{
    if (!prompt->n_ends) return true;
    int32_t *ids = ARENA_NEW(&generate->job.arena, int32_t, options->n_stop_ids + prompt->n_ends);
    if (!ids) return problem_set(ret_problem, PROBLEM_NO_MEMORY, "a request: out of memory");
    if (options->n_stop_ids) memcpy(ids, options->stop_ids, options->n_stop_ids * sizeof *ids);
    memcpy(ids + options->n_stop_ids, prompt->ends, prompt->n_ends * sizeof *ids);
    options->stop_ids = ids;
    options->n_stop_ids += prompt->n_ends;
    return true;
}

static size_t most_tokens(const struct generate_job *generate)
{
    const struct generate_inputs *inputs = &generate->inputs;
    if (inputs->generates_nothing) return 1;
    return inputs->options.max_tokens || inputs->has_no_limit ? inputs->options.max_tokens : generate->job.settings.max_tokens;
}

static size_t most_drafts(const struct generate_job *generate, const struct loaded_model *model)
{
    const hob_generate_options *options = &generate->inputs.options;
    if (options->beam_width > 1 || generate->inputs.generates_nothing) return 0;
    if (options->n_draft_tokens) return options->n_draft_tokens;
    if (generate->job.settings.draft_tokens) return generate->job.settings.draft_tokens;
    return model->draft_session ? DRAFTS_OF_A_MODEL : 0;
}

/* A context that shifts wants a limit: without one the text may never end, so it gets what the context holds. */
static void set_options(const struct generate_job *generate, const struct loaded_model *model, hob_generate_options *options)
{
    const struct generate_inputs *inputs = &generate->inputs;
    options->gbnf = options->json_schema = NULL;
    options->seed = generate->seed;
    options->max_tokens = most_tokens(generate);
    options->shifts_context = (inputs->shifts_context || options->shifts_context) && options->beam_width <= 1;
    if (options->shifts_context && !options->max_tokens) options->max_tokens = model->n_context_tokens;
    options->chunk_tokens = generate->job.settings.chunk_tokens;
    options->n_draft_tokens = most_drafts(generate, model);
    options->draft_session = options->n_draft_tokens ? model->draft_session : NULL;
}

static size_t count_outputs(const hob_generate_options *options)
{
    return options->n_samples ? options->n_samples : 1;
}

static bool prepare(struct job *job, struct loaded_model *model, struct problem *ret_problem)
{
    struct generate_job *generate = generate_of(job);
    const struct generate_inputs *inputs = &generate->inputs;
    struct generate_state *state = memory_new(1, sizeof *state);
    if (!state) return problem_set(ret_problem, PROBLEM_NO_MEMORY, "a request: out of memory");
    generate->state = state;
    state->options = inputs->options;
    if (!choose_seed(generate, ret_problem) || !prompt_make(inputs, model, &state->prompt, ret_problem)) return false;
    generate->prompt = state->prompt.ids;
    generate->n_prompt = state->prompt.n_ids;
    job->is_answered = inputs->generates_nothing && !generate->n_prompt; /* only the model was to be opened */
    if (job->is_answered) return reply_init(&state->reply, job->transcript, &state->prompt, model, 1, ret_problem);
    if (!check_prompt(generate, &state->prompt, model, ret_problem) || !make_grammar(inputs, model, state, ret_problem)) return false;
    set_options(generate, model, &state->options);
    generate->job.n_texts = state->options.beam_width > 1 ? state->options.beam_width : count_outputs(&state->options);
    state->options.grammar = state->grammar ? state->grammar : inputs->options.grammar;
    return add_ends(generate, &state->prompt, &state->options, ret_problem) &&
           add_end_text(generate, state->prompt.end_text, &state->options, ret_problem) &&
           reply_init(&state->reply, job->transcript, &state->prompt, model, count_outputs(&state->options), ret_problem);
}

static bool key(const struct job *job, struct buffer *ret_key)
{
    const struct generate_job *generate = generate_of(job);
    return generate_key(generate, &generate->state->options, ret_key);
}

/* ---- on the engine's thread ---- */

static bool make_generation(struct generate_job *generate, struct loaded_model *model, hob_generation **ret_generation,
                            struct problem *ret_problem)
{
    hob_error error;
    struct generate_state *state = generate->state;
    state->reply.is_silent = generate->inputs.generates_nothing;
    if (hob_generation_new(model->session, generate->prompt, generate->n_prompt, &state->options, reply_on_generated, &state->reply,
                           ret_generation, &error) == HOB_OK)
        return true;
    return problem_from(ret_problem, &error);
}

static bool tell_start(const struct generate_job *generate, struct problem *ret_problem)
{
    struct event *event = transcript_event(generate->job.transcript, EVENT_STARTED);
    if (!event) return problem_set(ret_problem, PROBLEM_NO_MEMORY, "a request: out of memory");
    event->usage.n_prompt_tokens = generate->n_prompt;
    transcript_append(generate->job.transcript, event);
    return true;
}

static bool make_echo(struct generate_job *generate, struct loaded_model *model, struct problem *ret_problem)
{
    const struct generate_inputs *inputs = &generate->inputs;
    struct echo_options options = {.has_logprobs = inputs->options.has_logprobs,
                                   .n_top_logprobs = inputs->options.n_top_logprobs,
                                   .is_all = inputs->generates_nothing};
    return echo_new(generate->prompt, generate->n_prompt, &options, model, &generate->state->echo, ret_problem);
}

/* The generation is made before an echo that comes first: what is wrong with its options is known before anything is told. */
static bool begin(struct job *job, struct loaded_model *model, struct problem *ret_problem)
{
    struct generate_job *generate = generate_of(job);
    struct generate_state *state = generate->state;
    const struct generate_inputs *inputs = &generate->inputs;
    if (!(inputs->echoes && inputs->generates_nothing) &&
        !make_generation(generate, model, inputs->echoes ? &state->later : &job->generation, ret_problem))
        return false;
    if (state->later) hob_generation_park(state->later); /* what it holds of the prompt would be in the echo's way */
    return (!inputs->echoes || make_echo(generate, model, ret_problem)) && tell_start(generate, ret_problem);
}

/* The echo; then the generation goes on with those of others. A prompt that was scored needs no warming beside. */
static bool step(struct job *const *jobs, size_t n_jobs, struct loaded_model *model, struct problem *ret_problem)
{
    (void)n_jobs; /* the session's own cache holds one text at a time */
    bool is_done;
    struct generate_job *generate = generate_of(jobs[0]);
    struct generate_state *state = generate->state;
    if (!echo_step(state->echo, model, generate->job.transcript, &is_done, ret_problem)) {
        generate->job.lacks_room = echo_lacks_room(state->echo);
        return false;
    }
    if (!is_done) return true;
    generate->job.lacks_room = false;
    echo_free(state->echo, model);
    state->echo = NULL;
    generate->job.is_complete = !state->later;
    generate->job.generation = state->later;
    state->later = NULL;
    return true;
}

/* Texts that ended by the clock or a client's leaving are not what the same request gives next time. */
static bool is_repeatable(const hob_generation *generation)
{
    for (size_t i = 0; i < hob_generation_n_outputs(generation); i++) {
        hob_finish finish = hob_generation_output(generation, i).finish;
        if (finish == HOB_FINISH_TIME || finish == HOB_FINISH_CANCELLED) return false;
    }
    return true;
}

static bool finish(struct job *job, struct usage *usage, struct problem *ret_problem)
{
    struct generate_job *generate = generate_of(job);
    struct generate_state *state = generate->state;
    usage->n_prompt_tokens = generate->n_prompt;
    if (!job->generation) return reply_end_empty(&state->reply, ret_problem);
    hob_generate_result result = hob_generation_result(job->generation);
    usage->n_cached_tokens = result.n_cached_tokens;
    usage->n_generated_tokens = state->reply.is_silent ? 0 : result.n_tokens;
    usage->n_drafted = result.n_drafted;
    usage->n_draft_accepted = result.n_draft_accepted;
    usage->prompt_ms = result.prompt_ms;
    usage->generate_ms = result.generate_ms;
    job->has_key = job->has_key && is_repeatable(job->generation);
    return reply_end(&state->reply, job->generation, &generate->inputs.options, ret_problem);
}

static void release(struct job *job)
{
    struct generate_job *generate = generate_of(job);
    struct generate_state *state = generate->state;
    if (!state) return;
    hob_generation_free(job->generation);
    hob_generation_free(state->later);
    job->generation = NULL;
    echo_free(state->echo, job->model);
    reply_release(&state->reply);
    hob_grammar_free(state->grammar);
    prompt_release(&state->prompt);
    memory_free(state);
    generate->state = NULL;
    generate->prompt = NULL;
}

const struct job_def job_generate = {.name = "generate",
                                     .use = USE_GENERATE,
                                     .prepare = prepare,
                                     .key = key,
                                     .begin = begin,
                                     .step = step,
                                     .finish = finish,
                                     .release = release};

struct generate_job *generate_job_new(const char *model_name)
{
    return job_new(&job_generate, sizeof(struct generate_job), model_name);
}
