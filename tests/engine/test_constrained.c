/* Generations held to a grammar: every text is one of the grammar's, each of several texts follows a state of its own, drafts and
 * limits change nothing that they should not, and no token costs an allocation. */
#include "use.h"

#include "base/buffer.h"
#include "base/memory.h"

#include <stdio.h>
#include <string.h>

#define STORIES "../shared/models/stories260k/model-f32.gguf"

enum { MOST_TEXTS = 4 };

static const char people[] = "root ::= \"[\" person (\", \" person){1,3} \"]\"\n"
                             "person ::= \"{\" name \", \" age \"}\"\n"
                             "name ::= \"\\\"\" [A-Za-z ]{2,12} \"\\\"\"\n"
                             "age ::= [1-9] [0-9]?\n";

struct texts {
    struct buffer text[MOST_TEXTS];
    size_t n_calls;
    bool is_counting; /* allocations, and then keeps no text */
    uint64_t n_before, n_allocated;
};

static bool note(void *context, const hob_generated *generated)
{
    struct texts *texts = context;
    uint64_t n_now = memory_n_allocations();
    if (++texts->n_calls == 20) texts->n_before = n_now;
    texts->n_allocated = n_now - texts->n_before;
    if (!texts->is_counting) buffer_append(&texts->text[generated->output], generated->text, generated->n_text_bytes);
    return true;
}

static void release(struct texts *texts)
{
    for (int i = 0; i < MOST_TEXTS; i++) buffer_release(&texts->text[i]);
}

static hob_grammar *compile(const char *text)
{
    hob_grammar *grammar;
    hob_error error;
    ASSERT_HOB(hob_grammar_new_gbnf(text, strlen(text), &grammar, &error), error);
    return grammar;
}

static hob_generate_result run(const struct use *use, const hob_generate_options *options, struct texts *texts)
{
    static const char prompt[] = "Once upon a time, there was";
    hob_generate_result result;
    hob_error error;
    int32_t *ids;
    size_t n_ids;
    ASSERT_HOB(hob_tokenizer_encode(hob_model_tokenizer(use->model), prompt, strlen(prompt), HOB_ADD_SPECIAL, &ids, &n_ids, &error), error);
    ASSERT_HOB(hob_generate(use->session, ids, n_ids, options, note, texts, &result, &error), error);
    hob_free(ids);
    return result;
}

static void expect_in(const hob_grammar *grammar, const struct buffer *text)
{
    if (!hob_grammar_takes(grammar, text->bytes, text->n_bytes)) fail_msg("not in the grammar: %s", text->bytes);
}

/* Texts that go different ways from one prompt; each is what a request of its own with its seed gives. */
static void test_samples(void **state)
{
    (void)state;
    struct use use = use_open(STORIES, NULL, 1);
    hob_grammar *grammar = compile(people);
    struct texts several = {0};
    hob_generate_options options = {.max_tokens = 200, .temperature = 1.3F, .seed = 7, .n_samples = MOST_TEXTS, .grammar = grammar};
    assert_int_equal(run(&use, &options, &several).finish, HOB_FINISH_END);
    options.n_samples = 1;
    for (int i = 0; i < MOST_TEXTS; i++, options.seed++) {
        struct texts one = {0};
        assert_int_equal(run(&use, &options, &one).finish, HOB_FINISH_END);
        assert_string_equal(buffer_text(&one.text[0]), buffer_text(&several.text[i]));
        expect_in(grammar, &several.text[i]);
        release(&one);
    }
    assert_string_not_equal(buffer_text(&several.text[0]), buffer_text(&several.text[1]));
    release(&several);
    hob_grammar_free(grammar);
    use_close(&use);
}

/* A wrong draft must not move the grammar. */
static void test_drafts(void **state)
{
    (void)state;
    struct use use = use_open(STORIES, NULL, 1);
    struct use draft = use_open("../shared/models/stories260k/model-q8_0.gguf", NULL, 1);
    hob_grammar *grammar = compile(people);
    size_t n_drafted = 0;
    for (unsigned seed = 0; seed < 4; seed++) {
        struct texts plain = {0};
        hob_generate_options options = {.max_tokens = 200, .temperature = seed ? 1 : 0, .seed = seed, .n_samples = 2, .grammar = grammar};
        run(&use, &options, &plain);
        for (int kind = 0; kind < 2; kind++) {
            struct texts drafted = {0};
            options.n_draft_tokens = 5;
            options.draft_session = kind ? draft.session : NULL;
            n_drafted += run(&use, &options, &drafted).n_drafted;
            for (int i = 0; i < 2; i++) assert_string_equal(buffer_text(&drafted.text[i]), buffer_text(&plain.text[i]));
            release(&drafted);
        }
        for (int i = 0; i < 2; i++) expect_in(grammar, &plain.text[i]);
        release(&plain);
    }
    assert_true(n_drafted > 0);
    hob_grammar_free(grammar);
    use_close(&draft);
    use_close(&use);
}

