/* Tensors at the library's edge: made, written, read back, refused. */
#include "engine/use.h"
#include "models/scratch_folder.h"

#include <string.h>

static void test_elements_are_copied(void **state)
{
    (void)state;
    hob_error error = {0};
    hob_tensor *tensor;
    float values[6] = {0, 1, 2, 3, 4, 5};
    ASSERT_HOB(hob_tensor_new(HOB_FLOAT32, 2, (int64_t[]){2, 3}, values, &tensor, &error), error);
    values[4] = -1;
    assert_true(((const float *)hob_tensor_data(tensor))[4] == 4);
    assert_int_equal(hob_tensor_type(tensor), HOB_FLOAT32);
    assert_string_equal(hob_tensor_type_name(tensor), "float32");
    assert_int_equal(hob_tensor_rank(tensor), 2);
    assert_int_equal(hob_tensor_dims(tensor)[1], 3);
    assert_int_equal(hob_tensor_n_items(tensor), 6);
    assert_int_equal(hob_tensor_n_bytes(tensor), 24);
    assert_null(hob_tensor_string(tensor, 0, NULL));
    hob_tensor_free(tensor);
    hob_tensor_free(NULL);
}

static void test_scalars_zeros_and_nothing(void **state)
{
    (void)state;
    hob_error error = {0};
    hob_tensor *tensor;
    ASSERT_HOB(hob_tensor_new(HOB_INT64, 0, NULL, NULL, &tensor, &error), error);
    assert_int_equal(hob_tensor_n_items(tensor), 1);
    assert_int_equal(*(const int64_t *)hob_tensor_data(tensor), 0);
    hob_tensor_free(tensor);
    ASSERT_HOB(hob_tensor_new(HOB_BOOL, 2, (int64_t[]){0, 7}, NULL, &tensor, &error), error);
    assert_int_equal(hob_tensor_n_items(tensor), 0);
    assert_non_null(hob_tensor_data(tensor));
    hob_tensor_free(tensor);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct refused_case {
        int type, rank;
        int64_t dims[HOB_MAX_RANK + 1];
        hob_status status;
        const char *message;
    } cases[] = {
        {HOB_STRING, 1, {1}, HOB_BAD_TYPE, "found type 8"},
        {0, 1, {1}, HOB_BAD_TYPE, "found type 0"},
        {-5, 1, {1}, HOB_BAD_TYPE, "found type -5"},
        {12345, 1, {1}, HOB_BAD_TYPE, "found type 12345"},
        {HOB_FLOAT32, 1, {-1}, HOB_BAD_SHAPE, "-1"},
        {HOB_FLOAT32, -1, {0}, HOB_BAD_SHAPE, "-1"},
        {HOB_FLOAT32, HOB_MAX_RANK + 1, {1, 1, 1, 1, 1, 1, 1, 1, 1}, HOB_BAD_SHAPE, "9"},
        {HOB_FLOAT32, 2, {INT64_MAX, 2}, HOB_BAD_SHAPE, "larger than memory can be"},
        {HOB_FLOAT64, 1, {INT64_MAX / 4}, HOB_BAD_SHAPE, "larger than memory can be"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hob_error error = {0};
        hob_tensor *tensor = NULL;
        hob_status status =
            hob_tensor_new((hob_type)cases[i].type, cases[i].rank, cases[i].dims, NULL, &tensor, &error);
        if (status != cases[i].status || !strstr(error.message, cases[i].message))
            fail_msg("case %zu: found %s \"%s\", expected %s \"%s\"", i, hob_status_name(status), error.message,
                     hob_status_name(cases[i].status), cases[i].message);
        assert_null(tensor);
    }
}

static void check_round_trip(const struct scratch_folder *folder, const char *name, hob_type type)
{
    char path[128];
    hob_error error = {0};
    hob_tensor *tensor, *read;
    unsigned char bytes[6 * 8];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)(type == HOB_BOOL ? i % 2 : i * 37);
    ASSERT_HOB(hob_tensor_new(type, 3, (int64_t[]){1, 3, 2}, bytes, &tensor, &error), error);
    snprintf(path, sizeof path, "%s/%s", folder->path, name);
    ASSERT_HOB(hob_tensor_write(tensor, path, &error), error);
    ASSERT_HOB(hob_tensor_read(path, &read, &error), error);
    assert_int_equal(hob_tensor_type(read), type);
    assert_int_equal(hob_tensor_rank(read), 3);
    assert_memory_equal(hob_tensor_dims(read), hob_tensor_dims(tensor), 3 * sizeof(int64_t));
    assert_memory_equal(hob_tensor_data(read), hob_tensor_data(tensor), hob_tensor_n_bytes(tensor));
    hob_tensor_free(tensor);
    hob_tensor_free(read);
}

