/* Replies held to calls of tools and to documents: in every format, whatever is drawn, the reply reads as a call of a tool that may be
 * called, with arguments that its schema takes; marks that are special tokens come as those tokens. */
#include "engine/tiny_tokenizer.h"
#include "engine/use.h"

#include "base/buffer.h"
#include "base/memory.h"
#include "base/rng.h"
#include "engine/grammar.h"

#include <jansson.h>
#include <string.h>

#define STORIES "../shared/models/stories260k"

static const char tools[] =
    "[{\"type\": \"function\", \"function\": {\"name\": \"get_weather\", \"description\": \"x\", \"parameters\": {\"type\": \"object\","
    " \"properties\": {\"city\": {\"type\": \"string\", \"maxLength\": 8}, \"unit\": {\"enum\": [\"c\", \"f\"]},"
    " \"days\": {\"$ref\": \"#/$defs/days\"}, \"exact\": {\"type\": \"boolean\"}, \"at\": {\"type\": \"array\", \"items\": {\"type\": \"number\"},"
    " \"maxItems\": 2}}, \"required\": [\"city\", \"unit\"], \"$defs\": {\"days\": {\"type\": \"integer\", \"minimum\": 1, \"maximum\": 14}}}}},"
    " {\"type\": \"function\", \"function\": {\"name\": \"stop-all\", \"parameters\": {\"type\": \"object\", \"properties\": {}}}}]";

/* Formats by what their templates say. */
static const struct {
    const char *name, *template_text;
} formats[] = {
    {"hermes", "{# <tool_call> #}"},
    {"llama3", "{# <|python_tag|> #}"},
    {"mistral", "{# [TOOL_CALLS] #}"},
    {"mistral with arguments", "{# [TOOL_CALLS] [ARGS] #}"},
    {"qwen3_coder", "{# <tool_call><function= #}"},
    {"deepseek", "{# <｜tool▁calls▁begin｜> ```json #}"},
    {"deepseek without fences", "{# <｜tool▁calls▁begin｜> #}"},
    {"granite", "{# <|tool_call|> #}"},
    {"phi4", "{# <|/tool_call|> #}"},
    {"command_r7b", "{# <|START_ACTION|> #}"},
    {"none", "x"},
};
enum { N_FORMATS = sizeof formats / sizeof formats[0] };

static hob_chat *chat_with_tools(const char *json)
{
    hob_error error;
    hob_chat *chat;
    ASSERT_HOB(hob_chat_new(&chat, &error), error);
    ASSERT_HOB(hob_chat_add(chat, "user", "Hi", &error), error);
    ASSERT_HOB(hob_chat_set_tools(chat, json, &error), error);
    return chat;
}

/* ---- whether a call is right ---- */

static bool are_weather_arguments(const json_t *arguments)
{
    const json_t *city = json_object_get(arguments, "city"), *unit = json_object_get(arguments, "unit"), *days = json_object_get(arguments, "days"),
                 *exact = json_object_get(arguments, "exact"), *at = json_object_get(arguments, "at"), *member;
    const char *key, *known[] = {"city", "unit", "days", "exact", "at"};
    json_object_foreach ((json_t *)(uintptr_t)arguments, key, member) {
        bool is_known = false;
        for (size_t i = 0; i < 5; i++) is_known |= !strcmp(key, known[i]);
        if (!is_known) return false;
    }
    if (!json_is_string(city) || json_string_length(city) > 8 * 4) return false;
    if (!json_is_string(unit) || !strchr("cf", json_string_value(unit)[0]) || json_string_length(unit) != 1) return false;
    if (days && !(json_is_integer(days) && json_integer_value(days) >= 1 && json_integer_value(days) <= 14)) return false;
    if (at && !(json_is_array(at) && json_array_size(at) <= 2)) return false;
    for (size_t i = 0; i < json_array_size(at); i++)
        if (!json_is_number(json_array_get(at, i))) return false;
    return !exact || json_is_boolean(exact);
}

