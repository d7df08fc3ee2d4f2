/* Files that are no models, or damaged ones: a clear error for each, and never a crash.
 *
 * tests/data/bad/ is made by tools/make_bad_models.py. */
#include "engine/try_model.h"
#include "engine/use.h"
#include "base/rng.h"
#include "models/scratch_folder.h"

#define BAD "tests/data/bad/"

static void assert_refused(const char *path, hob_status found, const hob_error *error, hob_status expected,
                           const char *message)
{
    if (found != expected || !strstr(error->message, message))
        fail_msg("%s: found %s \"%s\", expected %s \"%s\"", path, hob_status_name(found), error->message,
                 hob_status_name(expected), message);
    assert_int_equal(error->code, expected);
    assert_true(*error->where);
}

/* ---- each wrong in one way ---- */

static const struct bad_case {
    const char *file;
    hob_status status;
    const char *message;
} bad_cases[] = {
    {"cycle", HOB_BAD_GRAPH, BAD "cycle.onnx: the graph has a cycle: the_add <- the_relu <- the_add"},
    {"two_makers", HOB_BAD_GRAPH, "the_exp: output y is already made by the_relu"},
    {"value_from_nowhere", HOB_BAD_GRAPH, "the_add: input nowhere is made by no node"},
    {"output_from_nowhere", HOB_BAD_GRAPH, "output z of the graph is made by no node"},
    {"unknown_operator", HOB_UNSUPPORTED, "the_frobnicate: operator Frobnicate of domain ai.onnx, opset 17: unknown"},
    {"unknown_domain", HOB_UNSUPPORTED, "the_frobnicate: operator Frobnicate of domain org.example, opset 1: unknown"},
    {"domain_without_opset", HOB_UNSUPPORTED, "the_frobnicate: operator Frobnicate of domain org.example"},
    {"no_graph", HOB_BAD_FILE, BAD "no_graph.onnx: not an ONNX model: found no graph in it"},
    {"missing_operand", HOB_BAD_GRAPH, "the_matmul (MatMul): found 1 inputs, expected 2"},
    {"missing_attribute", HOB_BAD_GRAPH, "the_concat (Concat): attribute axis: missing, expected a whole number"},
    {"attribute_of_wrong_type", HOB_BAD_GRAPH,
     "the_concat (Concat): attribute axis: found a text, expected a whole number"},
    {"types_differ", HOB_BAD_TYPE, "the_add (Add): input 1: found int64, expected float32"},
    {"type_not_taken", HOB_BAD_TYPE, "the_softmax (Softmax): input 0: found int64, expected float32, float16, float64, bfloat16"},
    {"shapes_differ", HOB_BAD_SHAPE, "the_matmul (MatMul): found [2,3] x [2,3], expected"},
    {"axis_outside", HOB_BAD_SHAPE, "the_concat (Concat): axis: found 5, expected a value in [-2,1]"},
    {"index_outside", HOB_BAD_ARGUMENT, "the_gather (Gather): indices: found 7, expected a value in [-2,1]"},
    {"reshape_does_not_fit", HOB_BAD_SHAPE,
     "the_reshape (Reshape): found shape [2,3], which does not fit the wanted [4,2]"},
    {"constant_shape_overflows", HOB_BAD_SHAPE,
     "the_constantofshape (ConstantOfShape): found shape [1099511627776,1099511627776]"},
    {"expand_overflows", HOB_BAD_SHAPE, "the_expand (Expand): found shape [1099511627776,1099511627776] of float32"},
    {"more_than_any_machine_has", HOB_NO_MEMORY, "the activations need 4398046511104 bytes"},
    {"weight_overflows", HOB_BAD_SHAPE, "tensor weight: found shape [1099511627776,1099511627776] of float32"},
    {"weight_is_negative", HOB_BAD_SHAPE, "tensor weight: dimension 0: found -1, expected 0 or more"},
    {"weight_is_short", HOB_BAD_FILE, "tensor weight: found 12 bytes, expected 16"},
    {"weight_is_long", HOB_BAD_FILE, "tensor weight: found 20 bytes, expected 16"},
};