/* What could end may not, as long as something can go on; what can only end does. */
static void test_least_tokens(void **state)
{
    (void)state;
    struct use use = use_open(STORIES, NULL, 1);
    hob_grammar *grammar = compile("root ::= \"a\" | \"a\" [b-d]{0,60}");
    struct texts texts = {0}, short_texts = {0};
    hob_generate_options options = {.max_tokens = 100, .min_tokens = 10, .grammar = grammar};
    assert_true(run(&use, &options, &texts).n_tokens >= 10);
    expect_in(grammar, &texts.text[0]);
    hob_grammar *yes = compile("root ::= \"yes\"");
    options.grammar = yes;
    assert_int_equal(run(&use, &options, &short_texts).finish, HOB_FINISH_END);
    assert_string_equal(buffer_text(&short_texts.text[0]), "yes");
    release(&texts);
    release(&short_texts);
    hob_grammar_free(yes);
    hob_grammar_free(grammar);
    use_close(&use);
}

static void test_no_allocations(void **state)
{
    (void)state;
    struct use use = use_open(STORIES, NULL, 1);
    hob_grammar *grammar = compile("root ::= value (\", \" value){40,}\nvalue ::= \"[\" value (\", \" value)* \"]\" | [a-z]{1,9}");
    struct texts texts = {.is_counting = true};
    hob_generate_options options = {.max_tokens = 150, .temperature = 1, .seed = 3, .min_tokens = 100, .grammar = grammar};
    run(&use, &options, &texts);
    assert_true(texts.n_calls > 60);
    assert_int_equal(texts.n_allocated, 0);
    hob_grammar_free(grammar);
    use_close(&use);
}

/* The three ways to give a grammar exclude each other, and beams take none. */
static void test_refusals(void **state)
{
    (void)state;
    struct use use = use_open(STORIES, NULL, 1);
    hob_grammar *grammar = compile("root ::= \"a\"");
    hob_error error;
    int32_t id = 5;
    const hob_generate_options wrong[] = {
        {.max_tokens = 4, .grammar = grammar, .gbnf = "root ::= \"a\""},
        {.max_tokens = 4, .gbnf = "root ::= \"a\"", .json_schema = ""},
        {.max_tokens = 4, .grammar = grammar, .beam_width = 2, .length_penalty = 1},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(hob_generate(use.session, &id, 1, &wrong[i], NULL, NULL, NULL, &error), HOB_BAD_ARGUMENT);
    hob_generate_options broken = {.max_tokens = 4, .gbnf = "root ::= root \"a\" | \"b\""};
    assert_int_equal(hob_generate(use.session, &id, 1, &broken, NULL, NULL, NULL, &error), HOB_BAD_FILE);
    assert_non_null(strstr(error.message, "left recursion"));
    hob_grammar_free(grammar);
    use_close(&use);
}

/* "a" or "b", then one of many rules, which are too large to be written out. */
static hob_grammar *compile_fan(const char *first, size_t n_rules)
{
    struct buffer text = {0};
    buffer_printf(&text, "root ::= %s (r0", first);
    for (size_t i = 1; i < n_rules; i++) buffer_printf(&text, " | r%zu", i);
    buffer_append_string(&text, ") \"!\" (r0");
    for (size_t i = 1; i < n_rules; i++) buffer_printf(&text, " | r%zu", i);
    buffer_append_string(&text, ")\n");
    for (size_t i = 0; i < n_rules; i++) buffer_printf(&text, "r%zu ::= \"%060zu\" [a-z]{0,40} \"x\"\n", i, i);
    hob_grammar *grammar = compile(buffer_text(&text));
    buffer_release(&text);
    return grammar;
}

/* More rules at once than a state holds are told as that, at the beginning and behind a token. */
static void test_too_many_ways(void **state)
{
    (void)state;
    static const char *const firsts[] = {"\"\"", "\"a\""};
    struct use use = use_open(STORIES, NULL, 1);
    for (int i = 0; i < 2; i++) {
        hob_error error = {0};
        int32_t id = 5;
        hob_generate_options options = {.max_tokens = 4, .grammar = compile_fan(firsts[i], 900)};
        assert_int_equal(hob_generate(use.session, &id, 1, &options, NULL, NULL, NULL, &error), i ? HOB_UNSUPPORTED : HOB_LIMIT);
        assert_non_null(strstr(error.message, i ? "rules may go on at once" : "behind 0 tokens found more rules"));
        hob_grammar_free((hob_grammar *)(uintptr_t)options.grammar);
    }
    use_close(&use);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),        cmocka_unit_test(test_drafts),   cmocka_unit_test(test_least_tokens),
        cmocka_unit_test(test_no_allocations), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_too_many_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
