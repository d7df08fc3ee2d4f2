/* Fill-in-the-middle prompts against the families' published formats: the format as a text, in which special tokens are parsed, must give the
 * same ids. */
#include "unit.h"

#include "hob/fim.h"
#include "hob/memory.h"
#include "tiny_tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const hob_fim simple = {
    .prefix = "def f(x):\n  ", .n_prefix_bytes = 12, .suffix = "\n  return y", .n_suffix_bytes = 11};
static const hob_fim_file files[] = {{"a.py", "A = 1\n", 6}, {"lib/b.py", "B = 2", 5}};

static void check_prompt(const hob_tokenizer *tokenizer, const hob_fim *fim, const char *published)
{
    int32_t *found, *expected;
    size_t n_found, n_expected;
    hob_error error;
    if (hob_fim_prompt(tokenizer, fim, &found, &n_found, &error) != HOB_OK) fail_msg("%s", error.message);
    assert_int_equal(
        hob_tokenizer_encode(tokenizer, published, strlen(published), HOB_PARSE_SPECIAL, &expected, &n_expected, NULL),
        HOB_OK);
    assert_int_equal(n_found, n_expected);
    assert_memory_equal(found, expected, n_found * sizeof *found);
    hob_free(found);
    hob_free(expected);
}

static hob_fim in_repository(void)
{
    hob_fim fim = simple;
    fim.repo_name = "me/proj";
    fim.path = "c.py";
    fim.files = files;
    fim.n_files = 2;
    return fim;
}

static void test_qwen(void **state)
{
    (void)state;
    static const char *const tokens[] = {"<|endoftext|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>",
                                         "<|fim_pad|>",   "<|repo_name|>",  "<|file_sep|>"};
    hob_tokenizer *tokenizer = tiny_tokenizer(tokens, 7, 0, HOB_NO_TOKEN);
    hob_fim repository = in_repository();
    int32_t ends[HOB_FIM_MOST_ENDS];
    assert_string_equal(hob_fim_style(tokenizer), "qwen");
    check_prompt(tokenizer, &simple, "<|fim_prefix|>def f(x):\n  <|fim_suffix|>\n  return y<|fim_middle|>");
    check_prompt(tokenizer, &repository,
                 "<|repo_name|>me/proj\n<|file_sep|>a.py\nA = 1\n<|file_sep|>lib/b.py\nB = 2\n<|file_sep|>c.py\n"
                 "<|fim_prefix|>def f(x):\n  <|fim_suffix|>\n  return y<|fim_middle|>");
    assert_int_equal(hob_fim_ends(tokenizer, ends), 4);
    assert_int_equal(ends[0], TINY_FIRST);
    assert_int_equal(ends[1], TINY_FIRST + 4);
    hob_tokenizer_free(tokenizer);
}

static void test_codegemma_begins_with_bos(void **state)
{
    (void)state;
    static const char *const tokens[] = {"<bos>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>",
                                         "<|file_separator|>"};
    hob_tokenizer *tokenizer = tiny_tokenizer(tokens, 5, 0, TINY_FIRST);
    assert_string_equal(hob_fim_style(tokenizer), "codegemma");
    check_prompt(tokenizer, &simple, "<bos><|fim_prefix|>def f(x):\n  <|fim_suffix|>\n  return y<|fim_middle|>");
    hob_tokenizer_free(tokenizer);
}

static void test_starcoder2(void **state)
{
    (void)state;
    static const char *const tokens[] = {"<|endoftext|>", "<fim_prefix>", "<fim_middle>", "<fim_suffix>",
                                         "<fim_pad>",     "<repo_name>",  "<file_sep>"};
    hob_tokenizer *tokenizer = tiny_tokenizer(tokens, 7, 0, HOB_NO_TOKEN);
    hob_fim repository = in_repository();
    assert_string_equal(hob_fim_style(tokenizer), "starcoder2");
    check_prompt(tokenizer, &simple, "<fim_prefix>def f(x):\n  <fim_suffix>\n  return y<fim_middle>");
    check_prompt(
        tokenizer, &repository,
        "<repo_name>me/proj<file_sep>a.py\nA = 1\n<file_sep>lib/b.py\nB = 2<file_sep><fim_prefix>c.py\ndef f(x):\n  "
        "<fim_suffix>\n  return y<fim_middle>");
    hob_tokenizer_free(tokenizer);
}

