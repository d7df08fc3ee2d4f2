/* What goes out to a remote backend and how its streams are read, without any network. */
#include "server/remote/remote_reply.h"
#include "server/remote/remote_request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char messages[] =
    "[{\"role\":\"system\",\"content\":\"Be brief.\"},{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Hi "
    "\"},{\"type\":\"text\",\"text\":\"you\"}]},"
    "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"c1\",\"type\":\"function\",\"function\":{"
    "\"name\":\"f\",\"arguments\":\"{\\\"x\\\":1}\"}}]},"
    "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"42\"}]";

static struct generate_job chat_job(void)
{
    static const char *const stops[] = {"END"};
    return (struct generate_job){
        .inputs = {.kind = PROMPT_CHAT,
                   .messages = messages,
                   .n_messages_bytes = sizeof messages - 1,
                   .tools =
                       "[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"type\":\"object\"}}}]",
                   .tool_choice = "required",
                   .options = {.max_tokens = 7, .temperature = 0.5F, .stops = stops, .n_stops = 1}}};
}

static void expect_json(json_t *found, const char *expected)
{
    json_t *wanted = json_loads(expected, 0, NULL);
    assert_non_null(wanted);
    char *text = json_dumps(found, JSON_COMPACT);
    if (!json_equal(found, wanted)) fail_msg("found %s, expected %s", text, expected);
    free(text);
    json_decref(wanted);
    json_decref(found);
}

static void openai_gets_its_words(void **state)
{
    (void)state;
    struct generate_job job = chat_job();
    assert_true(remote_can_ask(&job));
    assert_string_equal(remote_path(&job, CONFIG_API_OPENAI), "/chat/completions");
    json_t *body = remote_body(&job, CONFIG_API_OPENAI, "m");
    expect_json(json_incref(json_object_get(body, "messages")), messages);
    expect_json(json_incref(json_object_get(body, "stop")), "[\"END\"]");
    assert_string_equal(json_string_value(json_object_get(body, "tool_choice")), "required");
    assert_int_equal(json_integer_value(json_object_get(body, "max_tokens")), 7);
    json_decref(body);
    job = (struct generate_job){.inputs = {.kind = PROMPT_TEXT, .text = "a\"b", .n_text_bytes = 3}};
    body = remote_body(&job, CONFIG_API_OPENAI, "m");
    assert_string_equal(json_string_value(json_object_get(body, "prompt")), "a\"b");
    json_decref(body);
}

static void anthropic_gets_its_words(void **state)
{
    (void)state;
    struct generate_job job = chat_job();
    assert_string_equal(remote_path(&job, CONFIG_API_ANTHROPIC), "/messages");
    expect_json(
        remote_body(&job, CONFIG_API_ANTHROPIC, "m"),
        "{\"model\":\"m\",\"stream\":true,\"max_tokens\":7,\"system\":\"Be "
        "brief.\",\"temperature\":0.5,\"stop_sequences\":[\"END\"],"
        "\"tool_choice\":{\"type\":\"any\"},\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\"}}],"
        "\"messages\":["
        "{\"role\":\"user\",\"content\":\"Hi you\"},"
        "{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"c1\",\"name\":\"f\",\"input\":{\"x\":1}}]"
        "},"
        "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"c1\",\"content\":\"42\"}]}]}");
}

static void what_cannot_be_said_is_not_sent(void **state)
{
    (void)state;
    struct generate_job job = chat_job();
    job.inputs.options.has_logprobs = true;
    assert_false(remote_can_ask(&job));
    job = chat_job();
    job.inputs.kind = PROMPT_FILL;
    assert_false(remote_can_ask(&job));
    job = chat_job();
    job.inputs.options.n_samples = 2;
    assert_false(remote_can_ask(&job));
}