static void test_wrong_in_one_way(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_cases / sizeof *bad_cases; i++) {
        char path[128];
        hob_error error = {0};
        snprintf(path, sizeof path, BAD "%s.onnx", bad_cases[i].file);
        hob_status status = try_model(path, &error);
        assert_refused(path, status, &error, bad_cases[i].status, bad_cases[i].message);
        assert_int_equal(try_model(path, NULL), bad_cases[i].status);
    }
}

/* A count that no input of zeros reaches: the shape itself is the input. */
static void test_shape_from_an_input_overflows(void **state)
{
    (void)state;
    hob_error error = {0};
    hob_tensor *shape, *output;
    struct use use = use_open(BAD "shape_overflows.onnx", NULL, 1);
    ASSERT_HOB(hob_tensor_new(HOB_INT64, 1, (int64_t[]){2}, (int64_t[]){INT64_MAX, 3}, &shape, &error), error);
    hob_named_tensor input = {"x", shape};
    hob_status status = hob_session_run(use.session, &input, 1, &output, 1, &error);
    assert_refused("shape_overflows", status, &error, HOB_BAD_SHAPE,
                   "the_constantofshape (ConstantOfShape): found shape [9223372036854775807,3]");
    hob_tensor_free(shape);
    use_close(&use);
}

/* ---- what is no model ---- */

static void test_not_a_model(void **state)
{
    (void)state;
    static const char *const names[] = {"model.onnx", "model.gguf", "model.safetensors", "model.hob", "model"};
    struct scratch_folder folder;
    scratch_folder_make(&folder);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[128];
        hob_error error = {0};
        snprintf(path, sizeof path, "%s/%s", folder.path, names[i]);
        assert_refused(path, try_model(path, &error), &error, HOB_NOT_FOUND, "No such file or directory");
        scratch_folder_write(&folder, names[i], "");
        assert_refused(path, try_model(path, &error), &error, HOB_BAD_FILE, "not a model: the file is empty");
        scratch_folder_write(&folder, names[i],
                             "#!/bin/sh\necho this is a script and no model, whatever it is called\n");
        hob_status status = try_model(path, &error);
        assert_refused(path, status, &error, HOB_BAD_FILE, path);
        unlink(path);
    }
    hob_error error = {0};
    assert_refused(folder.path, try_model(folder.path, &error), &error, HOB_BAD_FILE, "found no weights in the folder");
    scratch_folder_write(&folder, "pytorch_model.bin", "x");
    assert_refused(folder.path, try_model(folder.path, &error), &error, HOB_UNSUPPORTED, "pytorch_model.bin");
    scratch_folder_remove(&folder);
}

/* ---- real models, damaged ---- */

/* Each in a folder of its own, with the neighbours it needs. */
static const struct damaged_case {
    const char *folder, *file, *neighbours[2];
    size_t n_flips;
} damaged_cases[] = {
    {"tests/data/models/llama-linear/", "model.gguf", {NULL}, 200},
    {"tests/data/models/qwen2/", "model.gguf", {NULL}, 100},
    {"tests/data/models/gpt2/", "model.safetensors", {"config.json"}, 200},
    {"../shared/models/model2vec/", "model.safetensors", {"config.json", "tokenizer.json"}, 12},
    {"../shared/models/stories260k/", "model.onnx", {NULL}, 100},
    {"../shared/models/stories260k/", "model-q8_0.gguf", {NULL}, 100},
    {"../shared/models/tiny-random-gpt2/", "model.onnx", {NULL}, 100},
    {"../shared/models/stories260k/", "tokenizer.json", {NULL}, 100},
};

struct content {
    unsigned char *bytes;
    size_t n_bytes;
};

static struct content read_content(const char *folder, const char *name)
{
    char path[256];
    struct content content = {0};
    snprintf(path, sizeof path, "%s%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (!file) return content;
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    content.n_bytes = (size_t)ftell(file);
    content.bytes = malloc(content.n_bytes);
    rewind(file);
    assert_int_equal(fread(content.bytes, 1, content.n_bytes, file), content.n_bytes);
    fclose(file);
    return content;
}

static void write_bytes(const char *path, const unsigned char *bytes, size_t n_bytes)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n_bytes, file), n_bytes);
    assert_int_equal(fclose(file), 0);
}

