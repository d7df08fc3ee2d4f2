/* What OpenAI's and Anthropic's words for conversations, tools and prompts become in a job, and which are refused with which words. */
#include "server/routes/api.h"
#include "server/routes/api_anthropic.h"
#include "server/routes/chat_inputs.h"
#include "server/routes/openai_prompts.h"
#include "server/routes/openai_response_input.h"
#include "server/routes/openai_sampling.h"

#include "../unit.h"

#include <math.h>
#include <string.h>

static json_t *parse(const char *text)
{
    json_error_t error;
    json_t *json = json_loads(text, JSON_DECODE_ANY, &error);
    if (!json) fail_msg("%s: %s", text, error.text);
    return json;
}

static void assert_same_json(const char *text, const char *expected)
{
    json_t *found = parse(text), *wanted = parse(expected);
    if (!json_equal(found, wanted)) fail_msg("found    %s\nexpected %s", text, expected);
    json_decref(found);
    json_decref(wanted);
}

static void assert_problem(const struct problem *problem, const char *field, const char *message)
{
    assert_string_equal(problem->field, field);
    if (!strstr(problem->message, message)) fail_msg("found    %s\nexpected %s", problem->message, message);
}

/* ---- chats ---- */

static void check_messages(const char *messages, const char *expected)
{
    struct generate_job *generate = generate_job_new("");
    struct problem problem;
    json_t *json = parse(messages);
    if (!chat_inputs_set_messages(json, &generate->inputs, &generate->job, &problem)) fail_msg("%s", problem.message);
    json_decref(json);
    assert_same_json(generate->inputs.messages, expected);
    assert_int_equal(generate->inputs.kind, PROMPT_CHAT);
    job_unref(&generate->job);
}

static void refuse_messages(const char *messages, const char *message)
{
    struct generate_job *generate = generate_job_new("");
    struct problem problem;
    json_t *json = parse(messages);
    assert_false(chat_inputs_set_messages(json, &generate->inputs, &generate->job, &problem));
    assert_problem(&problem, "messages", message);
    json_decref(json);
    job_unref(&generate->job);
}

static void messages_are_checked_and_plain(void **state)
{
    (void)state;
    check_messages("[{\"role\":\"developer\",\"content\":\"a\"},{\"role\":\"user\",\"content\":[{\"type\":\"text\","
                   "\"text\":\"b\"}]}]",
                   "[{\"role\":\"system\",\"content\":\"a\"},{\"role\":\"user\",\"content\":[{\"type\":\"text\","
                   "\"text\":\"b\"}]}]");
    check_messages("[{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[]}]",
                   "[{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[]}]");
    check_messages("[{\"role\":\"assistant\",\"content\":[{\"type\":\"refusal\",\"refusal\":\"no\"}]}]",
                   "[{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"no\"}]}]");
    refuse_messages("[]", "messages: found none");
    refuse_messages("[5]", "messages[0]: expected an object");
    refuse_messages("[{\"content\":\"a\"}]", "messages[0].role: expected a text");
    refuse_messages("[{\"role\":\"user\"}]", "messages[0].content: expected a text or a list of parts");
    refuse_messages(
        "[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"user\",\"content\":[{\"type\":\"image_url\"}]}]",
        "messages[1].content[0].type: found \"image_url\", expected \"text\"");
}

static void tools_and_choices_are_checked(void **state)
{
    (void)state;
    static const char tool[] = "[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{}}}]";
    static const struct {
        const char *tools, *choice, *field, *message; /* message NULL: it is fine */
    } cases[] = {
        {tool, "\"auto\"", NULL, NULL},
        {tool, "{\"type\":\"function\",\"function\":{\"name\":\"f\"}}", NULL, NULL},
        {tool, "{\"type\":\"function\",\"function\":{\"name\":\"g\"}}", "tool_choice", "found \"g\""},
        {tool, "\"always\"", "tool_choice", "expected \"auto\""},
        {"[]", "\"required\"", "tool_choice", "without tools"},
        {"[]", "\"none\"", NULL, NULL},
        {"[{\"type\":\"web_search\"}]", "\"auto\"", "tools", "tools[0].type: found \"web_search\""},
        {"[{\"type\":\"function\",\"function\":{}}]", "\"auto\"", "tools", "tools[0].function.name"},
        {"[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":5}}]", "\"auto\"", "tools",
         "tools[0].function.parameters"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct generate_job *generate = generate_job_new("");
        struct problem problem;
        json_t *tools = parse(cases[i].tools), *choice = parse(cases[i].choice);
        bool is_fine = chat_inputs_set_tools(tools, &generate->inputs, &generate->job, &problem) &&
                       chat_inputs_set_tool_choice(choice, tools, &generate->inputs, &generate->job, &problem);
        assert_int_equal(is_fine, !cases[i].message);
        if (!is_fine) assert_problem(&problem, cases[i].field, cases[i].message);
        json_decref(tools);
        json_decref(choice);
        job_unref(&generate->job);
    }
}