/* A stream in pieces of a size; what its events add up to, as one line of text. */
static void read_stream(enum config_api api, const char *stream, size_t piece, char ret_story[1024], bool *ret_is_done)
{
    struct remote_reply reply = {.transcript = transcript_new(), .api = api};
    struct problem problem = {.message = ""};
    for (size_t at = 0, n = strlen(stream); at < n; at += piece)
        remote_reply_push(&reply, stream + at, n - at < piece ? n - at : piece);
    *ret_is_done = remote_reply_finish(&reply, &problem);
    size_t n = 0;
    for (const struct event *event = transcript_next(reply.transcript, NULL); event;
         event = transcript_next(reply.transcript, event)) {
        static const char letters[] = "sdtevscidf";
        int length = snprintf(ret_story + n, 1024 - n, "%c(%s%s%s)", letters[event->kind], event->reasoning,
                              *event->reasoning ? "|" : "", event->text);
        n += length > 0 ? (size_t)length : 0;
    }
    snprintf(ret_story + n, 1024 - n, "%d %zu/%zu %s", (int)reply.finish, reply.usage.n_prompt_tokens,
             reply.usage.n_generated_tokens, problem.message);
    remote_reply_release(&reply);
    transcript_unref(reply.transcript);
}

static void expect_story(enum config_api api, const char *stream, const char *expected, bool is_done)
{
    for (size_t piece = 1; piece < 40; piece++) {
        char story[1024];
        bool was_done;
        read_stream(api, stream, piece, story, &was_done);
        assert_string_equal(story, expected);
        assert_int_equal(was_done, is_done);
    }
}

static void openai_streams_are_read(void **state)
{
    (void)state;
    expect_story(
        CONFIG_API_OPENAI,
        ": ping\r\n\r\ndata: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n"
        "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\ndata: "
        "{\"choices\":[{\"delta\":{\"content\":\"a\\u00e9\"}}]}\n\n"
        "data: "
        "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"function\":{\"name\":\"f\","
        "\"arguments\":\"{\\\"x\\\"\"}}]}}]}\n\n"
        "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\":1}\"}}]}}]}\n\n"
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}\n\ndata: "
        "{\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\n"
        "data: [DONE]\n\n",
        "s()d(hm|)d(a\xC3\xA9)t({\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{"
        "\\\"x\\\":1}\"}})e()0 3/2 ",
        true);
    expect_story(
        CONFIG_API_OPENAI,
        "data: {\"choices\":[{\"text\":\"b\"}]}\n\ndata: {\"choices\":[{\"text\":\"\",\"finish_reason\":\"stop\"}]}\n",
        "s()d(b)e()1 0/0 ", true);
    expect_story(CONFIG_API_OPENAI, "data: {\"choices\":[{\"text\":\"b\"}]}\n",
                 "s()d(b)0 0/0 the stream ended before the answer did", false);
    expect_story(CONFIG_API_OPENAI,
                 "data: {\"choices\":[{\"text\":\"\",\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":-3,\"completion_tokens\":\"x\"}}\n",
                 "s()e()1 0/0 ", true);
    expect_story(CONFIG_API_OPENAI, "data: {\"error\":{\"message\":\"no money\"}}\n", "0 0/0 no money", false);
}

static void anthropic_streams_are_read(void **state)
{
    (void)state;
    expect_story(
        CONFIG_API_ANTHROPIC,
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":5}}}\n\n"
        "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
        "data: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"hey\"}}\n\n"
        "data: "
        "{\"type\":\"content_block_start\",\"content_block\":{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"g\","
        "\"input\":{}}}\n\n"
        "data: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{}\"}}\n\n"
        "data: "
        "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"stop_sequence\"},\"usage\":{\"output_tokens\":4}}"
        "\n\ndata: {\"type\":\"message_stop\"}\n\n",
        "s()d(hey)t({\"id\":\"t\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}})e()2 5/4 ",
        true);
    expect_story(CONFIG_API_ANTHROPIC,
                 "data: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"busy\"}}\n",
                 "0 0/0 busy", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(openai_gets_its_words),           cmocka_unit_test(anthropic_gets_its_words),
        cmocka_unit_test(what_cannot_be_said_is_not_sent), cmocka_unit_test(openai_streams_are_read),
        cmocka_unit_test(anthropic_streams_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
