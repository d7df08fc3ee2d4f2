/* Texts and pairs to ids: what Hugging Face's tokenizers make and cut of them (tests/data/pairs.jsonl, by tools/pair-goldens.mjs), prompts,
 * refusals with their numbers, and that any number of threads encodes with one model. */
#include "engine/use.h"

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLASSIFIER "tests/data/classifiers/bert" /* for its limit of 24 tokens; the tokenizers are others */
#define TOKENIZERS "../shared/tokenizers/"
#define BERT "../shared/models/bert-tiny-random/"

static void assert_refused(hob_status found, const hob_error *error, hob_status expected, const char *message)
{
    if (found != expected || !strstr(error->message, message))
        fail_msg("found %s \"%s\", expected %s \"%s\"", hob_status_name(found), error->message, hob_status_name(expected), message);
}

static struct use open_with(const char *model, const char *tokenizer)
{
    char path[256];
    snprintf(path, sizeof path, TOKENIZERS "%s", tokenizer);
    if (access(path, R_OK) != 0) skip();
    return use_open_options(model, &(hob_model_options){.tokenizer_path = path}, 1);
}

/* ---- goldens ---- */

static hob_status encode_golden(const hob_model *model, const json_t *line, hob_encodings *encoded, hob_error *error)
{
    const char *a = json_string_value(json_object_get(line, "a")), *b = json_string_value(json_object_get(line, "b"));
    hob_encode_options options = {.max_tokens = (size_t)json_integer_value(json_object_get(line, "most")),
                                  .cuts_beginning = json_is_true(json_object_get(line, "left")),
                                  .keeps_first = json_is_true(json_object_get(line, "second"))};
    return b ? hob_encode_pairs(model, a, strlen(a), &b, NULL, 1, &options, encoded, error)
             : hob_encode_texts(model, &a, NULL, 1, &options, encoded, error);
}

static void compare(const json_t *line, const char *key, const int32_t *found, size_t n_found)
{
    const json_t *expected = json_object_get(line, key);
    bool is_same = n_found == json_array_size(expected);
    for (size_t i = 0; is_same && i < n_found; i++) is_same = found[i] == json_integer_value(json_array_get(expected, i));
    if (is_same) return;
    fprintf(stderr, "found %s", key);
    for (size_t i = 0; i < n_found; i++) fprintf(stderr, " %d", found[i]);
    fail_msg(", expected %s", json_dumps(line, JSON_COMPACT));
}

static void check_golden(const hob_model *model, const json_t *line)
{
    hob_encodings encoded = {0};
    hob_error error = {0};
    hob_status status = encode_golden(model, line, &encoded, &error);
    if (json_is_true(json_object_get(line, "refused"))) {
        assert_refused(status, &error, HOB_LIMIT, "tokens");
        return;
    }
    if (status != HOB_OK) fail_msg("%s: %s", error.message, json_dumps(line, JSON_COMPACT));
    assert_int_equal(encoded.n_texts, 1);
    assert_int_equal(encoded.n_tokens, encoded.n_ids[0]);
    compare(line, "ids", encoded.ids[0], encoded.n_ids[0]);
    compare(line, "types", encoded.types[0], encoded.n_ids[0]);
    hob_encodings_release(&encoded);
}

/* The tokenizer as it is, and from a pack, which holds what stands around pairs too. */
static void check_family(const char *family, const char *model, const char *tokenizer)
{
    static char text[16384];
    struct use use = tokenizer ? open_with(model, tokenizer) : use_open(model, NULL, 1);
    FILE *file = fopen("tests/data/pairs.jsonl", "r");
    size_t n_lines = 0;
    assert_non_null(file);
    while (fgets(text, sizeof text, file)) {
        json_t *line = json_loads(text, 0, NULL);
        assert_non_null(line);
        if (!strcmp(json_string_value(json_object_get(line, "family")), family)) {
            check_golden(use.model, line);
            n_lines++;
        }
        json_decref(line);
    }
    assert_true(n_lines > 100);
    fclose(file);
    use_close(&use);
}

static void check_pack(const char *family)
{
    char pack[] = "/tmp/hob-test-encode-XXXXXX", path[256];
    hob_error error = {0};
    int fd = mkstemp(pack);
    assert_true(fd >= 0);
    close(fd);
    snprintf(path, sizeof path, TOKENIZERS "%s", family);
    ASSERT_HOB(hob_import(CLASSIFIER, &(hob_import_options){.model = {.tokenizer_path = path}}, pack, &error), error);
    check_family(family, pack, NULL);
    unlink(pack);
}

static void test_goldens(void **state)
{
    check_family(*state, CLASSIFIER, *state);
    check_pack(*state);
}

/* ---- GGUF ---- */

