/* .npy: bytes as NumPy 1.24 wrote them, round trips, and damaged files. */
#include "unit.h"

#include "base/size.h"
#include "tensor/npy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A version 1.0 file: the dict is padded as NumPy pads it. Returns the number of bytes. */
static size_t make_npy(const char *dict, const void *data, size_t n_data_bytes, unsigned char *ret_bytes)
{
    memcpy(ret_bytes, "\x93NUMPY\x01\x00\x76\x00", 10);
    memset(ret_bytes + 10, ' ', 0x76);
    memcpy(ret_bytes + 10, dict, strlen(dict));
    ret_bytes[127] = '\n';
    memcpy(ret_bytes + 128, data, n_data_bytes);
    return 128 + n_data_bytes;
}

static hob_status read_made(const char *dict, const void *data, size_t n_data_bytes, struct arena *arena,
                            struct tensor *ret_tensor, hob_error *error)
{
    unsigned char bytes[512];
    size_t n_bytes = make_npy(dict, data, n_data_bytes, bytes);
    return npy_read(bytes, n_bytes, "x.npy", arena, ret_tensor, error);
}

static void test_numpy_orders(void **state)
{
    (void)state;
    struct arena arena;
    struct tensor tensor;
    arena_init(&arena, 4096);
    static const unsigned char fortran[] = {0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 2, 0, 0, 0, 5};
    assert_int_equal(read_made("{'descr': '>i4', 'fortran_order': True, 'shape': (2, 3), }", fortran, sizeof fortran,
                               &arena, &tensor, NULL),
                     HOB_OK);
    assert_true(tensor_has_shape(&tensor, 2, (const int64_t[]){2, 3}));
    for (int64_t i = 0; i < 6; i++) assert_int_equal(tensor_get_int(&tensor, i), i);
    static const unsigned char complex_big[] = {0x3f, 0x80, 0, 0, 0x40, 0, 0, 0};
    assert_int_equal(
        read_made("{'descr': '>c8', 'fortran_order': False, 'shape': (1,), }", complex_big, 8, &arena, &tensor, NULL),
        HOB_OK);
    assert_memory_equal(tensor.data, ((const float[]){1, 2}), 8);
    arena_release(&arena);
}

static void test_any_order_of_keys(void **state)
{
    (void)state;
    struct arena arena;
    struct tensor tensor;
    arena_init(&arena, 4096);
    assert_int_equal(read_made("{\"shape\":(),'fortran_order':False,'descr':'|b1'}", "\1", 1, &arena, &tensor, NULL),
                     HOB_OK);
    assert_int_equal(tensor.rank, 0);
    assert_int_equal(tensor.dtype, DTYPE_BOOL);
    assert_int_equal(
        read_made("{'shape': (2L,), 'fortran_order': False, 'descr': '<i2'}", "\1\0\2\0", 4, &arena, &tensor, NULL),
        HOB_OK);
    assert_int_equal(tensor_get_int(&tensor, 1), 2);
    arena_release(&arena);
}

static void test_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *dict, *message;
        hob_status status;
    } cases[] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }",
         "truncated: found 8 bytes of elements, expected 12", HOB_BAD_FILE},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (3,), }", "element type '|O'", HOB_BAD_TYPE},
        {"{'descr': '<U4', 'fortran_order': False, 'shape': (3,), }", "element type '<U4'", HOB_BAD_TYPE},
        {"{'descr': '<f4<f4<f4<f4<f4<f4'", "element type '<f4<f4<f4<f4<f4<...' is not supported", HOB_BAD_TYPE},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,), }", "structured", HOB_BAD_TYPE},
        {"{'descr': '<f4', 'shape': (3,), }", "expected descr, fortran_order and shape", HOB_BAD_FILE},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), 'more': 1}", "unexpected key 'more'", HOB_BAD_FILE},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-3,), }", "expected a dimension", HOB_BAD_FILE},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", "too large", HOB_BAD_FILE},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }", "larger than memory",
         HOB_BAD_SHAPE},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }", "more than 8", HOB_UNSUPPORTED},
        {"{'descr': '<f4", "a quoted string has no end", HOB_BAD_FILE},
        {"nonsense", "expected {", HOB_BAD_FILE},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct arena arena;
        struct tensor tensor = {.rank = 5};
        hob_error error;
        arena_init(&arena, 4096);
        assert_int_equal(read_made(cases[i].dict, "\0\0\0\0\0\0\0\0", 8, &arena, &tensor, &error), cases[i].status);
        if (!strstr(error.message, cases[i].message)) fail_msg("%s", error.message);
        assert_int_equal(strncmp(error.message, "x.npy: ", 7), 0);
        assert_int_equal(tensor.rank, 5);
        arena_release(&arena);
    }
}

