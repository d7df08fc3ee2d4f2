/* llama.cpp's test vectors: ../shared/tokenizers/ggml-vocab-NAME.gguf.inp holds texts, .out the ids of each. Where no vocabulary
 * comes with them, the tokenizer.json of the same model has to give those ids (not so GPT-2's: the one there has tokens for runs
 * of spaces that the vectors' vocabulary lacks). */
#include "unit.h"

#include "base/mapped_file.h"
#include "engine/tokenizer_open.h"
#include "text/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER "../shared/tokenizers/"
static const char separator[] = "\n__ggml_vocab_test__\n";

static struct mapped_file open_or_skip(const char *path)
{
    struct mapped_file file;
    hob_error error;
    if (mapped_file_open(path, &file, &error) != HOB_OK) skip();
    return file;
}

static void check_text(const struct tokenizer *tokenizer, const char *text, size_t n_bytes, const char **ids)
{
    struct id_list found = {0};
    hob_error error;
    assert_int_equal(tokenizer_encode(tokenizer, text, n_bytes, 0, &found, &error), HOB_OK);
    const char *at = *ids, *end = strchr(at, '\n');
    for (size_t i = 0; i < found.n_ids || at + strspn(at, " ") < end; i++) {
        char *after;
        long expected = strtol(at, &after, 10);
        if (i >= found.n_ids || after == at || found.ids[i] != expected)
            fail_msg("\"%.*s\": id %zu is %d, expected %ld", (int)n_bytes, text, i, i < found.n_ids ? found.ids[i] : -1,
                     expected);
        at = after;
    }
    *ids = end + 1;
    id_list_release(&found);
}

static void check_vectors(const char *name, const char *tokenizer_path)
{
    char path[256];
    hob_error error;
    struct tokenizer *tokenizer;
    snprintf(path, sizeof path, FOLDER "ggml-vocab-%s.gguf.inp", name);
    struct mapped_file texts = open_or_skip(path);
    snprintf(path, sizeof path, FOLDER "ggml-vocab-%s.gguf.out", name);
    struct mapped_file ids = open_or_skip(path);
    if (tokenizer_open(tokenizer_path, &tokenizer, &error) != HOB_OK) fail_msg("%s", error.message);
    char *all_ids = strndup((const char *)ids.bytes, ids.n_bytes);
    const char *at = (const char *)texts.bytes, *end = at + texts.n_bytes, *next_ids = all_ids;
    size_t n_texts = 0;
    for (const char *stop; at < end; at = stop + sizeof separator - 1, n_texts++) {
        stop = memmem(at, (size_t)(end - at), separator, sizeof separator - 1);
        if (!stop) break;
        check_text(tokenizer, at, (size_t)(stop - at), &next_ids);
    }
    assert_true(n_texts > 40);
    free(all_ids);
    tokenizer_free(tokenizer);
    mapped_file_release(&texts);
    mapped_file_release(&ids);
}

#define VECTORS(test, name, path)                                                                                 \
    static void test(void **state)                                                                                \
    {                                                                                                             \
        (void)state;                                                                                              \
        check_vectors(name, path);                                                                                \
    }

VECTORS(test_bert_bge, "bert-bge", FOLDER "ggml-vocab-bert-bge.gguf")
VECTORS(test_deepseek_coder, "deepseek-coder", FOLDER "ggml-vocab-deepseek-coder.gguf")
VECTORS(test_falcon, "falcon", FOLDER "ggml-vocab-falcon.gguf")
VECTORS(test_gpt2, "gpt-2", FOLDER "ggml-vocab-gpt-2.gguf")
VECTORS(test_llama_spm, "llama-spm", FOLDER "ggml-vocab-llama-spm.gguf")
VECTORS(test_phi3, "phi-3", FOLDER "ggml-vocab-phi-3.gguf")
VECTORS(test_roberta_json, "roberta-bpe", FOLDER "roberta-base/tokenizer.json")
VECTORS(test_qwen2_json, "qwen2", FOLDER "qwen3/tokenizer.json")
VECTORS(test_bert_json, "bert-bge", FOLDER "all-MiniLM-L6-v2/tokenizer.json")

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bert_bge),     cmocka_unit_test(test_deepseek_coder), cmocka_unit_test(test_falcon),
        cmocka_unit_test(test_gpt2),         cmocka_unit_test(test_llama_spm),      cmocka_unit_test(test_phi3),
        cmocka_unit_test(test_roberta_json), cmocka_unit_test(test_qwen2_json),     cmocka_unit_test(test_bert_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
