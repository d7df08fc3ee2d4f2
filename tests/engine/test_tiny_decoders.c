/* Every decoder architecture through the public API: the tiny models of tools/make_tiny_decoders.py give the same bytes at once and
 * token by token, on one thread and on several, from the file and from a pack, with the weights' own type and with blocks of 8 bits. */
#include "engine/use.h"
#include "models/model_run.h"

#include <stdlib.h>

#define DATA "tests/data/models/"

enum { MAX_IDS = 16, MAX_VOCAB = 32 };

struct decoder_case {
    const char *folder, *file; /* file "": the folder itself */
};

struct text {
    int32_t ids[MAX_IDS];
    size_t n_ids, n_vocab;
    float expected[MAX_IDS * MAX_VOCAB];
};

static struct text read_text(const char *folder_name)
{
    char folder[256];
    struct model_run reader = {0}; /* its arena only */
    struct text text = {0};
    snprintf(folder, sizeof folder, DATA "%s", folder_name);
    struct tensor ids = model_run_load(&reader, folder, "ids"), logits = model_run_load(&reader, folder, "logits");
    text.n_ids = (size_t)ids.dims[0];
    text.n_vocab = (size_t)logits.dims[1];
    assert_true(text.n_ids <= MAX_IDS && text.n_vocab <= MAX_VOCAB);
    for (size_t i = 0; i < text.n_ids; i++) text.ids[i] = (int32_t)((const int64_t *)ids.data)[i];
    memcpy(text.expected, logits.data, tensor_n_bytes(&logits));
    arena_release(&reader.arena);
    return text;
}

static void run_whole(const struct use *use, const struct text *text, float *ret_logits)
{
    hob_error error = {0};
    assert_int_equal(hob_model_get_info(use->model).n_vocab, text->n_vocab);
    ASSERT_HOB(hob_session_append_all(use->session, text->ids, text->n_ids, ret_logits, &error), error);
}

/* All at once on one thread, which goes to ret_logits, is token by token and on three threads. */
static void check_ways(const char *path, const hob_model_options *options, const struct text *text, float *ret_logits)
{
    float again[MAX_IDS * MAX_VOCAB];
    hob_error error = {0};
    size_t row_bytes = text->n_vocab * sizeof(float);
    struct use use = use_open_options(path, options, 1), other = use_open_options(path, options, 3);
    run_whole(&use, text, ret_logits);
    ASSERT_HOB(hob_session_rewind(use.session, 0, &error), error);
    for (size_t i = 0; i < text->n_ids; i++) {
        ASSERT_HOB(hob_session_append(use.session, text->ids + i, 1, &error), error);
        assert_memory_equal(hob_session_logits(use.session), ret_logits + i * text->n_vocab, row_bytes);
    }
    run_whole(&other, text, again);
    assert_memory_equal(again, ret_logits, text->n_ids * row_bytes);
    use_close(&use);
    use_close(&other);
}

static void check_pack(const char *path, const char *quant, const struct text *text, const float *logits)
{
    char pack[] = "/tmp/hob-test-decoder-XXXXXX";
    float from_pack[MAX_IDS * MAX_VOCAB];
    hob_error error = {0};
    int fd = mkstemp(pack);
    assert_true(fd >= 0);
    close(fd);
    ASSERT_HOB(hob_import(path, &(hob_import_options){.model = {.quant = quant}}, pack, &error), error);
    check_ways(pack, NULL, text, from_pack);
    assert_memory_equal(from_pack, logits, text->n_ids * text->n_vocab * sizeof *logits);
    unlink(pack);
}

/* tolerance: halves in the cache, or weights in blocks of 8 bits. */
static void check_quant(const struct decoder_case *decoder, const char *quant, double tolerance)
{
    char path[256];
    float logits[MAX_IDS * MAX_VOCAB];
    struct text text = read_text(decoder->folder);
    snprintf(path, sizeof path, DATA "%s%s", decoder->folder, decoder->file);
    check_ways(path, &(hob_model_options){.quant = quant}, &text, logits);
    assert_close(logits, text.expected, text.n_ids * text.n_vocab, tolerance);
    check_pack(path, quant, &text, logits);
}

static void test_decoder(void **state)
{
    check_quant(*state, NULL, 4e-3);
}

static void test_blocks(void **state)
{
    check_quant(*state, "q8_0", 0.1);
}

#define CASE(test, folder, file)                                        \
    {                                                                   \
#test " " folder file, test, NULL, NULL, &(struct decoder_case) \
        {                                                               \
            folder, file                                                \
        }                                                               \
    }
#define BOTH_FILES(folder) \
    CASE(test_decoder, folder, ""), CASE(test_decoder, folder, "/model.gguf"), CASE(test_blocks, folder, "")

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH_FILES("qwen3"),    BOTH_FILES("mistral"),    BOTH_FILES("granite"),  BOTH_FILES("smollm3"),
        BOTH_FILES("gemma"),    BOTH_FILES("gemma2"),     BOTH_FILES("gemma3"),   BOTH_FILES("phi3"),
        BOTH_FILES("olmo2"),    BOTH_FILES("starcoder2"), BOTH_FILES("gpt_neox"), BOTH_FILES("phi2"),
        BOTH_FILES("stablelm"), BOTH_FILES("llama-yarn"),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
