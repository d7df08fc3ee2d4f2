#include "unit.h"

#include "base/memory.h"

#include <string.h>

static void test_new_is_zeroed(void **state)
{
    (void)state;
    unsigned char *block = memory_new(100, 3);
    assert_non_null(block);
    for (size_t i = 0; i < 300; i++) assert_int_equal(block[i], 0);
    memory_free(block);
}

static void test_zero_items_give_a_pointer(void **state)
{
    (void)state;
    void *blocks[] = {memory_new(0, 8), memory_new(8, 0), memory_aligned(0), memory_resize(NULL, 0, 8)};
    for (size_t i = 0; i < 4; i++) {
        assert_non_null(blocks[i]);
        memory_free(blocks[i]);
    }
    memory_free(NULL);
}

static void test_sizes_that_overflow_give_null(void **state)
{
    (void)state;
    assert_null(memory_new(SIZE_MAX / 2, 3));
    assert_null(memory_aligned(SIZE_MAX));
    assert_null(memory_aligned(SIZE_MAX - 64));
    char *block = memory_new(4, 1);
    memcpy(block, "hob", 4);
    assert_null(memory_resize(block, SIZE_MAX / 2, 3));
    assert_null(memory_resize(block, SIZE_MAX / 2, 1));
    assert_string_equal(block, "hob");
    memory_free(block);
}

static void test_resize_keeps_what_was_there(void **state)
{
    (void)state;
    char *block = memory_resize(NULL, 4, 1);
    memcpy(block, "hob", 4);
    block = memory_resize(block, 100000, 1);
    assert_string_equal(block, "hob");
    memory_free(block);
}

static void test_aligned_is_aligned(void **state)
{
    (void)state;
    for (size_t n = 1; n < 300; n += 7) {
        unsigned char *block = memory_aligned(n);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % 64, 0);
        memset(block, 1, n);
        memory_free(block);
    }
}

static void test_strings_are_copied(void **state)
{
    (void)state;
    char text[] = "hob";
    char *copy = memory_copy_string(text);
    text[0] = 'x';
    assert_string_equal(copy, "hob");
    memory_free(copy);
    assert_null(memory_copy_string(NULL));
}

static void test_every_block_is_counted(void **state)
{
    (void)state;
    uint64_t before = memory_n_allocations();
    void *first = memory_new(1, 1), *second = memory_aligned(1);
    first = memory_resize(first, 10, 1);
    char *third = memory_copy_string("a");
    memory_free(first);
    memory_free(second);
    memory_free(third);
    assert_int_equal(memory_n_allocations() - before, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_is_zeroed),
        cmocka_unit_test(test_zero_items_give_a_pointer),
        cmocka_unit_test(test_sizes_that_overflow_give_null),
        cmocka_unit_test(test_resize_keeps_what_was_there),
        cmocka_unit_test(test_aligned_is_aligned),
        cmocka_unit_test(test_strings_are_copied),
        cmocka_unit_test(test_every_block_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
