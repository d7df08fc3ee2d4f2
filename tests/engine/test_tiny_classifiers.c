/* Every classifier's head from safetensors, GGUF and ONNX against logits that float64 PyTorch computed (tools/make_tiny_classifiers.py):
 * with passes on and off, alone, in pieces and as a batch with the same bytes, from a pack, and what is made of the logits. */
#include "engine/use.h"

#include "engine/model.h"
#include "models/model_run.h"

#include <math.h>
#include <stdlib.h>

#define DATA "tests/data/classifiers/"
static const double tolerance = 4e-6; /* logits are sums of sixteen products, up to about 3 */

enum { MAX_TEXTS = 4, MAX_LABELS = 4, MAX_TOKENS = 32 };

struct classifier_case {
    const char *folder, *file, *expected; /* file "": the folder itself */
    size_t n_labels;
};

struct texts {
    struct arena arena;
    int32_t ids[MAX_TOKENS], types[MAX_TOKENS];
    const int32_t *id_lists[MAX_TEXTS], *type_lists[MAX_TEXTS];
    size_t lengths[MAX_TEXTS], n;
    const float *expected; /* [n, n_labels] */
};

static void spell_path(const struct classifier_case *classifier, char path[256])
{
    snprintf(path, 256, DATA "%s%s", classifier->folder, classifier->file);
}

static void copy_items(const struct tensor *tensor, int32_t *items)
{
    for (int64_t i = 0; i < tensor->dims[0]; i++) items[i] = (int32_t)((const int64_t *)tensor->data)[i];
}

/* Pointers go into texts itself. */
static void read_texts(const struct classifier_case *classifier, struct texts *texts)
{
    char folder[256], types_path[300];
    struct model_run reader = {0}; /* its arena only */
    *texts = (struct texts){.n = 0};
    snprintf(folder, sizeof folder, DATA "%s", classifier->folder);
    snprintf(types_path, sizeof types_path, "%s/types.npy", folder);
    struct tensor ids = model_run_load(&reader, folder, "ids"), segments = model_run_load(&reader, folder, "segments");
    struct tensor expected = model_run_load(&reader, folder, classifier->expected);
    copy_items(&ids, texts->ids);
    if (access(types_path, R_OK) == 0) {
        struct tensor types = model_run_load(&reader, folder, "types");
        copy_items(&types, texts->types);
    }
    texts->n = (size_t)segments.dims[0] - 1;
    for (size_t i = 0; i < texts->n; i++) {
        const int64_t *borders = segments.data;
        texts->id_lists[i] = texts->ids + borders[i];
        texts->type_lists[i] = texts->types + borders[i];
        texts->lengths[i] = (size_t)(borders[i + 1] - borders[i]);
    }
    assert_true(texts->n <= MAX_TEXTS && expected.dims[1] == (int64_t)classifier->n_labels);
    texts->expected = expected.data;
    texts->arena = reader.arena;
}

static void classify(const struct use *use, const struct texts *texts, size_t first, size_t n, bool is_raw, float *scores)
{
    hob_error error = {0};
    hob_rerank_options options = {.is_raw = is_raw};
    ASSERT_HOB(hob_classify_ids(use->session, texts->id_lists + first, texts->type_lists + first, texts->lengths + first, n, &options, scores,
                                &error), error);
}

/* One text a run on one thread gives what a batch on any number of them does, from any place of the batch. */
static void check_batches(const char *path, const hob_model_options *options, const struct classifier_case *classifier,
                          const struct texts *texts, float *scores)
{
    float alone[MAX_TEXTS * MAX_LABELS];
    size_t n_labels = classifier->n_labels, n_bytes = texts->n * n_labels * sizeof *alone;
    struct use use = use_open_options(path, options, 1);
    assert_int_equal(hob_model_get_info(use.model).kind, HOB_MODEL_CLASSIFIER);
    assert_int_equal(hob_model_get_info(use.model).n_labels, n_labels);
    for (size_t i = 0; i < texts->n; i++) classify(&use, texts, i, 1, true, alone + i * n_labels);
    use_close(&use);
    for (size_t n_threads = 1; n_threads <= 3; n_threads++) {
        use = use_open_options(path, options, n_threads);
        if (!options || !options->disabled_passes) assert_true(use.model->roles.is_packed);
        classify(&use, texts, 0, texts->n, true, scores);
        assert_memory_equal(scores, alone, n_bytes);
        classify(&use, texts, 1, texts->n - 1, true, scores + n_labels);
        assert_memory_equal(scores, alone, n_bytes);
        use_close(&use);
    }
}

