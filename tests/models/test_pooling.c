/* sentence-transformers folders, good and bad. */
#include "unit.h"

#include "base/arena.h"
#include "models/model.h"
#include "models/scratch_folder.h"

#define MODULE(class, path) "{\"type\": \"sentence_transformers.models." class "\", \"path\": \"" path "\"}"
#define NETWORK MODULE("Transformer", "")
#define POOLING MODULE("Pooling", "1_Pooling")
#define NORMALIZE MODULE("Normalize", "2_Normalize")

struct pooling_case {
    const char *modules, *pooling, *limits; /* files' texts; NULL: no such file */
    hob_status status;
    struct model_pooling expected;
    const char *message; /* part of it */
};

static void write_case(const struct scratch_folder *folder, const struct pooling_case *c)
{
    if (c->modules) scratch_folder_write(folder, "modules.json", c->modules);
    if (c->pooling) scratch_folder_write(folder, "1_Pooling/config.json", c->pooling);
    if (c->limits) scratch_folder_write(folder, "sentence_bert_config.json", c->limits);
}

static void check(const struct pooling_case *c)
{
    struct scratch_folder folder;
    struct model_pooling found = {.max_tokens = -7};
    hob_error error = {0};
    scratch_folder_make(&folder);
    write_case(&folder, c);
    hob_status status = model_read_pooling(folder.path, &found, &error);
    scratch_folder_remove(&folder);
    if (status != c->status) fail_msg("%s: %s", c->modules ? c->modules : "no modules", error.message);
    if (status != HOB_OK) {
        assert_int_equal(found.max_tokens, -7); /* untouched */
        if (!strstr(error.message, c->message)) fail_msg("found \"%s\", expected \"%s\"", error.message, c->message);
        assert_int_equal(model_read_pooling(folder.path, &found, NULL), HOB_OK); /* the folder is gone: defaults */
        return;
    }
    assert_int_equal(found.mode, c->expected.mode);
    assert_int_equal(found.is_normalized, c->expected.is_normalized);
    assert_int_equal(found.is_stated, c->expected.is_stated);
    assert_int_equal(found.is_plain_text, c->expected.is_plain_text);
    assert_int_equal(found.max_tokens, c->expected.max_tokens);
}