/* ---- Anthropic's blocks ---- */

/* expected NULL: field and message say what is wrong. */
static void check_blocks(const char *system, const char *messages, const char *expected, const char *field,
                         const char *message)
{
    struct generate_job *generate = generate_job_new("");
    struct problem problem;
    json_t *list = parse(messages), *before = system ? parse(system) : NULL;
    struct anthropic_prompt prompt = {.messages = list, .system = before};
    bool is_fine = anthropic_prompt_set(&prompt, &generate->inputs, &generate->job, &problem);
    if (is_fine != (expected != NULL)) fail_msg("%s: %s", messages, is_fine ? "was taken" : problem.message);
    if (is_fine) assert_same_json(generate->inputs.messages, expected);
    else assert_problem(&problem, field, message);
    json_decref(list);
    json_decref(before);
    job_unref(&generate->job);
}

static void blocks_become_messages(void **state)
{
    (void)state;
    check_blocks("\"be kind\"", "[{\"role\":\"user\",\"content\":\"a\"}]",
                 "[{\"role\":\"system\",\"content\":\"be kind\"},{\"role\":\"user\",\"content\":\"a\"}]", NULL, NULL);
    check_blocks("[{\"type\":\"text\",\"text\":\"be\"}]",
                 "[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"}]}]",
                 "[{\"role\":\"system\",\"content\":[{\"type\":\"text\",\"text\":\"be\"}]},"
                 "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"}]}]",
                 NULL, NULL);
    check_blocks(
        NULL,
        "[{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"hm\"},{\"type\":\"redacted_"
        "thinking\"},"
        "{\"type\":\"tool_use\",\"id\":\"1\",\"name\":\"f\",\"input\":{\"x\":1}}]},"
        "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"so?\"},{\"type\":\"tool_result\",\"tool_use_"
        "id\":\"1\","
        "\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\"}],\"is_error\":true}]}]",
        "[{\"role\":\"assistant\",\"content\":\"\",\"reasoning_content\":\"hm\",\"tool_calls\":[{\"id\":\"1\",\"type\":"
        "\"function\","
        "\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\\\":1}\"}}]},"
        "{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":\"Error: a\\nb\"},"
        "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"so?\"}]}]",
        NULL, NULL);
    check_blocks(NULL, "[{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"1\"}]}]",
                 "[{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":\"\"}]", NULL, NULL);
    check_blocks(NULL, "[]", NULL, "messages", "found none");
    check_blocks(NULL, "[{\"role\":\"tool\",\"content\":\"a\"}]", NULL, "messages", "messages[0].role: found \"tool\"");
    check_blocks(NULL, "[{\"role\":\"user\",\"content\":[{\"type\":\"image\"}]}]", NULL, "messages",
                 "messages[0].content[0].type: found \"image\"");
    check_blocks(NULL, "[{\"role\":\"user\",\"content\":[{\"type\":\"tool_use\"}]}]", NULL, "messages",
                 "expected text or tool_result");
    check_blocks(NULL, "[{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"1\"}]}]", NULL,
                 "messages", "a tool_use with id");
    check_blocks(NULL, "[{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"content\":\"a\"}]}]", NULL,
                 "messages", "tool_use_id");
    check_blocks("5", "[{\"role\":\"user\",\"content\":\"a\"}]", NULL, "system", "system: expected a text");
}

static void prefills_go_on(void **state)
{
    (void)state;
    struct generate_job *generate = generate_job_new("");
    struct problem problem;
    json_t *list = parse("[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":\"{\"}]");
    json_t *thinking = parse("{\"type\":\"disabled\"}");
    struct anthropic_prompt prompt = {.messages = list, .thinking = thinking};
    assert_true(anthropic_prompt_set(&prompt, &generate->inputs, &generate->job, &problem));
    assert_true(generate->inputs.chat.continues_final_message);
    assert_same_json(generate->inputs.chat.variables, "{\"enable_thinking\":false}");
    json_decref(list);
    json_decref(thinking);
    job_unref(&generate->job);
}

