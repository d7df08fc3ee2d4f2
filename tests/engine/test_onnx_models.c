/* The ONNX models of ../shared/onnx-models: all load and run, and compute what ONNX Runtime does (tests/data/onnx_models.json, by
 * tools/onnx-model-goldens.mjs) on inputs that are made alike here and there; those that come with expected outputs give them;
 * and two do their job on real files. */
#include "engine/use.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define MODELS "../shared/onnx-models/"
#define GOLDENS "tests/data/onnx_models.json"
enum { MAX_INPUTS = 4, MAX_OUTPUTS = 8 };

/* ---- running ---- */

struct graph_run {
    struct use use;
    hob_named_tensor inputs[MAX_INPUTS];
    hob_tensor *own[MAX_INPUTS], *outputs[MAX_OUTPUTS];
    size_t n_inputs, n_outputs;
};

static void open_model(struct graph_run *run, const char *file)
{
    char path[256];
    memset(run, 0, sizeof *run);
    snprintf(path, sizeof path, MODELS "%s", file);
    run->use = use_open_options(path, &(hob_model_options){.is_graph_only = true}, 2);
    run->n_outputs = hob_model_n_outputs(run->use.model);
    assert_true(run->n_outputs <= MAX_OUTPUTS);
}

static void drop_outputs(struct graph_run *run)
{
    for (size_t i = 0; i < run->n_outputs; i++) hob_tensor_free(run->outputs[i]);
    memset(run->outputs, 0, sizeof run->outputs);
}

static void drop_inputs(struct graph_run *run)
{
    for (size_t i = 0; i < run->n_inputs; i++) hob_tensor_free(run->own[i]);
    run->n_inputs = 0;
}

static void close_model(struct graph_run *run)
{
    drop_outputs(run);
    drop_inputs(run);
    use_close(&run->use);
}

static void add_input(struct graph_run *run, const char *name, hob_tensor *tensor)
{
    assert_true(run->n_inputs < MAX_INPUTS);
    run->own[run->n_inputs] = tensor;
    run->inputs[run->n_inputs++] = (hob_named_tensor){name, tensor};
}

static hob_tensor *new_tensor(hob_type type, int rank, const int64_t *dims, const void *data)
{
    hob_error error = {0};
    hob_tensor *tensor;
    ASSERT_HOB(hob_tensor_new(type, rank, dims, data, &tensor, &error), error);
    return tensor;
}

static void run_model(struct graph_run *run)
{
    hob_error error = {0};
    drop_outputs(run);
    ASSERT_HOB(hob_session_run(run->use.session, run->inputs, run->n_inputs, run->outputs, run->n_outputs, &error), error);
}

/* ---- seeded inputs ---- */

static double stroke(int64_t i, const int64_t *dims)
{
    int64_t x = i % dims[3], y = i / dims[3] % dims[2];
    return y % 24 >= 8 && y % 24 < 18 && (7 * x + 3 * (y >> 2)) % 11 < 4 ? -1 : 1;
}

static void store(hob_type type, void *items, int64_t i, double number)
{
    switch (type) {
    case HOB_INT64: ((int64_t *)items)[i] = (int64_t)floor(number); break;
    case HOB_INT32: ((int32_t *)items)[i] = (int32_t)floor(number); break;
    default: ((float *)items)[i] = (float)number; break;
    }
}

static hob_tensor *seeded_tensor(json_t *input)
{
    static double memory[1 << 20]; /* aligned for every type */
    int64_t dims[8], n_items = 1;
    int rank = (int)json_array_size(json_object_get(input, "dims"));
    for (int i = 0; i < rank; i++) n_items *= dims[i] = json_integer_value(json_array_get(json_object_get(input, "dims"), (size_t)i));
    const char *name = json_string_value(json_object_get(input, "type"));
    hob_type type = !strcmp(name, "int64") ? HOB_INT64 : !strcmp(name, "int32") ? HOB_INT32 : HOB_FLOAT32;
    int64_t seed = json_integer_value(json_object_get(input, "seed"));
    double low = json_number_value(json_object_get(input, "low")), high = json_number_value(json_object_get(input, "high"));
    uint32_t state = (uint32_t)seed;
    assert_true(n_items <= 1 << 20);
    for (int64_t i = 0; i < n_items; i++) {
        state = state * 1664525u + 1013904223u;
        store(type, memory, i, seed < 0 ? stroke(i, dims) : low + (state >> 8) / 0x1p24 * (high - low));
    }
    return new_tensor(type, rank, dims, memory);
}