static void test_starcoder_knows_no_repositories(void **state)
{
    (void)state;
    static const char *const tokens[] = {"<|endoftext|>", "<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>"};
    hob_tokenizer *tokenizer = tiny_tokenizer(tokens, 5, 0, HOB_NO_TOKEN);
    hob_fim repository = in_repository();
    int32_t *ids;
    size_t n_ids;
    hob_error error;
    assert_string_equal(hob_fim_style(tokenizer), "starcoder");
    check_prompt(tokenizer, &simple, "<fim_prefix>def f(x):\n  <fim_suffix>\n  return y<fim_middle>");
    assert_int_equal(hob_fim_prompt(tokenizer, &repository, &ids, &n_ids, &error), HOB_UNSUPPORTED);
    assert_non_null(strstr(error.message, "<|repo_name|>"));
    hob_tokenizer_free(tokenizer);
}

static void test_deepseek(void **state)
{
    (void)state;
    static const char *const tokens[] = {"<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜fim▁begin｜>",
                                         "<｜fim▁hole｜>", "<｜fim▁end｜>"};
    hob_tokenizer *tokenizer = tiny_tokenizer(tokens, 5, 0, TINY_FIRST);
    assert_string_equal(hob_fim_style(tokenizer), "deepseek");
    check_prompt(tokenizer, &simple,
                 "<｜begin▁of▁sentence｜><｜fim▁begin｜>def f(x):\n  <｜fim▁hole｜>\n  return y<｜fim▁end｜>");
    hob_tokenizer_free(tokenizer);
}

/* Llama's kind: a space before each text, bytes for what the vocabulary lacks. */
enum { SP_SPACE = 3, SP_A, SP_B, SP_BYTES, SP_SPECIAL = SP_BYTES + 256 };

static hob_tokenizer *sentencepiece(const char *const *special, size_t n_special)
{
    static char bytes[256][8];
    const char *texts[SP_SPECIAL + 8] = {"<unk>", "<s>", "</s>", "▁", "a", "b"};
    size_t text_bytes[SP_SPECIAL + 8];
    float scores[SP_SPECIAL + 8] = {0};
    int32_t types[SP_SPECIAL + 8] = {TOKEN_UNKNOWN, TOKEN_CONTROL, TOKEN_CONTROL,
                                     TOKEN_NORMAL,  TOKEN_NORMAL,  TOKEN_NORMAL};
    for (unsigned i = 0; i < 256; i++) {
        snprintf(bytes[i], sizeof bytes[i], "<0x%02X>", i);
        texts[SP_BYTES + i] = bytes[i];
        types[SP_BYTES + i] = TOKEN_BYTE;
    }
    for (size_t i = 0; i < n_special; i++) {
        texts[SP_SPECIAL + i] = special[i];
        types[SP_SPECIAL + i] = TOKEN_CONTROL;
    }
    for (size_t i = 0; i < SP_SPECIAL + n_special; i++) text_bytes[i] = strlen(texts[i]);
    struct tokenizer_vocabulary vocabulary;
    struct tokenizer *tokenizer;
    hob_error error;
    tokenizer_vocabulary_init(&vocabulary);
    vocabulary.kind = "llama";
    vocabulary.n_tokens = SP_SPECIAL + n_special;
    vocabulary.texts = texts;
    vocabulary.text_bytes = text_bytes;
    vocabulary.scores = scores;
    vocabulary.types = types;
    vocabulary.roles[HOB_TOKEN_BOS] = 1;
    vocabulary.roles[HOB_TOKEN_EOS] = 2;
    if (tokenizer_new(&vocabulary, "tiny", &tokenizer, &error) != HOB_OK) fail_msg("%s", error.message);
    return (hob_tokenizer *)tokenizer;
}

static void check_ids(const hob_tokenizer *tokenizer, const char *prefix, const char *suffix, const int32_t *expected,
                      size_t n_expected)
{
    hob_fim fim = {
        .prefix = prefix, .n_prefix_bytes = strlen(prefix), .suffix = suffix, .n_suffix_bytes = strlen(suffix)};
    int32_t *ids;
    size_t n_ids;
    hob_error error;
    if (hob_fim_prompt(tokenizer, &fim, &ids, &n_ids, &error) != HOB_OK) fail_msg("%s", error.message);
    assert_int_equal(n_ids, n_expected);
    assert_memory_equal(ids, expected, n_ids * sizeof *ids);
    hob_free(ids);
}

