/* What OpenAI's and Anthropic's routes make of a job's events: reasoning, calls and failures in the middle of a stream, which no small
 * model can be made to give. The exchange is a stand-in that plays events to the route's answer; the job has no model, as one that a
 * remote backend answered. */
#include "server/routes/route.h"

#include "../unit.h"

#include <string.h>

enum { MOST_JOBS = 4 };

struct exchange {
    json_t *body;
    struct arena arena;
    struct job *jobs[MOST_JOBS];
    size_t n_jobs;
    const struct answer_def *answer;
    void *state;
    bool is_stream;
};

/* ---- the stand-in ---- */

const json_t *exchange_body(const struct exchange *exchange)
{
    return exchange->body;
}
const char *exchange_id(const struct exchange *exchange)
{
    (void)exchange;
    return "req_1";
}
int64_t exchange_now_s(const struct exchange *exchange)
{
    (void)exchange;
    return 7;
}
struct arena *exchange_arena(struct exchange *exchange)
{
    return &exchange->arena;
}
void exchange_set_header(struct exchange *exchange, const char *name, const char *value)
{
    (void)exchange, (void)name, (void)value;
}
bool exchange_add(struct exchange *exchange, struct job *job, struct problem *ret_problem)
{
    (void)ret_problem;
    exchange->jobs[exchange->n_jobs++] = job;
    return true;
}
void exchange_run(struct exchange *exchange, const struct answer_def *answer, void *state, bool is_stream)
{
    exchange->answer = answer;
    exchange->state = state;
    exchange->is_stream = is_stream;
}
const struct transcript *exchange_transcript(const struct exchange *exchange, size_t job)
{
    return exchange->jobs[job]->transcript;
}
struct job *exchange_job(const struct exchange *exchange, size_t job)
{
    return exchange->jobs[job];
}
size_t exchange_n_jobs(const struct exchange *exchange)
{
    return exchange->n_jobs;
}
void exchange_put_sse(struct buffer *out, const char *name, json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT);
    assert_non_null(text);
    if (name) assert_string_equal(name, json_string_value(json_object_get(object, "type")));
    buffer_printf(out, "%s\n", text);
    free(text);
    json_decref(object);
}
void exchange_put_sse_text(struct buffer *out, const char *text)
{
    buffer_printf(out, "\"%s\"\n", text);
}

/* ---- playing ---- */

static void append_text(struct transcript *transcript, enum event_kind kind, const char *text, const char *reasoning)
{
    struct event *event = transcript_event(transcript, kind);
    event->text = text;
    event->n_text_bytes = strlen(text);
    event->reasoning = reasoning;
    event->n_reasoning_bytes = strlen(reasoning);
    event->id = kind == EVENT_DELTA ? 5 : HOB_NO_TOKEN;
    transcript_append(transcript, event);
}

static void append_end(struct transcript *transcript, hob_finish finish, const char *stop, bool has_calls)
{
    struct event *event = transcript_event(transcript, EVENT_OUTPUT_END);
    event->finish = finish;
    event->stop = stop;
    event->has_tool_calls = has_calls;
    transcript_append(transcript, event);
}

static void append_done(struct transcript *transcript)
{
    struct event *event = transcript_event(transcript, EVENT_DONE);
    event->usage = (struct usage){.n_prompt_tokens = 10, .n_cached_tokens = 4, .n_generated_tokens = 3};
    transcript_append(transcript, event);
}

static void append_failure(struct transcript *transcript)
{
    struct event *event = transcript_event(transcript, EVENT_FAILED);
    problem_set(&event->problem, PROBLEM_DEADLINE, "too late");
    transcript_append(transcript, event);
}

