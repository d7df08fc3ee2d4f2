/* Types, shapes and views: views are compared with an index walk written here. */
#include "unit.h"

#include "base/size.h"
#include "tensor/tensor.h"

#include <string.h>

static struct tensor make(enum dtype dtype, int rank, const int64_t *dims, void *data)
{
    struct tensor tensor;
    assert_int_equal(tensor_init(&tensor, dtype, rank, dims, data, NULL), HOB_OK);
    return tensor;
}

static struct tensor make_counting(int rank, const int64_t *dims, int32_t *storage, size_t n_storage)
{
    for (size_t i = 0; i < n_storage; i++) storage[i] = (int32_t)i;
    struct tensor tensor = make(DTYPE_I32, rank, dims, storage);
    assert_true((size_t)tensor_n_items(&tensor) <= n_storage);
    return tensor;
}

static void expect_items(const struct tensor *tensor, const int32_t *expected, int64_t n_items)
{
    int32_t copied[64] = {0};
    assert_int_equal(tensor_n_items(tensor), n_items);
    tensor_copy_contiguous(tensor, copied);
    for (int64_t i = 0; i < n_items; i++) {
        assert_int_equal(copied[i], expected[i]);
        assert_int_equal(tensor_get_int(tensor, i), expected[i]);
    }
}

static void test_dtypes(void **state)
{
    (void)state;
    assert_string_equal(dtype_name(DTYPE_BF16), "bfloat16");
    assert_string_equal(dtype_name((enum dtype)127), "undefined");
    assert_string_equal(dtype_name((enum dtype) - 1), "undefined");
    assert_false(dtype_is_known(0));
    assert_int_equal(dtype_block_items(DTYPE_Q8_0), 32);
    assert_int_equal(dtype_block_bytes(DTYPE_Q8_0), 34);
    assert_true(dtype_is_float(DTYPE_F8E5M2));
    assert_false(dtype_is_float(DTYPE_BOOL));
    assert_true(dtype_is_integer(DTYPE_U4));
    assert_false(dtype_is_integer(DTYPE_BOOL));
}

static void test_npy_types(void **state)
{
    (void)state;
    for (int id = 1; id < DTYPE_END; id++) {
        if (!dtype_is_known(id) || !*dtype_npy((enum dtype)id)) continue;
        const char *npy = dtype_npy((enum dtype)id);
        assert_int_equal(dtype_from_npy(npy, strlen(npy)), id);
    }
    assert_int_equal(dtype_from_npy("<i1", 3), DTYPE_I8);
    assert_int_equal(dtype_from_npy("|f4", 3), DTYPE_NONE);
    assert_int_equal(dtype_from_npy(">f4", 3), DTYPE_NONE);
    assert_int_equal(dtype_from_npy("<f", 2), DTYPE_NONE);
}

