/* hob_describe: the facts of every kind of file, as JSON and as text. */
#include "engine/use.h"
#include "models/scratch_folder.h"

#include <jansson.h>
#include <string.h>

#define STORIES "../shared/models/stories260k/"
#define BERT "../shared/models/bert-tiny-random/"
#define BAD "tests/data/bad/"

static json_t *describe(const char *path)
{
    char *text;
    hob_error error = {0};
    json_error_t json_error;
    if (access(path, R_OK) != 0) skip();
    ASSERT_HOB(hob_describe(path, true, &text, &error), error);
    json_t *json = json_loads(text, 0, &json_error);
    if (!json) fail_msg("%s: %s", path, json_error.text);
    assert_int_equal(text[strlen(text) - 1], '\n');
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1); /* one object, one line */
    hob_free(text);
    assert_string_equal(json_string_value(json_object_get(json, "file")), path);
    return json;
}

static json_int_t integer_at(const json_t *json, const char *object, const char *key)
{
    const json_t *value = json_object_get(object ? json_object_get(json, object) : json, key);
    if (!json_is_integer(value)) fail_msg("%s: found no whole number", key);
    return json_integer_value(value);
}

static void assert_text(const json_t *json, const char *key, const char *expected)
{
    const char *found = json_string_value(json_object_get(json, key));
    if (!found || strcmp(found, expected)) fail_msg("%s: found %s, expected %s", key, found ? found : "none", expected);
}

/* The row called name in a list of {"name", "type", "shape"}; its shape is written as "[2,?]". */
static void assert_row(const json_t *json, const char *list, const char *name, const char *type, const char *shape)
{
    size_t i;
    const json_t *row;
    json_array_foreach (json_object_get(json, list), i, row) {
        if (strcmp(json_string_value(json_object_get(row, "name")), name)) continue;
        assert_text(row, "type", type);
        char *found = json_dumps(json_object_get(row, "shape"), JSON_COMPACT | JSON_ENCODE_ANY);
        assert_string_equal(found ? found : "none", shape);
        free(found);
        return;
    }
    fail_msg("%s: found no %s", list, name);
}

/* words: what the text for a person must have, up to NULL. */
static void check_text(const char *path, const char *const *words)
{
    char *text;
    hob_error error = {0};
    if (access(path, R_OK) != 0) skip();
    ASSERT_HOB(hob_describe(path, false, &text, &error), error);
    for (; *words; words++)
        if (!strstr(text, *words)) fail_msg("%s: found no \"%s\" in:\n%s", path, *words, text);
    hob_free(text);
}

/* ---- models ---- */

static void test_onnx(void **state)
{
    (void)state;
    json_t *json = describe(STORIES "model.onnx");
    assert_text(json, "format", "onnx");
    assert_text(json, "producer", "pytorch 1.13.0");
    assert_int_equal(integer_at(json, NULL, "ir_version"), 8);
    assert_int_equal(integer_at(json, "opsets", "ai.onnx"), 16);
    assert_int_equal(json_array_size(json_object_get(json, "inputs")), 13);
    assert_int_equal(json_array_size(json_object_get(json, "outputs")), 11);
    assert_row(json, "inputs", "past_key_values.4.value", "float32", "[\"batch_size\",4,\"past_sequence_length\",8]");
    assert_row(json, "outputs", "logits", "float32", "[\"batch_size\",\"sequence_length\",512]");
    assert_int_equal(integer_at(json, "operators", "Softmax"), 5);
    assert_int_equal(json_array_size(json_object_get(json, "unsupported")), 0);
    assert_int_equal(integer_at(json, "memory", "kv_cache_bytes_per_token"), 5 * 2 * 4 * 8 * 4);
    assert_in_range(integer_at(json, "memory", "context_tokens_with_room"), 100, integer_at(json, "memory", "available_bytes") / 1280);
    assert_int_equal(integer_at(json, "compiled_operators", "hob.CacheAppend"), 10);
    assert_int_equal(integer_at(json, "passes", "attach_kv_cache"), 10);
    assert_null(json_object_get(json, "problem"));
    json_decref(json);
    check_text(STORIES "model.onnx",
               (const char *const[]){"format: onnx\n", "inputs: 13\n", "[batch_size,sequence_length,512]",
                                     "operators:\n", "1.2 KiB", NULL});
}

