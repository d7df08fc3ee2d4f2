/* llama.cpp's words for what a generating job is asked and what came of it. */
#include "server/routes/api_llama.h"

#include "server/routes/answer_parts.h"
#include "server/routes/job_inputs.h"

static const char *type_of(enum problem_kind kind)
{
    switch (kind) {
    case PROBLEM_UNAUTHORIZED:
        return "authentication_error";
    case PROBLEM_FORBIDDEN:
        return "permission_error";
    case PROBLEM_NO_ROUTE:
    case PROBLEM_NO_MODEL:
        return "not_found_error";
    case PROBLEM_CONTEXT:
        return "exceed_context_size_error";
    case PROBLEM_UNSUPPORTED:
        return "not_supported_error";
    case PROBLEM_LOADING:
    case PROBLEM_BUSY:
        return "unavailable_error";
    case PROBLEM_INTERNAL:
    case PROBLEM_NO_MEMORY:
    case PROBLEM_DEADLINE:
        return "server_error";
    default:
        return "invalid_request_error";
    }
}

static json_t *problem_body(const struct problem *problem, int *ret_status)
{
    json_t *error = json_pack("{s:i,s:o,s:s}", "code", *ret_status ? *ret_status : problem_http_status(problem->kind),
                              "message", api_message(problem), "type", type_of(problem->kind));
    if (problem->kind == PROBLEM_CONTEXT) {
        json_object_set_new(error, "n_prompt_tokens", json_integer((json_int_t)problem->n_found));
        json_object_set_new(error, "n_ctx", json_integer((json_int_t)problem->n_allowed));
    }
    return json_pack("{s:o}", "error", error);
}

const struct api_def api_llama = {.name = "llama.cpp", .problem = problem_body};

/* ---- what is asked ---- */

bool llama_fill_in(const struct llama_fields *fields, struct generate_job *generate, struct problem *ret_problem)
{
    hob_generate_options *options = &generate->inputs.options;
    if (!sampling_fields_set(&fields->sampling, generate, ret_problem)) return false;
    if (fields->n_probs < 0 || fields->n_probs > HOB_MAX_TOP_LOGPROBS)
        return problem_set_field(ret_problem, "n_probs", "n_probs: found %lld, expected 0 to %d",
                                 (long long)fields->n_probs, HOB_MAX_TOP_LOGPROBS);
    options->max_tokens = fields->n_predict > 0 ? (size_t)fields->n_predict : 0;
    generate->inputs.has_no_limit = fields->n_predict < 0;
    generate->inputs.generates_nothing = fields->n_predict == 0;
    options->n_keep = fields->n_keep < 0 ? SIZE_MAX : (size_t)fields->n_keep;
    options->has_logprobs = fields->n_probs > 0;
    options->n_top_logprobs = (size_t)fields->n_probs;
    options->ignores_end = fields->ignores_end;
    options->max_ms = fields->t_max_predict_ms > 0 ? (uint64_t)fields->t_max_predict_ms : 0;
    if (fields->grammar && *fields->grammar && fields->json_schema)
        return problem_set_field(ret_problem, "grammar",
                                 "grammar: found one beside json_schema, expected one of the two");
    if (fields->grammar && *fields->grammar &&
        !(options->gbnf = job_copy(&generate->job, fields->grammar, strlen(fields->grammar))))
        return problem_no_memory(ret_problem);
    return !fields->json_schema ||
           inputs_copy_json(&generate->job, fields->json_schema, &options->json_schema, NULL, ret_problem);
}

/* ---- what came of it ---- */

struct llama_answer {
    bool has_tokens, has_probs;
    size_t n_indent;
    const json_t *response_fields;      /* as long as the request */
    size_t *n_tokens, *n_prompt_tokens; /* of each job of a stream, so far */
};

/* A text as far as it is to be seen, and the numbers beside it. */
struct story {
    struct buffer text;
    json_t *tokens, *probabilities;
    const struct event *end;
    struct usage usage;
};

static json_t *one_probability(const struct job *job, hob_logprob token)
{
    return json_pack("{s:i,s:o,s:o,s:o}", "id", (int)token.id, "token", answer_token_text(job, token.id), "bytes",
                     answer_token_bytes(job, token.id), "logprob", answer_logprob(token.logprob));
}

static json_t *probability_of(const struct job *job, const struct event *event)
{
    json_t *entry = one_probability(job, (hob_logprob){event->id, event->logprob}), *top = json_array();
    for (size_t i = 0; i < event->n_top_logprobs; i++) json_append(&top, one_probability(job, event->top_logprobs[i]));
    json_put(&entry, "top_logprobs", top);
    return entry;
}