static void test_init_refuses(void **state)
{
    (void)state;
    static const int64_t negative[] = {2, -1}, huge[] = {INT64_MAX / 2, 3}, empty_huge[] = {0, INT64_MAX / 2, 3};
    static const int64_t no_blocks[] = {2, 33}, many[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    struct tensor tensor = {.rank = 7};
    hob_error error;
    assert_int_equal(tensor_init(&tensor, DTYPE_F32, 2, negative, NULL, &error), HOB_BAD_SHAPE);
    assert_int_equal(tensor_init(&tensor, DTYPE_F32, 2, huge, NULL, &error), HOB_BAD_SHAPE);
    assert_int_equal(tensor_init(&tensor, DTYPE_F32, 3, empty_huge, NULL, &error), HOB_BAD_SHAPE);
    assert_int_equal(tensor_init(&tensor, DTYPE_Q8_0, 2, no_blocks, NULL, &error), HOB_BAD_SHAPE);
    assert_int_equal(tensor_init(&tensor, DTYPE_Q8_0, 0, NULL, NULL, &error), HOB_BAD_SHAPE);
    assert_int_equal(tensor_init(&tensor, DTYPE_F32, 9, many, NULL, &error), HOB_BAD_SHAPE);
    assert_int_equal(tensor.rank, 7);
}

static void test_sizes(void **state)
{
    (void)state;
    struct tensor scalar = make(DTYPE_F64, 0, NULL, NULL);
    assert_int_equal(tensor_n_items(&scalar), 1);
    assert_int_equal(tensor_n_bytes(&scalar), 8);
    assert_true(tensor_is_contiguous(&scalar));
    struct tensor blocks = make(DTYPE_Q4_0, 2, (const int64_t[]){3, 64}, NULL);
    assert_int_equal(tensor_n_bytes(&blocks), 3 * 2 * 18);
    struct tensor nibbles = make(DTYPE_I4, 1, (const int64_t[]){5}, NULL);
    assert_int_equal(tensor_n_bytes(&nibbles), 5);
    struct tensor empty = make(DTYPE_F32, 2, (const int64_t[]){4, 0}, NULL);
    assert_int_equal(tensor_n_bytes(&empty), 0);
    assert_true(tensor_is_contiguous(&empty));
}

static void test_shape_text(void **state)
{
    (void)state;
    char text[TENSOR_SHAPE_TEXT_BYTES];
    static const int64_t dims[] = {2, -1, INT64_MAX},
                         longest[9] = {INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX,
                                       INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX};
    assert_string_equal(tensor_shape_text(0, NULL, text), "[]");
    assert_string_equal(tensor_shape_text(3, dims, text), "[2,?,9223372036854775807]");
    assert_string_equal(tensor_shape_text(-1, NULL, text), "[...]");
    tensor_shape_text(9, longest, text);
    assert_non_null(strstr(text, ",...]"));
}

static void test_broadcast_shapes(void **state)
{
    (void)state;
    int rank;
    int64_t dims[TENSOR_MAX_RANK];
    assert_true(shape_broadcast(3, (const int64_t[]){4, 1, 3}, 2, (const int64_t[]){5, 1}, &rank, dims));
    assert_int_equal(rank, 3);
    assert_memory_equal(dims, ((const int64_t[]){4, 5, 3}), 3 * sizeof *dims);
    assert_true(shape_broadcast(1, (const int64_t[]){0}, 1, (const int64_t[]){1}, &rank, dims));
    assert_int_equal(dims[0], 0);
    assert_false(shape_broadcast(1, (const int64_t[]){2}, 1, (const int64_t[]){3}, &rank, dims));
    int axis;
    assert_true(shape_normalize_axis(-1, 3, &axis));
    assert_int_equal(axis, 2);
    assert_false(shape_normalize_axis(3, 3, &axis));
    assert_false(shape_normalize_axis(-4, 3, &axis));
    assert_false(shape_normalize_axis(0, 0, &axis));
}

static void test_transpose(void **state)
{
    (void)state;
    int32_t storage[6];
    struct tensor tensor = make_counting(2, (const int64_t[]){2, 3}, storage, 6);
    struct tensor turned = tensor_transpose(&tensor, (const int[]){1, 0});
    assert_false(tensor_is_contiguous(&turned));
    expect_items(&turned, (const int32_t[]){0, 3, 1, 4, 2, 5}, 6);
}

static void test_slice(void **state)
{
    (void)state;
    int32_t storage[12];
    struct tensor tensor = make_counting(2, (const int64_t[]){3, 4}, storage, 12);
    struct tensor columns = tensor_slice(&tensor, 1, 3, 2, -2);
    expect_items(&columns, (const int32_t[]){3, 1, 7, 5, 11, 9}, 6);
    struct tensor row = tensor_slice(&columns, 0, 1, 1, 1);
    expect_items(&row, (const int32_t[]){7, 5}, 2);
    struct tensor nothing = tensor_slice(&tensor, 0, 3, 0, 1);
    assert_int_equal(tensor_n_items(&nothing), 0);
    struct tensor planned = make(DTYPE_I32, 1, (const int64_t[]){4}, NULL);
    assert_null(tensor_slice(&planned, 0, 1, 2, 1).data);
}

static void test_broadcast_view(void **state)
{
    (void)state;
    int32_t storage[3];
    struct tensor tensor = make_counting(2, (const int64_t[]){3, 1}, storage, 3);
    struct tensor wide = tensor_broadcast(&tensor, 3, (const int64_t[]){2, 3, 2});
    expect_items(&wide, (const int32_t[]){0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2}, 12);
}

/* Every view that reshape grants must show the same elements in the same order as a copy would. */
static void test_reshape(void **state)
{
    (void)state;
    int32_t storage[24], expected[24], found[24];
    struct tensor tensor = make_counting(3, (const int64_t[]){2, 3, 4}, storage, 24), view;
    static const int permutations[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {2, 1, 0}, {1, 2, 0}, {2, 0, 1}};
    static const int64_t shapes[][4] = {{24, 1, 1, 1}, {1, 24, 1, 1}, {2, 12, 1, 1}, {6, 4, 1, 1},
                                        {2, 3, 2, 2},  {3, 8, 1, 1},  {4, 3, 2, 1},  {1, 2, 3, 4},
                                        {12, 1, 2, 1}, {3, 2, 2, 2},  {4, 6, 1, 1}};
    size_t n_views = 0;
    for (size_t p = 0; p < ARRAY_LENGTH(permutations); p++) {
        struct tensor turned = tensor_transpose(&tensor, permutations[p]);
        tensor_copy_contiguous(&turned, expected);
        for (size_t s = 0; s < ARRAY_LENGTH(shapes); s++) {
            if (!tensor_reshape(&turned, 4, shapes[s], &view)) continue;
            n_views++;
            assert_true(tensor_has_shape(&view, 4, shapes[s]));
            tensor_copy_contiguous(&view, found);
            assert_memory_equal(found, expected, sizeof expected);
        }
    }
    assert_true(n_views > ARRAY_LENGTH(shapes)); /* more than the contiguous one's */
}

static void test_reshape_of_strides(void **state)
{
    (void)state;
    int32_t storage[24];
    struct tensor tensor = make_counting(3, (const int64_t[]){2, 3, 4}, storage, 24), view;
    struct tensor heads = tensor_transpose(&tensor, (const int[]){1, 0, 2});
    assert_false(tensor_reshape(&heads, 2, (const int64_t[]){6, 4}, &view));
    assert_true(tensor_reshape(&heads, 4, (const int64_t[]){3, 2, 2, 2}, &view));
    struct tensor rows = tensor_slice(&tensor, 2, 0, 3, 1);
    assert_true(tensor_reshape(&rows, 2, (const int64_t[]){6, 3}, &view));
    expect_items(&view, (const int32_t[]){0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 16, 17, 18, 20, 21, 22}, 18);
    assert_false(tensor_reshape(&rows, 1, (const int64_t[]){18}, &view));
    struct tensor zeros = tensor_broadcast(&tensor, 4, (const int64_t[]){5, 2, 3, 4});
    assert_true(tensor_reshape(&zeros, 2, (const int64_t[]){5, 24}, &view));
    assert_int_equal(view.strides[0], 0);
}

static void test_get_int(void **state)
{
    (void)state;
    int8_t small[] = {-128, 127};
    uint16_t middle[] = {65535, 1};
    int64_t large[] = {INT64_MIN, 5};
    struct tensor tensor = make(DTYPE_I8, 1, (const int64_t[]){2}, small);
    assert_int_equal(tensor_get_int(&tensor, 0), -128);
    tensor = make(DTYPE_U16, 1, (const int64_t[]){2}, middle);
    assert_int_equal(tensor_get_int(&tensor, 0), 65535);
    tensor = make(DTYPE_I64, 1, (const int64_t[]){2}, large);
    assert_true(tensor_get_int(&tensor, 0) == INT64_MIN);
    struct tensor backwards = tensor_slice(&tensor, 0, 1, 2, -1);
    assert_int_equal(tensor_get_int(&backwards, 0), 5);
}

static void test_copy_sizes(void **state)
{
    (void)state;
    static const enum dtype dtypes[] = {DTYPE_U8, DTYPE_F16, DTYPE_F32, DTYPE_F64, DTYPE_C128};
    for (size_t d = 0; d < ARRAY_LENGTH(dtypes); d++) {
        size_t item = dtype_block_bytes(dtypes[d]);
        unsigned char bytes[6 * 16], copied[6 * 16];
        for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)i;
        struct tensor tensor = make(dtypes[d], 2, (const int64_t[]){2, 3}, bytes);
        struct tensor turned = tensor_transpose(&tensor, (const int[]){1, 0});
        tensor_copy_contiguous(&turned, copied);
        static const size_t order[] = {0, 3, 1, 4, 2, 5};
        for (size_t i = 0; i < 6; i++) assert_memory_equal(copied + i * item, bytes + order[i] * item, item);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dtypes),
        cmocka_unit_test(test_npy_types),
        cmocka_unit_test(test_init_refuses),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_shape_text),
        cmocka_unit_test(test_broadcast_shapes),
        cmocka_unit_test(test_transpose),
        cmocka_unit_test(test_slice),
        cmocka_unit_test(test_broadcast_view),
        cmocka_unit_test(test_reshape),
        cmocka_unit_test(test_reshape_of_strides),
        cmocka_unit_test(test_get_int),
        cmocka_unit_test(test_copy_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