static void test_round_trips(void **state)
{
    (void)state;
    static const hob_type types[] = {HOB_FLOAT32, HOB_UINT8, HOB_INT8,    HOB_UINT16,  HOB_INT16,  HOB_INT32,
                                     HOB_INT64,   HOB_BOOL,  HOB_FLOAT16, HOB_FLOAT64, HOB_UINT32, HOB_UINT64};
    struct scratch_folder folder;
    scratch_folder_make(&folder);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        check_round_trip(&folder, "x.npy", types[i]);
        check_round_trip(&folder, "x.pb", types[i]);
    }
    check_round_trip(&folder, "x.pb", HOB_BFLOAT16); /* NumPy has none */
    scratch_folder_remove(&folder);
}

/* TensorProto {dims: [2], data_type: STRING, string_data: ["a", "b\0c"]} */
static void test_strings(void **state)
{
    (void)state;
    static const char proto[] = "\x08\x02\x10\x08\x32\x01"
                                "a\x32\x03"
                                "b\0c";
    char path[128];
    size_t n_bytes;
    hob_error error = {0};
    hob_tensor *tensor;
    struct scratch_folder folder;
    scratch_folder_make(&folder);
    snprintf(path, sizeof path, "%s/strings.pb", folder.path);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(proto, 1, sizeof proto - 1, file), sizeof proto - 1);
    assert_int_equal(fclose(file), 0);
    ASSERT_HOB(hob_tensor_read(path, &tensor, &error), error);
    scratch_folder_remove(&folder); /* the tensor owns its strings */
    assert_int_equal(hob_tensor_type(tensor), HOB_STRING);
    assert_string_equal(hob_tensor_string(tensor, 0, NULL), "a");
    assert_memory_equal(hob_tensor_string(tensor, 1, &n_bytes), "b\0c", 4);
    assert_int_equal(n_bytes, 3);
    assert_null(hob_tensor_string(tensor, 2, NULL));
    hob_tensor_free(tensor);
}

static void test_files_that_are_refused(void **state)
{
    (void)state;
    hob_error error = {0};
    hob_tensor *tensor, *mark = NULL;
    assert_int_equal(hob_tensor_read("README.txt", &mark, &error), HOB_BAD_ARGUMENT);
    assert_string_equal(error.message, "README.txt: expected a name ending in .npy or .pb");
    assert_int_equal(hob_tensor_read("no/such.npy", &mark, &error), HOB_NOT_FOUND);
    assert_int_equal(hob_tensor_read("no/such.pb", &mark, &error), HOB_NOT_FOUND);
    assert_null(mark);
    ASSERT_HOB(hob_tensor_new(HOB_INT32, 0, NULL, NULL, &tensor, &error), error);
    assert_int_equal(hob_tensor_write(tensor, "x.txt", &error), HOB_BAD_ARGUMENT);
    assert_int_equal(hob_tensor_write(tensor, "no/such/folder/x.npy", &error), HOB_IO);
    assert_non_null(strstr(error.message, "no/such/folder/x.npy"));
    hob_tensor_free(tensor);
}

static void test_version(void **state)
{
    (void)state;
    assert_string_equal(hob_version(), HOB_VERSION_STRING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elements_are_copied),
        cmocka_unit_test(test_scalars_zeros_and_nothing),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_files_that_are_refused),
        cmocka_unit_test(test_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
