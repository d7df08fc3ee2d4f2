/* Sentence embeddings through the public API: the references' vectors from every format, and the same bytes alone, in a batch, and
 * on any number of threads. */
#include "engine/use.h"

#include "engine/model.h"
#include "graph/pass.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BERT "../shared/models/bert-tiny-random/"
#define MODEL2VEC "../shared/models/model2vec/"
#define STORIES "../shared/models/stories260k/"

enum { WIDTH = 64, MAX_SENTENCES = 8 };

static const char *const bert_paths[] = {BERT, BERT "model.onnx"};

static void assert_close(const float *found, const float *expected, const char *what)
{
    for (int i = 0; i < WIDTH; i++)
        if (!(fabsf(found[i] - expected[i]) <= 1e-5f))
            fail_msg("%s: [%d]: found %g, expected %g", what, i, (double)found[i], (double)expected[i]);
}

static void embed(hob_session *session, const char *text, const hob_embed_options *options, float vector[WIDTH])
{
    hob_error error = {0};
    ASSERT_HOB(hob_embed(session, &text, NULL, 1, options, vector, &error), error);
}

static void assert_refused(hob_status found, const hob_error *error, hob_status expected, const char *message)
{
    if (found != expected || !strstr(error->message, message))
        fail_msg("found %s \"%s\", expected %s \"%s\"", hob_status_name(found), error->message,
                 hob_status_name(expected), message);
}

/* ---- sentences.json ---- */

struct sentences {
    json_t *json; /* owns the texts */
    const char *texts[MAX_SENTENCES];
    float vectors[MAX_SENTENCES][WIDTH];
    size_t n;
};

static void read_vector(const json_t *list, float vector[WIDTH])
{
    assert_int_equal(json_array_size(list), WIDTH);
    for (size_t i = 0; i < WIDTH; i++) vector[i] = (float)json_real_value(json_array_get(list, i));
}

static struct sentences read_sentences(void)
{
    struct sentences sentences = {0};
    if (access(BERT "sentences.json", R_OK) != 0) skip();
    sentences.json = json_load_file(BERT "sentences.json", 0, NULL);
    sentences.n = json_array_size(sentences.json);
    assert_in_range(sentences.n, 2, MAX_SENTENCES);
    for (size_t i = 0; i < sentences.n; i++) {
        const json_t *sentence = json_array_get(sentences.json, i);
        sentences.texts[i] = json_string_value(json_object_get(sentence, "text"));
        read_vector(json_object_get(sentence, "embedding"), sentences.vectors[i]);
    }
    return sentences;
}

static void check_ids(const hob_tokenizer *tokenizer, const char *text, const json_t *expected)
{
    hob_error error = {0};
    int32_t *ids;
    size_t n_ids;
    ASSERT_HOB(hob_tokenizer_encode(tokenizer, text, strlen(text), HOB_ADD_SPECIAL, &ids, &n_ids, &error), error);
    assert_int_equal(n_ids, json_array_size(expected));
    for (size_t i = 0; i < n_ids; i++) assert_int_equal(ids[i], json_integer_value(json_array_get(expected, i)));
    hob_free(ids);
}

static void test_sentences_have_the_references_ids(void **state)
{
    (void)state;
    struct sentences sentences = read_sentences();
    for (size_t file = 0; file < 2; file++) {
        struct use use = use_open(bert_paths[file], NULL, 1);
        for (size_t i = 0; i < sentences.n; i++)
            check_ids(hob_model_tokenizer(use.model), sentences.texts[i],
                      json_object_get(json_array_get(sentences.json, i), "ids"));
        use_close(&use);
    }
    json_decref(sentences.json);
}

/* The folder's graph and the export's take several texts in one run. */
static void test_batches_are_packed(void **state)
{
    (void)state;
    for (size_t file = 0; file < 2; file++) {
        struct use use = use_open(bert_paths[file], NULL, 1);
        assert_true(use.model->roles.is_packed);
        use_close(&use);
    }
    struct use use = use_open(bert_paths[1], "pack_batch", 1);
    assert_false(use.model->roles.is_packed);
    use_close(&use);
}

static void check_sentences(const struct sentences *sentences, const char *path, const char *disabled_passes)
{
    struct use use = use_open(path, disabled_passes, 1);
    for (size_t i = 0; i < sentences->n; i++) {
        float vector[WIDTH];
        embed(use.session, sentences->texts[i], NULL, vector);
        assert_close(vector, sentences->vectors[i], sentences->texts[i]);
    }
    use_close(&use);
}