/* As the model was trained: BERT's separator behind the second text too, and its types. */
static void test_gguf_pairs(void **state)
{
    (void)state;
    static const int32_t types[] = {0, 0, 0, 1, 1};
    const char *text = "milk";
    hob_encodings encoded;
    hob_error error = {0};
    struct use use = open_with(CLASSIFIER, "ggml-vocab-bert-bge.gguf");
    ASSERT_HOB(hob_encode_pairs(use.model, "milk", 4, &text, NULL, 1, NULL, &encoded, &error), error);
    const int32_t *ids = encoded.ids[0];
    assert_int_equal(encoded.n_ids[0], 5);
    assert_true(ids[0] == 101 && ids[2] == 102 && ids[4] == 102 && ids[1] == ids[3]);
    assert_memory_equal(encoded.types[0], types, sizeof types);
    hob_encodings_release(&encoded);
    use_close(&use);
}

/* ---- many, and what is refused ---- */

static void test_refusals_name_their_numbers(void **state)
{
    (void)state;
    static const char *const texts[] = {"milk", "a b c d e f g h i j"};
    hob_encodings encoded = {.n_texts = 7};
    hob_error error = {0};
    struct use use = open_with(CLASSIFIER, "all-MiniLM-L6-v2");
    hob_encode_options options = {.max_tokens = 8, .is_strict = true};
    assert_refused(hob_encode_texts(use.model, texts, NULL, 2, &options, &encoded, &error), &error, HOB_LIMIT,
                   "text 1: found 12 tokens, expected at most 8");
    assert_refused(hob_encode_pairs(use.model, "milk", 4, texts, NULL, 2, &options, &encoded, &error), &error, HOB_LIMIT,
                   "text 1: found 14 tokens, expected at most 8");
    options.max_tokens = 2;
    assert_refused(hob_encode_texts(use.model, texts, NULL, 1, &options, &encoded, &error), &error, HOB_LIMIT,
                   "at most 2 allowed, expected more than the 2 special ones");
    options = (hob_encode_options){.prompt = "query"};
    assert_refused(hob_encode_texts(use.model, texts, NULL, 1, &options, &encoded, &error), &error, HOB_BAD_ARGUMENT, "prompt");
    assert_refused(hob_encode_pairs(use.model, "q", 1, texts, NULL, 1, &options, &encoded, &error), &error, HOB_BAD_ARGUMENT, "prompt");
    assert_int_equal(encoded.n_texts, 7);
    ASSERT_HOB(hob_encode_texts(use.model, NULL, NULL, 0, NULL, &encoded, &error), error);
    assert_int_equal(encoded.n_texts + encoded.n_tokens, 0);
    hob_encodings_release(&encoded);
    hob_encodings_release(&encoded);
    use_close(&use);
    use = use_open(CLASSIFIER, NULL, 1);
    assert_refused(hob_encode_texts(use.model, texts, NULL, 1, NULL, &encoded, &error), &error, HOB_UNSUPPORTED, "no tokenizer");
    use_close(&use);
    use = use_open("../shared/models/stories260k", NULL, 1);
    assert_refused(hob_encode_texts(use.model, texts, NULL, 1, NULL, &encoded, &error), &error, HOB_UNSUPPORTED, "no sentence encoder");
    use_close(&use);
}

enum { N_THREADS = 4, N_TEXTS = 50 };

struct worker {
    const hob_model *model;
    hob_encodings encoded;
    hob_status status;
};

static void *encode_many(void *context)
{
    struct worker *worker = context;
    const char *texts[N_TEXTS];
    for (int i = 0; i < N_TEXTS; i++) texts[i] = i % 2 ? "A hob is a household spirit." : "milk";
    worker->status = hob_encode_pairs(worker->model, "hob", 3, texts, NULL, N_TEXTS, NULL, &worker->encoded, NULL);
    return NULL;
}

static void test_threads_share_a_model(void **state)
{
    (void)state;
    struct use use = open_with(CLASSIFIER, "all-MiniLM-L6-v2");
    struct worker workers[N_THREADS];
    pthread_t threads[N_THREADS];
    for (int i = 0; i < N_THREADS; i++) {
        workers[i] = (struct worker){.model = use.model};
        assert_int_equal(pthread_create(&threads[i], NULL, encode_many, &workers[i]), 0);
    }
    for (int i = 0; i < N_THREADS; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < N_THREADS; i++) {
        assert_int_equal(workers[i].status, HOB_OK);
        assert_int_equal(workers[i].encoded.n_tokens, workers[0].encoded.n_tokens);
        assert_memory_equal(workers[i].encoded.ids[1], workers[0].encoded.ids[1], workers[0].encoded.n_ids[1] * sizeof(int32_t));
    }
    for (int i = 0; i < N_THREADS; i++) hob_encodings_release(&workers[i].encoded);
    use_close(&use);
}

/* ---- handed on ---- */