/* A reply that thinks, speaks and calls. */
static void tell_all(struct transcript *transcript)
{
    static const char call[] =
        "{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\\\": 1}\"}}";
    append_text(transcript, EVENT_STARTED, "", "");
    append_text(transcript, EVENT_DELTA, "", "h");
    append_text(transcript, EVENT_DELTA, "", "m");
    append_text(transcript, EVENT_DELTA, "yes", "");
    append_text(transcript, EVENT_TOOL_CALL, call, "");
    append_end(transcript, HOB_FINISH_END, NULL, true);
    append_done(transcript);
}

static void tell_and_fail(struct transcript *transcript)
{
    append_text(transcript, EVENT_STARTED, "", "");
    append_text(transcript, EVENT_DELTA, "yes", "");
    append_failure(transcript);
}

static void tell_stop(struct transcript *transcript)
{
    append_text(transcript, EVENT_STARTED, "", "");
    append_text(transcript, EVENT_DELTA, "yes", "");
    append_end(transcript, HOB_FINISH_STOP, "no", false);
    append_done(transcript);
}

static void begin(struct exchange *exchange, const struct route_def *route, const char *body,
                  void (*tell)(struct transcript *transcript))
{
    struct problem problem;
    *exchange = (struct exchange){.body = json_loads(body, 0, NULL)};
    arena_init(&exchange->arena, 1024);
    if (!route->handle(exchange, &problem)) fail_msg("%s", problem.message);
    tell(exchange->jobs[0]->transcript);
}

static void end(struct exchange *exchange)
{
    if (exchange->answer->release) exchange->answer->release(exchange->state);
    for (size_t i = 0; i < exchange->n_jobs; i++) job_unref(exchange->jobs[i]);
    json_decref(exchange->body);
    arena_release(&exchange->arena);
}

static json_t *whole_of(const struct route_def *route, const char *body, void (*tell)(struct transcript *transcript))
{
    struct exchange exchange;
    begin(&exchange, route, body, tell);
    json_t *whole = exchange.answer->whole(&exchange, exchange.state);
    assert_non_null(whole);
    end(&exchange);
    return whole;
}

/* The stream's data as a list. */
static json_t *stream_of(const struct route_def *route, const char *body, void (*tell)(struct transcript *transcript))
{
    struct exchange exchange;
    struct buffer out = {0};
    json_t *list = json_array();
    begin(&exchange, route, body, tell);
    const struct transcript *transcript = exchange_transcript(&exchange, 0);
    for (const struct event *event = transcript_next(transcript, NULL); event;
         event = transcript_next(transcript, event))
        exchange.answer->event(&exchange, exchange.state, 0, event, &out);
    exchange.answer->end(&exchange, exchange.state, &out);
    for (char *line = out.bytes, *next; *line; line = next + 1) {
        next = strchr(line, '\n');
        json_array_append_new(list, json_loadb(line, (size_t)(next - line), JSON_DECODE_ANY, NULL));
    }
    buffer_release(&out);
    end(&exchange);
    return list;
}

/* Takes json. */
static void check(json_t *json, const char *expected)
{
    char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
    json_t *wanted = json_loads(expected, JSON_DECODE_ANY, NULL);
    assert_non_null(wanted);
    if (!json_equal(json, wanted)) fail_msg("found    %s\nexpected %s", text, expected);
    free(text);
    json_decref(wanted);
    json_decref(json);
}

/* The value of each event's field, what lacks it left out. */
static json_t *each(const json_t *events, const char *field)
{
    json_t *list = json_array(), *value;
    const json_t *event;
    size_t i;
    json_array_foreach (events, i, event)
        if ((value = json_object_get(event, field))) json_array_append(list, value);
    return list;
}

static json_t *last(const json_t *list)
{
    return json_array_get(list, json_array_size(list) - 1);
}

/* ---- the routes ---- */

static const char chat[] = "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"max_tokens\":9,\"stream\":true}";
static const char input[] = "{\"input\":\"Hi\",\"stream\":true}";