static void tell_delta(struct story *story, const struct llama_answer *answer, const struct job *job,
                       const struct event *event)
{
    buffer_append(&story->text, event->text, event->n_text_bytes);
    if (event->id == HOB_NO_TOKEN) return;
    json_append(&story->tokens, json_integer(event->id));
    if (answer->has_probs) json_append(&story->probabilities, probability_of(job, event));
}

/* The white space at a line's beginning. */
static size_t indent_of(const char *line, const char *end)
{
    size_t n = 0;
    while (line + n < end && (line[n] == ' ' || line[n] == '\t')) n++;
    return n;
}

/* Where the first line begins, behind the first one, that holds text and is indented by less than n_indent. */
static size_t end_of_block(const struct buffer *text, size_t n_indent)
{
    const char *bytes = buffer_text(text), *end = bytes + text->n_bytes;
    for (const char *line = memchr(bytes, '\n', text->n_bytes); n_indent && line;
         line = memchr(line, '\n', (size_t)(end - line))) {
        size_t indent = indent_of(++line, end);
        if (line + indent < end && line[indent] != '\n' && indent < n_indent) return (size_t)(line - bytes) - 1;
    }
    return text->n_bytes;
}

static const char *stop_type(const struct story *story)
{
    if (!story->end) return "none";
    switch (story->end->finish) {
    case HOB_FINISH_END:
        return "eos";
    case HOB_FINISH_STOP:
        return "word";
    default:
        return "limit";
    }
}

static json_t *final_object(size_t index, const struct job *job, const struct story *story)
{
    const struct usage *usage = &story->usage;
    const struct generate_job *generate = (const struct generate_job *)job;
    const hob_generate_options *options = &generate->inputs.options;
    const char *stopping = story->end && story->end->stop ? story->end->stop : "";
    json_t *settings = json_pack("{s:I,s:f,s:I,s:f,s:f,s:I}", "seed", (json_int_t)generate->seed, "temperature",
                                 (double)options->temperature, "top_k", (json_int_t)options->top_k, "top_p",
                                 (double)options->top_p, "min_p", (double)options->min_p, "n_predict",
                                 options->max_tokens ? (json_int_t)options->max_tokens : (json_int_t)-1);
    return json_pack("{s:I,s:i,s:b,s:s,s:I,s:I,s:I,s:b,s:s,s:s,s:b,s:o,s:o}", "index", (json_int_t)index, "id_slot", -1,
                     "stop", true, "model", job->model ? job->model->name : "", "tokens_predicted",
                     (json_int_t)usage->n_generated_tokens, "tokens_evaluated", (json_int_t)usage->n_prompt_tokens,
                     "tokens_cached", (json_int_t)usage->n_prompt_tokens + (json_int_t)usage->n_generated_tokens, "truncated",
                     false, "stop_type", stop_type(story), "stopping_word", stopping, "has_new_line",
                     memchr(buffer_text(&story->text), '\n', story->text.n_bytes) != NULL, "generation_settings",
                     settings, "timings", answer_timings(usage));
}

static json_t *whole_object(struct exchange *exchange, const struct llama_answer *answer, size_t index)
{
    struct story story = {.tokens = json_array(), .probabilities = json_array()};
    const struct job *job = exchange_job(exchange, index);
    ANSWER_EVENTS(event, exchange, index)
    {
        if (event->kind == EVENT_DELTA) tell_delta(&story, answer, job, event);
        if (event->kind == EVENT_OUTPUT_END) story.end = event;
        if (event->kind == EVENT_DONE) story.usage = event->usage;
    }
    json_t *object = final_object(index, job, &story);
    json_put(&object, "content", json_text(buffer_text(&story.text), end_of_block(&story.text, answer->n_indent)));
    json_put(&object, "tokens", answer->has_tokens ? json_incref(story.tokens) : json_array());
    if (answer->has_probs) json_put(&object, "completion_probabilities", json_incref(story.probabilities));
    json_decref(story.tokens);
    json_decref(story.probabilities);
    if (story.text.is_failed) json_put(&object, "content", NULL);
    buffer_release(&story.text);
    return object;
}

/* What "timings/prompt_n" leads to, which is an object's field in an object; NULL: nothing. */
static json_t *at_path(json_t *object, const char *path)
{
    for (const char *slash; (slash = strchr(path, '/')); path = slash + 1)
        object = json_object_getn(object, path, (size_t)(slash - path));
    return json_object_get(object, path);
}

