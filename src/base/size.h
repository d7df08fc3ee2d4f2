/* Overflow-checked sizes: every size that comes from a file goes through these. true = it fitted. */
#ifndef BASE_SIZE_H
#define BASE_SIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool size_mul(size_t a, size_t b, size_t *ret_product)
{
    return !__builtin_mul_overflow(a, b, ret_product);
}

static inline bool size_add(size_t a, size_t b, size_t *ret_sum)
{
    return !__builtin_add_overflow(a, b, ret_sum);
}

static inline bool int64_mul(int64_t a, int64_t b, int64_t *ret_product)
{
    return !__builtin_mul_overflow(a, b, ret_product);
}

/* alignment is a power of two; size must be at least `alignment` below SIZE_MAX. */
static inline size_t size_align(size_t size, size_t alignment)
{
    return (size + alignment - 1) & ~(alignment - 1);
}

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

#endif
