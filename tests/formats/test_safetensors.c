/* safetensors: headers built here, shards, folders, every refusal; and telling formats apart. */
#include "unit.h"

#include "base/buffer.h"
#include "base/size.h"
#include "formats/formats.h"
#include "formats/safetensors.h"
#include "models/scratch_folder.h"

/* Header length, header, data. */
static void build(struct buffer *file, const char *header, size_t n_data_bytes)
{
    uint64_t n_header_bytes = strlen(header);
    buffer_append(file, &n_header_bytes, sizeof n_header_bytes);
    buffer_append_string(file, header);
    for (size_t i = 0; i < n_data_bytes; i++) buffer_append_byte(file, (unsigned char)i);
    assert_false(file->is_failed);
}

static void write_file(const struct scratch_folder *folder, const char *name, const char *header, size_t n_data_bytes)
{
    char path[256];
    struct buffer built = {0};
    build(&built, header, n_data_bytes);
    snprintf(path, sizeof path, "%s/%s", folder->path, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(built.bytes, 1, built.n_bytes, file), built.n_bytes);
    fclose(file);
    buffer_release(&built);
}

static hob_status parse_built(const struct buffer *built, struct tensor_file **ret_file, hob_error *error)
{
    struct tensor_file *file;
    assert_int_equal(tensor_file_new("x", "safetensors", &file, NULL), HOB_OK);
    hob_status status = safetensors_parse(built->bytes, built->n_bytes, "x", file, error);
    if (status == HOB_OK) *ret_file = file;
    else tensor_file_free(file);
    return status;
}

static void test_unaligned(void **state)
{
    (void)state;
    struct buffer built = {0};
    struct tensor_file *file = NULL;
    build(&built,
          "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
          "\"b\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[1,9]},"
          "\"__metadata__\":{\"format\":\"pt\"}}",
          9);
    assert_int_equal(parse_built(&built, &file, NULL), HOB_OK);
    const struct tensor *b = tensor_file_find(file, "b");
    assert_int_equal((uintptr_t)b->data % 8, 0);
    assert_int_equal(tensor_get_int(b, 0), 0x0807060504030201);
    assert_string_equal(tensor_file_get_string(file, "format"), "pt");
    tensor_file_free(file);
    buffer_release(&built);
}

static void test_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *header, *message;
        size_t n_data_bytes;
        hob_status status;
    } cases[] = {
        {"[]", "expected a JSON object", 0, HOB_BAD_FILE},
        {"{\"a\":", "header: line 1", 0, HOB_BAD_FILE},
        {"{\"a\":1}", "tensor a: expected an object", 0, HOB_BAD_FILE},
        {"{\"a\":{\"dtype\":\"F3\",\"shape\":[1],\"data_offsets\":[0,4]}}", "tensor a: dtype: found 'F3'", 4,
         HOB_BAD_TYPE},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", "tensor a: dim 0", 4, HOB_BAD_SHAPE},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":1,\"data_offsets\":[0,4]}}", "tensor a: shape: expected a list", 4,
         HOB_BAD_FILE},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", "found 4 bytes, expected the 8", 4,
         HOB_BAD_SHAPE},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", "expected a range inside", 3,
         HOB_BAD_FILE},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", "expected a range inside", 4,
         HOB_BAD_FILE},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", "expected two whole numbers", 4,
         HOB_BAD_FILE},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,4]}}", "larger than memory",
         4, HOB_BAD_SHAPE},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", "found 5 bytes of data, expected the 4", 5,
         HOB_BAD_FILE},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_"
         "offsets\":[1,3]}}",
         "tensor b: data_offsets: found a beginning at 1, expected 2", 3, HOB_BAD_FILE},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_"
         "offsets\":[2,3]}}",
         "tensor b: data_offsets: found a beginning at 2, expected 1", 3, HOB_BAD_FILE},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_"
         "offsets\":[0,0]}}",
         "duplicate", 0, HOB_BAD_FILE},
        {"{\"__metadata__\":{\"format\":1}}", "__metadata__: format: expected a text", 0, HOB_BAD_FILE},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct buffer built = {0};
        struct tensor_file *file = NULL;
        hob_error error = {0};
        build(&built, cases[i].header, cases[i].n_data_bytes);
        hob_status status = parse_built(&built, &file, &error);
        if (status != cases[i].status || !strstr(error.message, cases[i].message))
            fail_msg("case %zu: %s", i, error.message);
        buffer_release(&built);
    }
}

static const char one[] = "{\"one\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}";
static const char two[] = "{\"two\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]}}";

