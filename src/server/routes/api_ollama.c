/* Ollama's words for what a job is asked and what came of it. */
#include "server/routes/api_ollama.h"

#include "base/sha256.h"
#include "server/routes/answer_parts.h"
#include "server/routes/job_inputs.h"

static json_t *problem_body(const struct problem *problem, int *ret_status)
{
    (void)ret_status;
    return json_pack("{s:o}", "error", api_message(problem));
}

const struct api_def api_ollama = {.name = "Ollama", .problem = problem_body};

/* ---- what is asked ---- */

struct options {
    struct sampling_fields sampling;
    int64_t num_predict, num_keep;
};

static const struct field_def option_fields[] = {
    SAMPLING_FIELDS(struct options, sampling),
    {.name = "num_predict",
     .kind = FIELD_INTEGER,
     .offset = offsetof(struct options, num_predict),
     .help = "most tokens; -1: to the context's end"},
    {.name = "num_keep",
     .kind = FIELD_INTEGER,
     .offset = offsetof(struct options, num_keep),
     .help = "of the prompt, when a full context is shifted; -1: all"},
};

static bool read_options(const json_t *options, struct generate_job *generate, struct problem *ret_problem)
{
    struct options read = {.sampling = SAMPLING_OFF, .num_predict = -1};
    read.sampling.temperature = 0.8;
    read.sampling.top_k = 40;
    read.sampling.top_p = 0.9;
    read.sampling.repeat_penalty = 1.1;
    if (options && !json_is_object(options))
        return problem_set_field(ret_problem, "options", "options: expected an object");
    if (options &&
        !fields_read(options, option_fields, sizeof option_fields / sizeof option_fields[0], &read, ret_problem))
        return false;
    if (!sampling_fields_set(&read.sampling, generate, ret_problem)) return false;
    generate->inputs.options.max_tokens = read.num_predict > 0 ? (size_t)read.num_predict : 0;
    generate->inputs.has_no_limit = read.num_predict < 0;
    generate->inputs.generates_nothing = read.num_predict == 0;
    generate->inputs.options.n_keep = read.num_keep < 0 ? SIZE_MAX : (size_t)read.num_keep;
    return true;
}