static void anthropic_tools_become_functions(void **state)
{
    (void)state;
    struct generate_job *generate = generate_job_new("");
    struct problem problem;
    json_t *list = parse("[{\"role\":\"user\",\"content\":\"a\"}]");
    json_t *tools = parse("[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\"}}]");
    json_t *choice = parse("{\"type\":\"tool\",\"name\":\"f\",\"disable_parallel_tool_use\":true}");
    struct anthropic_prompt prompt = {.messages = list, .tools = tools, .tool_choice = choice};
    assert_true(anthropic_prompt_set(&prompt, &generate->inputs, &generate->job, &problem));
    assert_same_json(generate->inputs.tools, "[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":"
                                             "\"\",\"parameters\":{\"type\":\"object\"}}}]");
    assert_string_equal(generate->inputs.tool_choice, "required");
    assert_string_equal(generate->inputs.tool_name, "f");
    assert_true(generate->inputs.has_one_call);
    json_object_set_new(choice, "type", json_string("all"));
    assert_false(anthropic_prompt_set(&prompt, &generate->inputs, &generate->job, &problem));
    assert_problem(&problem, "tool_choice", "found \"all\"");
    json_object_set_new(json_array_get(tools, 0), "type", json_string("bash_20250124"));
    assert_false(anthropic_prompt_set(&prompt, &generate->inputs, &generate->job, &problem));
    assert_problem(&problem, "tools", "tools[0].type");
    json_decref(list);
    json_decref(tools);
    json_decref(choice);
    job_unref(&generate->job);
}

/* ---- responses ---- */

static void check_input(const char *input, const char *expected)
{
    struct problem problem;
    json_t *json = parse(input), *messages = response_input_messages(json, "be kind", &problem);
    if (!messages) fail_msg("%s: %s", input, problem.message);
    char *text = json_dumps(messages, 0);
    assert_same_json(text, expected);
    free(text);
    json_decref(json);
    json_decref(messages);
}

static void refuse_input(const char *input, const char *message)
{
    struct problem problem;
    json_t *json = parse(input);
    assert_null(response_input_messages(json, NULL, &problem));
    assert_problem(&problem, "input", message);
    json_decref(json);
}

static void items_become_messages(void **state)
{
    (void)state;
    check_input("\"hi\"", "[{\"role\":\"system\",\"content\":\"be kind\"},{\"role\":\"user\",\"content\":\"hi\"}]");
    check_input("[{\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"a\"}]},"
                "{\"type\":\"reasoning\",\"content\":[{\"type\":\"reasoning_text\",\"text\":\"hm\"}]},{\"type\":"
                "\"reasoning\",\"summary\":[]},"
                "{\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"b\"}]},"
                "{\"type\":\"function_call\",\"call_id\":\"1\",\"name\":\"f\",\"arguments\":\"{}\"},"
                "{\"type\":\"function_call\",\"call_id\":\"2\",\"name\":\"g\",\"arguments\":\"{}\"},"
                "{\"type\":\"function_call_output\",\"call_id\":\"1\",\"output\":\"done\"}]",
                "[{\"role\":\"system\",\"content\":\"be "
                "kind\"},{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"}]},"
                "{\"role\":\"assistant\",\"reasoning_content\":\"hm\",\"content\":[{\"type\":\"text\",\"text\":\"b\"}],"
                "\"tool_calls\":["
                "{\"id\":\"1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}},"
                "{\"id\":\"2\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}]},"
                "{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":\"done\"}]");
    refuse_input("[]", "input: expected a text or a list of items");
    refuse_input("[{\"type\":\"item_reference\",\"id\":\"x\"}]", "input[0].type: found \"item_reference\"");
    refuse_input("[{\"role\":\"user\",\"content\":[{\"type\":\"input_image\"}]}]",
                 "input[0].content[0].type: found \"input_image\"");
    refuse_input("[{\"role\":\"user\"}]", "input[0].content");
    refuse_input("[{\"type\":\"function_call\"}]", "input[0]: expected a function_call");
    refuse_input("[{\"type\":\"function_call_output\",\"output\":\"x\"}]", "input[0].call_id");
}

/* ---- prompts and sampling ---- */

