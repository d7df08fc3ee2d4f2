/* Conversations as prompts, and replies taken apart: formats of tool calls, reasoning, text that comes byte by byte. */
#include "engine/tiny_tokenizer.h"
#include "engine/use.h"

#include "engine/model.h"

#include <jansson.h>
#include <string.h>

#define STORIES "../shared/models/stories260k"

static hob_chat *new_chat(const char *messages)
{
    hob_error error;
    hob_chat *chat;
    ASSERT_HOB(hob_chat_new(&chat, &error), error);
    if (messages) ASSERT_HOB(hob_chat_add_json(chat, messages, strlen(messages), &error), error);
    return chat;
}

static void expect_prompt(const hob_chat *chat, const hob_model *model, const hob_chat_options *options, const char *wanted)
{
    hob_error error;
    char *text;
    ASSERT_HOB(hob_chat_render(chat, model, options, &text, NULL, &error), error);
    assert_string_equal(text, wanted);
    hob_free(text);
}

static void test_prompts(void **state)
{
    (void)state;
    struct use use = use_open(STORIES, NULL, 1);
    hob_error error;
    hob_chat *chat = new_chat("[{\"role\": \"user\", \"content\": \"Hi\"}]");
    hob_chat_options chatml = {.template_name = "chatml"};
    expect_prompt(chat, use.model, &chatml, "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
    ASSERT_HOB(hob_chat_set_system(chat, "Be brief.", &error), error);
    ASSERT_HOB(hob_chat_add(chat, "assistant", "Hello ", &error), error);
    chatml.continues_final_message = true;
    expect_prompt(chat, use.model, &chatml,
                  "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello ");
    hob_chat_options own = {.template_text = "{{ messages | length }}{{ mood }}{{ bos_token }}{% if add_generation_prompt %}!{% endif %}",
                            .variables = "{\"mood\": \"calm\"}"};
    expect_prompt(chat, use.model, &own, "3calm<s>!");
    own.omits_generation_prompt = true;
    expect_prompt(chat, use.model, &own, "3calm<s>");
    hob_chat_options dated = {.template_text = "{{ strftime_now('%Y') }}", .now = 1767268800};
    expect_prompt(chat, use.model, &dated, "2026");
    hob_chat_free(chat);
    use_close(&use);
}

/* Every template that comes with hob takes a usual conversation. */
static void test_built_in(void **state)
{
    (void)state;
    struct use use = use_open(STORIES, NULL, 1);
    hob_error error;
    hob_chat *chat = new_chat("[{\"role\": \"system\", \"content\": \"SYS\"}, {\"role\": \"user\", \"content\": \"ONE\"},"
                              " {\"role\": \"assistant\", \"content\": \"TWO\"}, {\"role\": \"user\", \"content\": \"THREE\"}]");
    for (size_t i = 0; hob_chat_template_name(i); i++) {
        hob_chat_options options = {.template_name = hob_chat_template_name(i)};
        char *text;
        ASSERT_HOB(hob_chat_render(chat, use.model, &options, &text, NULL, &error), error);
        const char *at = text;
        static const char *const parts[] = {"SYS", "ONE", "TWO", "THREE"};
        for (size_t j = 0; j < 4; j++) {
            at = strstr(at, parts[j]);
            if (!at) fail_msg("%s: %s is not in its place in %s", options.template_name, parts[j], text);
        }
        hob_free(text);
    }
    assert_true(hob_chat_template_name(5) != NULL);
    hob_chat_free(chat);
    use_close(&use);
}

/* BOS stands once, whether the template writes it or not, and special tokens are tokens. */
static void test_ids(void **state)
{
    (void)state;
    struct use use = use_open(STORIES, NULL, 1);
    hob_error error;
    hob_chat *chat = new_chat("[{\"role\": \"user\", \"content\": \"Once\"}]");
    static const char *const templates[] = {"{{ bos_token }}{{ messages[0].content }}{{ eos_token }}", "{{ messages[0].content }}{{ eos_token }}"};
    int32_t *ids[2];
    size_t n_ids[2];
    for (size_t i = 0; i < 2; i++) {
        hob_chat_options options = {.template_text = templates[i]};
        ASSERT_HOB(hob_chat_encode(chat, use.model, &options, &ids[i], &n_ids[i], &error), error);
        assert_int_equal(ids[i][0], 1);
        assert_int_not_equal(ids[i][1], 1);
        assert_int_equal(ids[i][n_ids[i] - 1], 2);
        hob_free(ids[i]);
    }
    hob_chat_free(chat);
    use_close(&use);
}

static void test_refusals(void **state)
{
    (void)state;
    struct use use = use_open(STORIES, NULL, 1);
    hob_error error;
    char *text;
    hob_chat *chat = new_chat("{\"role\": \"user\", \"content\": \"x\"}");
    assert_int_equal(hob_chat_render(chat, use.model, NULL, &text, NULL, &error), HOB_NOT_FOUND);
    assert_non_null(strstr(error.message, "has no chat template"));
    hob_chat_options options = {.template_name = "none"};
    assert_int_equal(hob_chat_render(chat, use.model, &options, &text, NULL, &error), HOB_BAD_ARGUMENT);
    options = (hob_chat_options){.template_text = "{{ raise_exception('Only users may speak') }}"};
    assert_int_equal(hob_chat_render(chat, use.model, &options, &text, NULL, &error), HOB_BAD_ARGUMENT);
    assert_non_null(strstr(error.message, "Only users may speak"));
    options = (hob_chat_options){.template_text = "x", .variables = "[1]"};
    assert_int_equal(hob_chat_render(chat, use.model, &options, &text, NULL, &error), HOB_BAD_ARGUMENT);
    options = (hob_chat_options){.template_name = "chatml", .continues_final_message = true};
    assert_int_equal(hob_chat_render(chat, use.model, &options, &text, NULL, &error), HOB_BAD_ARGUMENT);
    assert_int_equal(hob_chat_add_json(chat, "[{\"role\": 1}]", 13, &error), HOB_BAD_ARGUMENT);
    assert_int_equal(hob_chat_add_json(chat, "[1]", 3, &error), HOB_BAD_ARGUMENT);
    assert_int_equal(hob_chat_add_json(chat, "{", 1, &error), HOB_BAD_ARGUMENT);
    assert_int_equal(hob_chat_set_tools(chat, "{}", &error), HOB_BAD_ARGUMENT);
    assert_int_equal(hob_chat_n_messages(chat), 1);
    hob_chat_free(chat);
    use_close(&use);
}

/* Parts of text are one text; other parts are refused by their name. */
static void test_parts(void **state)
{
    (void)state;
    static const char image[] = "{\"role\": \"user\", \"content\": [{\"type\": \"text\", \"text\": \"x\"}, {\"type\": \"image_url\"}]}";
    static const char broken[] = "{\"role\": \"user\", \"content\": [{\"type\": \"text\"}]}";
    hob_error error;
    hob_chat *chat = new_chat("[{\"role\": \"user\", \"content\": [{\"type\": \"text\", \"text\": \"one\"},"
                              " {\"type\": \"input_text\", \"text\": \"two\"}, \"three\"]}, {\"role\": \"user\", \"content\": []}]");
    assert_string_equal(hob_chat_content(chat, 0), "one\ntwo\nthree");
    assert_string_equal(hob_chat_content(chat, 1), "");
    assert_int_equal(hob_chat_add_json(chat, image, strlen(image), &error), HOB_UNSUPPORTED);
    assert_non_null(strstr(error.message, "part 1: found type 'image_url'"));
    assert_int_equal(hob_chat_add_json(chat, broken, strlen(broken), &error), HOB_BAD_ARGUMENT);
    assert_int_equal(hob_chat_n_messages(chat), 2);
    hob_chat_free(chat);
}

/* ---- Models without a template */

static void test_default_template(void **state)
{
    (void)state;
    static const struct {
        const char *token, *name;
    } rows[] = {{"<|im_start|>", "chatml"}, {"<|start_header_id|>", "llama3"}, {"<start_of_turn>", "gemma"}, {"<|assistant|>", "phi3"},
                {"[INST]", "mistral"},      {"xyz", "roles"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct hob_model model = {.tokenizer = tiny_tokenizer(&rows[i].token, 1, 0, HOB_NO_TOKEN), .info = {.architecture = "llama"}};
        assert_string_equal(hob_chat_template_default(&model), rows[i].name);
        model.chat_template = "own";
        assert_null(hob_chat_template_default(&model));
        hob_tokenizer_free(model.tokenizer);
    }
    struct use use = use_open(STORIES, NULL, 1);
    hob_chat_options options = {.template_name = hob_chat_template_default(use.model)};
    assert_string_equal(options.template_name, "llama2");
    hob_chat *chat = new_chat("[{\"role\": \"system\", \"content\": \"S\"}, {\"role\": \"user\", \"content\": \"Hi \"}]");
    expect_prompt(chat, use.model, &(hob_chat_options){.template_name = "roles"}, "<s>system: S\nuser: Hi\nassistant:");
    hob_chat_free(chat);
    use_close(&use);
}

/* No tools are shown, and none are looked for. */
static void test_no_tools(void **state)
{
    (void)state;
    struct use use = use_open(STORIES, NULL, 1);
    hob_error error;
    hob_reply *reply;
    hob_reply_delta delta;
    hob_chat *chat = new_chat("[{\"role\": \"user\", \"content\": \"x\"}]");
    hob_chat_options options = {.template_text = "{# <tool_call> #}{{ tools | length if tools else 'none' }}"};
    static const char call[] = "<tool_call>{\"name\": \"f\"}</tool_call><tool_call>{\"name\": \"g\"}</tool_call>";
    ASSERT_HOB(hob_chat_set_tools(chat, "[{}]", &error), error);
    expect_prompt(chat, use.model, &options, "1");
    options.tool_choice = HOB_TOOL_CHOICE_NONE;
    expect_prompt(chat, use.model, &options, "none");
    for (int is_free = 0; is_free < 2; is_free++) {
        options.tool_choice = is_free ? HOB_TOOL_CHOICE_AUTO : HOB_TOOL_CHOICE_NONE;
        options.has_one_call = is_free;
        ASSERT_HOB(hob_reply_new(chat, use.model, &options, &reply, &error), error);
        ASSERT_HOB(hob_reply_push_text(reply, call, strlen(call), &delta, &error), error);
        assert_int_equal(delta.n_tool_calls, is_free); /* of two calls the first where one may be */
        assert_string_equal(delta.content, is_free ? "" : call);
        hob_reply_free(reply);
    }
    hob_chat_free(chat);
    use_close(&use);
}

/* ---- Replies */

struct reply_case {
    const char *template_text, *text;
    const char *message; /* "content|reasoning|name(arguments)…" */
};

static void append_message(const char *json, char *shown, size_t n_reserved)
{
    json_t *message = json_loads(json, 0, NULL);
    const char *reasoning = json_string_value(json_object_get(message, "reasoning_content"));
    const json_t *calls = json_object_get(message, "tool_calls");
    snprintf(shown, n_reserved, "%s|%s|", json_string_value(json_object_get(message, "content")), reasoning ? reasoning : "");
    for (size_t i = 0; i < json_array_size(calls); i++) {
        const json_t *function = json_object_get(json_array_get(calls, i), "function");
        size_t n = strlen(shown);
        snprintf(shown + n, n_reserved - n, "%s%s", json_string_value(json_object_get(function, "name")),
                 json_string_value(json_object_get(function, "arguments")));
    }
    json_decref(message);
}

/* All deltas' texts are the message's, but for blanks that the message leaves out at its end. */
static void read_reply(const struct use *use, const struct reply_case *row, size_t n_piece, char *shown, size_t n_reserved)
{
    hob_error error;
    hob_reply *reply;
    hob_reply_delta delta;
    hob_chat *chat = new_chat("[{\"role\": \"user\", \"content\": \"x\"}]");
    hob_chat_options options = {.template_text = row->template_text};
    ASSERT_HOB(hob_chat_set_tools(chat, "[{\"type\": \"function\"}]", &error), error);
    ASSERT_HOB(hob_reply_new(chat, use->model, &options, &reply, &error), error);
    char content[600] = "";
    for (size_t at = 0, n_bytes = strlen(row->text); at < n_bytes; at += n_piece) {
        size_t n = n_bytes - at < n_piece ? n_bytes - at : n_piece;
        ASSERT_HOB(hob_reply_push_text(reply, row->text + at, n, &delta, &error), error);
        strcat(content, delta.content);
    }
    ASSERT_HOB(hob_reply_finish(reply, &delta, &error), error);
    strcat(content, delta.content);
    append_message(hob_reply_message(reply), shown, n_reserved);
    size_t n_content = (size_t)(strchr(shown, '|') - shown);
    assert_memory_equal(content, shown, n_content < strlen(content) ? n_content : strlen(content));
    hob_reply_free(reply);
    hob_chat_free(chat);
}

static void test_replies(void **state)
{
    (void)state;
    static const char hermes[] = "{# <tool_call> </think> #}", mistral[] = "{# [TOOL_CALLS] #}", llama[] = "{# <|python_tag|> #}",
                      deepseek[] = "{# <｜tool▁calls▁begin｜> #}", granite[] = "{# <|tool_call|> #}", coder[] = "{# <tool_call><function= #}",
                      inside[] = "{# </think> #}a<think>\n", r7b[] = "{# <|START_ACTION|> #}", phi4[] = "{# <|/tool_call|> #}";
    static const struct reply_case rows[] = {
        {"none", "plain <tool_call>", "plain <tool_call>||"},
        {hermes, "Hello <b>", "Hello <b>||"},
        {hermes, "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n</tool_call>", "||f{\"a\": 1}"},
        {hermes, "Let me.\n<tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>\n<tool_call>{\"name\": \"g\", \"arguments\": {\"x\": \"é\"}}</tool_call>",
         "Let me.||f{}g{\"x\": \"é\"}"},
        {hermes, "<tool_call>{\"name\": broken</tool_call> then", "<tool_call>{\"name\": broken</tool_call> then||"},
        {hermes, "<tool_call>{\"name\": \"f\"", "<tool_call>{\"name\": \"f\"||"},
        {hermes, "<think>\nHm.\n</think>\n\nFour.", "Four.|Hm.|"},
        {hermes, "<think>a</think><tool_call>{\"name\": \"f\"}</tool_call>", "|a|f{}"},
        {hermes, "<thin ice", "<thin ice||"},
        {hermes, "<think>never ends", "|never ends|"},
        {hermes, "", "||"},
        {inside, "Hm.\n</think>\n\nFour.", "Four.|Hm.|"},
        {mistral, "[TOOL_CALLS][{\"name\": \"f\", \"arguments\": {\"a\": [1]}, \"id\": \"abcdefghi\"}, {\"name\": \"g\"}]", "||f{\"a\": [1]}g{}"},
        {mistral, "[TOOL_CALLS]f[ARGS]{\"a\": 1}[TOOL_CALLS]g[ARGS]{}", "||f{\"a\": 1}g{}"},
        {mistral, "[TOOL_CALLS][", "[TOOL_CALLS][||"},
        {mistral, "[TOOL_CALLS]f[ARGS]{}[TOOL_CALLS]g[ARGS]{", "[TOOL_CALLS]f[ARGS]{}[TOOL_CALLS]g[ARGS]{||"}, /* one is broken: all are text */
        {mistral, "[TOOLS]", "[TOOLS]||"},
        {llama, "{\"name\": \"f\", \"parameters\": {\"a\": \"b\"}}", "||f{\"a\": \"b\"}"},
        {llama, "<|python_tag|>{\"name\": \"f\", \"parameters\": {}}; {\"name\": \"g\", \"parameters\": {}}", "||f{}g{}"},
        {llama, "{\"answer\": 4}", "{\"answer\": 4}||"},
        {llama, "It is {4}.", "It is {4}.||"},
        {deepseek, "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n{\"a\": 1}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
         "||f{\"a\": 1}"},
        {deepseek, "Ok<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{\"a\": 1}<｜tool▁call▁end｜><｜tool▁calls▁end｜>", "Ok||f{\"a\": 1}"},
        {hermes, "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 0.1, \"b\": 1e300, \"c\": 0.30000000000000004}}</tool_call>",
         "||f{\"a\": 0.1, \"b\": 1e300, \"c\": 0.30000000000000004}"},
        {granite, "<|tool_call|>[{\"name\": \"f\", \"arguments\": {\"a\": null}}]", "||f{\"a\": null}"},
        {phi4, "<|tool_call|>[{\"name\": \"f\", \"arguments\": {}}]<|/tool_call|>", "||f{}"},
        {r7b, "<|START_ACTION|>[{\"tool_call_id\": \"0\", \"tool_name\": \"f\", \"parameters\": {\"q\": 1}}]<|END_ACTION|>", "||f{\"q\": 1}"},
        {coder, "<tool_call>\n<function=f>\n<parameter=a>\n1\n</parameter>\n<parameter=b>\ntwo\n</parameter>\n</function>\n</tool_call>",
         "||f{\"a\": 1, \"b\": \"two\"}"},
    };
    struct use use = use_open(STORIES, NULL, 1);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t n_piece = 1; n_piece < 500; n_piece = n_piece * 3 + 1) {
            char shown[600];
            read_reply(&use, &rows[i], n_piece, shown, sizeof shown);
            if (strcmp(shown, rows[i].message) != 0) fail_msg("%s\n in pieces of %zu: %s", rows[i].text, n_piece, shown);
        }
    }
    use_close(&use);
}