/* Encoded apart, then embedded in pieces: the bytes of hob_embed; the tokens' vectors pooled by hand likewise. */
static void test_pieces_have_the_same_bytes(void **state)
{
    (void)state;
    static const char *const texts[] = {"A hob", "is a household spirit", "", "that keeps the fire going", "by night"};
    enum { N = 5, WIDTH = 64 };
    float whole[N][WIDTH], pieces[N][WIDTH];
    hob_error error = {0};
    hob_encodings encoded;
    struct use use = use_open(BERT, NULL, 1);
    ASSERT_HOB(hob_embed(use.session, texts, NULL, N, NULL, whole[0], &error), error);
    ASSERT_HOB(hob_encode_texts(use.model, texts, NULL, N, NULL, &encoded, &error), error);
    for (size_t first = 0, n; first < N; first += n) {
        n = first == 0 ? 2 : first == 2 ? 1 : 2;
        ASSERT_HOB(hob_embed_ids(use.session, encoded.ids + first, encoded.n_ids + first, n, NULL, pieces[first], &error), error);
    }
    assert_memory_equal(pieces, whole, sizeof whole);
    hob_encodings_release(&encoded);
    use_close(&use);
}

static void pool_by_hand(const float *rows, size_t n_rows, size_t width, float *vector)
{
    for (size_t i = 0; i < width; i++) {
        double sum = 0;
        for (size_t row = 0; row < n_rows; row++) sum += (double)rows[row * width + i];
        vector[i] = (float)(sum / (double)n_rows);
    }
}

/* Raw unless asked otherwise, cut off to what is asked for, a row for every token. */
static void test_every_token(void **state)
{
    (void)state;
    static const char *const texts[] = {"A hob", "is a household spirit", "by night"};
    enum { N = 3, WIDTH = 64, MOST = 64, FEW = 8 };
    static float rows[MOST * WIDTH], few[MOST * FEW], unit[MOST * WIDTH];
    float pooled[WIDTH], expected[N][WIDTH];
    hob_error error = {0};
    hob_encodings encoded;
    struct use use = use_open(BERT, NULL, 2);
    ASSERT_HOB(hob_encode_texts(use.model, texts, NULL, N, NULL, &encoded, &error), error);
    assert_in_range(encoded.n_tokens, N * 3, MOST);
    ASSERT_HOB(hob_embed_tokens(use.session, encoded.ids, encoded.n_ids, N, NULL, rows, &error), error);
    ASSERT_HOB(hob_embed(use.session, texts, NULL, N, &(hob_embed_options){.is_raw = true}, expected[0], &error), error);
    const float *at = rows;
    for (size_t i = 0; i < N; at += encoded.n_ids[i++] * WIDTH) {
        pool_by_hand(at, encoded.n_ids[i], WIDTH, pooled);
        assert_memory_equal(pooled, expected[i], sizeof pooled);
    }
    ASSERT_HOB(hob_embed_tokens(use.session, encoded.ids, encoded.n_ids, N, &(hob_embed_options){.n_dimensions = FEW}, few, &error), error);
    for (size_t i = 0; i < encoded.n_tokens; i++) assert_memory_equal(few + i * FEW, rows + i * WIDTH, FEW * sizeof *few);
    ASSERT_HOB(hob_embed_tokens(use.session, encoded.ids, encoded.n_ids, N, &(hob_embed_options){.is_normalized = true}, unit, &error), error);
    for (size_t i = 0; i < encoded.n_tokens; i++) {
        double squares = 0;
        for (size_t j = 0; j < WIDTH; j++) squares += (double)unit[i * WIDTH + j] * (double)unit[i * WIDTH + j];
        assert_true(squares > 0.99999 && squares < 1.00001);
    }
    hob_encodings_release(&encoded);
    use_close(&use);
}

/* Embedding refuses and cuts as encoding does. */
static void test_embedding_cuts_and_refuses(void **state)
{
    (void)state;
    enum { WIDTH = 64 };
    const char *text = "one two three four five six", *end = "five six";
    float found[WIDTH], expected[WIDTH];
    hob_error error = {0};
    struct use use = use_open(BERT, NULL, 1);
    hob_embed_options options = {.max_tokens = 4, .is_strict = true};
    assert_refused(hob_embed(use.session, &text, NULL, 1, &options, found, &error), &error, HOB_LIMIT, "found 8 tokens, expected at most 4");
    options = (hob_embed_options){.max_tokens = 4, .cuts_beginning = true};
    ASSERT_HOB(hob_embed(use.session, &text, NULL, 1, &options, found, &error), error);
    ASSERT_HOB(hob_embed(use.session, &end, NULL, 1, NULL, expected, &error), error);
    assert_memory_equal(found, expected, sizeof found);
    assert_int_equal(hob_model_get_info(use.model).n_text_tokens, hob_model_get_info(use.model).n_context);
    use_close(&use);
}

#define FAMILY(name) {"test_goldens " name, test_goldens, NULL, NULL, (void *)(uintptr_t)name}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAMILY("all-MiniLM-L6-v2"),
        FAMILY("roberta-base"),
        FAMILY("t5-small"),
        FAMILY("gpt2"),
        cmocka_unit_test(test_gguf_pairs),
        cmocka_unit_test(test_refusals_name_their_numbers),
        cmocka_unit_test(test_threads_share_a_model),
        cmocka_unit_test(test_pieces_have_the_same_bytes),
        cmocka_unit_test(test_every_token),
        cmocka_unit_test(test_embedding_cuts_and_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