static void test_sentences_have_the_references_vectors(void **state)
{
    (void)state;
    struct sentences sentences = read_sentences();
    for (size_t file = 0; file < 2; file++) {
        check_sentences(&sentences, bert_paths[file], NULL);
        for (size_t i = 0; i < passes_count(); i++) check_sentences(&sentences, bert_paths[file], passes_at(i)->name);
        check_sentences(&sentences, bert_paths[file], "all");
    }
    json_decref(sentences.json);
}

/* ---- the same bytes whatever the way ---- */

/* One by one on one thread against a batch on any number of them. */
static void check_batches(const struct sentences *sentences, const char *path, const char *quant)
{
    const hob_model_options options = {.quant = quant};
    float alone[MAX_SENTENCES][WIDTH], together[MAX_SENTENCES][WIDTH];
    hob_error error = {0};
    struct use use = use_open_options(path, &options, 1);
    for (size_t i = 0; i < sentences->n; i++) embed(use.session, sentences->texts[i], NULL, alone[i]);
    use_close(&use);
    for (size_t n_threads = 1; n_threads <= 3; n_threads++) {
        use = use_open_options(path, &options, n_threads);
        ASSERT_HOB(hob_embed(use.session, sentences->texts, NULL, sentences->n, NULL, together[0], &error), error);
        assert_memory_equal(together, alone, sentences->n * sizeof alone[0]);
        use_close(&use);
    }
}

static void test_batch_and_threads_do_not_matter(void **state)
{
    (void)state;
    struct sentences sentences = read_sentences();
    for (size_t file = 0; file < 2; file++) check_batches(&sentences, bert_paths[file], NULL);
    for (size_t file = 0; file < 2; file++) check_batches(&sentences, bert_paths[file], "int8");
    check_batches(&sentences, MODEL2VEC, NULL);
    json_decref(sentences.json);
}

static double cosine(const float *a, const float *b)
{
    double product = 0, a_squares = 0, b_squares = 0;
    for (int i = 0; i < WIDTH; i++) {
        product += (double)a[i] * (double)b[i];
        a_squares += (double)a[i] * (double)a[i];
        b_squares += (double)b[i] * (double)b[i];
    }
    return product / sqrt(a_squares * b_squares);
}

/* Weights and activations in 8 bits point where the references point. */
static void test_int8_weights(void **state)
{
    (void)state;
    struct sentences sentences = read_sentences();
    for (size_t file = 0; file < 2; file++) {
        struct use use = use_open_options(bert_paths[file], &(hob_model_options){.quant = "int8"}, 1);
        for (size_t i = 0; i < sentences.n; i++) {
            float vector[WIDTH];
            embed(use.session, sentences.texts[i], NULL, vector);
            assert_memory_not_equal(vector, sentences.vectors[i], sizeof vector);
            if (!(cosine(vector, sentences.vectors[i]) >= 0.999)) fail_msg("%s: found a cosine of %g", bert_paths[file], cosine(vector, sentences.vectors[i]));
        }
        use_close(&use);
    }
    json_decref(sentences.json);
}

/* More tokens than one packed run takes, so that the batch is split. */
static void test_large_batch(void **state)
{
    (void)state;
    enum { N_TEXTS = 400 };
    const char *texts[N_TEXTS];
    float(*vectors)[WIDTH] = malloc(N_TEXTS * sizeof *vectors), odd[WIDTH], even[WIDTH];
    hob_error error = {0};
    for (size_t i = 0; i < N_TEXTS; i++) texts[i] = i % 2 ? "an odd sentence with some more words in it" : "even";
    struct use use = use_open(BERT, NULL, 2);
    embed(use.session, texts[0], NULL, even);
    embed(use.session, texts[1], NULL, odd);
    ASSERT_HOB(hob_embed(use.session, texts, NULL, N_TEXTS, NULL, vectors[0], &error), error);
    for (size_t i = 0; i < N_TEXTS; i++) assert_memory_equal(vectors[i], i % 2 ? odd : even, sizeof odd);
    free(vectors);
    use_close(&use);
}