static void messages_have_blocks(void **state)
{
    (void)state;
    static const char content[] =
        "[{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"\"},{\"type\":\"text\",\"text\":\"yes\"},"
        "{\"type\":\"tool_use\",\"id\":\"c1\",\"name\":\"f\",\"input\":{\"x\":1}}]";
    json_t *whole = whole_of(&route_anthropic_messages, chat, tell_all);
    check(json_incref(json_object_get(whole, "content")), content);
    check(json_incref(json_object_get(whole, "stop_reason")), "\"tool_use\"");
    check(json_incref(json_object_get(whole, "usage")), "{\"input_tokens\":6,\"cache_creation_input_tokens\":0,"
                                                        "\"cache_read_input_tokens\":4,\"output_tokens\":3}");
    json_decref(whole);
    json_t *events = stream_of(&route_anthropic_messages, chat, tell_all);
    check(each(events, "type"),
          "[\"message_start\",\"ping\",\"content_block_start\",\"content_block_delta\",\"content_block_delta\","
          "\"content_block_delta\",\"content_block_stop\",\"content_block_start\",\"content_block_delta\","
          "\"content_block_stop\",\"content_block_start\",\"content_block_delta\",\"content_block_stop\","
          "\"message_delta\",\"message_stop\"]");
    check(each(events, "index"), "[0,0,0,0,0,1,1,1,2,2,2]");
    check(each(events, "delta"),
          "[{\"type\":\"thinking_delta\",\"thinking\":\"h\"},{\"type\":\"thinking_delta\",\"thinking\":\"m\"},"
          "{\"type\":\"signature_delta\",\"signature\":\"\"},{\"type\":\"text_delta\",\"text\":\"yes\"},"
          "{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"x\\\": 1}\"},"
          "{\"stop_reason\":\"tool_use\",\"stop_sequence\":null}]");
    json_decref(events);
}

static void messages_say_what_stopped_them(void **state)
{
    (void)state;
    json_t *whole = whole_of(&route_anthropic_messages, chat, tell_stop);
    check(json_incref(json_object_get(whole, "stop_reason")), "\"stop_sequence\"");
    check(json_incref(json_object_get(whole, "stop_sequence")), "\"no\"");
    json_decref(whole);
    json_t *events = stream_of(&route_anthropic_messages, chat, tell_stop);
    check(json_incref(json_object_get(json_array_get(events, json_array_size(events) - 2), "delta")),
          "{\"stop_reason\":\"stop_sequence\",\"stop_sequence\":\"no\"}");
    json_decref(events);
}

static void messages_fail_in_the_middle_and_at_once(void **state)
{
    (void)state;
    static const char error[] = "{\"type\":\"error\",\"error\":{\"type\":\"timeout_error\",\"message\":\"too late\"}}";
    json_t *events = stream_of(&route_anthropic_messages, chat, tell_and_fail);
    check(json_incref(last(events)), error);
    json_decref(events);
    events = stream_of(&route_anthropic_messages, chat, append_failure);
    assert_int_equal(json_array_size(events), 1);
    check(json_incref(last(events)), error);
    json_decref(events);
}

static void responses_have_items(void **state)
{
    (void)state;
    json_t *whole = whole_of(&route_openai_responses, input, tell_all),
           *events = stream_of(&route_openai_responses, input, tell_all);
    json_t *streamed = json_object_get(last(events), "response"), *output = json_object_get(whole, "output"), *item;
    size_t i;
    check(each(output, "type"), "[\"reasoning\",\"message\",\"function_call\"]");
    check(json_incref(json_object_get(json_array_get(output, 0), "content")),
          "[{\"type\":\"reasoning_text\",\"text\":\"hm\"}]");
    check(json_incref(json_object_get(json_array_get(output, 2), "arguments")), "\"{\\\"x\\\": 1}\"");
    check(json_incref(json_object_get(whole, "status")), "\"completed\"");
    check(json_incref(json_object_get(whole, "usage")),
          "{\"input_tokens\":10,\"input_tokens_details\":{\"cached_tokens\":4},\"output_tokens\":3,"
          "\"output_tokens_details\":{\"reasoning_tokens\":2},\"total_tokens\":13}");
    json_object_set(streamed, "id", json_object_get(whole, "id"));
    json_array_foreach (output, i, item)
        json_object_set(json_array_get(json_object_get(streamed, "output"), i), "id", json_object_get(item, "id"));
    assert_true(json_equal(streamed, whole));
    check(each(events, "output_index"), "[0,0,0,0,0,0,0,1,1,1,1,1,1,2,2,2,2]");
    json_decref(whole);
    json_decref(events);
}

