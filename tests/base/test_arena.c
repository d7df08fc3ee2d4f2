#include "unit.h"

#include "base/arena.h"

#include <stdint.h>
#include <string.h>

static void test_a_new_arena_owns_nothing(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1024);
    assert_int_equal(arena.total_bytes, 0);
    arena_clear(&arena);
    arena_release(&arena);
    struct arena zeroed = {0};
    arena_release(&zeroed);
}

static void test_blocks_are_aligned_and_apart(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 256);
    unsigned char *blocks[200];
    for (size_t i = 0; i < 200; i++) {
        size_t alignment = (size_t)1 << i % 7; /* 1 to 64 */
        blocks[i] = arena_alloc(&arena, i % 50, alignment);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % alignment, 0);
        memset(blocks[i], (int)i, i % 50);
    }
    for (size_t i = 0; i < 200; i++)
        for (size_t j = 0; j < i % 50; j++) assert_int_equal(blocks[i][j], i);
    arena_release(&arena);
    assert_int_equal(arena.total_bytes, 0);
}

static void test_a_large_block_gets_a_chunk_of_its_own(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 128);
    assert_non_null(arena_alloc(&arena, 1, 1));
    unsigned char *large = arena_alloc(&arena, 100000, 64);
    assert_non_null(large);
    memset(large, 1, 100000);
    assert_true(arena.total_bytes >= 100000);
    arena_release(&arena);
}

static void test_clear_keeps_the_chunks(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1000);
    void *first = arena_alloc(&arena, 900, 1);
    assert_non_null(arena_alloc(&arena, 900, 1));
    assert_non_null(arena_alloc(&arena, 900, 1));
    size_t total_bytes = arena.total_bytes;
    for (int round = 0; round < 3; round++) {
        arena_clear(&arena);
        assert_ptr_equal(arena_alloc(&arena, 900, 1), first);
        assert_non_null(arena_alloc(&arena, 900, 1));
        assert_non_null(arena_alloc(&arena, 900, 1));
        assert_int_equal(arena.total_bytes, total_bytes);
    }
    arena_release(&arena);
}

static void test_new_is_zeroed_even_when_reused(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1024);
    memset(arena_alloc(&arena, 1000, 1), 0xFF, 1000);
    arena_clear(&arena);
    uint64_t *numbers = ARENA_NEW(&arena, uint64_t, 100);
    for (int i = 0; i < 100; i++) assert_int_equal(numbers[i], 0);
    arena_release(&arena);
}

static void test_copies(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 64);
    char *text = arena_copy_string(&arena, "hobgoblin", 3);
    assert_string_equal(text, "hob");
    assert_string_equal(arena_copy_string(&arena, NULL, 0), "");
    uint32_t number = 7, *copy = arena_copy(&arena, &number, sizeof number, _Alignof(uint32_t));
    number = 8;
    assert_int_equal(*copy, 7);
    assert_non_null(arena_copy(&arena, NULL, 0, 1));
    arena_release(&arena);
}

static void test_sizes_that_overflow_give_null(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 64);
    assert_null(arena_new(&arena, SIZE_MAX / 2, 3, 1));
    assert_null(arena_alloc(&arena, SIZE_MAX - 8, 8));
    assert_null(arena_copy_string(&arena, "x", SIZE_MAX));
    assert_null(arena_copy_string(&arena, "x", SIZE_MAX - 1));
    assert_null(arena_copy(&arena, "x", SIZE_MAX - 1, 1));
    assert_non_null(arena_alloc(&arena, 8, 8)); /* still good */
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_new_arena_owns_nothing),
        cmocka_unit_test(test_blocks_are_aligned_and_apart),
        cmocka_unit_test(test_a_large_block_gets_a_chunk_of_its_own),
        cmocka_unit_test(test_clear_keeps_the_chunks),
        cmocka_unit_test(test_new_is_zeroed_even_when_reused),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_sizes_that_overflow_give_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