static void expect_call(const char *call, const char *only, const char *where)
{
    json_t *json = json_loads(call, JSON_ALLOW_NUL, NULL);
    const json_t *function = json_object_get(json, "function");
    const char *name = json_string_value(json_object_get(function, "name"));
    const json_t *text = json_object_get(function, "arguments");
    json_t *arguments = json_loadb(json_string_value(text), json_string_length(text), JSON_ALLOW_NUL, NULL);
    bool is_weather = name && !strcmp(name, "get_weather");
    bool is_right = is_weather ? are_weather_arguments(arguments) : name && !strcmp(name, "stop-all") && json_object_size(arguments) == 0;
    if (!is_right || (only && strcmp(name, only) != 0)) fail_msg("%s: %s", where, call);
    json_decref(arguments);
    json_decref(json);
}

static void expect_calls(hob_reply *reply, const char *only, size_t most, const char *where)
{
    hob_error error;
    hob_reply_delta delta;
    ASSERT_HOB(hob_reply_finish(reply, &delta, &error), error);
    if (!delta.n_tool_calls || delta.n_tool_calls > most) fail_msg("%s: %zu calls in %s", where, delta.n_tool_calls, hob_reply_message(reply));
    for (size_t i = 0; i < delta.n_tool_calls; i++) expect_call(hob_reply_tool_call(reply, i), only, where);
    json_t *message = json_loads(hob_reply_message(reply), JSON_ALLOW_NUL, NULL);
    assert_int_equal(json_string_length(json_object_get(message, "content")), 0);
    json_decref(message);
}

/* ---- any way through the masks ---- */

static const char *const marks[] = {"<|python_tag|>", "[TOOL_CALLS]", "[ARGS]", "<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>",
                                    "<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>", "<｜tool▁sep｜>", "<|tool_call|>", "<|/tool_call|>",
                                    "<|START_ACTION|>", "<|END_ACTION|>", "<tool_call>", "</tool_call>", "</think>", "<think>"};

static int32_t pick(const uint32_t *bits, size_t n_allowed, struct rng *rng)
{
    size_t n = rng_below(rng, (uint32_t)n_allowed);
    for (int32_t id = 0;; id++)
        if (bits[id / 32] >> id % 32 & 1 && n-- == 0) return id;
}

/* Draws tokens until the text is whole, all equally likely, and pushes them to a reply. false: it grew too long. */
static bool walk(struct hob_model *model, const hob_grammar *grammar, uint64_t seed, hob_reply *reply, size_t *ret_n_special)
{
    hob_error error;
    struct token_masks *masks;
    struct grammar_state state;
    struct rng rng = {.seed = seed};
    hob_decoder *decoder;
    uint32_t bits[(TINY_FIRST + TINY_MOST_TOKENS) / 32 + 1];
    size_t n_tokens = hob_tokenizer_n_tokens(model->tokenizer), n_drawn = 0;
    ASSERT_HOB(grammar_masks(grammar, model, &masks, &error), error);
    ASSERT_HOB(hob_decoder_new(model->tokenizer, HOB_SKIP_SPECIAL, &decoder, &error), error);
    grammar_state_start(&state, token_masks_grammar(masks));
    for (; n_drawn < 1500 && !grammar_state_is_over(&state); n_drawn++) {
        struct hob_generated generated = {0};
        if (grammar_state_is_complete(&state) && rng_next(&rng) % 2) break;
        size_t n_allowed = token_masks_fill(masks, &state, bits, n_tokens);
        assert_true(n_allowed > 0);
        generated.id = pick(bits, n_allowed, &rng);
        assert_true(token_masks_accept(masks, &state, generated.id));
        *ret_n_special += hob_tokenizer_is_special(model->tokenizer, generated.id);
        ASSERT_HOB(hob_decoder_push(decoder, generated.id, &generated.text, &generated.n_text_bytes, &error), error);
        ASSERT_HOB(hob_reply_push(reply, &generated, NULL, &error), error);
    }
    hob_decoder_free(decoder);
    token_masks_unref(masks);
    return grammar_state_is_complete(&state);
}