static void test_gguf(void **state)
{
    (void)state;
    json_t *json = describe(STORIES "model-q8_0.gguf");
    assert_text(json, "format", "gguf");
    assert_text(json, "architecture", "llama");
    assert_int_equal(integer_at(json, NULL, "version"), 3);
    assert_int_equal(integer_at(json, NULL, "vocabulary"), 512);
    assert_int_equal(integer_at(json, NULL, "context"), 512);
    assert_int_equal(integer_at(json, NULL, "layers"), 5);
    assert_int_equal(integer_at(json, NULL, "width"), 64);
    assert_int_equal(integer_at(json, "metadata", "llama.attention.head_count_kv"), 4);
    assert_text(json_object_get(json, "metadata"), "tokenizer.ggml.tokens", "(list of 512)");
    assert_true(json_is_true(json_object_get(json_object_get(json, "metadata"), "tokenizer.ggml.add_bos_token")));
    assert_int_equal(json_array_size(json_object_get(json, "tensors")), 48);
    assert_row(json, "tensors", "token_embd.weight", "q8_0", "[512,64]");
    json_decref(json);
    check_text(STORIES "model-q8_0.gguf",
               (const char *const[]){"architecture: llama\n", "general.name", "stories260K", "q8_0", NULL});
}

static void test_safetensors(void **state)
{
    (void)state;
    static const char *const paths[] = {BERT, BERT "model.safetensors"};
    for (size_t i = 0; i < 2; i++) {
        json_t *json = describe(paths[i]);
        assert_text(json, "format", "safetensors");
        assert_text(json, "architecture", "bert");
        assert_int_equal(integer_at(json, NULL, "context"), 512);
        assert_int_equal(json_array_size(json_object_get(json, "tensors")), 37);
        assert_row(json, "tensors", "embeddings.word_embeddings.weight", "float32", "[30522,64]");
        assert_row(json, "inputs", "ids", "int64", "[\"T\"]");
        json_decref(json);
    }
    check_text(BERT, (const char *const[]){"format: safetensors\n", "tensors: 37\n", "8.3 MiB", "of any shape", NULL});
}

/* ---- what would not run ---- */

static void test_tokenizer_alone(void **state)
{
    (void)state;
    json_t *json = describe("../shared/tokenizers/ggml-vocab-gpt-2.gguf");
    assert_text(json, "format", "gguf");
    assert_int_equal(json_array_size(json_object_get(json, "tensors")), 0);
    assert_text(json_object_get(json, "metadata"), "tokenizer.ggml.merges", "(list of 50000)");
    assert_null(json_object_get(json, "architecture"));
    assert_null(json_object_get(json, "problem")); /* nothing is wrong with it */
    json_decref(json);
}

/* Every node of a model of fixed shapes is told with the shapes of its outputs; the sample says for which inputs they hold. */
static void test_shapes_and_plan(void **state)
{
    (void)state;
    size_t i, j, n_outputs = 0;
    json_t *json = describe("../shared/onnx-models/mnist_8/model.onnx"), *nodes = json_object_get(json, "nodes"), *node, *output;
    json_array_foreach (nodes, i, node) {
        json_array_foreach (json_object_get(node, "outputs"), j, output) {
            assert_true(json_is_array(json_object_get(output, "shape")));
            assert_text(output, "type", "float32");
            n_outputs++;
        }
    }
    assert_true(n_outputs > 0 && n_outputs == json_array_size(nodes));
    char *sample = json_dumps(json_object_get(json, "sample"), JSON_COMPACT);
    assert_string_equal(sample, "{\"Input3\":[1,1,28,28]}");
    free(sample);
    assert_true(integer_at(json, "memory", "activations_bytes") >= 8 * 28 * 28 * 4);
    assert_int_equal(integer_at(json, "memory", "unplanned_values"), 0);
    json_decref(json);
}

static void test_operator_that_hob_lacks(void **state)
{
    (void)state;
    json_t *json = describe(BAD "unknown_operator.onnx");
    const json_t *unsupported = json_object_get(json, "unsupported");
    assert_int_equal(json_array_size(unsupported), 1);
    assert_string_equal(json_string_value(json_array_get(unsupported, 0)), "operator Frobnicate of domain ai.onnx, opset 17");
    assert_row(json, "inputs", "x", "float32", "[2,3]");
    assert_true(json_is_object(json_object_get(json, "memory"))); /* all else is still shown */
    assert_true(json_is_object(json_object_get(json, "passes")));
    json_decref(json);
    check_text(BAD "unknown_domain.onnx",
               (const char *const[]){"unsupported: 1\n", "operator Frobnicate of domain org.example, opset 1", NULL});
}