/* <s> <PRE> ▁a b <SUF>b <MID>: the prefix has a space in front, the suffix has none (infilling.py of codellama). */
static void test_codellama_and_its_spaces(void **state)
{
    (void)state;
    static const char *const special[] = {"▁<PRE>", "▁<SUF>", "▁<MID>", "▁<EOT>"};
    hob_tokenizer *tokenizer = sentencepiece(special, 4);
    const int32_t plain[] = {1, SP_SPECIAL, SP_SPACE, SP_A, SP_B, SP_SPECIAL + 1, SP_B, SP_SPECIAL + 2};
    const int32_t spaced[] = {1, SP_SPECIAL, SP_SPACE, SP_A, SP_SPECIAL + 1, SP_SPACE, SP_B, SP_SPECIAL + 2};
    int32_t ends[HOB_FIM_MOST_ENDS];
    assert_string_equal(hob_fim_style(tokenizer), "codellama");
    check_ids(tokenizer, "ab", "b", plain, 8);
    check_ids(tokenizer, "a", " b", spaced, 8);
    assert_int_equal(hob_fim_ends(tokenizer, ends), 1);
    assert_int_equal(ends[0], SP_SPECIAL + 3);
    hob_tokenizer_free(tokenizer);
}

/* <s>[SUFFIX]suffix[PREFIX]prefix (mistral-common's encode_fim). */
static void test_codestral_begins_with_the_suffix(void **state)
{
    (void)state;
    static const char *const special[] = {"[PREFIX]", "[SUFFIX]", "[MIDDLE]"};
    hob_tokenizer *tokenizer = sentencepiece(special, 3);
    const int32_t expected[] = {1, SP_SPECIAL + 1, SP_B, SP_SPECIAL, SP_SPACE, SP_A};
    assert_string_equal(hob_fim_style(tokenizer), "codestral");
    check_ids(tokenizer, "a", "b", expected, 6);
    hob_tokenizer_free(tokenizer);
}

static void test_a_text_cannot_write_tokens_and_may_be_empty(void **state)
{
    (void)state;
    static const char *const tokens[] = {"<fim_prefix>", "<fim_middle>", "<fim_suffix>"};
    hob_tokenizer *tokenizer = tiny_tokenizer(tokens, 3, 0, HOB_NO_TOKEN);
    const int32_t empty[] = {TINY_FIRST, TINY_FIRST + 2, TINY_FIRST + 1};
    hob_fim fim = {.prefix = "<fim_suffix>", .n_prefix_bytes = 12};
    int32_t *ids;
    size_t n_ids;
    check_ids(tokenizer, "", "", empty, 3);
    assert_int_equal(hob_fim_prompt(tokenizer, &fim, &ids, &n_ids, NULL), HOB_OK);
    assert_int_equal(n_ids, 15);
    hob_free(ids);
    hob_tokenizer_free(tokenizer);
}

static void test_what_is_refused(void **state)
{
    (void)state;
    static const char *const none[] = {"<|endoftext|>"};
    static const char *const qwen[] = {"<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|repo_name|>",
                                       "<|file_sep|>"};
    hob_tokenizer *tokenizer = tiny_tokenizer(none, 1, 0, HOB_NO_TOKEN);
    hob_fim fim = simple;
    int32_t *ids = NULL, ends[HOB_FIM_MOST_ENDS];
    size_t n_ids;
    hob_error error;
    assert_int_equal(hob_fim_prompt(tokenizer, &fim, &ids, &n_ids, &error), HOB_UNSUPPORTED);
    assert_non_null(strstr(error.message, "<|fim_prefix|>"));
    assert_non_null(strstr(error.message, "[SUFFIX]"));
    assert_null(hob_fim_style(tokenizer));
    assert_int_equal(hob_fim_ends(tokenizer, ends), 0);
    hob_tokenizer_free(tokenizer);
    tokenizer = tiny_tokenizer(qwen, 5, 0, HOB_NO_TOKEN);
    fim.path = "x.c";
    assert_int_equal(hob_fim_prompt(tokenizer, &fim, &ids, &n_ids, &error), HOB_BAD_ARGUMENT);
    fim.path = NULL;
    fim.repo_name = "r";
    assert_int_equal(hob_fim_prompt(tokenizer, &fim, &ids, &n_ids, &error), HOB_BAD_ARGUMENT);
    assert_int_equal(hob_fim_prompt(NULL, &fim, &ids, &n_ids, &error), HOB_BAD_ARGUMENT);
    assert_null(ids);
    hob_tokenizer_free(tokenizer);
}

/* ---- tokens that a GGUF file names ---- */

static void put(FILE *stream, const void *bytes, size_t n_bytes)
{
    assert_int_equal(fwrite(bytes, 1, n_bytes, stream), n_bytes);
}

static void put_text(FILE *stream, const char *text)
{
    uint64_t n_bytes = strlen(text);
    put(stream, &n_bytes, sizeof n_bytes);
    put(stream, text, n_bytes);
}

static void put_u32(FILE *stream, const char *key, uint32_t value)
{
    put_text(stream, key);
    put(stream, &(uint32_t){4}, 4); /* uint32 */
    put(stream, &value, 4);
}