/* n_special of the marks are special tokens, the rest of the vocabulary is bytes. */
static void walk_all(size_t n_special)
{
    hob_error error;
    struct hob_model model = {.tokenizer = tiny_tokenizer(marks, n_special, 0, HOB_NO_TOKEN)};
    hob_chat *chat = chat_with_tools(tools);
    size_t n_whole = 0, n_drawn_special = 0, n_walks = 0;
    for (size_t f = 0; f < N_FORMATS; f++) {
        for (int kind = 0; kind < 3; kind++) {
            hob_grammar *grammar;
            hob_chat_options options = {.template_text = formats[f].template_text,
                                        .tool_choice = kind == 2 ? HOB_TOOL_CHOICE_NAMED : HOB_TOOL_CHOICE_REQUIRED,
                                        .tool_name = kind == 2 ? "get_weather" : NULL, .has_one_call = kind == 0};
            ASSERT_HOB(hob_chat_new_grammar(chat, &model, &options, &grammar, &error), error);
            for (uint64_t seed = 0; seed < 30; seed++, n_walks++) {
                hob_reply *reply;
                ASSERT_HOB(hob_reply_new(chat, &model, &options, &reply, &error), error);
                if (walk(&model, grammar, seed, reply, &n_drawn_special)) {
                    expect_calls(reply, options.tool_name, kind == 1 ? 16 : 1, formats[f].name);
                    n_whole++;
                }
                hob_reply_free(reply);
            }
            hob_grammar_free(grammar);
        }
    }
    assert_true(n_whole * 10 > n_walks * 9);
    assert_int_equal(n_drawn_special > 0, n_special > 0);
    hob_chat_free(chat);
    token_trie_unref(model.token_trie);
    hob_tokenizer_free(model.tokenizer);
}

static void test_marks_as_text(void **state)
{
    (void)state;
    walk_all(0);
}

static void test_marks_as_tokens(void **state)
{
    (void)state;
    walk_all(16);
}

/* ---- a model that draws ---- */

static bool push(void *context, const hob_generated *generated)
{
    hob_error error;
    ASSERT_HOB(hob_reply_push(context, generated, NULL, &error), error);
    return true;
}

static hob_finish draw(const struct use *use, const hob_chat *chat, const hob_chat_options *options, const hob_grammar *grammar, uint64_t seed,
                       hob_reply *reply)
{
    hob_error error;
    int32_t *ids;
    size_t n_ids;
    hob_generate_result result;
    hob_generate_options generate = {.max_tokens = 200, .temperature = 1.2F, .seed = seed, .grammar = grammar};
    ASSERT_HOB(hob_chat_encode(chat, use->model, options, &ids, &n_ids, &error), error);
    ASSERT_HOB(hob_generate(use->session, ids, n_ids, &generate, push, reply, &result, &error), error);
    hob_free(ids);
    return result.finish;
}

/* 200 seeds, each with a built-in template. */
static void test_stories(void **state)
{
    (void)state;
    struct use use = use_open(STORIES, NULL, 1);
    hob_error error;
    hob_chat *chat = chat_with_tools(tools);
    size_t n_templates = 0, n_whole = 0;
    while (hob_chat_template_name(n_templates)) n_templates++;
    for (size_t t = 0; t < n_templates; t++) {
        hob_grammar *grammar;
        hob_chat_options options = {.template_name = hob_chat_template_name(t), .tool_choice = HOB_TOOL_CHOICE_REQUIRED, .has_one_call = true};
        ASSERT_HOB(hob_chat_new_grammar(chat, use.model, &options, &grammar, &error), error);
        for (uint64_t seed = t; seed < 200; seed += n_templates) {
            hob_reply *reply;
            ASSERT_HOB(hob_reply_new(chat, use.model, &options, &reply, &error), error);
            if (draw(&use, chat, &options, grammar, seed, reply) == HOB_FINISH_END) {
                expect_calls(reply, NULL, 1, options.template_name);
                n_whole++;
            }
            hob_reply_free(reply);
        }
        hob_grammar_free(grammar);
    }
    assert_true(n_whole > 190);
    hob_chat_free(chat);
    use_close(&use);
}

/* ---- what is taken ---- */