/* ---- against ONNX Runtime ---- */

/* 1e-4 relative to the number or, for numbers that are small beside the rest of their output, to the largest. */
static void compare_output(const char *file, const hob_tensor *found, json_t *expected)
{
    const float *items = hob_tensor_data(found);
    json_t *dims = json_object_get(expected, "dims"), *kept = json_object_get(expected, "items");
    size_t step = (size_t)json_integer_value(json_object_get(expected, "step")), i;
    json_t *number;
    double largest = 0;
    assert_int_equal(hob_tensor_type(found), HOB_FLOAT32);
    assert_int_equal((size_t)hob_tensor_rank(found), json_array_size(dims));
    json_array_foreach(dims, i, number) assert_int_equal(hob_tensor_dims(found)[i], json_integer_value(number));
    json_array_foreach(kept, i, number) largest = fmax(largest, fabs(json_number_value(number)));
    json_array_foreach(kept, i, number) {
        double wanted = json_number_value(number), got = (double)items[i * step];
        if (!(fabs(got - wanted) <= 1e-4 * fabs(wanted) + 1e-5 * largest))
            fail_msg("%s: %s: item %zu: found %.9g, expected %.9g", file, json_string_value(json_object_get(expected, "name")), i * step, got, wanted);
    }
}

static void test_against_onnxruntime(void **state)
{
    json_t *golden = *state, *inputs = json_object_get(golden, "inputs"), *outputs = json_object_get(golden, "outputs"), *item;
    const char *file = json_string_value(json_object_get(golden, "file"));
    struct graph_run run;
    size_t i;
    open_model(&run, file);
    json_array_foreach(inputs, i, item) add_input(&run, json_string_value(json_object_get(item, "name")), seeded_tensor(item));
    run_model(&run);
    assert_int_equal(run.n_outputs, json_array_size(outputs));
    json_array_foreach(outputs, i, item) {
        assert_string_equal(hob_model_output_name(run.use.model, i), json_string_value(json_object_get(item, "name")));
        compare_output(file, run.outputs[i], item);
    }
    close_model(&run);
}

/* ---- models that come with data sets ---- */

static hob_tensor *read_tensor(const char *folder, int set, const char *name)
{
    char path[256];
    hob_error error = {0};
    hob_tensor *tensor;
    snprintf(path, sizeof path, MODELS "%s/test_data_set_%d/%s", folder, set, name);
    ASSERT_HOB(hob_tensor_read(path, &tensor, &error), error);
    return tensor;
}

/* onnx's own rule for models. */
static void check_data_set(const char *folder, const char *input_name, int set)
{
    struct graph_run run;
    char file[64];
    snprintf(file, sizeof file, "%s/model.onnx", folder);
    open_model(&run, file);
    add_input(&run, input_name, read_tensor(folder, set, "input_0.pb"));
    run_model(&run);
    hob_tensor *expected = read_tensor(folder, set, "output_0.pb");
    assert_int_equal(hob_tensor_n_items(expected), hob_tensor_n_items(run.outputs[0]));
    const float *wanted = hob_tensor_data(expected), *found = hob_tensor_data(run.outputs[0]);
    for (size_t i = 0; i < hob_tensor_n_items(expected); i++)
        if (!(fabsf(found[i] - wanted[i]) <= 1e-7f + 1e-3f * fabsf(wanted[i])))
            fail_msg("%s, set %d, item %zu: found %g, expected %g", folder, set, i, (double)found[i], (double)wanted[i]);
    hob_tensor_free(expected);
    close_model(&run);
}