static void test_good_folders(void **state)
{
    (void)state;
    static const struct pooling_case cases[] = {
        {.expected = {.mode = HOB_POOLING_MEAN, .is_normalized = true}},
        {.modules = "[" NETWORK "," POOLING "," NORMALIZE "]",
         .pooling = "{\"pooling_mode_mean_tokens\": true, \"pooling_mode_cls_token\": false}",
         .limits = "{\"max_seq_length\": 256}",
         .expected = {.mode = HOB_POOLING_MEAN, .is_normalized = true, .is_stated = true, .max_tokens = 256}},
        {.modules = "[" NETWORK "," POOLING "]",
         .pooling = "{\"pooling_mode_cls_token\": true}",
         .limits = "{\"max_seq_length\": null}",
         .expected = {.mode = HOB_POOLING_CLS, .is_stated = true}},
        {.modules = "[" NETWORK "," POOLING "]",
         .pooling = "{\"pooling_mode\": \"lasttoken\"}",
         .expected = {.mode = HOB_POOLING_LAST, .is_stated = true}},
        {.modules = "[" MODULE("StaticEmbedding", ".") "," NORMALIZE "]",
         .expected = {.mode = HOB_POOLING_MEAN, .is_normalized = true, .is_stated = true, .is_plain_text = true}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) check(&cases[i]);
}

static void test_bad_folders(void **state)
{
    (void)state;
    static const struct pooling_case cases[] = {
        {.modules = "[" NETWORK "," POOLING "]",
         .pooling = "{\"pooling_mode_max_tokens\": true}",
         .status = HOB_UNSUPPORTED,
         .message = "1_Pooling/config.json: found pooling_mode_max_tokens, expected mean"},
        {.modules = "[" NETWORK "," POOLING "]",
         .pooling = "{\"pooling_mode_mean_tokens\": true, \"pooling_mode_cls_token\": true}",
         .status = HOB_UNSUPPORTED,
         .message = "found 2 pooling modes, expected one"},
        {.modules = "[" NETWORK "," POOLING "]", .status = HOB_NOT_FOUND, .message = "1_Pooling/config.json"},
        {.modules = "[" NETWORK "," MODULE("Dense", "2_Dense") "]",
         .status = HOB_UNSUPPORTED,
         .message = "found module sentence_transformers.models.Dense"},
        {.modules = "[" MODULE("Pooling", "../../etc") "]",
         .status = HOB_BAD_FILE,
         .message = "expected a folder inside"},
        {.modules = "[{\"path\": \"\"}]", .status = HOB_BAD_FILE, .message = "module 0: type: missing"},
        {.modules = "[7]", .status = HOB_BAD_FILE, .message = "module 0: type: missing"},
        {.modules = "{}", .status = HOB_BAD_FILE, .message = "modules.json: found an object, expected a list"},
        {.modules = "[", .status = HOB_BAD_FILE, .message = "modules.json:1:1"},
        {.modules = "", .status = HOB_BAD_FILE, .message = "empty file"},
        {.limits = "{", .status = HOB_BAD_FILE, .message = "sentence_bert_config.json:1:1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) check(&cases[i]);
}

/* ---- prompts ---- */

static hob_status read_prompts(const char *text, struct arena *arena, struct model_prompts *ret_prompts, hob_error *error)
{
    struct scratch_folder folder;
    scratch_folder_make(&folder);
    if (text) scratch_folder_write(&folder, "config_sentence_transformers.json", text);
    hob_status status = model_read_prompts(folder.path, arena, ret_prompts, error);
    scratch_folder_remove(&folder);
    return status;
}

static void test_prompts(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct model_prompts prompts = {.n = 7};
    hob_error error = {0};
    assert_int_equal(read_prompts(NULL, &arena, &prompts, &error), HOB_OK);
    assert_int_equal(prompts.n, 0);
    assert_null(model_find_prompt(&prompts, "query"));
    assert_int_equal(read_prompts("{\"prompts\": null, \"default_prompt_name\": null}", &arena, &prompts, &error), HOB_OK);
    assert_int_equal(prompts.n, 0);
    const char *text = "{\"prompts\": {\"query\": \"query: \", \"passage\": \"\"}, \"default_prompt_name\": \"passage\"}";
    assert_int_equal(read_prompts(text, &arena, &prompts, &error), HOB_OK);
    assert_int_equal(prompts.n, 2);
    assert_string_equal(model_find_prompt(&prompts, "query"), "query: ");
    assert_string_equal(model_find_prompt(&prompts, prompts.default_name), "");
    arena_release(&arena);
}

static void test_bad_prompts(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"{\"prompts\": [\"query\"]}", "prompts: found a list, expected an object"},
        {"{\"prompts\": {\"query\": 3}}", "prompts: query: found a whole number, expected a text"},
        {"{\"default_prompt_name\": \"query\"}", "default_prompt_name: found query, expected a name among prompts"},
        {"{\"prompts\": {}", "config_sentence_transformers.json"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena arena = {0};
        struct model_prompts prompts = {.n = 7};
        hob_error error = {0};
        assert_int_equal(read_prompts(cases[i].text, &arena, &prompts, &error), HOB_BAD_FILE);
        if (!strstr(error.message, cases[i].message)) fail_msg("found \"%s\"", error.message);
        assert_int_equal(prompts.n, 7);
        arena_release(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_good_folders), cmocka_unit_test(test_prompts), cmocka_unit_test(test_bad_prompts), cmocka_unit_test(test_bad_folders)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