/* Ids in place of texts: the same vectors, by themselves and as a batch. */
static void test_ids_give_the_texts_vectors(void **state)
{
    (void)state;
    struct sentences sentences = read_sentences();
    for (size_t file = 0; file < 2; file++) {
        struct use use = use_open(bert_paths[file], NULL, 1);
        int32_t *ids[MAX_SENTENCES];
        size_t n_ids[MAX_SENTENCES];
        float from_texts[MAX_SENTENCES][WIDTH], from_ids[MAX_SENTENCES][WIDTH];
        hob_error error = {0};
        for (size_t i = 0; i < sentences.n; i++)
            ASSERT_HOB(hob_tokenizer_encode(hob_model_tokenizer(use.model), sentences.texts[i], strlen(sentences.texts[i]),
                                            HOB_ADD_SPECIAL, &ids[i], &n_ids[i], &error), error);
        ASSERT_HOB(hob_embed(use.session, sentences.texts, NULL, sentences.n, NULL, from_texts[0], &error), error);
        ASSERT_HOB(hob_embed_ids(use.session, (const int32_t *const *)ids, n_ids, sentences.n, NULL, from_ids[0], &error), error);
        assert_memory_equal(from_ids, from_texts, sentences.n * sizeof from_ids[0]);
        for (size_t i = 0; i < sentences.n; i++) hob_free(ids[i]);
        use_close(&use);
    }
    json_decref(sentences.json);
}

static void test_ids_that_the_model_lacks(void **state)
{
    (void)state;
    float vector[WIDTH] = {7};
    hob_error error = {0};
    struct use use = use_open(BERT, NULL, 1);
    hob_model_info info = hob_model_get_info(use.model);
    int32_t *many = calloc((size_t)info.n_context + 1, sizeof *many);
    const int32_t *ids = (int32_t[]){1, -1, (int32_t)info.n_vocab};
    const size_t one = 1, two = 2, too_many = (size_t)info.n_context + 1;
    assert_refused(hob_embed_ids(use.session, &ids, &two, 1, NULL, vector, &error), &error, HOB_BAD_ARGUMENT, "token 1: found id -1");
    ids += 2;
    assert_refused(hob_embed_ids(use.session, &ids, &one, 1, NULL, vector, &error), &error, HOB_BAD_ARGUMENT, "token 0");
    ids = many;
    assert_refused(hob_embed_ids(use.session, &ids, &too_many, 1, NULL, vector, &error), &error, HOB_LIMIT, "context");
    assert_true(vector[0] == 7.0f);
    ASSERT_HOB(hob_embed_ids(use.session, NULL, NULL, 0, NULL, vector, &error), error);
    free(many);
    use_close(&use);
}

/* ---- what whole models do not show: tools/make_encoder_models.py ---- */

#define ENCODERS "tests/data/encoders/"

/* A text without tokens gives zeros alone, and so among others, although the model adds something to what it pooled. */
static void test_text_without_tokens(void **state)
{
    (void)state;
    enum { N_TEXTS = 4, SMALL = 4 };
    static const int32_t some[] = {1, 2, 5};
    const int32_t *const ids[N_TEXTS] = {some, some, some, some};
    const size_t n_ids[N_TEXTS] = {0, 3, 0, 1};
    const float zeros[SMALL] = {0};
    float together[N_TEXTS][SMALL], alone[SMALL];
    hob_error error = {0};
    struct use use = use_open(ENCODERS "mean_and_bias.onnx", NULL, 1);
    assert_true(use.model->roles.is_packed);
    ASSERT_HOB(hob_embed_ids(use.session, ids, n_ids, N_TEXTS, NULL, together[0], &error), error);
    for (size_t i = 0; i < N_TEXTS; i++) {
        ASSERT_HOB(hob_embed_ids(use.session, &ids[i], &n_ids[i], 1, NULL, alone, &error), error);
        assert_memory_equal(together[i], alone, sizeof alone);
        if (!n_ids[i]) assert_memory_equal(alone, zeros, sizeof zeros);
    }
    use_close(&use);
}

/* Which token a row belongs to is not known then, and there are fewer rows than would be read. */
static void test_rows_that_are_not_the_tokens(void **state)
{
    (void)state;
    static const int32_t some[] = {1, 2, 5};
    const int32_t *const ids = some;
    const size_t n_ids = 3;
    float vector[4];
    hob_error error = {0};
    struct use use = use_open(ENCODERS "first_left_out.onnx", NULL, 1);
    assert_refused(hob_embed_ids(use.session, &ids, &n_ids, 1, NULL, vector, &error), &error, HOB_BAD_SHAPE, "found float32 [1,2,4], expected float32 [3,4]");
    use_close(&use);
}

