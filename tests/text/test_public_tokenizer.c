/* The public functions: finding a tokenizer by any of its paths, the caller's memory, streaming, errors. */
#include "unit.h"

#include "hob/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char json[] =
    "{\"added_tokens\":[{\"id\":4,\"content\":\"</s>\",\"special\":true}],"
    "\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[\"a\",0],\"sep\":[\"</s>\",4]},\"decoder\":{\"type\":\"Fuse\"},"
    "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2,\"\xC3\xA9\":3,\"</s>\":4},\"merges\":[\"a b\"]}}";

static char folder[] = "/tmp/hob-tokenizer-XXXXXX";

static const char *path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(path_of(name), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"tokenizer.json", "tokenizer_config.json", "model.onnx", "vocab.txt"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) unlink(path_of(names[i]));
    return rmdir(folder);
}

static void check_opens(const char *path)
{
    hob_tokenizer *tokenizer;
    hob_error error;
    int32_t *ids;
    size_t n_ids;
    if (hob_tokenizer_open(path, &tokenizer, &error) != HOB_OK) fail_msg("%s", error.message);
    assert_int_equal(hob_tokenizer_n_tokens(tokenizer), 5);
    assert_int_equal(hob_tokenizer_encode(tokenizer, "abb", 3, HOB_ADD_SPECIAL, &ids, &n_ids, NULL), HOB_OK);
    assert_int_equal(n_ids, 4);
    assert_memory_equal(ids, ((const int32_t[]){0, 2, 1, 4}), sizeof(int32_t[4]));
    hob_free(ids);
    hob_tokenizer_free(tokenizer);
}

static void test_found_by_any_path(void **state)
{
    (void)state;
    write_file("tokenizer.json", json);
    write_file("model.onnx", "");
    check_opens(path_of("tokenizer.json"));
    check_opens(path_of("model.onnx"));
    check_opens(folder);
}

static void test_roles(void **state)
{
    (void)state;
    hob_tokenizer *tokenizer;
    write_file("tokenizer.json", json);
    write_file("tokenizer_config.json", "{\"bos_token\":{\"content\":\"a\"},\"pad_token\":\"b\",\"eos_token\":null}");
    assert_int_equal(hob_tokenizer_open(folder, &tokenizer, NULL), HOB_OK);
    assert_int_equal(hob_tokenizer_role(tokenizer, HOB_TOKEN_BOS), 0);
    assert_int_equal(hob_tokenizer_role(tokenizer, HOB_TOKEN_PAD), 1);
    assert_int_equal(hob_tokenizer_role(tokenizer, HOB_TOKEN_EOS), 4);
    assert_int_equal(hob_tokenizer_role(tokenizer, HOB_TOKEN_MASK), HOB_NO_TOKEN);
    assert_true(hob_tokenizer_is_end(tokenizer, 4));
    assert_true(hob_tokenizer_is_special(tokenizer, 4));
    assert_false(hob_tokenizer_is_special(tokenizer, 0));
    size_t n_bytes;
    assert_string_equal(hob_tokenizer_token(tokenizer, 2, &n_bytes), "ab");
    assert_int_equal(n_bytes, 2);
    assert_null(hob_tokenizer_token(tokenizer, 5, NULL));
    assert_null(hob_tokenizer_token(tokenizer, -1, NULL));
    assert_int_equal(hob_tokenizer_id(tokenizer, "\xC3\xA9", 2), 3);
    assert_int_equal(hob_tokenizer_id(tokenizer, "x", 1), HOB_NO_TOKEN);
    hob_tokenizer_free(tokenizer);
}

static void test_decodes_whole_and_streamed(void **state)
{
    (void)state;
    static const int32_t ids[] = {2, 3, 4, 1};
    hob_tokenizer *tokenizer;
    hob_decoder *decoder;
    char *whole;
    const char *part;
    size_t n_bytes;
    write_file("tokenizer.json", json);
    assert_int_equal(hob_tokenizer_open(folder, &tokenizer, NULL), HOB_OK);
    assert_int_equal(hob_tokenizer_decode(tokenizer, ids, 4, HOB_SKIP_SPECIAL, &whole, &n_bytes, NULL), HOB_OK);
    assert_string_equal(whole, "ab\xC3\xA9" "b");
    assert_int_equal(n_bytes, 5);
    hob_free(whole);
    assert_int_equal(hob_decoder_new(tokenizer, HOB_SKIP_SPECIAL, &decoder, NULL), HOB_OK);
    static const char *const parts[] = {"ab", "\xC3\xA9", "", "b"};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(hob_decoder_push(decoder, ids[i], &part, NULL, NULL), HOB_OK);
        assert_string_equal(part, parts[i]);
    }
    assert_int_equal(hob_decoder_finish(decoder, &part, &n_bytes, NULL), HOB_OK);
    assert_int_equal(n_bytes, 0);
    hob_decoder_free(decoder);
    hob_tokenizer_free(tokenizer);
}

