/* POST /v1/completions. A prompt is a job, a choice one of its texts; of best_of texts the n most probable are given. */
#include "server/routes/api_openai.h"
#include "server/routes/openai_logprobs.h"
#include "server/routes/openai_prompts.h"
#include "server/routes/route.h"

#include <stdlib.h>

enum { MOST_PROMPTS = 256, MOST_TEXTS = 128, DEFAULT_MAX_TOKENS = 16 };

struct inputs {
    const char *model, *suffix;
    const json_t *prompt, *stream_options;
    int64_t max_tokens, n_logprobs; /* -1: none */
    size_t n, best_of;
    bool is_stream, echoes;
    struct openai_sampling sampling;
    struct openai_prompts prompts;
    bool includes_usage;
};

#define FIELD(name_, kind_, member, ...)                                                     \
    {                                                                                        \
        .name = name_, .kind = kind_, .offset = offsetof(struct inputs, member), __VA_ARGS__ \
    }

static const struct field_def fields[] = {
    FIELD("model", FIELD_TEXT, model, .help = "a name from /v1/models; without it the default one"),
    FIELD("prompt", FIELD_ANY, prompt, .is_required = true,
          .help = "a text, a list of texts, a list of token ids, or a list of such lists"),
    FIELD("suffix", FIELD_TEXT, suffix,
          .help = "what comes behind: the text between is filled in, where the model was trained for it"),
    FIELD("max_tokens", FIELD_INTEGER, max_tokens, .least = -1, .most = 1e9,
          .help = "16 unless given; -1: up to the context's end; 0: none, to score a prompt with echo and logprobs"),
    FIELD("n", FIELD_COUNT, n, .least = 1, .most = MOST_TEXTS, .help = "texts for each prompt"),
    FIELD("best_of", FIELD_COUNT, best_of, .least = 1, .most = MOST_TEXTS,
          .help = "generates so many and gives the n of the highest mean log-probability; not with stream"),
    FIELD("stream", FIELD_BOOL, is_stream, .help = "server-sent events, a chunk for each token"),
    FIELD("stream_options", FIELD_OBJECT, stream_options,
          .help = "{\"include_usage\": true}: a last chunk with the usage"),
    FIELD("logprobs", FIELD_INTEGER, n_logprobs, .least = 0, .most = HOB_MAX_TOP_LOGPROBS,
          .help = "each token's log-probability, with so many of the most probable tokens"),
    FIELD("echo", FIELD_BOOL, echoes, .help = "the text begins with the prompt"),
    OPENAI_SAMPLING_FIELDS(struct inputs, sampling),
    {.name = "user", .kind = FIELD_IGNORED},
};

/* ---- reading ---- */

static bool check_together(struct inputs *inputs, struct problem *ret_problem)
{
    if (!inputs->best_of) inputs->best_of = inputs->n;
    if (inputs->best_of < inputs->n)
        return problem_set_field(ret_problem, "best_of", "best_of: found %zu, expected n (%zu) or more",
                                 inputs->best_of, inputs->n);
    if (inputs->is_stream && inputs->best_of > inputs->n)
        return problem_set_field(ret_problem, "best_of",
                                 "best_of: found %zu above n (%zu) with stream, expected them to be equal",
                                 inputs->best_of, inputs->n);
    if (inputs->suffix && *inputs->suffix && (inputs->prompts.are_ids || inputs->echoes))
        return problem_set_field(ret_problem, "suffix", "suffix: found %s, expected a text as prompt and no echo",
                                 inputs->echoes ? "echo" : "token ids as prompt");
    return true;
}

static bool read_inputs(const json_t *body, struct inputs *inputs, struct problem *ret_problem)
{
    return fields_read(body, fields, sizeof fields / sizeof fields[0], inputs, ret_problem) &&
           openai_prompts_read(inputs->prompt, "prompt", MOST_PROMPTS, &inputs->prompts, ret_problem) &&
           openai_read_stream_options(inputs->stream_options, &inputs->includes_usage, ret_problem) &&
           check_together(inputs, ret_problem);
}

static bool set_fill(const struct inputs *inputs, size_t index, struct generate_job *generate,
                     struct problem *ret_problem)
{
    hob_fim *fill = &generate->inputs.fill;
    generate->inputs.kind = PROMPT_FILL;
    fill->n_suffix_bytes = strlen(inputs->suffix);
    fill->suffix = job_copy(&generate->job, inputs->suffix, fill->n_suffix_bytes);
    if (!fill->suffix) return problem_no_memory(ret_problem);
    return openai_prompts_text(&inputs->prompts, index, &generate->job, &fill->prefix, &fill->n_prefix_bytes,
                               ret_problem);
}