static void responses_fail_behind_their_creation(void **state)
{
    (void)state;
    json_t *events = stream_of(&route_openai_responses, input, append_failure);
    check(each(events, "type"), "[\"response.created\",\"response.in_progress\",\"response.failed\"]");
    check(json_incref(json_object_get(json_object_get(last(events), "response"), "error")),
          "{\"code\":\"server_error\",\"message\":\"too late\"}");
    json_decref(events);
    events = stream_of(&route_openai_responses, input, tell_and_fail);
    check(json_incref(json_object_get(last(events), "type")), "\"response.failed\"");
    json_decref(events);
}

static void chats_have_deltas(void **state)
{
    (void)state;
    json_t *whole = whole_of(&route_openai_chat, chat, tell_all),
           *choice = json_array_get(json_object_get(whole, "choices"), 0);
    check(json_incref(json_object_get(choice, "message")),
          "{\"role\":\"assistant\",\"content\":\"yes\",\"refusal\":null,\"reasoning_content\":\"hm\",\"tool_calls\":[{"
          "\"id\":\"c1\","
          "\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\\\": 1}\"}}]}");
    check(json_incref(json_object_get(choice, "finish_reason")), "\"tool_calls\"");
    json_decref(whole);
    json_t *chunks = stream_of(&route_openai_chat, chat, tell_all), *choices = each(chunks, "choices"),
           *firsts = json_array(), *one;
    size_t i;
    json_array_foreach (choices, i, one) json_array_append(firsts, json_array_get(one, 0));
    check(
        each(firsts, "delta"),
        "[{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null},{\"reasoning_content\":\"h\"},{\"reasoning_"
        "content\":\"m\"},"
        "{\"content\":\"yes\"},{\"tool_calls\":[{\"index\":0,\"id\":\"c1\",\"type\":\"function\",\"function\":{"
        "\"name\":\"f\","
        "\"arguments\":\"\"}}]},{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"x\\\": 1}\"}}]},{}]");
    check(json_incref(last(chunks)), "\"[DONE]\"");
    json_decref(firsts);
    json_decref(choices);
    json_decref(chunks);
}

static void streams_of_openai_end_with_the_error(void **state)
{
    (void)state;
    static const struct route_def *const ones[] = {&route_openai_chat, &route_openai_completions};
    static const char *const bodies[] = {
        chat, "{\"prompt\":\"Hi\",\"logprobs\":1,\"stream\":true,\"stream_options\":{\"include_usage\":true}}"};
    for (size_t i = 0; i < sizeof ones / sizeof ones[0]; i++) {
        json_t *chunks = stream_of(ones[i], bodies[i], tell_and_fail);
        check(json_incref(json_array_get(chunks, json_array_size(chunks) - 2)),
              "{\"error\":{\"message\":\"too late\",\"type\":\"server_error\",\"param\":null,\"code\":\"timeout\"}}");
        check(json_incref(last(chunks)), "\"[DONE]\"");
        json_decref(chunks);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_have_blocks),
        cmocka_unit_test(messages_say_what_stopped_them),
        cmocka_unit_test(messages_fail_in_the_middle_and_at_once),
        cmocka_unit_test(responses_have_items),
        cmocka_unit_test(responses_fail_behind_their_creation),
        cmocka_unit_test(chats_have_deltas),
        cmocka_unit_test(streams_of_openai_end_with_the_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