/* Each under the name that was asked for, slashes and all. What is not there is left out. */
static json_t *only_fields(json_t *object, const json_t *names)
{
    json_t *chosen = object ? json_object() : NULL;
    size_t n_names = json_is_array(names) ? json_array_size(names) : 1;
    for (size_t i = 0; i < n_names; i++) {
        const char *name = json_string_value(json_is_array(names) ? json_array_get(names, i) : names);
        json_t *value = at_path(object, name);
        if (value) json_put(&chosen, name, json_incref(value));
    }
    json_decref(object);
    return chosen;
}

static json_t *whole(struct exchange *exchange, void *state)
{
    const struct llama_answer *answer = state;
    json_t *list = json_array();
    for (size_t i = 0; i < exchange_n_jobs(exchange); i++) {
        json_t *object = whole_object(exchange, answer, i);
        json_append(&list, answer->response_fields ? only_fields(object, answer->response_fields) : object);
    }
    return exchange_n_jobs(exchange) == 1 ? answer_first(list) : list;
}

static void stream_delta(struct llama_answer *answer, const struct job *job, size_t index, const struct event *event,
                         struct buffer *out)
{
    bool has_token = event->id != HOB_NO_TOKEN;
    answer->n_tokens[index] += has_token;
    json_t *object = json_pack("{s:I,s:o,s:o,s:b,s:i,s:I,s:I}", "index", (json_int_t)index, "content",
                               json_text(event->text, event->n_text_bytes), "tokens",
                               has_token ? json_pack("[i]", (int)event->id) : json_array(), "stop", false, "id_slot",
                               -1, "tokens_predicted", (json_int_t)answer->n_tokens[index], "tokens_evaluated",
                               (json_int_t)answer->n_prompt_tokens[index]);
    if (answer->has_probs && has_token)
        json_put(&object, "completion_probabilities", json_pack("[o]", probability_of(job, event)));
    exchange_put_sse(out, NULL, object);
}

static void stream_event(struct exchange *exchange, void *state, size_t index, const struct event *event,
                         struct buffer *out)
{
    int status = 0;
    struct llama_answer *answer = state;
    const struct job *job = exchange_job(exchange, index);
    if (event->kind == EVENT_STARTED) answer->n_prompt_tokens[index] = event->usage.n_prompt_tokens;
    if (event->kind == EVENT_DELTA) stream_delta(answer, job, index, event, out);
    if (event->kind == EVENT_FAILED) exchange_put_sse(out, NULL, problem_body(&event->problem, &status));
    if (event->kind != EVENT_DONE) return;
    struct story story = {.usage = event->usage};
    ANSWER_EVENTS(earlier, exchange, index) if (earlier->kind == EVENT_OUTPUT_END) story.end = earlier;
    json_t *object = final_object(index, job, &story);
    json_put(&object, "content", json_string(""));
    json_put(&object, "tokens", json_array());
    exchange_put_sse(out, NULL, answer->response_fields ? only_fields(object, answer->response_fields) : object);
}

static const struct answer_def llama_answer = {
    .stream_type = "text/event-stream", .event = stream_event, .whole = whole, .ping = ":\n\n"};

bool llama_run(struct exchange *exchange, const struct llama_fields *fields, struct problem *ret_problem)
{
    size_t n_jobs = exchange_n_jobs(exchange);
    struct arena *arena = exchange_arena(exchange);
    struct llama_answer *answer = ARENA_NEW(arena, struct llama_answer, 1);
    size_t *n_tokens = ARENA_NEW(arena, size_t, n_jobs), *n_prompt_tokens = ARENA_NEW(arena, size_t, n_jobs);
    if (!answer || !n_tokens || !n_prompt_tokens) return problem_no_memory(ret_problem);
    bool has_fields = fields->response_fields &&
                      (!json_is_array(fields->response_fields) || json_array_size(fields->response_fields));
    *answer = (struct llama_answer){.has_tokens = fields->has_tokens,
                                    .has_probs = fields->n_probs > 0,
                                    .n_indent = fields->n_indent > 0 ? (size_t)fields->n_indent : 0,
                                    .response_fields = has_fields ? fields->response_fields : NULL,
                                    .n_tokens = n_tokens,
                                    .n_prompt_tokens = n_prompt_tokens};
    exchange_run(exchange, &llama_answer, answer, fields->is_stream);
    return true;
}