/* Go's units. */
static double unit_seconds(const char *unit, size_t n_bytes)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = {{"ns", 1e-9}, {"us", 1e-6}, {"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strlen(units[i].name) == n_bytes && !memcmp(units[i].name, unit, n_bytes)) return units[i].seconds;
    return -1;
}

/* "1h30m", "-1m"; a bare number is seconds. */
static bool parse_duration(const char *text, double *ret_seconds)
{
    bool is_negative = *text == '-', has_any = false;
    double sum = 0;
    for (text += is_negative; *text; has_any = true) {
        char *end;
        double number = strtod(text, &end);
        if (end == text || !(number >= 0) || number > 1e12) return false;
        size_t n_unit = strspn(end, "numsh");
        double seconds = n_unit ? unit_seconds(end, n_unit) : !has_any && !*end ? 1 : -1;
        if (seconds < 0) return false;
        sum += number * seconds;
        text = end + n_unit;
    }
    *ret_seconds = is_negative ? -sum : sum;
    return has_any;
}

bool ollama_read_keep_alive(const json_t *keep_alive, int64_t *ret_s, struct problem *ret_problem)
{
    double seconds;
    if (!keep_alive) return true;
    if (json_is_number(keep_alive)) seconds = json_number_value(keep_alive);
    else if (!json_is_string(keep_alive) || !parse_duration(json_string_value(keep_alive), &seconds))
        return problem_set_field(ret_problem, "keep_alive",
                                 "keep_alive: expected seconds or a duration such as \"5m\"");
    *ret_s = seconds < 0 || seconds > 1e12 ? -1 : (int64_t)ceil(seconds);
    return true;
}

static bool read_format(const json_t *format, struct generate_job *generate, struct problem *ret_problem)
{
    hob_generate_options *options = &generate->inputs.options;
    if (!format || (json_is_string(format) && !json_string_length(format))) return true;
    if (json_is_string(format) && !strcmp(json_string_value(format), "json")) {
        options->json_schema = "";
        return true;
    }
    if (!json_is_object(format))
        return problem_set_field(ret_problem, "format", "format: expected \"json\" or a JSON Schema");
    return inputs_copy_json(&generate->job, format, &options->json_schema, NULL, ret_problem);
}

static bool read_think(const json_t *think, struct generate_job *generate, struct problem *ret_problem)
{
    if (!think) return true;
    if (!json_is_boolean(think) && !json_is_string(think))
        return problem_set_field(ret_problem, "think", "think: expected a boolean or a level");
    json_t *variables = json_pack("{s:b}", "enable_thinking", !json_is_false(think));
    if (variables && json_is_string(think))
        json_object_set_new(variables, "reasoning_effort", json_string(json_string_value(think)));
    bool is_set = inputs_copy_json(&generate->job, variables, &generate->inputs.chat.variables, NULL, ret_problem);
    json_decref(variables);
    return is_set;
}

bool ollama_fill_in(const struct ollama_fields *fields, struct generate_job *generate, struct problem *ret_problem)
{
    generate->inputs.options.has_logprobs = fields->has_logprobs;
    generate->inputs.options.n_top_logprobs = fields->has_logprobs ? fields->n_top_logprobs : 0;
    return read_options(fields->options, generate, ret_problem) && read_format(fields->format, generate, ret_problem) &&
           read_think(fields->think, generate, ret_problem) &&
           ollama_read_keep_alive(fields->keep_alive, &generate->job.keep_alive_s, ret_problem);
}

/* ---- what came of it ---- */

const char *ollama_time(int64_t seconds, long nanoseconds, char text[OLLAMA_TIME_BYTES])
{
    struct tm parts;
    time_t moment = (time_t)seconds;
    gmtime_r(&moment, &parts);
    size_t n = strftime(text, OLLAMA_TIME_BYTES, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text + n, OLLAMA_TIME_BYTES - n, ".%09ldZ", nanoseconds);
    return text;
}

static json_t *new_chunk(const struct ollama_answer *answer)
{
    char time_text[OLLAMA_TIME_BYTES];
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return json_pack("{s:s,s:s}", "model", answer->model, "created_at",
                     ollama_time(now.tv_sec, now.tv_nsec, time_text));
}

/* A message, or the fields "response" and "thinking"; calls may be NULL and is taken. */
static void put_texts(const struct ollama_answer *answer, json_t *chunk, json_t *content, json_t *thinking,
                      json_t *calls)
{
    json_t *into = answer->is_chat ? json_pack("{s:s}", "role", "assistant") : json_incref(chunk);
    json_object_set_new(into, answer->is_chat ? "content" : "response", content);
    if (thinking) json_object_set_new(into, "thinking", thinking);
    if (calls) json_object_set_new(into, "tool_calls", calls);
    if (answer->is_chat) json_object_set_new(chunk, "message", into);
    else json_decref(into);
}

/* From OpenAI's shape: Ollama has arguments as an object. */
static json_t *ollama_call(const struct event *event)
{
    json_t *call = json_loadb(event->text, event->n_text_bytes, 0, NULL);
    const json_t *function = json_object_get(call, "function");
    const char *arguments = json_string_value(json_object_get(function, "arguments"));
    json_t *object = arguments ? json_loads(arguments, 0, NULL) : NULL;
    json_t *out = json_pack("{s:O,s:{s:O,s:o}}", "id", json_object_get(call, "id"), "function", "name",
                            json_object_get(function, "name"), "arguments", object ? object : json_object());
    json_decref(call);
    return out;
}

static json_t *one_logprob(const struct job *job, hob_logprob token)
{
    return json_pack("{s:o,s:o,s:o}", "token", answer_token_text(job, token.id), "logprob",
                     answer_logprob(token.logprob), "bytes", answer_token_bytes(job, token.id));
}

static json_t *logprobs_of(const struct exchange *exchange, const struct event *event)
{
    const struct job *job = exchange_job(exchange, 0);
    json_t *token = one_logprob(job, (hob_logprob){event->id, event->logprob}), *top = json_array();
    for (size_t i = 0; i < event->n_top_logprobs; i++)
        json_append(&top, one_logprob(job, event->top_logprobs[i]));
    if (event->n_top_logprobs) json_put(&token, "top_logprobs", json_incref(top));
    json_decref(top);
    return token;
}

static json_int_t nanoseconds(double ms)
{
    return (json_int_t)(ms * 1e6);
}

/* Clients divide by it, and an answer that was kept took no time. */
static json_int_t nanoseconds_of(double ms, size_t n_tokens)
{
    json_int_t n = nanoseconds(ms);
    return n < 1 && n_tokens ? 1 : n;
}

static const char *done_reason(const struct ollama_answer *answer)
{
    if (answer->is_empty) return answer->is_leaving ? "unload" : "load";
    return answer->end && (answer->end->finish == HOB_FINISH_LENGTH || answer->end->finish == HOB_FINISH_CONTEXT)
               ? "length"
               : "stop";
}

static void put_usage(const struct ollama_answer *answer, json_t *chunk, const struct usage *usage)
{
    json_t *numbers = json_pack(
        "{s:b,s:s,s:I,s:I,s:I,s:I,s:I,s:I}", "done", true, "done_reason", done_reason(answer), "total_duration",
        nanoseconds(usage->total_ms), "load_duration", nanoseconds(usage->load_ms), "prompt_eval_count",
        (json_int_t)usage->n_prompt_tokens, "prompt_eval_duration", nanoseconds_of(usage->prompt_ms, usage->n_prompt_tokens), "eval_count",
        (json_int_t)usage->n_generated_tokens, "eval_duration",
        nanoseconds_of(usage->generate_ms, usage->n_generated_tokens));
    json_object_update(chunk, numbers);
    json_decref(numbers);
}

static void put_delta(struct exchange *exchange, const struct ollama_answer *answer, const struct event *event,
                      struct buffer *out)
{
    bool has_logprobs = answer->has_logprobs && event->id != HOB_NO_TOKEN;
    if (!event->n_text_bytes && !event->n_reasoning_bytes && !has_logprobs) return;
    json_t *chunk = new_chunk(answer);
    put_texts(answer, chunk, json_text(event->text, event->n_text_bytes),
              event->n_reasoning_bytes ? json_text(event->reasoning, event->n_reasoning_bytes) : NULL, NULL);
    json_object_set_new(chunk, "done", json_false());
    if (has_logprobs) json_object_set_new(chunk, "logprobs", json_pack("[o]", logprobs_of(exchange, event)));
    exchange_put_ndjson(out, chunk);
}

static void put_call(const struct ollama_answer *answer, const struct event *event, struct buffer *out)
{
    json_t *chunk = new_chunk(answer);
    put_texts(answer, chunk, json_string(""), NULL, json_pack("[o]", ollama_call(event)));
    json_object_set_new(chunk, "done", json_false());
    exchange_put_ndjson(out, chunk);
}

static void stream_event(struct exchange *exchange, void *state, size_t job, const struct event *event,
                         struct buffer *out)
{
    struct ollama_answer *answer = state;
    int status;
    (void)job;
    switch (event->kind) {
    case EVENT_DELTA:
        put_delta(exchange, answer, event, out);
        break;
    case EVENT_TOOL_CALL:
        put_call(answer, event, out);
        break;
    case EVENT_OUTPUT_END:
        answer->end = event;
        break;
    case EVENT_FAILED:
        exchange_put_ndjson(out, problem_body(&event->problem, &status));
        break;
    case EVENT_DONE: {
        json_t *chunk = new_chunk(answer);
        put_texts(answer, chunk, json_string(""), NULL, NULL);
        put_usage(answer, chunk, &event->usage);
        exchange_put_ndjson(out, chunk);
        break;
    }
    default:
        break;
    }
}

static json_t *whole(struct exchange *exchange, void *state)
{
    struct ollama_answer *answer = state;
    struct buffer content = {0}, thinking = {0};
    json_t *chunk = new_chunk(answer), *calls = json_array(), *logprobs = json_array();
    ANSWER_EVENTS(event, exchange, 0)
    {
        buffer_append(&content, event->text, event->kind == EVENT_DELTA ? event->n_text_bytes : 0);
        buffer_append(&thinking, event->reasoning, event->n_reasoning_bytes);
        if (event->kind == EVENT_TOOL_CALL) json_append(&calls, ollama_call(event));
        if (event->kind == EVENT_OUTPUT_END) answer->end = event;
        if (event->kind == EVENT_DELTA && answer->has_logprobs && event->id != HOB_NO_TOKEN)
            json_append(&logprobs, logprobs_of(exchange, event));
        if (event->kind == EVENT_DONE) put_usage(answer, chunk, &event->usage);
    }
    put_texts(answer, chunk, json_text(buffer_text(&content), content.n_bytes),
              thinking.n_bytes ? json_text(buffer_text(&thinking), thinking.n_bytes) : NULL,
              json_array_size(calls) ? json_incref(calls) : NULL);
    if (answer->has_logprobs) json_object_set(chunk, "logprobs", logprobs);
    json_decref(calls);
    json_decref(logprobs);
    buffer_release(&content);
    buffer_release(&thinking);
    return chunk;
}

const struct answer_def ollama_answer = {.stream_type = "application/x-ndjson", .event = stream_event, .whole = whole};

bool ollama_run(struct exchange *exchange, const struct ollama_fields *fields, const struct generate_job *generate, bool is_chat, bool is_empty,
                struct problem *ret_problem)
{
    struct ollama_answer *answer = ARENA_NEW(exchange_arena(exchange), struct ollama_answer, 1);
    if (!answer) return problem_no_memory(ret_problem);
    *answer = (struct ollama_answer){.model = fields->model,
                                     .is_chat = is_chat,
                                     .is_empty = is_empty,
                                     .is_leaving = generate->job.keep_alive_s == 0,
                                     .has_logprobs = fields->has_logprobs};
    exchange_run(exchange, &ollama_answer, answer, fields->is_stream);
    return true;
}

/* ---- models ---- */

json_t *ollama_details(const struct model_status *status)
{
    const char *family = status->architecture ? status->architecture : "";
    return json_pack("{s:s,s:s,s:s,s:[s],s:s,s:s}", "parent_model", "", "format", status->format ? status->format : "",
                     "family", family, "families", family, "parameter_size", "", "quantization_level",
                     status->quant ? status->quant : "");
}

const char *ollama_digest(const struct model_status *status, char text[65])
{
    unsigned char digest[SHA256_BYTES];
    char identity[512];
    int n = snprintf(identity, sizeof identity, "%s %llu %lld", status->name, (unsigned long long)status->file_bytes,
                     (long long)status->modified_s);
    sha256_of(identity, n < (int)sizeof identity ? (size_t)n : sizeof identity, digest);
    return sha256_text(digest, text);
}