static void test_data_sets(void **state)
{
    (void)state;
    for (int set = 0; set < 3; set++) check_data_set("mnist_8", "Input3", set);
    check_data_set("super_resolution_10", "input", 0);
}

/* ---- magika: what kind of file is this ---- */

enum { MAGIKA_HALF = 1024, MAGIKA_BLOCK = 4096, MAGIKA_PADDING = 256 };

static bool is_space(unsigned char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static size_t read_block(FILE *file, long begin, unsigned char *block)
{
    assert_int_equal(fseek(file, begin, SEEK_SET), 0);
    return fread(block, 1, MAGIKA_BLOCK, file);
}

/* The first and the last 1,024 bytes without the blanks around the text, padded on the far sides. */
static void magika_features(const char *path, int32_t *ret_features)
{
    unsigned char block[MAGIKA_BLOCK];
    FILE *file = fopen(path, "rb");
    if (!file) fail_msg("%s: cannot be opened", path);
    for (int i = 0; i < 2 * MAGIKA_HALF; i++) ret_features[i] = MAGIKA_PADDING;
    size_t n = read_block(file, 0, block), begin = 0;
    while (begin < n && is_space(block[begin])) begin++;
    for (size_t i = 0; i < MAGIKA_HALF && begin + i < n; i++) ret_features[i] = block[begin + i];
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long size = ftell(file);
    n = read_block(file, size > MAGIKA_BLOCK ? size - MAGIKA_BLOCK : 0, block);
    while (n && is_space(block[n - 1])) n--;
    for (size_t i = 1; i <= MAGIKA_HALF && i <= n; i++) ret_features[2 * MAGIKA_HALF - i] = block[n - i];
    fclose(file);
}

static const char *magika_label(json_t *labels, const hob_tensor *chances)
{
    const float *items = hob_tensor_data(chances);
    size_t best = 0;
    for (size_t i = 1; i < hob_tensor_n_items(chances); i++)
        if (items[i] > items[best]) best = i;
    return json_string_value(json_array_get(labels, best));
}

static void test_magika(void **state)
{
    (void)state;
    static const struct { const char *path, *label; } files[] = {
        {"src/base/arena.c", "c"}, {"include/hob/model.h", "c"}, {"tests/base/test_arena.c", "c"}, {"Makefile", "makefile"},
        {"README.md", "markdown"}, {"../shared/CONVENTIONS.md", "markdown"}, {"tools/deps", "shell"}, {".ci/run", "shell"},
        {"tools/make_tiny_models.py", "python"}, {"tools/run-tests", "python"}, {"tools/onnx-model-goldens.mjs", "javascript"},
        {"tests/data/tokenizers.jsonl", "jsonl"}, {"../shared/models/stories260k/reference.json", "json"},
        {"../shared/data/spell/typos-words.csv", "csv"}, {"LICENSE", "txt"}, {".gitignore", "ignorefile"}, {".gitattributes", "gitattributes"},
        {MODELS "silero-vad/silero_vad.onnx", "onnx"}, {MODELS "silero-vad/test.wav", "wav"}, {"tests/data/ops/attention_k.npy", "npy"},
        {"/proc/self/exe", "elf"}};
    json_t *config = json_load_file(MODELS "magika/config.min.json", 0, NULL);
    json_t *labels = json_object_get(config, "target_labels_space");
    struct graph_run run;
    open_model(&run, "magika/model.onnx");
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        int32_t features[2 * MAGIKA_HALF];
        magika_features(files[i].path, features);
        add_input(&run, "bytes", new_tensor(HOB_INT32, 2, (int64_t[]){1, 2 * MAGIKA_HALF}, features));
        run_model(&run);
        const char *label = magika_label(labels, run.outputs[0]);
        if (strcmp(label, files[i].label) != 0) fail_msg("%s: found %s, expected %s", files[i].path, label, files[i].label);
        drop_inputs(&run);
    }
    json_decref(config);
    close_model(&run);
}