static void copy_file(const struct damaged_case *damaged, const char *name, const struct scratch_folder *folder)
{
    char path[128];
    struct content content = read_content(damaged->folder, name);
    assert_non_null(content.bytes);
    snprintf(path, sizeof path, "%s/%s", folder->path, name);
    write_bytes(path, content.bytes, content.n_bytes);
    free(content.bytes);
}

/* False where the case's file is absent. */
static bool prepare_case(const struct damaged_case *damaged, struct scratch_folder *folder, struct content *content,
                         char path[128])
{
    *content = read_content(damaged->folder, damaged->file);
    if (!content->bytes) return false;
    scratch_folder_make(folder);
    snprintf(path, 128, "%s/%s", folder->path, damaged->file);
    for (int i = 0; i < 2; i++)
        if (damaged->neighbours[i]) copy_file(damaged, damaged->neighbours[i], folder);
    return true;
}

/* tokenizer.json is no model: opened and used as what it is. */
static hob_status try_file(const char *path, hob_error *error)
{
    hob_tokenizer *tokenizer;
    int32_t *ids;
    size_t n_ids;
    const char *dot = strrchr(path, '.');
    if (strcmp(dot, ".json")) return try_model(path, error);
    hob_status status = hob_tokenizer_open(path, &tokenizer, error);
    if (status != HOB_OK) return status;
    status = hob_tokenizer_encode(tokenizer, "Once upon a time\n\xff", 18, HOB_ADD_SPECIAL, &ids, &n_ids, error);
    if (status == HOB_OK) hob_free(ids);
    hob_tokenizer_free(tokenizer);
    return status;
}

static void test_truncated(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof damaged_cases / sizeof *damaged_cases; i++) {
        char path[128];
        struct scratch_folder folder;
        struct content content;
        if (!prepare_case(&damaged_cases[i], &folder, &content, path)) continue;
        size_t n = content.n_bytes;
        size_t lengths[] = {0, 1, 7, 8, 9, 24, 100, n / 8, n / 3, n / 2, n - n / 10, n - 1};
        for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
            hob_error error = {0};
            write_bytes(path, content.bytes, lengths[k]);
            hob_status status = try_file(path, &error);
            if (status != HOB_BAD_FILE)
                fail_msg("%s cut to %zu of %zu: found %s \"%s\"", damaged_cases[i].file, lengths[k], n,
                         hob_status_name(status), error.message);
            assert_non_null(strstr(error.message, path));
        }
        free(content.bytes);
        scratch_folder_remove(&folder);
    }
}

/* Half of the flips in the first 4 KiB, where the structure is. Without a crash there is either a result or a clear error. */
static void flip_bits(const struct damaged_case *damaged, const struct content *content, const char *path,
                      struct rng *rng)
{
    for (size_t flip = 0; flip < damaged->n_flips; flip++) {
        size_t n_reached = flip % 2 && content->n_bytes > 4096 ? 4096 : content->n_bytes;
        size_t at = rng_below(rng, (uint32_t)n_reached);
        unsigned char mask = (unsigned char)(1u << rng_below(rng, 8));
        hob_error error = {0};
        content->bytes[at] ^= mask;
        write_bytes(path, content->bytes, content->n_bytes);
        content->bytes[at] ^= mask;
        hob_status status = try_file(path, &error);
        if (status == HOB_INTERNAL || status == HOB_UNKNOWN || (status != HOB_OK && !*error.message))
            fail_msg("%s%s: byte %zu ^ %02x: found %s \"%s\"", damaged->folder, damaged->file, at, mask,
                     hob_status_name(status), error.message);
    }
}

static void test_flipped_bits(void **state)
{
    (void)state;
    struct rng rng = {.seed = 20260};
    for (size_t i = 0; i < sizeof damaged_cases / sizeof *damaged_cases; i++) {
        char path[128];
        struct scratch_folder folder;
        struct content content;
        if (!prepare_case(&damaged_cases[i], &folder, &content, path)) continue;
        hob_error error = {0};
        write_bytes(path, content.bytes, content.n_bytes);
        ASSERT_HOB(try_file(path, &error), error); /* intact, it works */
        flip_bits(&damaged_cases[i], &content, path, &rng);
        free(content.bytes);
        scratch_folder_remove(&folder);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_in_one_way), cmocka_unit_test(test_shape_from_an_input_overflows),
        cmocka_unit_test(test_not_a_model),      cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_flipped_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