static void test_nothing_in_gives_nothing(void **state)
{
    (void)state;
    hob_tokenizer *tokenizer;
    int32_t *ids;
    char *text;
    size_t n;
    write_file("tokenizer.json", json);
    assert_int_equal(hob_tokenizer_open(folder, &tokenizer, NULL), HOB_OK);
    assert_int_equal(hob_tokenizer_encode(tokenizer, NULL, 0, 0, &ids, &n, NULL), HOB_OK);
    assert_non_null(ids);
    assert_int_equal(n, 0);
    assert_int_equal(hob_tokenizer_decode(tokenizer, ids, 0, 0, &text, &n, NULL), HOB_OK);
    assert_string_equal(text, "");
    hob_free(ids);
    hob_free(text);
    hob_tokenizer_free(tokenizer);
}

static void test_pieces_are_bytes_of_one_token(void **state)
{
    (void)state;
    static const char *const expected[] = {"a", "b", "ab", "\xC3\xA9", "", "", ""};
    static const int32_t ids[] = {0, 1, 2, 3, 4, 5, -1};
    hob_tokenizer *tokenizer;
    hob_pieces *pieces;
    write_file("tokenizer.json", json);
    assert_int_equal(hob_tokenizer_open(folder, &tokenizer, NULL), HOB_OK);
    assert_int_equal(hob_pieces_new(NULL, &pieces, NULL), HOB_BAD_ARGUMENT);
    assert_int_equal(hob_pieces_new(tokenizer, &pieces, NULL), HOB_OK);
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        const char *bytes = NULL;
        size_t n_bytes = 99;
        assert_int_equal(hob_pieces_get(pieces, ids[i], &bytes, &n_bytes, NULL), HOB_OK);
        assert_string_equal(bytes, expected[i]);
        assert_int_equal(n_bytes, strlen(expected[i]));
    }
    hob_pieces_free(pieces);
    hob_pieces_free(NULL);
    hob_tokenizer_free(tokenizer);
}

static void test_errors(void **state)
{
    (void)state;
    hob_tokenizer *tokenizer = NULL;
    hob_error error;
    char *text;
    assert_int_equal(hob_tokenizer_open(path_of("absent.json"), &tokenizer, &error), HOB_NOT_FOUND);
    assert_int_equal(hob_tokenizer_open(path_of("absent.onnx"), &tokenizer, &error), HOB_NOT_FOUND);
    assert_int_equal(hob_tokenizer_open(NULL, &tokenizer, &error), HOB_BAD_ARGUMENT);
    unlink(path_of("tokenizer.json"));
    assert_int_equal(hob_tokenizer_open(folder, &tokenizer, &error), HOB_NOT_FOUND);
    assert_non_null(strstr(error.message, "no tokenizer.json"));
    write_file("tokenizer.json", "");
    assert_int_equal(hob_tokenizer_open(folder, &tokenizer, &error), HOB_BAD_FILE);
    assert_null(tokenizer);
    write_file("tokenizer.json", json);
    assert_int_equal(hob_tokenizer_open(folder, &tokenizer, NULL), HOB_OK);
    assert_int_equal(hob_tokenizer_decode(tokenizer, (const int32_t[]){5}, 1, 0, &text, NULL, &error), HOB_BAD_ARGUMENT);
    assert_int_equal(hob_tokenizer_decode(tokenizer, (const int32_t[]){-1}, 1, 0, &text, NULL, &error), HOB_BAD_ARGUMENT);
    hob_tokenizer_free(tokenizer);
    hob_tokenizer_free(NULL);
    hob_decoder_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found_by_any_path),         cmocka_unit_test(test_roles),
        cmocka_unit_test(test_decodes_whole_and_streamed), cmocka_unit_test(test_nothing_in_gives_nothing),
        cmocka_unit_test(test_pieces_are_bytes_of_one_token), cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