/* Conv and LSTM may come to hob; its 25 nested Ifs stay. */
static void test_nested_graphs_are_counted(void **state)
{
    (void)state;
    json_t *json = describe("../shared/onnx-models/silero-vad/silero_vad.onnx");
    assert_text(json, "producer", "spox");
    assert_int_equal(integer_at(json, "operators", "If"), 25);
    assert_int_equal(integer_at(json, "operators", "LSTM"), 4);
    assert_row(json, "inputs", "sr", "int64", "[]");
    assert_row(json, "inputs", "state", "float32", "[2,\"?\",128]");
    assert_true(json_is_array(json_object_get(json, "unsupported")));
    json_decref(json);
}

static void test_graph_that_does_not_compile(void **state)
{
    (void)state;
    json_t *json = describe(BAD "cycle.onnx");
    const char *problem = json_string_value(json_object_get(json, "problem"));
    assert_non_null(problem);
    assert_non_null(strstr(problem, "cycle"));
    assert_int_equal(integer_at(json, "operators", "Add"), 1);
    json_decref(json);
}

static void test_architecture_that_hob_lacks(void **state)
{
    (void)state;
    static const char header[] =
        "{\"w\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}  "; /* 56 bytes of JSON, as its length says */
    char path[128];
    struct scratch_folder folder;
    scratch_folder_make(&folder);
    scratch_folder_write(&folder, "config.json", "{\"model_type\": \"mamba\"}");
    snprintf(path, sizeof path, "%s/model.safetensors", folder.path);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    uint64_t n_header_bytes = sizeof header - 1;
    assert_int_equal(fwrite(&n_header_bytes, sizeof n_header_bytes, 1, file), 1);
    assert_int_equal(fwrite(header, n_header_bytes, 1, file), 1);
    assert_int_equal(fclose(file), 0);
    json_t *json = describe(path);
    assert_non_null(strstr(json_string_value(json_object_get(json, "problem")), "mamba"));
    assert_row(json, "tensors", "w", "float32", "[0]");
    json_decref(json);
    scratch_folder_remove(&folder);
}

/* ---- tensors ---- */

static void test_tensor_files(void **state)
{
    (void)state;
    json_t *json = describe("tests/data/models/gpt2/logits.npy");
    assert_text(json, "format", "npy");
    assert_int_equal(json_array_size(json_object_get(json, "shape")), 2);
    json_int_t n_items = 1;
    for (size_t i = 0; i < 2; i++) n_items *= json_integer_value(json_array_get(json_object_get(json, "shape"), i));
    assert_int_equal(integer_at(json, NULL, "bytes"),
                     n_items * (strcmp(json_string_value(json_object_get(json, "type")), "float64") ? 4 : 8));
    json_decref(json);
    json = describe("../shared/onnx-models/mnist_8/test_data_set_0/input_0.pb");
    assert_text(json, "format", "pb");
    assert_text(json, "type", "float32");
    assert_int_equal(integer_at(json, NULL, "bytes"), 3136);
    json_decref(json);
    check_text("../shared/onnx-models/mnist_8/test_data_set_0/input_0.pb",
               (const char *const[]){"shape: [1,1,28,28]\n", "bytes: 3.1 KiB\n", NULL});
}

/* ---- what is nothing of these ---- */

static void test_refused(void **state)
{
    (void)state;
    static const struct refused_case {
        const char *path;
        hob_status status;
        const char *message;
    } cases[] = {
        {"Makefile", HOB_BAD_FILE, "Makefile: not a model"},
        {"no/such/file.onnx", HOB_NOT_FOUND, "no/such/file.onnx: No such file or directory"},
        {"no/such/file.npy", HOB_NOT_FOUND, "no/such/file.npy"},
        {"tests", HOB_BAD_FILE, "found no weights in the folder"},
        {BAD "no_graph.onnx", HOB_BAD_FILE, "found no graph"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char mark, *text = &mark;
        hob_error error = {0};
        hob_status status = hob_describe(cases[i].path, i % 2, &text, &error);
        if (status != cases[i].status || !strstr(error.message, cases[i].message))
            fail_msg("%s: found %s \"%s\", expected %s \"%s\"", cases[i].path, hob_status_name(status), error.message,
                     hob_status_name(cases[i].status), cases[i].message);
        assert_ptr_equal(text, &mark);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_onnx),
        cmocka_unit_test(test_gguf),
        cmocka_unit_test(test_safetensors),
        cmocka_unit_test(test_tokenizer_alone),
        cmocka_unit_test(test_shapes_and_plan),
        cmocka_unit_test(test_operator_that_hob_lacks),
        cmocka_unit_test(test_nested_graphs_are_counted),
        cmocka_unit_test(test_graph_that_does_not_compile),
        cmocka_unit_test(test_architecture_that_hob_lacks),
        cmocka_unit_test(test_tensor_files),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