/* A reply's message is a message again: calls have ids, and arguments that the template sees as an object. */
static void test_round(void **state)
{
    (void)state;
    struct use use = use_open(STORIES, NULL, 1);
    hob_error error;
    hob_reply *reply;
    hob_chat *chat = new_chat("[{\"role\": \"user\", \"content\": \"x\"}]");
    hob_chat_options options = {.template_text = "{# <tool_call> #}{% for c in messages[-1].tool_calls %}{{ c.id }} {{ c.function.name }} "
                                                 "{{ c.function.arguments.a }} {{ c.function.arguments | tojson }}{% endfor %}"};
    ASSERT_HOB(hob_chat_set_tools(chat, "[{}]", &error), error);
    ASSERT_HOB(hob_reply_new(chat, use.model, &options, &reply, &error), error);
    static const char text[] = "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 7}}</tool_call>";
    ASSERT_HOB(hob_reply_push_text(reply, text, strlen(text), NULL, &error), error);
    ASSERT_HOB(hob_reply_finish(reply, NULL, &error), error);
    ASSERT_HOB(hob_chat_add_json(chat, hob_reply_message(reply), strlen(hob_reply_message(reply)), &error), error);
    json_t *call = json_loads(hob_reply_tool_call(reply, 0), 0, NULL);
    const char *id = json_string_value(json_object_get(call, "id"));
    assert_int_equal(strlen(id), 9);
    assert_int_equal(strspn(id, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"), 9);
    assert_null(hob_reply_tool_call(reply, 1));
    char wanted[80];
    snprintf(wanted, sizeof wanted, "%s f 7 {\"a\": 7}", id);
    json_decref(call);
    expect_prompt(chat, use.model, &options, wanted);
    hob_reply_free(reply);
    hob_chat_free(chat);
    use_close(&use);
}

/* Bytes are counted, so that a NUL is one of them; calls are told as soon as they are whole. */
static void test_deltas(void **state)
{
    (void)state;
    struct use use = use_open(STORIES, NULL, 1);
    hob_error error;
    hob_reply *reply;
    hob_reply_delta delta;
    hob_chat *chat = new_chat("[{\"role\": \"user\", \"content\": \"x\"}]");
    hob_chat_options options = {.template_text = "{# <tool_call> </think> #}"};
    ASSERT_HOB(hob_chat_set_tools(chat, "[{}]", &error), error);
    ASSERT_HOB(hob_reply_new(chat, use.model, &options, &reply, &error), error);
    ASSERT_HOB(hob_reply_push_text(reply, "<think>a\0b</think>", 18, &delta, &error), error);
    assert_int_equal(delta.n_reasoning_bytes, 3);
    ASSERT_HOB(hob_reply_push_text(reply, "\0x\0\xFF", 4, &delta, &error), error);
    assert_int_equal(delta.n_content_bytes, 4);
    assert_memory_equal(delta.content, "\0x\0\xFF", 5);
    static const char calls[] = "<tool_call>{\"name\": \"f\", \"arguments\": {\"t\": \"</tool_call>\"}}</tool_call><tool_call>{\"name\": \"g\"";
    ASSERT_HOB(hob_reply_push_text(reply, calls, strlen(calls), &delta, &error), error);
    assert_int_equal(delta.n_tool_calls, 1);
    assert_non_null(strstr(hob_reply_tool_call(reply, 0), "\"{\\\"t\\\": \\\"</tool_call>\\\"}\""));
    ASSERT_HOB(hob_reply_push_text(reply, "}</tool_call>", 13, &delta, &error), error);
    assert_int_equal(delta.n_tool_calls, 2);
    ASSERT_HOB(hob_reply_finish(reply, &delta, &error), error);
    assert_non_null(strstr(hob_reply_message(reply), "\\u0000x\\u0000\xEF\xBF\xBD\""));
    assert_non_null(strstr(hob_reply_message(reply), "a\\u0000b"));
    hob_reply_free(reply);
    hob_chat_free(chat);
    use_close(&use);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prompts),  cmocka_unit_test(test_built_in), cmocka_unit_test(test_ids),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_replies),  cmocka_unit_test(test_round),
        cmocka_unit_test(test_parts),    cmocka_unit_test(test_default_template), cmocka_unit_test(test_no_tools), cmocka_unit_test(test_deltas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