static void test_every_length(void **state)
{
    (void)state;
    unsigned char bytes[512];
    size_t n_bytes =
        make_npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", "\0\0\0\0\0\0\0\0", 8, bytes);
    struct arena arena;
    arena_init(&arena, 4096);
    for (size_t n = 0; n <= n_bytes; n++) {
        struct tensor tensor;
        hob_error error = {0};
        unsigned char *exact = malloc(n ? n : 1); /* so that ASan sees a read behind the end */
        memcpy(exact, bytes, n);
        hob_status status = npy_read(exact, n, "x.npy", &arena, &tensor, &error);
        free(exact);
        assert_int_equal(status == HOB_OK, n == n_bytes);
        assert_true(status == HOB_OK || *error.message);
    }
    arena_release(&arena);
}

static void read_back(const char *path, struct arena *arena, struct tensor *ret_tensor)
{
    static unsigned char bytes[1024];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t n_bytes = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    assert_int_equal((bytes[8] + 256 * bytes[9] + 10) % 64, 0);
    assert_int_equal(npy_read(bytes, n_bytes, path, arena, ret_tensor, NULL), HOB_OK);
}

static void test_round_trip(void **state)
{
    (void)state;
    char path[] = P_tmpdir "/hob-npy-XXXXXX";
    close(mkstemp(path));
    struct arena arena;
    struct tensor tensor, found;
    int16_t storage[] = {1, 2, 3, 4, 5, 6};
    arena_init(&arena, 4096);
    assert_int_equal(tensor_init(&tensor, DTYPE_I16, 2, (const int64_t[]){2, 3}, storage, NULL), HOB_OK);
    struct tensor turned = tensor_transpose(&tensor, (const int[]){1, 0});
    assert_int_equal(npy_write(path, &turned, NULL), HOB_OK);
    read_back(path, &arena, &found);
    assert_true(tensor_same_shape(&found, &turned));
    assert_memory_equal(found.data, ((const int16_t[]){1, 4, 2, 5, 3, 6}), 12);
    uint16_t one_and_a_half = 0x3fc0;
    assert_int_equal(tensor_init(&tensor, DTYPE_BF16, 0, NULL, &one_and_a_half, NULL), HOB_OK);
    assert_int_equal(npy_write(path, &tensor, NULL), HOB_OK);
    read_back(path, &arena, &found);
    assert_int_equal(found.dtype, DTYPE_F32);
    assert_float_equal(*(float *)found.data, 1.5f, 0);
    remove(path);
    arena_release(&arena);
}

static void test_write_refuses(void **state)
{
    (void)state;
    struct tensor tensor;
    hob_error error;
    float number = 0;
    assert_int_equal(tensor_init(&tensor, DTYPE_STRING, 0, NULL, &number, NULL), HOB_OK);
    assert_int_equal(npy_write(P_tmpdir "/never.npy", &tensor, &error), HOB_BAD_TYPE);
    assert_int_equal(tensor_init(&tensor, DTYPE_F32, 0, NULL, &number, NULL), HOB_OK);
    assert_int_equal(npy_write(P_tmpdir "/no-such-folder/x.npy", &tensor, &error), HOB_IO);
    assert_non_null(strstr(error.message, "no-such-folder/x.npy: "));
    assert_int_not_equal(access(P_tmpdir "/never.npy", F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numpy_orders), cmocka_unit_test(test_any_order_of_keys),
        cmocka_unit_test(test_refuses),      cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_round_trip),   cmocka_unit_test(test_write_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
