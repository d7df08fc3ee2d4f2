#include "server/routes/api_openai.h"

#include "server/models/model_registry.h"
#include "server/routes/answer_parts.h"
#include "server/routes/api.h"

#include <stdio.h>

/* ---- errors ---- */

/* By problem kind: OpenAI's type and code, and the status where it is not the kind's own. */
static const struct {
    const char *type, *code;
    int status;
} errors[] = {
    [PROBLEM_BAD_REQUEST] = {"invalid_request_error", NULL, 0},
    [PROBLEM_CONTEXT] = {"invalid_request_error", "context_length_exceeded", 0},
    [PROBLEM_UNAUTHORIZED] = {"invalid_request_error", "invalid_api_key", 0},
    [PROBLEM_FORBIDDEN] = {"invalid_request_error", "forbidden", 0},
    [PROBLEM_NO_ROUTE] = {"invalid_request_error", "unknown_url", 0},
    [PROBLEM_NO_MODEL] = {"invalid_request_error", "model_not_found", 0},
    [PROBLEM_BAD_METHOD] = {"invalid_request_error", "method_not_supported", 0},
    [PROBLEM_TOO_SLOW] = {"invalid_request_error", "request_timeout", 0},
    [PROBLEM_TOO_LARGE] = {"invalid_request_error", "request_too_large", 0},
    [PROBLEM_BAD_TYPE] = {"invalid_request_error", "unsupported_media_type", 0},
    [PROBLEM_UNPROCESSABLE] = {"invalid_request_error", "unprocessable", 0},
    [PROBLEM_BUSY] = {"rate_limit_error", "rate_limit_exceeded", 0},
    [PROBLEM_CANCELLED] = {"server_error", "cancelled", 0},
    [PROBLEM_INTERNAL] = {"server_error", NULL, 0},
    [PROBLEM_UNSUPPORTED] = {"invalid_request_error", "unsupported", 400},
    [PROBLEM_LOADING] = {"server_error", "service_unavailable", 0},
    [PROBLEM_DEADLINE] = {"server_error", "timeout", 0},
    [PROBLEM_NO_MEMORY] = {"server_error", "out_of_memory", 500},
};

json_t *openai_problem(const struct problem *problem, int *ret_status)
{
    const char *field = problem->kind == PROBLEM_NO_MODEL && !problem->field ? "model" : problem->field;
    *ret_status = errors[problem->kind].status;
    json_t *error = json_pack("{s:o,s:s,s:s?,s:s?}", "message", api_message(problem), "type",
                              errors[problem->kind].type, "param", field, "code", errors[problem->kind].code);
    if (error && problem->kind == PROBLEM_CONTEXT) {
        json_object_set_new(error, "n_prompt_tokens", json_integer((json_int_t)problem->n_found));
        json_object_set_new(error, "n_ctx", json_integer((json_int_t)problem->n_allowed));
    }
    return json_pack("{s:o}", "error", error);
}

const struct api_def api_openai = {.name = "OpenAI", .problem = openai_problem};

/* ---- replies ---- */

struct openai_reply *openai_reply_new(struct exchange *exchange, const char *prefix, const char *object,
                                      const char *chunk_object)
{
    struct openai_reply *reply = ARENA_NEW(exchange_arena(exchange), struct openai_reply, 1);
    if (!reply) return NULL;
    generation_id(prefix, reply->id);
    reply->object = object;
    reply->chunk_object = chunk_object;
    reply->n_choices = 1;
    return reply;
}

void openai_reply_release(void *reply)
{
    hob_pieces_free(((struct openai_reply *)reply)->pieces);
}

hob_pieces *openai_reply_pieces(struct openai_reply *reply, const struct job *job)
{
    if (!reply->pieces) reply->pieces = generation_pieces(job);
    return reply->pieces;
}

/* Which model, and which program: the same fingerprint gives the same bytes for the same seed on the same machine. */
static json_t *fingerprint(const struct loaded_model *model)
{
    static const unsigned char none[5];
    const unsigned char *digest = model ? model->digest : none;
    return json_sprintf("fp_%02x%02x%02x%02x%02x_hob_%s", digest[0], digest[1], digest[2], digest[3], digest[4],
                        hob_version());
}

json_t *openai_envelope(const struct exchange *exchange, const struct openai_reply *reply, const struct job *job,
                        bool is_chunk, json_t *choices)
{
    return json_pack("{s:s,s:s,s:I,s:s,s:o,s:o}", "id", reply->id, "object",
                     is_chunk ? reply->chunk_object : reply->object, "created", (json_int_t)exchange_now_s(exchange),
                     "model", generation_model_name(job), "system_fingerprint", fingerprint(job->model), "choices",
                     choices);
}

void openai_put_choice(const struct exchange *exchange, const struct openai_reply *reply, size_t job, json_t *choice,
                       struct buffer *out)
{
    json_t *chunk = openai_envelope(exchange, reply, exchange_job(exchange, job), true, json_pack("[o]", choice));
    if (reply->includes_usage) json_object_set_new(chunk, "usage", json_null());
    exchange_put_sse(out, NULL, chunk);
}

void openai_put_failure(struct openai_reply *reply, const struct problem *problem, struct buffer *out)
{
    int status;
    reply->has_failed = true;
    exchange_put_sse(out, NULL, openai_problem(problem, &status));
}

void openai_put_end(struct exchange *exchange, const struct openai_reply *reply, struct buffer *out)
{
    if (reply->includes_usage && !reply->has_failed) {
        json_t *chunk = openai_envelope(exchange, reply, exchange_job(exchange, 0), true, json_array());
        exchange_put_sse(out, NULL, openai_add_usage(exchange, chunk));
    }
    exchange_put_sse_text(out, "[DONE]");
}

json_t *openai_usage(const struct usage *usage)
{
    return json_pack("{s:I,s:I,s:I,s:{s:I}}", "prompt_tokens", (json_int_t)usage->n_prompt_tokens, "completion_tokens",
                     (json_int_t)usage->n_generated_tokens, "total_tokens",
                     (json_int_t)usage->n_prompt_tokens + (json_int_t)usage->n_generated_tokens, "prompt_tokens_details",
                     "cached_tokens", (json_int_t)usage->n_cached_tokens);
}

json_t *openai_add_usage(const struct exchange *exchange, json_t *body)
{
    struct usage usage = generation_usage(exchange);
    if (json_object_set_new(body, "usage", openai_usage(&usage)) == 0 &&
        json_object_set_new(body, "timings", answer_timings(&usage)) == 0)
        return body;
    json_decref(body);
    return NULL;
}

const char *openai_finish(const struct event *end)
{
    bool is_cut =
        end->finish == HOB_FINISH_LENGTH || end->finish == HOB_FINISH_CONTEXT || end->finish == HOB_FINISH_TIME;
    if (is_cut) return "length";
    return end->has_tool_calls ? "tool_calls" : "stop";
}

bool openai_read_stream_options(const json_t *options, bool *ret_includes_usage, struct problem *ret_problem)
{
    static const struct field_def fields[] = {{.name = "include_usage", .kind = FIELD_BOOL}};
    return !options || fields_read(options, fields, 1, ret_includes_usage, ret_problem);
}