static hob_grammar *grammar_of(const hob_chat *chat, const struct hob_model *model, const hob_chat_options *options)
{
    hob_error error;
    hob_grammar *grammar;
    ASSERT_HOB(hob_chat_new_grammar(chat, model, options, &grammar, &error), error);
    return grammar;
}

static void expect_taken(const hob_grammar *grammar, const char *text, bool is_taken)
{
    if (hob_grammar_takes(grammar, text, strlen(text)) != is_taken) fail_msg("%s: %s", is_taken ? "not taken" : "taken", text);
}

/* Reasoning first where the template knows it; inside of it where the prompt ends there; none behind it. */
static void test_reasoning(void **state)
{
    (void)state;
    struct hob_model model = {.tokenizer = tiny_tokenizer(marks, 0, 0, HOB_NO_TOKEN)};
    hob_chat *chat = chat_with_tools(tools);
    hob_chat_options options = {.template_text = "{# </think> <tool_call> #}", .tool_choice = HOB_TOOL_CHOICE_NAMED, .tool_name = "stop-all"};
#define STOP_CALL "<tool_call>\n{\"name\": \"stop-all\", \"arguments\": {}}\n</tool_call>"
    hob_grammar *grammar = grammar_of(chat, &model, &options);
    expect_taken(grammar, STOP_CALL, true);
    expect_taken(grammar, "<think>Hm </thin </think\n\xC3\xA9</think>\n\n" STOP_CALL, true);
    expect_taken(grammar, "<think></think>" STOP_CALL, true);
    expect_taken(grammar, "Hm</think>" STOP_CALL, false);
    expect_taken(grammar, STOP_CALL "\n" STOP_CALL, false);
    hob_grammar_free(grammar);
    options.template_text = "{# <tool_call> #}<think>\n{# </think> #}";
    grammar = grammar_of(chat, &model, &options);
    expect_taken(grammar, "Hm</think>\n" STOP_CALL, true);
    expect_taken(grammar, STOP_CALL, false);
    hob_grammar_free(grammar);
    options.template_text = "{# <tool_call> #}<think>\n</think>\n";
    grammar = grammar_of(chat, &model, &options);
    expect_taken(grammar, STOP_CALL, true);
    expect_taken(grammar, "<think></think>" STOP_CALL, false);
    hob_grammar_free(grammar);
    hob_chat_free(chat);
    hob_tokenizer_free(model.tokenizer);
}

/* Answers of a schema: beside reasoning, beside calls where they are free, alone where there are none. */
static void test_documents(void **state)
{
    (void)state;
    struct hob_model model = {.tokenizer = tiny_tokenizer(marks, 0, 0, HOB_NO_TOKEN)};
    hob_chat *chat = chat_with_tools(tools);
    hob_chat_options options = {.template_text = "{# </think> <tool_call> #}", .response_schema = "{\"type\": \"integer\"}"};
    hob_grammar *grammar = grammar_of(chat, &model, &options);
    expect_taken(grammar, "7", true);
    expect_taken(grammar, "<think>7?</think>\n\n7", true);
    expect_taken(grammar, STOP_CALL, true);
    expect_taken(grammar, "x", false);
    hob_grammar_free(grammar);
    options.tool_choice = HOB_TOOL_CHOICE_NONE;
    grammar = grammar_of(chat, &model, &options);
    expect_taken(grammar, "7", true);
    expect_taken(grammar, STOP_CALL, false);
    hob_grammar_free(grammar);
    options.tool_choice = HOB_TOOL_CHOICE_REQUIRED;
    grammar = grammar_of(chat, &model, &options);
    expect_taken(grammar, "7", false);
    hob_grammar_free(grammar);
    options = (hob_chat_options){.template_text = "x", .response_schema = ""};
    grammar = grammar_of(chat, &model, &options);
    expect_taken(grammar, "{\"a\": [1]}", true);
    expect_taken(grammar, "1", false);
    hob_grammar_free(grammar);
    options.response_schema = NULL;
    assert_null(grammar_of(chat, &model, &options));
    assert_null(grammar_of(chat, &model, NULL));
    hob_chat_free(chat);
    hob_tokenizer_free(model.tokenizer);
}

