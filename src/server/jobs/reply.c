#include "server/jobs/reply.h"

#include "base/memory.h"

bool reply_init(struct reply *reply, struct transcript *transcript, const struct prompt *prompt, const struct loaded_model *model,
                size_t n_outputs, struct problem *ret_problem)
{
    hob_error error;
    *reply = (struct reply){.transcript = transcript, .n_outputs = n_outputs};
    reply->outputs = memory_new(n_outputs, sizeof *reply->outputs);
    if (!reply->outputs) return problem_set(ret_problem, PROBLEM_NO_MEMORY, "%zu texts: out of memory", n_outputs);
    for (size_t i = 0; prompt->chat && i < n_outputs; i++)
        if (hob_reply_new(prompt->chat, model->model, &prompt->chat_options, &reply->outputs[i].reader, &error) != HOB_OK)
            return problem_from(ret_problem, &error);
    return true;
}

void reply_release(struct reply *reply)
{
    for (size_t i = 0; reply->outputs && i < reply->n_outputs; i++) hob_reply_free(reply->outputs[i].reader);
    memory_free(reply->outputs);
    *reply = (struct reply){0};
}

static bool no_memory(struct reply *reply)
{
    reply->has_failed = true;
    return problem_set(&reply->problem, PROBLEM_NO_MEMORY, "a reply: out of memory");
}

/* ---- events ---- */

static bool set_texts(struct reply *reply, struct event *event, const char *text, size_t n_text_bytes, const char *reasoning, size_t n_reasoning_bytes)
{
    if (n_text_bytes) event->text = transcript_copy(reply->transcript, text, n_text_bytes);
    if (n_reasoning_bytes) event->reasoning = transcript_copy(reply->transcript, reasoning, n_reasoning_bytes);
    event->n_text_bytes = n_text_bytes;
    event->n_reasoning_bytes = n_reasoning_bytes;
    return (event->text && event->reasoning) || no_memory(reply);
}

static bool set_token(struct reply *reply, struct event *event, const hob_generated *generated)
{
    event->id = generated->id;
    event->logprob = generated->logprob;
    event->n_top_logprobs = generated->n_top_logprobs;
    if (!generated->n_top_logprobs) return true;
    event->top_logprobs = transcript_copy(reply->transcript, generated->top_logprobs, generated->n_top_logprobs * sizeof *generated->top_logprobs);
    return event->top_logprobs || no_memory(reply);
}

static bool add_calls(struct reply *reply, size_t output, size_t n_tool_calls)
{
    struct reply_output *its = &reply->outputs[output];
    for (; its->n_tool_calls < n_tool_calls; its->n_tool_calls++) {
        const char *call = hob_reply_tool_call(its->reader, its->n_tool_calls);
        struct event *event = transcript_event(reply->transcript, EVENT_TOOL_CALL);
        if (!event || !call) return no_memory(reply);
        event->output = (uint32_t)output;
        if (!set_texts(reply, event, call, strlen(call), NULL, 0)) return false;
        transcript_append(reply->transcript, event);
    }
    return true;
}

/* generated: the token whose text it is. */
static bool add_delta(struct reply *reply, const hob_generated *generated, const hob_reply_delta *delta)
{
    struct event *event = transcript_event(reply->transcript, EVENT_DELTA);
    if (!event) return no_memory(reply);
    event->output = (uint32_t)generated->output;
    if (!set_token(reply, event, generated)) return false;
    if (!set_texts(reply, event, delta->content, delta->n_content_bytes, delta->reasoning, delta->n_reasoning_bytes)) return false;
    transcript_append(reply->transcript, event);
    return add_calls(reply, generated->output, delta->n_tool_calls);
}

static bool fail(struct reply *reply, const hob_error *error)
{
    reply->has_failed = true;
    return problem_from(&reply->problem, error);
}

bool reply_on_generated(void *context, const hob_generated *generated)
{
    hob_error error;
    struct reply *reply = context;
    if (reply->is_silent || generated->output >= reply->n_outputs) return true;
    hob_reply *reader = reply->outputs[generated->output].reader;
    hob_reply_delta delta = {.content = generated->text, .n_content_bytes = generated->n_text_bytes, .reasoning = ""};
    if (reader && hob_reply_push(reader, generated, &delta, &error) != HOB_OK) return fail(reply, &error);
    return add_delta(reply, generated, &delta);
}

/* ---- ends ---- */

/* What the reader held back because it might have become a call. */
static bool add_rest(struct reply *reply, size_t output)
{
    hob_error error;
    hob_reply_delta delta;
    hob_reply *reader = reply->outputs[output].reader;
    if (!reader) return true;
    if (hob_reply_finish(reader, &delta, &error) != HOB_OK) return fail(reply, &error);
    hob_generated none = {.id = HOB_NO_TOKEN, .output = output};
    if (delta.n_content_bytes || delta.n_reasoning_bytes) return add_delta(reply, &none, &delta);
    return add_calls(reply, output, delta.n_tool_calls);
}

static bool add_end(struct reply *reply, size_t output, hob_finish finish, const char *stop)
{
    struct event *event = transcript_event(reply->transcript, EVENT_OUTPUT_END);
    if (!event) return no_memory(reply);
    event->output = (uint32_t)output;
    event->finish = finish;
    event->has_tool_calls = reply->outputs[output].n_tool_calls > 0;
    if (stop && !(event->stop = transcript_copy(reply->transcript, stop, strlen(stop)))) return no_memory(reply);
    transcript_append(reply->transcript, event);
    return true;
}

static bool end_output(struct reply *reply, const hob_generation *generation, size_t output, const hob_generate_options *options)
{
    hob_generated_output its = hob_generation_output(generation, output);
    bool is_known_stop = its.stop >= 0 && (size_t)its.stop < options->n_stops;
    hob_finish finish = its.stop >= 0 && !is_known_stop ? HOB_FINISH_END : its.finish;
    if (reply->is_silent && finish != HOB_FINISH_CANCELLED) finish = HOB_FINISH_LENGTH;
    return add_rest(reply, output) && add_end(reply, output, finish, is_known_stop && !reply->is_silent ? options->stops[its.stop] : NULL);
}

bool reply_end(struct reply *reply, const hob_generation *generation, const hob_generate_options *options, struct problem *ret_problem)
{
    size_t n_outputs = hob_generation_n_outputs(generation);
    for (size_t i = 0; i < n_outputs && i < reply->n_outputs && !reply->has_failed; i++) end_output(reply, generation, i, options);
    if (reply->has_failed) *ret_problem = reply->problem;
    return !reply->has_failed;
}

bool reply_end_empty(struct reply *reply, struct problem *ret_problem)
{
    if (add_rest(reply, 0) && add_end(reply, 0, HOB_FINISH_LENGTH, NULL)) return true;
    *ret_problem = reply->problem;
    return false;
}