/* Such a model has no vectors of tokens to give. */
static void test_sentences_alone(void **state)
{
    (void)state;
    static const int32_t some[] = {1, 2, 5};
    const int32_t *const ids = some;
    const size_t n_ids = 3;
    float vectors[12] = {7};
    hob_error error = {0};
    struct use use = use_open(ENCODERS "mean_and_bias.onnx", NULL, 1);
    assert_refused(hob_embed_tokens(use.session, &ids, &n_ids, 1, NULL, vectors, &error), &error, HOB_UNSUPPORTED, "none of their tokens");
    assert_true(vectors[0] == 7);
    use_close(&use);
}

/* The first of two is the one, packed or not. */
static void test_first_hidden_states_are_taken(void **state)
{
    (void)state;
    static const float expected[] = {1, 2, 3, -3}; /* the table's second row */
    static const int32_t some[] = {1};
    const int32_t *const ids = some;
    const size_t n_ids = 1;
    const hob_embed_options raw = {.is_raw = true};
    const char *const disabled[] = {NULL, "pack_batch"};
    float vector[4];
    hob_error error = {0};
    for (int i = 0; i < 2; i++) {
        struct use use = use_open(ENCODERS "two_hidden.onnx", disabled[i], 1);
        ASSERT_HOB(hob_embed_ids(use.session, &ids, &n_ids, 1, &raw, vector, &error), error);
        for (int d = 0; d < 4; d++) assert_true(vector[d] == expected[d]);
        use_close(&use);
    }
}

/* ---- model2vec ---- */

static void test_model2vec_reference(void **state)
{
    (void)state;
    char text[6000] = "";
    float expected[WIDTH], vector[WIDTH];
    struct use use = use_open(MODEL2VEC, NULL, 1);
    json_t *json = json_load_file(MODEL2VEC "reference.json", 0, NULL);
    read_vector(json_array_get(json, 0), expected);
    for (int i = 0; i < 1000; i++) memcpy(text + 6 * i, "hello ", 6);
    text[sizeof text - 1] = '\0'; /* over the last space */
    embed(use.session, text, NULL, vector);
    assert_close(vector, expected, "1,000 times hello");
    embed(use.session, "hello", NULL, vector);
    assert_close(vector, expected, "hello"); /* a mean of equals */
    json_decref(json);
    use_close(&use);
}

/* ---- pooling ---- */

/* Hidden states of one text, by running the ONNX graph as a plain graph. */
static hob_tensor *run_hidden(const int32_t *ids, size_t n_ids)
{
    static const char *const names[] = {"input_ids", "attention_mask", "token_type_ids"};
    hob_error error = {0};
    hob_named_tensor inputs[3];
    hob_tensor *tensors[3], *hidden;
    struct use use = use_open_options(BERT "model.onnx", &(hob_model_options){.is_graph_only = true}, 1);
    for (int i = 0; i < 3; i++) {
        int64_t items[64];
        for (size_t t = 0; t < n_ids; t++) items[t] = i == 0 ? ids[t] : i == 1;
        ASSERT_HOB(hob_tensor_new(HOB_INT64, 2, (int64_t[]){1, (int64_t)n_ids}, items, &tensors[i], &error), error);
        inputs[i] = (hob_named_tensor){names[i], tensors[i]};
    }
    ASSERT_HOB(hob_session_run(use.session, inputs, 3, &hidden, 1, &error), error);
    for (int i = 0; i < 3; i++) hob_tensor_free(tensors[i]);
    use_close(&use);
    return hidden;
}

static void pool_expected(const hob_tensor *hidden, hob_pooling pooling, float vector[WIDTH])
{
    const float *rows = hob_tensor_data(hidden);
    size_t n_rows = (size_t)hob_tensor_dims(hidden)[1];
    for (size_t i = 0; i < WIDTH; i++) {
        double sum = 0;
        for (size_t row = 0; row < n_rows; row++) sum += (double)rows[row * WIDTH + i];
        vector[i] = pooling == HOB_POOLING_CLS    ? rows[i]
                    : pooling == HOB_POOLING_LAST ? rows[(n_rows - 1) * WIDTH + i]
                                                  : (float)(sum / (double)n_rows);
    }
}