static bool set_prompt(const struct inputs *inputs, size_t index, struct generate_job *generate,
                       struct problem *ret_problem)
{
    struct generate_inputs *to = &generate->inputs;
    if (inputs->suffix && *inputs->suffix) return set_fill(inputs, index, generate, ret_problem);
    to->kind = inputs->prompts.are_ids ? PROMPT_IDS : PROMPT_TEXT;
    if (to->kind == PROMPT_IDS)
        return openai_prompts_ids(&inputs->prompts, index, &generate->job, &to->ids, &to->n_ids, ret_problem);
    return openai_prompts_text(&inputs->prompts, index, &generate->job, &to->text, &to->n_text_bytes, ret_problem);
}

static bool set_job(const struct inputs *inputs, size_t index, struct generate_job *generate,
                    struct problem *ret_problem)
{
    struct generate_inputs *to = &generate->inputs;
    generate->job.priority = PRIORITY_COMPLETION;
    openai_sampling_set_limit(inputs->max_tokens, to);
    to->echoes = inputs->echoes;
    to->options.n_samples = inputs->best_of;
    to->options.has_logprobs = inputs->n_logprobs >= 0 || inputs->best_of > inputs->n;
    to->options.n_top_logprobs = inputs->n_logprobs > 0 ? (size_t)inputs->n_logprobs : 0;
    return set_prompt(inputs, index, generate, ret_problem) &&
           openai_sampling_set(&inputs->sampling, generate, ret_problem);
}

static bool add_jobs(struct exchange *exchange, const struct inputs *inputs, struct problem *ret_problem)
{
    for (size_t i = 0; i < inputs->prompts.n_prompts; i++) {
        struct generate_job *generate = generate_job_new(inputs->model);
        if (!exchange_add(exchange, (struct job *)generate, ret_problem) || !set_job(inputs, i, generate, ret_problem))
            return false;
    }
    return true;
}

/* ---- answering ---- */

struct state {
    struct openai_reply *reply;
    size_t n_outputs; /* of a job; n_choices are given */
    size_t *offsets;  /* of a stream: characters so far of each choice */
};

static json_t *choice(size_t index, json_t *text, json_t *logprobs, const char *finish)
{
    return json_pack("{s:o,s:I,s:o,s:s?}", "text", text, "index", (json_int_t)index, "logprobs", logprobs,
                     "finish_reason", finish);
}

static json_t *logprobs_of(struct state *state, const struct job *job, const struct event *delta, size_t *offset)
{
    hob_pieces *pieces = openai_reply_pieces(state->reply, job);
    if (!pieces) return json_null();
    json_t *logprobs = openai_completion_logprobs();
    if (openai_completion_logprobs_add(logprobs, pieces, generation_tokenizer(job), delta, offset)) return logprobs;
    json_decref(logprobs);
    return NULL;
}

static void put_delta(struct exchange *exchange, struct state *state, size_t job, size_t index,
                      const struct event *delta, struct buffer *out)
{
    bool has_token = delta->id != HOB_NO_TOKEN && state->reply->has_logprobs;
    if (!delta->n_text_bytes && !has_token) return;
    json_t *logprobs =
        has_token ? logprobs_of(state, exchange_job(exchange, job), delta, &state->offsets[index]) : json_null();
    openai_put_choice(exchange, state->reply, job,
                      choice(index, json_text(delta->text, delta->n_text_bytes), logprobs, NULL), out);
}

static void put_event(struct exchange *exchange, void *context, size_t job, const struct event *event,
                      struct buffer *out)
{
    struct state *state = context;
    size_t first = job * state->n_outputs;
    if (event->kind == EVENT_FAILED) openai_put_failure(state->reply, &event->problem, out);
    if (event->kind == EVENT_OUTPUT_END)
        openai_put_choice(exchange, state->reply, job,
                          choice(first + event->output, json_string(""), json_null(), openai_finish(event)), out);
    if (event->kind != EVENT_DELTA) return;
    if (!event->is_echo) put_delta(exchange, state, job, first + event->output, event, out);
    for (size_t i = 0; event->is_echo && i < state->n_outputs; i++)
        put_delta(exchange, state, job, first + i, event, out);
}

static void put_end(struct exchange *exchange, void *context, struct buffer *out)
{
    openai_put_end(exchange, ((struct state *)context)->reply, out);
}

/* One text from its events. */
static json_t *whole_choice(struct exchange *exchange, struct state *state, size_t job, size_t output, size_t index)
{
    const struct transcript *transcript = exchange_transcript(exchange, job);
    hob_pieces *pieces =
        state->reply->has_logprobs ? openai_reply_pieces(state->reply, exchange_job(exchange, job)) : NULL;
    json_t *logprobs = pieces ? openai_completion_logprobs() : json_null();
    const char *finish = "length"; /* of a prompt that was only scored */
    struct buffer text = {0};
    size_t offset = 0;
    bool is_whole = true;
    for (const struct event *event = transcript_next(transcript, NULL); event;
         event = transcript_next(transcript, event)) {
        if (event->output != output && !event->is_echo) continue;
        if (event->kind == EVENT_OUTPUT_END) finish = openai_finish(event);
        if (event->kind != EVENT_DELTA) continue;
        buffer_append(&text, event->text, event->n_text_bytes);
        if (pieces && event->id != HOB_NO_TOKEN)
            is_whole &= openai_completion_logprobs_add(
                logprobs, pieces, generation_tokenizer(exchange_job(exchange, job)), event, &offset);
    }
    json_t *made = choice(index, text.is_failed || !is_whole ? NULL : json_text(buffer_text(&text), text.n_bytes),
                          logprobs, finish);
    buffer_release(&text);
    return made;
}