static void test_shards(void **state)
{
    (void)state;
    struct scratch_folder folder;
    struct format_content content;
    scratch_folder_make(&folder);
    write_file(&folder, "model-00001-of-00002.safetensors", one, 2);
    write_file(&folder, "model-00002-of-00002.safetensors", two, 3);
    scratch_folder_write(&folder, "model.safetensors.index.json",
                         "{\"metadata\":{},\"weight_map\":{\"one\":\"model-00001-of-00002.safetensors\","
                         "\"two\":\"model-00002-of-00002.safetensors\"}}");
    assert_int_equal(format_open(folder.path, &content, NULL), HOB_OK);
    assert_string_equal(content.folder, folder.path);
    assert_int_equal(content.tensors->n_tensors, 2);
    assert_int_equal(tensor_file_find(content.tensors, "two")->dims[0], 3);
    format_content_release(&content);
    scratch_folder_remove(&folder);
}

static void refuse_index(const char *index, const char *message)
{
    struct scratch_folder folder;
    struct format_content content;
    hob_error error = {0};
    scratch_folder_make(&folder);
    write_file(&folder, "a.safetensors", one, 2);
    scratch_folder_write(&folder, "model.safetensors.index.json", index);
    assert_int_not_equal(format_open(folder.path, &content, &error), HOB_OK);
    if (!strstr(error.message, message)) fail_msg("%s", error.message);
    scratch_folder_remove(&folder);
}

static void test_refuses_indexes(void **state)
{
    (void)state;
    refuse_index("{}", "weight_map: expected an object");
    refuse_index("{\"weight_map\":{\"one\":\"../a.safetensors\"}}", "found '../a.safetensors'");
    refuse_index("{\"weight_map\":{\"one\":\"/etc/passwd\"}}", "found '/etc/passwd'");
    refuse_index("{\"weight_map\":{\"one\":7}}", "expected the name of a file");
    refuse_index("{\"weight_map\":{\"one\":\"b.safetensors\"}}", "b.safetensors: No such file");
    refuse_index("{\"weight_map\":{\"three\":\"a.safetensors\"}}", "tensor three is not in a.safetensors");
}

static void test_folders(void **state)
{
    (void)state;
    struct scratch_folder folder;
    struct format_content content;
    hob_error error;
    scratch_folder_make(&folder);
    assert_int_equal(format_open(folder.path, &content, &error), HOB_BAD_FILE);
    assert_non_null(strstr(error.message, "found no weights in the folder"));
    scratch_folder_write(&folder, "pytorch_model.bin", "PK");
    assert_int_equal(format_open(folder.path, &content, &error), HOB_UNSUPPORTED);
    assert_non_null(strstr(error.message, "found pytorch_model.bin"));
    write_file(&folder, "weights.safetensors", one, 2);
    assert_int_equal(format_open(folder.path, &content, &error), HOB_OK);
    format_content_release(&content);
    write_file(&folder, "more.safetensors", two, 3);
    assert_int_equal(format_open(folder.path, &content, &error), HOB_BAD_FILE);
    assert_non_null(strstr(error.message, "found 2 .safetensors files"));
    write_file(&folder, "model.safetensors", two, 3);
    assert_int_equal(format_open(folder.path, &content, &error), HOB_OK);
    assert_non_null(tensor_file_find(content.tensors, "two"));
    format_content_release(&content);
    scratch_folder_remove(&folder);
}

static void test_files_that_are_no_models(void **state)
{
    (void)state;
    struct scratch_folder folder;
    struct format_content content;
    hob_error error;
    char path[256];
    static const struct {
        const char *name, *text, *message;
    } cases[] = {
        {"empty.gguf", "", "not a model: the file is empty"},
        {"empty.onnx", "", "not a model: the file is empty"},
        {"text.txt", "hello", "not a model: found 68 65 at its beginning, expected one of pack, gguf, safetensors, onnx"},
        {"text.gguf", "hello", "not a GGUF file: found 68 65 6c 6c"},
        {"text.onnx", "hello", "damaged, or not an ONNX model: byte 2: found wire type 4"},
        {"text.safetensors", "hello", "found 5 bytes, expected at least the 8"},
        {"no-graph.onnx", "\x08\x07", "not an ONNX model: found no graph"},
    };
    scratch_folder_make(&folder);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        scratch_folder_write(&folder, cases[i].name, cases[i].text);
        snprintf(path, sizeof path, "%s/%s", folder.path, cases[i].name);
        assert_int_equal(format_open(path, &content, &error), HOB_BAD_FILE);
        if (!strstr(error.message, cases[i].message)) fail_msg("%s", error.message);
        assert_int_equal(strncmp(error.message, path, strlen(path)), 0);
    }
    assert_int_equal(format_open("no-such-file", &content, &error), HOB_NOT_FOUND);
    scratch_folder_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unaligned), cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_shards),    cmocka_unit_test(test_refuses_indexes),
        cmocka_unit_test(test_folders),   cmocka_unit_test(test_files_that_are_no_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