static void check_pack(const char *path, const char *quant, const struct classifier_case *classifier, const struct texts *texts,
                       const float *scores)
{
    char pack[] = "/tmp/hob-test-classifier-XXXXXX";
    float from_pack[MAX_TEXTS * MAX_LABELS];
    hob_error error = {0};
    int fd = mkstemp(pack);
    assert_true(fd >= 0);
    close(fd);
    ASSERT_HOB(hob_import(path, &(hob_import_options){.model = {.quant = quant}}, pack, &error), error);
    check_batches(pack, NULL, classifier, texts, from_pack);
    assert_memory_equal(from_pack, scores, texts->n * classifier->n_labels * sizeof *scores);
    struct use source = use_open(path, NULL, 1), packed = use_open(pack, NULL, 1);
    for (size_t i = 0; i < classifier->n_labels; i++) assert_string_equal(hob_model_label(packed.model, i), hob_model_label(source.model, i));
    assert_int_equal(packed.model->labels.activation, source.model->labels.activation);
    assert_int_equal(hob_model_get_info(packed.model).is_causal, hob_model_get_info(source.model).is_causal);
    assert_int_equal(hob_model_get_info(packed.model).n_text_tokens, hob_model_get_info(source.model).n_text_tokens);
    use_close(&source);
    use_close(&packed);
    unlink(pack);
}

static void test_logits(void **state)
{
    char path[256];
    float scores[MAX_TEXTS * MAX_LABELS];
    const struct classifier_case *classifier = *state;
    struct texts texts;
    read_texts(classifier, &texts);
    spell_path(classifier, path);
    check_batches(path, NULL, classifier, &texts, scores);
    assert_close(scores, texts.expected, texts.n * classifier->n_labels, tolerance);
    check_pack(path, NULL, classifier, &texts, scores);
    check_batches(path, &(hob_model_options){.disabled_passes = "all"}, classifier, &texts, scores);
    assert_close(scores, texts.expected, texts.n * classifier->n_labels, tolerance);
    arena_release(&texts.arena);
}

static void test_int8(void **state)
{
    char path[256];
    float scores[MAX_TEXTS * MAX_LABELS];
    const struct classifier_case *classifier = *state;
    struct texts texts;
    read_texts(classifier, &texts);
    spell_path(classifier, path);
    check_batches(path, &(hob_model_options){.quant = "int8"}, classifier, &texts, scores);
    assert_close(scores, texts.expected, texts.n * classifier->n_labels, 0.1);
    check_pack(path, "int8", classifier, &texts, scores);
    arena_release(&texts.arena);
}

/* ---- what is made of the logits ---- */

static void assert_refused(hob_status found, const hob_error *error, hob_status expected, const char *message)
{
    if (found != expected || !strstr(error->message, message))
        fail_msg("found %s \"%s\", expected %s \"%s\"", hob_status_name(found), error->message, hob_status_name(expected), message);
}

static double expected_score(const float *logits, size_t n, size_t i, enum model_activation activation)
{
    double sum = 0;
    for (size_t k = 0; k < n; k++) sum += exp((double)logits[k]);
    if (activation == ACTIVATION_NONE) return (double)logits[i];
    return activation == ACTIVATION_SOFTMAX ? exp((double)logits[i]) / sum : 1 / (1 + exp(-(double)logits[i]));
}

static void check_scores(const char *folder, enum model_activation activation, size_t n_labels)
{
    struct classifier_case classifier = {folder, "", "logits", n_labels};
    char path[256];
    float logits[MAX_TEXTS * MAX_LABELS], scores[MAX_TEXTS * MAX_LABELS];
    struct texts texts;
    read_texts(&classifier, &texts);
    spell_path(&classifier, path);
    struct use use = use_open(path, NULL, 1);
    classify(&use, &texts, 0, texts.n, true, logits);
    classify(&use, &texts, 0, texts.n, false, scores);
    for (size_t i = 0; i < texts.n * n_labels; i++) {
        double expected = expected_score(logits + i / n_labels * n_labels, n_labels, i % n_labels, activation);
        if (!(fabs((double)scores[i] - expected) <= 1e-7)) fail_msg("%s: [%zu]: found %.9g, expected %.9g", folder, i, (double)scores[i], expected);
    }
    arena_release(&texts.arena);
    use_close(&use);
}

