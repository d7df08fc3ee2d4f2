/* What the kernel tests share: reproducible numbers, a loop over the tables of this machine, comparison bit by bit.
 *
 * NaNs count as equal whatever their payload: the order of operands of an addition, which decides it, is the compiler's.
 */
#ifndef KERNEL_TEST_H
#define KERNEL_TEST_H

#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "kernels/kernels.h"

#define FOR_EACH_TABLE(table)                                                                              \
    for (size_t table##_index = 0; table##_index < 64; table##_index++)                                    \
        for (const struct kernels *table = kernels_at(table##_index); table; table = NULL)

static inline uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* In [-1, 1). */
static inline float random_float(uint32_t *state)
{
    return (float)(int32_t)next_random(state) * 0x1p-31f;
}

/* n floats, 64-byte aligned; free with memory_free. */
static inline float *new_floats(int64_t n)
{
    float *floats = memory_aligned((size_t)(n > 0 ? n : 1) * sizeof *floats);
    assert_non_null(floats);
    return floats;
}

static inline float *new_random_floats(int64_t n, uint32_t seed)
{
    float *floats = new_floats(n);
    uint32_t state = seed * 2654435761u | 1;
    for (int64_t i = 0; i < n; i++) floats[i] = random_float(&state);
    return floats;
}

static inline void fill(float *floats, int64_t n, float value)
{
    for (int64_t i = 0; i < n; i++) floats[i] = value;
}

static inline void assert_same_bits(const char *what, const float *found, const float *expected, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        if (found[i] != found[i] && expected[i] != expected[i]) continue;
        if (memcmp(&found[i], &expected[i], sizeof *found) == 0) continue;
        fail_msg("%s: item %lld: found %a, expected %a", what, (long long)i, (double)found[i], (double)expected[i]);
    }
}

/* Distance to the exact value in units in the last place of the f32 result; infinite when one is NaN or infinite and the
 * other is not. */
static inline double error_in_ulp(float found, double exact)
{
    float nearest = (float)exact;
    if (found != found || exact != exact) return found != found && exact != exact ? 0 : INFINITY;
    if (isinf(nearest) || isinf(found)) return found == nearest ? 0 : INFINITY;
    double magnitude = fabs(exact) < 0x1p-126 ? 0x1p-126 : fabs(exact);
    return fabs((double)found - exact) / ldexp(1, ilogb(magnitude) - 23);
}

#endif