struct ranked {
    size_t output;
    double sum_logprob;
    size_t n_tokens;
};

static double mean_of(const struct ranked *ranked)
{
    return ranked->n_tokens ? ranked->sum_logprob / (double)ranked->n_tokens : 0;
}

static int by_mean(const void *a, const void *b)
{
    const struct ranked *left = a, *right = b;
    double difference = mean_of(right) - mean_of(left);
    if (difference != 0) return difference > 0 ? 1 : -1;
    return left->output < right->output ? -1 : 1;
}

/* The outputs, best first where some are left out. */
static void rank(const struct transcript *transcript, const struct state *state, struct ranked ret_ranked[MOST_TEXTS])
{
    for (size_t i = 0; i < state->n_outputs; i++) ret_ranked[i] = (struct ranked){.output = i};
    if (state->n_outputs == state->reply->n_choices) return;
    for (const struct event *event = transcript_next(transcript, NULL); event;
         event = transcript_next(transcript, event)) {
        if (event->kind != EVENT_DELTA || event->is_echo || event->id == HOB_NO_TOKEN ||
            event->output >= state->n_outputs)
            continue;
        ret_ranked[event->output].sum_logprob += (double)event->logprob;
        ret_ranked[event->output].n_tokens++;
    }
    qsort(ret_ranked, state->n_outputs, sizeof *ret_ranked, by_mean);
}

static json_t *whole(struct exchange *exchange, void *context)
{
    struct state *state = context;
    struct ranked ranked[MOST_TEXTS];
    size_t n_choices = state->reply->n_choices;
    json_t *choices = json_array();
    int failed = 0;
    for (size_t job = 0; job < exchange_n_jobs(exchange); job++) {
        rank(exchange_transcript(exchange, job), state, ranked);
        for (size_t i = 0; i < n_choices; i++)
            failed |= json_array_append_new(choices,
                                            whole_choice(exchange, state, job, ranked[i].output, job * n_choices + i));
    }
    if (!failed)
        return openai_add_usage(exchange,
                                openai_envelope(exchange, state->reply, exchange_job(exchange, 0), false, choices));
    json_decref(choices);
    return NULL;
}

static void release(void *context)
{
    openai_reply_release(((struct state *)context)->reply);
}

static const struct answer_def answer = {.stream_type = "text/event-stream",
                                         .event = put_event,
                                         .end = put_end,
                                         .ping = ": ping\n\n",
                                         .whole = whole,
                                         .release = release};

static struct state *new_state(struct exchange *exchange, const struct inputs *inputs)
{
    struct state *state = ARENA_NEW(exchange_arena(exchange), struct state, 1);
    struct openai_reply *reply = openai_reply_new(exchange, "cmpl-", "text_completion", "text_completion");
    size_t *offsets = ARENA_NEW(exchange_arena(exchange), size_t, inputs->prompts.n_prompts * inputs->best_of);
    if (!state || !reply || !offsets) return NULL;
    reply->n_choices = inputs->n;
    reply->includes_usage = inputs->includes_usage;
    reply->has_logprobs = inputs->n_logprobs >= 0;
    *state = (struct state){.reply = reply, .n_outputs = inputs->best_of, .offsets = offsets};
    return state;
}

static bool handle(struct exchange *exchange, struct problem *ret_problem)
{
    struct inputs inputs = {
        .model = "", .max_tokens = DEFAULT_MAX_TOKENS, .n = 1, .n_logprobs = -1, .sampling = OPENAI_SAMPLING_DEFAULTS};
    if (!read_inputs(exchange_body(exchange), &inputs, ret_problem) || !add_jobs(exchange, &inputs, ret_problem))
        return false;
    struct state *state = new_state(exchange, &inputs);
    if (!state) return problem_no_memory(ret_problem);
    exchange_run(exchange, &answer, state, inputs.is_stream);
    return true;
}

const struct route_def route_openai_completions = {
    .method = "POST",
    .path = "/v1/completions",
    .api = &api_openai,
    .summary = "Continues a text, or fills in what is missing between two. Temperature is 1 unless given, as OpenAI's.",
    .fields = fields,
    .n_fields = sizeof fields / sizeof fields[0],
    .reply = "A text_completion with its choices, or server-sent events that end with [DONE].",
    .handle = handle,
};