static void make_unit(const float *raw, float vector[WIDTH])
{
    double sum = 0;
    for (int i = 0; i < WIDTH; i++) sum += (double)raw[i] * (double)raw[i];
    for (int i = 0; i < WIDTH; i++) vector[i] = (float)((double)raw[i] / sqrt(sum));
}

static void check_pooling(hob_session *session, const char *text, const hob_tensor *hidden, hob_pooling pooling)
{
    float expected[WIDTH], unit[WIDTH], found[WIDTH];
    pool_expected(hidden, pooling, expected);
    make_unit(expected, unit);
    embed(session, text, &(hob_embed_options){.pooling = pooling, .is_raw = true}, found);
    assert_close(found, expected, "raw");
    embed(session, text, &(hob_embed_options){.pooling = pooling}, found);
    assert_close(found, unit, "as the model says");
    embed(session, text, &(hob_embed_options){.pooling = pooling, .is_normalized = true}, found);
    assert_close(found, unit, "normalised");
}

static void test_poolings(void **state)
{
    (void)state;
    static const char text[] = "Which row is pooled?";
    static const hob_pooling poolings[] = {HOB_POOLING_MEAN, HOB_POOLING_CLS, HOB_POOLING_LAST};
    int32_t *ids;
    size_t n_ids;
    for (size_t file = 0; file < 2; file++) {
        struct use use = use_open(bert_paths[file], NULL, 1);
        assert_int_equal(hob_model_get_info(use.model).pooling, HOB_POOLING_MEAN);
        assert_true(hob_model_get_info(use.model).is_normalized);
        assert_int_equal(hob_tokenizer_encode(hob_model_tokenizer(use.model), text, strlen(text), HOB_ADD_SPECIAL, &ids,
                                              &n_ids, NULL),
                         HOB_OK);
        hob_tensor *hidden = run_hidden(ids, n_ids);
        for (size_t i = 0; i < 3; i++) check_pooling(use.session, text, hidden, poolings[i]);
        hob_tensor_free(hidden);
        hob_free(ids);
        use_close(&use);
    }
}

/* ---- short, long and broken texts ---- */

static void test_empty_text(void **state)
{
    (void)state;
    float vectors[3][WIDTH], zeros[WIDTH] = {0}, single[WIDTH];
    hob_error error = {0};
    const char *texts[] = {"", "hello", ""};
    struct use use = use_open(MODEL2VEC, NULL, 1);
    ASSERT_HOB(hob_embed(use.session, texts, NULL, 3, NULL, vectors[0], &error), error);
    assert_memory_equal(vectors[0], zeros, sizeof zeros); /* no tokens, nothing to take a mean of */
    assert_memory_equal(vectors[2], zeros, sizeof zeros);
    embed(use.session, "hello", NULL, single);
    assert_memory_equal(vectors[1], single, sizeof single);
    ASSERT_HOB(hob_embed(use.session, texts, NULL, 0, NULL, NULL, &error), error);
    use_close(&use);
    for (size_t file = 0; file < 2; file++) { /* [CLS] and [SEP] alone */
        use = use_open(bert_paths[file], NULL, 1);
        embed(use.session, "", NULL, vectors[file]);
        use_close(&use);
    }
    assert_close(vectors[1], vectors[0], "folder and ONNX");
    assert_memory_not_equal(vectors[0], zeros, sizeof zeros);
}

/* BERT's context is 512 positions: 510 words between [CLS] and [SEP]. */
static void test_long_text_is_cut(void **state)
{
    (void)state;
    enum { N_WORDS = 700, N_KEPT = 510 };
    char text[N_WORDS * 6 + 1];
    float whole[WIDTH], kept[WIDTH], fewer[WIDTH];
    for (int i = 0; i < N_WORDS; i++) memcpy(text + 6 * i, i % 3 ? "hello " : "world ", 7);
    for (size_t file = 0; file < 2; file++) {
        struct use use = use_open(bert_paths[file], NULL, 1);
        embed(use.session, text, NULL, whole);
        const char *start = text;
        hob_error error = {0};
        ASSERT_HOB(hob_embed(use.session, &start, &(size_t){N_KEPT * 6}, 1, NULL, kept, &error), error);
        ASSERT_HOB(hob_embed(use.session, &start, &(size_t){(N_KEPT - 1) * 6}, 1, NULL, fewer, &error), error);
        assert_memory_equal(whole, kept, sizeof whole);
        assert_memory_not_equal(whole, fewer, sizeof whole);
        use_close(&use);
    }
}