/* A vocabulary of bytes, [A] [B] [C] [D] [E] [F]. */
static void write_gguf(const char *path, const char *const *keys, size_t n_keys)
{
    FILE *stream = fopen(path, "wb");
    unsigned next_hidden = 0;
    assert_non_null(stream);
    put(stream, "GGUF\3\0\0\0\0\0\0\0\0\0\0\0", 16);
    put(stream, &(uint64_t){3 + n_keys}, 8);
    put_text(stream, "general.architecture");
    put(stream, &(uint32_t){8}, 4);
    put_text(stream, "llama");
    put_text(stream, "tokenizer.ggml.model");
    put(stream, &(uint32_t){8}, 4); /* string */
    put_text(stream, "gpt2");
    put_text(stream, "tokenizer.ggml.tokens");
    put(stream, &(uint32_t[]){9, 8}, 8); /* array of strings */
    put(stream, &(uint64_t){TINY_FIRST + 6}, 8);
    for (unsigned byte = 0; byte < TINY_FIRST; byte++) {
        char text[3] = {0};
        tiny_spell_byte(byte, &next_hidden, text);
        put_text(stream, text);
    }
    for (char name[] = "[A]"; name[1] < 'G'; name[1]++) put_text(stream, name);
    for (uint32_t i = 0; i < n_keys; i++) put_u32(stream, keys[i], TINY_FIRST + i);
    assert_int_equal(fclose(stream), 0);
}

static void add_bytes(int32_t *ids, size_t *n_ids, const char *text)
{
    for (; *text; text++) ids[(*n_ids)++] = (unsigned char)*text;
}

/* The tokenizer spells bytes in their order, so a byte's id is the byte. */
static void check_named(const char *const *keys, size_t n_keys, bool has_repositories)
{
    char path[] = "/tmp/hob-test-fim-XXXXXX.gguf";
    hob_error error;
    hob_tokenizer *tokenizer;
    int32_t *ids, expected[256], ends[HOB_FIM_MOST_ENDS];
    size_t n_ids, n_expected = 0;
    hob_fim repository = in_repository();
    int fd = mkstemps(path, 5);
    assert_true(fd >= 0);
    close(fd);
    write_gguf(path, keys, n_keys);
    if (hob_tokenizer_open(path, &tokenizer, &error) != HOB_OK) fail_msg("%s", error.message);
    unlink(path);
    assert_string_equal(hob_fim_style(tokenizer), "gguf");
    if (hob_fim_prompt(tokenizer, &simple, &ids, &n_ids, &error) != HOB_OK) fail_msg("%s", error.message);
    expected[n_expected++] = TINY_FIRST;
    add_bytes(expected, &n_expected, simple.prefix);
    expected[n_expected++] = TINY_FIRST + 1;
    add_bytes(expected, &n_expected, simple.suffix);
    expected[n_expected++] = TINY_FIRST + 2;
    assert_int_equal(n_ids, n_expected);
    assert_memory_equal(ids, expected, n_ids * sizeof *ids);
    hob_free(ids);
    hob_status status = hob_fim_prompt(tokenizer, &repository, &ids, &n_ids, &error);
    assert_int_equal(status, has_repositories ? HOB_OK : HOB_UNSUPPORTED);
    if (status == HOB_OK) {
        assert_int_equal(ids[0], TINY_FIRST + 4);
        hob_free(ids);
        assert_int_equal(hob_fim_ends(tokenizer, ends), 4); /* gpt2's end of text by default, padding, repository, file */
        assert_int_equal(ends[1], TINY_FIRST + 3);
    }
    hob_tokenizer_free(tokenizer);
}

static void test_named_by_a_gguf_file(void **state)
{
    (void)state;
    static const char *const all[] = {"tokenizer.ggml.fim_pre_token_id", "tokenizer.ggml.fim_suf_token_id", "tokenizer.ggml.fim_mid_token_id",
                                      "tokenizer.ggml.fim_pad_token_id", "tokenizer.ggml.fim_rep_token_id", "tokenizer.ggml.fim_sep_token_id"};
    static const char *const older[] = {"tokenizer.ggml.prefix_token_id", "tokenizer.ggml.suffix_token_id", "tokenizer.ggml.middle_token_id"};
    check_named(all, 6, true);
    check_named(older, 3, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_qwen),
        cmocka_unit_test(test_codegemma_begins_with_bos),
        cmocka_unit_test(test_starcoder2),
        cmocka_unit_test(test_starcoder_knows_no_repositories),
        cmocka_unit_test(test_deepseek),
        cmocka_unit_test(test_codellama_and_its_spaces),
        cmocka_unit_test(test_codestral_begins_with_the_suffix),
        cmocka_unit_test(test_a_text_cannot_write_tokens_and_may_be_empty),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_named_by_a_gguf_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
