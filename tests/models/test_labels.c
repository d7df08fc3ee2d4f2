/* What config.json says of labels, good and bad; GGUF's are tests/engine/test_tiny_classifiers.c's. */
#include "unit.h"

#include "base/arena.h"
#include "models/model.h"
#include "models/scratch_folder.h"

struct labels_case {
    const char *config; /* NULL: no such file */
    int64_t n_labels;   /* that the model has; 0: it does not say */
    hob_status status;
    size_t n;
    enum model_activation activation;
    const char *text; /* the last label, or a part of the message */
};

static void check(const struct labels_case *c)
{
    struct scratch_folder folder;
    struct model_labels found = {.n = 77};
    struct arena arena;
    hob_error error = {0};
    arena_init(&arena, 1024);
    scratch_folder_make(&folder);
    if (c->config) scratch_folder_write(&folder, "config.json", c->config);
    hob_status status = model_read_labels(folder.path, c->n_labels, &arena, &found, &error);
    scratch_folder_remove(&folder);
    if (status != c->status) fail_msg("%s: found %s \"%s\"", c->config ? c->config : "nothing", hob_status_name(status), error.message);
    if (status != HOB_OK) {
        assert_int_equal(found.n, 77); /* untouched */
        if (!strstr(error.message, c->text)) fail_msg("found \"%s\", expected \"%s\"", error.message, c->text);
    } else {
        assert_int_equal(found.n, c->n);
        assert_int_equal(found.activation, c->activation);
        if (c->n) assert_string_equal(found.names[c->n - 1], c->text);
    }
    arena_release(&arena);
}

#define TWO "\"id2label\": {\"0\": \"no\", \"1\": \"yes\"}"

static void test_good(void **state)
{
    (void)state;
    static const struct labels_case cases[] = {
        {NULL, 1, .n = 1, .activation = ACTIVATION_SIGMOID, .text = "LABEL_0"},
        {NULL, 3, .n = 3, .activation = ACTIVATION_SOFTMAX, .text = "LABEL_2"},
        {NULL, 0, .n = 0},
        {"{}", 2, .n = 2, .activation = ACTIVATION_SOFTMAX, .text = "LABEL_1"},
        {"{\"id2label\": null, \"problem_type\": null}", 1, .n = 1, .activation = ACTIVATION_SIGMOID, .text = "LABEL_0"},
        {"{" TWO "}", 2, .n = 2, .activation = ACTIVATION_SOFTMAX, .text = "yes"},
        {"{" TWO "}", 0, .n = 2, .activation = ACTIVATION_SOFTMAX, .text = "yes"},
        {"{" TWO ", \"problem_type\": \"single_label_classification\"}", 2, .n = 2, .activation = ACTIVATION_SOFTMAX, .text = "yes"},
        {"{" TWO ", \"problem_type\": \"multi_label_classification\"}", 2, .n = 2, .activation = ACTIVATION_SIGMOID, .text = "yes"},
        {"{" TWO ", \"problem_type\": \"regression\"}", 2, .n = 2, .activation = ACTIVATION_NONE, .text = "yes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check(&cases[i]);
}

static void test_bad(void **state)
{
    (void)state;
    static const struct labels_case cases[] = {
        {"{", 1, HOB_BAD_FILE, .text = "config.json:1"},
        {"{" TWO "}", 3, HOB_BAD_FILE, .text = "id2label: found 2 labels, expected the 3 that the model has"},
        {"{\"id2label\": [\"no\"]}", 1, HOB_BAD_FILE, .text = "id2label: found a list, expected an object"},
        {"{\"id2label\": {\"0\": 7}}", 1, HOB_BAD_FILE, .text = "id2label: 0: found a whole number, expected a text"},
        {"{\"id2label\": {\"1\": \"no\"}}", 1, HOB_BAD_FILE, .text = "id2label: 0: found nothing, expected a text"},
        {"{\"problem_type\": 1}", 1, HOB_BAD_FILE, .text = "problem_type: found a whole number, expected a text"},
        {"{\"problem_type\": \"guessing\"}", 1, HOB_UNSUPPORTED, .text = "found \"guessing\", expected regression"},
        {NULL, MODEL_MAX_LABELS + 1, HOB_LIMIT, .text = "found 65537 labels"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check(&cases[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_good), cmocka_unit_test(test_bad)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
