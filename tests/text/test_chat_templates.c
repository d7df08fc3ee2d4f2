/* 30 conversations through the published templates of many models: what is rendered has the hash that tools/chat-goldens.mjs found, and
 * what Python refuses is refused. HOB_CHAT_DUMP=name#index prints one. */
#include "unit.h"

#include "base/sha256.h"
#include "text/jinja_cases.h"

#include <stdio.h>

static json_t *read_list(const char *path)
{
    json_t *list = json_load_file(path, 0, NULL);
    assert_true(json_is_array(list));
    return list;
}

static json_t *variables_of(const json_t *conversation)
{
    json_t *variables = json_pack("{s:s, s:s, s:s, s:s, s:b}", "bos_token", "<s>", "eos_token", "</s>", "unk_token", "<unk>", "pad_token",
                                  "<pad>", "add_generation_prompt", 1);
    json_object_update(variables, (json_t *)(uintptr_t)conversation);
    return variables;
}

static void dump(const char *name, size_t index, const char *text)
{
    char id[128];
    snprintf(id, sizeof id, "%s#%zu", name, index);
    if (getenv("HOB_CHAT_DUMP") && !strcmp(getenv("HOB_CHAT_DUMP"), id)) print_message("%s\n", text);
}

/* The first 16 hex digits of the text's hash, or "-". */
static void hash_of(const char *name, const char *template, const json_t *conversation, size_t index, char ret_hash[SHA256_TEXT_BYTES])
{
    unsigned char digest[SHA256_BYTES];
    struct buffer out = {0};
    hob_error error;
    json_t *variables = variables_of(conversation);
    if (render_case(template, variables, &new_year, &out, &error) == HOB_OK) {
        sha256_of(buffer_text(&out), out.n_bytes, digest);
        sha256_text(digest, ret_hash);
        ret_hash[16] = '\0';
        dump(name, index, buffer_text(&out));
    } else {
        strcpy(ret_hash, "-");
        dump(name, index, error.message);
    }
    buffer_release(&out);
    json_decref(variables);
}

static void test_goldens(void **state)
{
    (void)state;
    setenv("TZ", "UTC", 1);
    json_t *templates = read_list("tests/data/chat/templates.json"), *conversations = read_list("tests/data/chat/conversations.json");
    FILE *goldens = fopen("tests/data/chat/goldens.txt", "r");
    size_t n_wrong = 0;
    assert_non_null(goldens);
    for (size_t i = 0; i < json_array_size(templates); i++) {
        const char *name = json_string_value(json_object_get(json_array_get(templates, i), "name"));
        const char *text = json_string_value(json_object_get(json_array_get(templates, i), "template"));
        char word[128], hash[SHA256_TEXT_BYTES];
        assert_int_equal(fscanf(goldens, "%127s", word), 1);
        assert_string_equal(word, name);
        for (size_t j = 0; j < json_array_size(conversations); j++) {
            assert_int_equal(fscanf(goldens, "%127s", word), 1);
            hash_of(name, text, json_array_get(conversations, j), j, hash);
            if (!strcmp(word, hash)) continue;
            print_message("%s#%zu: found %s, wanted %s\n", name, j, hash, word);
            n_wrong++;
        }
    }
    assert_int_equal(n_wrong, 0);
    assert_true(json_array_size(templates) >= 50 && json_array_size(conversations) == 30);
    fclose(goldens);
    json_decref(templates);
    json_decref(conversations);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_goldens)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