static void test_bytes_that_are_no_text(void **state)
{
    (void)state;
    static const char broken[] = "hel\0lo \xff\xc3 \xed\xa0\x80 end";
    const char *text = broken;
    float vector[WIDTH];
    hob_error error = {0};
    for (size_t file = 0; file < 2; file++) {
        struct use use = use_open(bert_paths[file], NULL, 1);
        ASSERT_HOB(hob_embed(use.session, &text, &(size_t){sizeof broken - 1}, 1, NULL, vector, &error), error);
        for (int i = 0; i < WIDTH; i++) assert_true(isfinite(vector[i]));
        use_close(&use);
    }
}

/* ---- wrong use ---- */

static void test_decoder_does_not_embed(void **state)
{
    (void)state;
    static const char *const paths[] = {STORIES "model-f32.gguf", STORIES "model.onnx"};
    const char *text = "hello";
    for (size_t i = 0; i < 2; i++) {
        float vector[512] = {7.0f};
        hob_error error = {0};
        struct use use = use_open(paths[i], NULL, 1);
        assert_refused(hob_embed(use.session, &text, NULL, 1, NULL, vector, &error), &error, HOB_UNSUPPORTED,
                       "no sentence encoder");
        assert_true(vector[0] == 7.0f); /* untouched */
        assert_int_equal(hob_embed(use.session, &text, NULL, 1, NULL, vector, NULL), HOB_UNSUPPORTED);
        use_close(&use);
    }
}

static void test_encoder_does_not_generate(void **state)
{
    (void)state;
    static const char *const paths[] = {BERT, BERT "model.onnx", MODEL2VEC};
    for (size_t i = 0; i < 3; i++) {
        hob_error error = {0};
        struct use use = use_open(paths[i], NULL, 1);
        assert_refused(hob_generate(use.session, &(int32_t){1}, 1, NULL, NULL, NULL, NULL, &error), &error,
                       HOB_UNSUPPORTED, "no language model");
        assert_refused(hob_session_append(use.session, &(int32_t){1}, 1, &error), &error, HOB_UNSUPPORTED,
                       "no language model");
        assert_refused(hob_session_rewind(use.session, 0, &error), &error, HOB_UNSUPPORTED, "no language model");
        assert_null(hob_session_logits(use.session));
        use_close(&use);
    }
}

static void test_no_tokenizer(void **state)
{
    (void)state;
    float vector[WIDTH];
    const char *text = "hello";
    hob_error error = {0};
    struct use use = use_open_options(BERT "model.onnx", &(hob_model_options){.is_graph_only = true}, 1);
    assert_refused(hob_embed(use.session, &text, NULL, 1, NULL, vector, &error), &error, HOB_UNSUPPORTED,
                   "no tokenizer: none was sought");
    use_close(&use);
    hob_model *model;
    hob_model_options options = {.tokenizer_path = BERT "config.json"};
    assert_refused(hob_model_open(BERT "model.onnx", &options, &model, &error), &error, HOB_BAD_FILE, "config.json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sentences_have_the_references_ids),
        cmocka_unit_test(test_sentences_have_the_references_vectors),
        cmocka_unit_test(test_batches_are_packed),
        cmocka_unit_test(test_batch_and_threads_do_not_matter), cmocka_unit_test(test_int8_weights),
        cmocka_unit_test(test_large_batch),
        cmocka_unit_test(test_ids_give_the_texts_vectors),
        cmocka_unit_test(test_ids_that_the_model_lacks),
        cmocka_unit_test(test_text_without_tokens),
        cmocka_unit_test(test_rows_that_are_not_the_tokens),
        cmocka_unit_test(test_sentences_alone),
        cmocka_unit_test(test_first_hidden_states_are_taken),
        cmocka_unit_test(test_model2vec_reference),
        cmocka_unit_test(test_poolings),
        cmocka_unit_test(test_empty_text),
        cmocka_unit_test(test_long_text_is_cut),
        cmocka_unit_test(test_bytes_that_are_no_text),
        cmocka_unit_test(test_decoder_does_not_embed),
        cmocka_unit_test(test_encoder_does_not_generate),
        cmocka_unit_test(test_no_tokenizer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