static void test_scores(void **state)
{
    (void)state;
    check_scores("bert", ACTIVATION_SOFTMAX, 3);
    check_scores("distilbert", ACTIVATION_SIGMOID, 2);
    check_scores("mpnet", ACTIVATION_NONE, 1);
    check_scores("gte", ACTIVATION_SIGMOID, 1);
}

/* A reranker's scores are the sigmoid even where the problem is a regression. */
static void test_rerank(void **state)
{
    (void)state;
    struct classifier_case classifier = {"mpnet", "", "logits", 1};
    float logits[MAX_TEXTS], scores[MAX_TEXTS];
    hob_error error = {0};
    struct texts texts;
    read_texts(&classifier, &texts);
    struct use use = use_open(DATA "mpnet", NULL, 1);
    classify(&use, &texts, 0, texts.n, true, logits);
    ASSERT_HOB(hob_rerank_ids(use.session, texts.id_lists, NULL, texts.lengths, texts.n, NULL, scores, &error), error);
    for (size_t i = 0; i < texts.n; i++) assert_true(fabs((double)scores[i] - expected_score(&logits[i], 1, 0, ACTIVATION_SIGMOID)) <= 1e-7);
    arena_release(&texts.arena);
    use_close(&use);
}

/* Texts are the pairs that one writes by hand: [CLS] query [SEP] text [SEP], the second half of type 1. */
static void test_rerank_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {"milk", "the fire"};
    static const int32_t milk[] = {2, 6, 7, 3, 18, 3}, fire[] = {2, 6, 7, 3, 12, 16, 3}, types[] = {0, 0, 0, 0, 1, 1, 1};
    const int32_t *const ids[] = {milk, fire}, *const type_lists[] = {types, types};
    const size_t n_ids[] = {6, 7};
    float found[2], expected[2];
    hob_error error = {0};
    struct use use = use_open(DATA "onnx/model.onnx", NULL, 2);
    ASSERT_HOB(hob_rerank(use.session, "a hob", 5, texts, NULL, 2, NULL, found, &error), error);
    ASSERT_HOB(hob_rerank_ids(use.session, ids, type_lists, n_ids, 2, NULL, expected, &error), error);
    assert_memory_equal(found, expected, sizeof found);
    hob_rerank_options strict = {.encode = {.is_strict = true, .max_tokens = 6}};
    assert_refused(hob_rerank(use.session, "a hob", 5, texts, NULL, 2, &strict, found, &error), &error, HOB_LIMIT,
                   "text 1: found 7 tokens, expected at most 6");
    ASSERT_HOB(hob_classify(use.session, (const char *[]){"a hob"}, NULL, 1, NULL, found, &error), error);
    ASSERT_HOB(hob_classify_ids(use.session, &ids[0], NULL, (const size_t[]){4}, 1, NULL, expected, &error), error);
    assert_memory_equal(found, expected, sizeof *found);
    use_close(&use);
}

static void test_labels(void **state)
{
    (void)state;
    struct use use = use_open(DATA "bert", NULL, 1);
    assert_string_equal(hob_model_label(use.model, 0), "entailment");
    assert_string_equal(hob_model_label(use.model, 2), "contradiction");
    assert_null(hob_model_label(use.model, 3));
    use_close(&use);
    use = use_open(DATA "bert/bent.gguf", NULL, 1);
    assert_string_equal(hob_model_label(use.model, 2), "LABEL_2");
    use_close(&use);
    use = use_open(DATA "modernbert/model.gguf", NULL, 1);
    assert_string_equal(hob_model_label(use.model, 0), "good");
    use_close(&use);
}

/* ---- what is refused ---- */