/* ---- silero: where is speech ---- */

enum { SPEECH_WINDOW = 512, SPEECH_CONTEXT = 64, WAV_HEADER_BYTES = 44 };

/* The next window behind the end of the last one. false: the file is at its end. */
static bool read_window(FILE *wav, float *samples)
{
    int16_t read[SPEECH_WINDOW];
    if (fread(read, sizeof read[0], SPEECH_WINDOW, wav) != SPEECH_WINDOW) return false;
    memmove(samples, samples + SPEECH_WINDOW, SPEECH_CONTEXT * sizeof *samples);
    for (int i = 0; i < SPEECH_WINDOW; i++) samples[SPEECH_CONTEXT + i] = (float)read[i] / 32768.0f;
    return true;
}

static void test_speech(void **state)
{
    (void)state;
    json_t *goldens = json_load_file(GOLDENS, 0, NULL), *chances = json_object_get(goldens, "speech");
    float samples[SPEECH_CONTEXT + SPEECH_WINDOW] = {0}, memory[256] = {0};
    int64_t rate = 16000;
    size_t window = 0, n_speech = 0;
    struct graph_run run;
    FILE *wav = fopen(MODELS "silero-vad/test.wav", "rb");
    assert_non_null(wav);
    assert_int_equal(fseek(wav, WAV_HEADER_BYTES, SEEK_SET), 0);
    open_model(&run, "silero-vad/silero_vad.onnx");
    for (; read_window(wav, samples); window++) {
        add_input(&run, "input", new_tensor(HOB_FLOAT32, 2, (int64_t[]){1, SPEECH_CONTEXT + SPEECH_WINDOW}, samples));
        add_input(&run, "state", new_tensor(HOB_FLOAT32, 3, (int64_t[]){2, 1, 128}, memory));
        add_input(&run, "sr", new_tensor(HOB_INT64, 0, NULL, &rate));
        run_model(&run);
        double chance = (double)*(const float *)hob_tensor_data(run.outputs[0]), expected = json_number_value(json_array_get(chances, window));
        if (!(fabs(chance - expected) <= 1e-4)) fail_msg("window %zu: found %g, expected %g", window, chance, expected);
        n_speech += chance > 0.5;
        assert_int_equal(hob_tensor_n_bytes(run.outputs[1]), sizeof memory);
        memcpy(memory, hob_tensor_data(run.outputs[1]), sizeof memory);
        drop_inputs(&run);
    }
    assert_int_equal(window, json_array_size(chances));
    assert_true(n_speech > window / 2 && n_speech < window);
    fclose(wav);
    close_model(&run);
    json_decref(goldens);
}

int main(void)
{
    enum { MAX_CASES = 32 };
    struct CMUnitTest tests[MAX_CASES] = {cmocka_unit_test(test_data_sets), cmocka_unit_test(test_magika), cmocka_unit_test(test_speech)};
    size_t n_tests = 3, i;
    FILE *there = fopen(MODELS "magika/config.min.json", "r");
    if (!there) return puts("[  SKIPPED ] test_onnx_models: ../shared/onnx-models is not here"), 0;
    fclose(there);
    json_t *goldens = json_load_file(GOLDENS, 0, NULL), *golden;
    json_array_foreach(json_object_get(goldens, "cases"), i, golden) {
        if (n_tests == MAX_CASES) return 1;
        tests[n_tests++] = (struct CMUnitTest){.name = json_string_value(json_object_get(golden, "file")), .test_func = test_against_onnxruntime, .initial_state = golden};
    }
    int n_failed = n_tests == 3 ? 1 : _cmocka_run_group_tests("onnx models", tests, n_tests, NULL, NULL);
    json_decref(goldens);
    return n_failed;
}
