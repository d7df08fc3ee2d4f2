#include "unit.h"

#include "base/size.h"

static void test_products(void **state)
{
    (void)state;
    size_t product = 42;
    assert_true(size_mul(6, 7, &product));
    assert_int_equal(product, 42);
    assert_true(size_mul(SIZE_MAX, 1, &product));
    assert_true(product == SIZE_MAX);
    assert_true(size_mul(SIZE_MAX, 0, &product));
    assert_int_equal(product, 0);
    assert_false(size_mul(SIZE_MAX / 2 + 1, 2, &product));
    assert_false(size_mul((size_t)1 << 32, (size_t)1 << 32, &product));
}

static void test_sums(void **state)
{
    (void)state;
    size_t sum;
    assert_true(size_add(SIZE_MAX - 1, 1, &sum));
    assert_true(sum == SIZE_MAX);
    assert_false(size_add(SIZE_MAX, 1, &sum));
}

static void test_signed_products(void **state)
{
    (void)state;
    int64_t product;
    assert_true(int64_mul(-3, 4, &product));
    assert_true(product == -12);
    assert_false(int64_mul(INT64_MAX, 2, &product));
    assert_false(int64_mul(INT64_MIN, -1, &product));
}

static void test_alignment(void **state)
{
    (void)state;
    assert_int_equal(size_align(0, 64), 0);
    assert_int_equal(size_align(1, 64), 64);
    assert_int_equal(size_align(64, 64), 64);
    assert_int_equal(size_align(65, 64), 128);
    assert_int_equal(size_align(7, 1), 7);
}

static void test_array_length(void **state)
{
    (void)state;
    int numbers[5];
    assert_int_equal(ARRAY_LENGTH(numbers), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products),  cmocka_unit_test(test_sums),         cmocka_unit_test(test_signed_products),
        cmocka_unit_test(test_alignment), cmocka_unit_test(test_array_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