static void prompts_have_four_shapes(void **state)
{
    (void)state;
    static const struct {
        const char *prompt;
        size_t n_prompts; /* 0: refused */
        bool are_ids;
    } cases[] = {{"\"a\"", 1, false},      {"\"\"", 1, false},       {"[\"a\",\"b\"]", 2, false},
                 {"[1,2]", 1, true},       {"[[1],[2,3]]", 2, true}, {"[]", 0, false},
                 {"5", 0, false},          {"[\"a\",1]", 0, false},  {"[[1],[]]", 0, true},
                 {"[[1],\"a\"]", 0, true}, {"{\"a\":1}", 0, false},  {"null", 0, false},
                 {"[true]", 0, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct openai_prompts prompts = {0};
        struct problem problem;
        json_t *json = parse(cases[i].prompt);
        bool is_fine = openai_prompts_read(json, "prompt", 8, &prompts, &problem);
        assert_int_equal(is_fine, cases[i].n_prompts > 0);
        assert_int_equal(prompts.n_prompts, cases[i].n_prompts);
        if (is_fine) assert_int_equal(prompts.are_ids, cases[i].are_ids);
        else assert_string_equal(problem.field, "prompt");
        json_decref(json);
    }
}

static void ids_are_checked_when_they_are_copied(void **state)
{
    (void)state;
    static const char *const wrong[] = {"[1,-2]", "[1,2.5]", "[1,3000000000]", "[1,\"a\"]"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct generate_job *generate = generate_job_new("");
        struct openai_prompts prompts;
        struct problem problem;
        json_t *json = parse(wrong[i]);
        const int32_t *ids;
        size_t n_ids;
        assert_true(openai_prompts_read(json, "prompt", 8, &prompts, &problem));
        assert_false(openai_prompts_ids(&prompts, 0, &generate->job, &ids, &n_ids, &problem));
        assert_problem(&problem, "prompt", "prompt[1]");
        json_decref(json);
        job_unref(&generate->job);
    }
}

static void biases_of_a_hundred_ban_and_force(void **state)
{
    (void)state;
    struct generate_job *generate = generate_job_new("");
    struct problem problem;
    json_t *biases = parse("{\"1\":-100,\"2\":100,\"3\":1.5}"), *stop_ids = parse("[7]");
    struct openai_sampling sampling = OPENAI_SAMPLING_DEFAULTS;
    sampling.shared.logit_bias = biases;
    sampling.stop_ids = stop_ids;
    sampling.repetition_penalty = 1.25;
    assert_true(openai_sampling_set(&sampling, generate, &problem));
    const hob_generate_options *options = &generate->inputs.options;
    assert_int_equal(options->n_logit_biases, 3);
    for (size_t i = 0; i < 3; i++) {
        float bias = options->logit_biases[i].bias;
        int32_t id = options->logit_biases[i].id;
        assert_true(id == 1 ? isinf(bias) && bias < 0 : id == 2 ? bias >= 1000 : bias == 1.5f);
    }
    assert_int_equal(options->stop_ids[0], 7);
    assert_true(options->temperature == 1 && options->repetition_penalty == 1.25f);
    assert_int_equal(options->penalty_last_n, SIZE_MAX);
    assert_false(generate->inputs.has_seed);
    json_t *schema = parse("{}");
    sampling.schema = schema;
    sampling.grammar = "root ::= \"a\"";
    assert_false(openai_sampling_set(&sampling, generate, &problem));
    assert_problem(&problem, "grammar", "json_schema");
    json_decref(schema);
    json_decref(biases);
    json_decref(stop_ids);
    job_unref(&generate->job);
}

static void problems_have_each_apis_shape(void **state)
{
    (void)state;
    int status = 0;
    struct problem problem = {.kind = PROBLEM_CONTEXT, .message = "too \xFF long", .n_found = 9, .n_allowed = 5};
    json_t *openai = api_openai.problem(&problem, &status), *anthropic = api_anthropic.problem(&problem, &status);
    char *text = json_dumps(openai, 0), *other = json_dumps(anthropic, 0);
    assert_same_json(text,
                     "{\"error\":{\"message\":\"too \\uFFFD long\",\"type\":\"invalid_request_error\",\"param\":null,"
                     "\"code\":\"context_length_exceeded\",\"n_prompt_tokens\":9,\"n_ctx\":5}}");
    assert_same_json(
        other, "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"too \\uFFFD long\"}}");
    free(text);
    free(other);
    json_decref(openai);
    json_decref(anthropic);
    static const struct {
        enum problem_kind kind;
        int openai, anthropic; /* 0: the kind's own */
    } statuses[] = {{PROBLEM_UNSUPPORTED, 400, 400},
                    {PROBLEM_LOADING, 0, 529},
                    {PROBLEM_BUSY, 0, 0},
                    {PROBLEM_NO_MEMORY, 500, 500}};
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        problem = (struct problem){.kind = statuses[i].kind};
        json_decref(api_openai.problem(&problem, &status));
        assert_int_equal(status, statuses[i].openai);
        json_decref(api_anthropic.problem(&problem, &status));
        assert_int_equal(status, statuses[i].anthropic);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_checked_and_plain),
        cmocka_unit_test(tools_and_choices_are_checked),
        cmocka_unit_test(blocks_become_messages),
        cmocka_unit_test(prefills_go_on),
        cmocka_unit_test(anthropic_tools_become_functions),
        cmocka_unit_test(items_become_messages),
        cmocka_unit_test(prompts_have_four_shapes),
        cmocka_unit_test(ids_are_checked_when_they_are_copied),
        cmocka_unit_test(biases_of_a_hundred_ban_and_force),
        cmocka_unit_test(problems_have_each_apis_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