static void test_refusals(void **state)
{
    (void)state;
    struct use use = use_open(DATA "bert", NULL, 1);
    float scores[3] = {7};
    hob_error error = {0};
    const int32_t some[25] = {0}, far[] = {24}, types[] = {2};
    const int32_t *ids = some, *type_list = types;
    size_t n = 1, none = 0, many = 25;
    assert_refused(hob_rerank_ids(use.session, &ids, NULL, &n, 1, NULL, scores, &error), &error, HOB_UNSUPPORTED, "found 3 labels, expected one");
    assert_refused(hob_classify_ids(use.session, &ids, NULL, &none, 1, NULL, scores, &error), &error, HOB_BAD_ARGUMENT, "text 0: found no tokens");
    assert_refused(hob_classify_ids(use.session, &ids, NULL, &many, 1, NULL, scores, &error), &error, HOB_LIMIT, "found 25 tokens, expected at most 24");
    assert_int_not_equal(hob_classify_ids(use.session, &ids, &type_list, &n, 1, NULL, scores, &error), HOB_OK);
    ids = far;
    assert_refused(hob_classify_ids(use.session, &ids, NULL, &n, 1, NULL, scores, &error), &error, HOB_BAD_ARGUMENT, "found id 24");
    assert_refused(hob_embed_ids(use.session, &ids, &n, 1, NULL, scores, &error), &error, HOB_UNSUPPORTED, "no sentence encoder");
    assert_refused(hob_rerank(use.session, "q", 1, (const char *[]){"t"}, NULL, 1, NULL, scores, &error), &error, HOB_UNSUPPORTED, "labels");
    assert_refused(hob_classify(use.session, (const char *[]){"t"}, NULL, 1, NULL, scores, &error), &error, HOB_UNSUPPORTED, "no tokenizer");
    assert_true(scores[0] == 7);
    use_close(&use);
}

/* Folders of encoders with another head, or none, are what they were. */
static void test_encoders_are_no_classifiers(void **state)
{
    (void)state;
    struct use use = use_open("tests/data/encoders/xlm-roberta", NULL, 1);
    float score;
    hob_error error = {0};
    assert_int_equal(hob_model_get_info(use.model).kind, HOB_MODEL_ENCODER);
    assert_int_equal(hob_model_get_info(use.model).n_labels, 0);
    assert_null(hob_model_label(use.model, 0));
    assert_refused(hob_rerank(use.session, "q", 1, NULL, NULL, 0, NULL, &score, &error), &error, HOB_UNSUPPORTED, "no reranker");
    use_close(&use);
}

#define CASE(test, ...) {#test " " #__VA_ARGS__, test, NULL, NULL, &(struct classifier_case){__VA_ARGS__}}
#define BOTH_TESTS(...) CASE(test_logits, __VA_ARGS__), CASE(test_int8, __VA_ARGS__)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH_TESTS("bert", "", "logits", 3),
        BOTH_TESTS("bert", "/direct.gguf", "direct", 3),
        BOTH_TESTS("bert", "/bent.gguf", "bent", 3),
        BOTH_TESTS("xlm-roberta", "", "logits", 1),
        BOTH_TESTS("xlm-roberta", "/model.gguf", "logits", 1),
        BOTH_TESTS("distilbert", "", "logits", 2),
        BOTH_TESTS("mpnet", "", "logits", 1),
        BOTH_TESTS("nomic-bert", "", "logits", 1),
        BOTH_TESTS("nomic-bert", "/model.gguf", "logits", 1),
        BOTH_TESTS("jina-bert-v2", "", "logits", 1),
        BOTH_TESTS("jina-bert-v2", "/model.gguf", "logits", 1),
        BOTH_TESTS("gte", "", "logits", 1),
        BOTH_TESTS("modernbert", "", "logits", 2),
        BOTH_TESTS("modernbert", "/model.gguf", "logits", 2),
        BOTH_TESTS("modernbert-mean", "", "logits", 2),
        BOTH_TESTS("qwen2", "", "logits", 1),
        BOTH_TESTS("qwen2", "/model.gguf", "logits", 1),
        BOTH_TESTS("onnx", "/model.onnx", "logits", 1),
        cmocka_unit_test(test_scores),
        cmocka_unit_test(test_rerank),
        cmocka_unit_test(test_rerank_texts),
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_encoders_are_no_classifiers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