/* Values of Qwen3-Coder are bare texts, which may spell other marks. */
static void test_bare_values(void **state)
{
    (void)state;
    static const char bare[] = "[{\"function\": {\"name\": \"f\", \"parameters\": {\"properties\": {\"t\": {\"type\": \"string\"}, \"n\": {\"type\": \"integer\"}}}}}]";
    static const char text[] = "<tool_call>\n<function=f>\n<parameter=t>\n12 </tool_call> </function>\n<parameter=n> </paramete\n</parameter>\n"
                               "<parameter=n>\n-3\n</parameter>\n</function>\n</tool_call>";
    struct hob_model model = {.tokenizer = tiny_tokenizer(marks, 0, 0, HOB_NO_TOKEN)};
    hob_error error;
    hob_reply *reply;
    hob_chat *chat = chat_with_tools(bare);
    hob_chat_options options = {.template_text = formats[4].template_text, .tool_choice = HOB_TOOL_CHOICE_REQUIRED};
    hob_grammar *grammar = grammar_of(chat, &model, &options);
    expect_taken(grammar, text, true);
    expect_taken(grammar, "<tool_call>\n<function=f>\n</function>\n</tool_call>", true);
    expect_taken(grammar, "<tool_call>\n<function=f>\n<parameter=n>\nx\n</parameter>\n</function>\n</tool_call>", false);
    ASSERT_HOB(hob_reply_new(chat, &model, &options, &reply, &error), error);
    for (size_t i = 0; i < strlen(text); i++) ASSERT_HOB(hob_reply_push_text(reply, text + i, 1, NULL, &error), error);
    json_t *call = json_loads(hob_reply_tool_call(reply, 0), 0, NULL);
    assert_string_equal(json_string_value(json_object_get(json_object_get(call, "function"), "arguments")),
                        "{\"t\": \"12 </tool_call> </function>\\n<parameter=n> </paramete\", \"n\": -3}");
    json_decref(call);
    hob_reply_free(reply);
    hob_grammar_free(grammar);
    hob_chat_free(chat);
    hob_tokenizer_free(model.tokenizer);
}

static void expect_refused(const char *json, const hob_chat_options *options, hob_status status, const char *why)
{
    struct hob_model model = {.tokenizer = tiny_tokenizer(marks, 0, 0, HOB_NO_TOKEN)};
    hob_error error = {0};
    hob_grammar *grammar;
    hob_chat *chat = chat_with_tools(json);
    assert_int_equal(hob_chat_new_grammar(chat, &model, options, &grammar, &error), status);
    if (!strstr(error.message, why)) fail_msg("found: %s", error.message);
    hob_chat_free(chat);
    hob_tokenizer_free(model.tokenizer);
}

static void test_refusals(void **state)
{
    (void)state;
    hob_chat_options required = {.template_name = "chatml", .tool_choice = HOB_TOOL_CHOICE_REQUIRED};
    hob_chat_options named = {.template_name = "chatml", .tool_choice = HOB_TOOL_CHOICE_NAMED, .tool_name = "other"};
    expect_refused("[]", &required, HOB_BAD_ARGUMENT, "no tools");
    expect_refused(tools, &named, HOB_BAD_ARGUMENT, "no tool 'other'");
    expect_refused("[{\"name\": \"a b\"}]", &required, HOB_BAD_ARGUMENT, "name: found 'a b'");
    expect_refused("[{}]", &required, HOB_BAD_ARGUMENT, "name");
    expect_refused("[{\"name\": \"f\", \"parameters\": {\"not\": {}}}]", &required, HOB_UNSUPPORTED, "tool 'f': parameters: schema: #/not");
    named.tool_name = NULL;
    expect_refused(tools, &named, HOB_BAD_ARGUMENT, "expected a tool's");
    required.response_schema = "{";
    required.tool_choice = HOB_TOOL_CHOICE_AUTO;
    expect_refused(tools, &required, HOB_BAD_FILE, "schema");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_marks_as_text), cmocka_unit_test(test_marks_as_tokens), cmocka_unit_test(test_stories),
        cmocka_unit_test(test_reasoning),     cmocka_unit_test(test_documents),       cmocka_unit_test(test_bare_values),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
