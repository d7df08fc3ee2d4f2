/* hob_similarity against long double: the nearest float or the one beside it, whatever the lengths; the ends and the odd ones. */
#include "unit.h"

#include "hob/embed.h"

#include <math.h>
#include <stdint.h>

enum { MOST = 1024 };

static uint32_t random_state = 1;

static float random_number(void)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (float)(int32_t)random_state / 2147483648.0f;
}

static float cosine(const float *a, const float *b, size_t n)
{
    long double product = 0, a_squares = 0, b_squares = 0;
    for (size_t i = n; i-- > 0;) { /* the other way round */
        product += (long double)a[i] * (long double)b[i];
        a_squares += (long double)a[i] * (long double)a[i];
        b_squares += (long double)b[i] * (long double)b[i];
    }
    return (float)(product / sqrtl(a_squares * b_squares));
}

static void check(float scale, size_t n)
{
    static float a[MOST], b[MOST];
    for (size_t i = 0; i < n; i++) {
        a[i] = random_number() * scale;
        b[i] = random_number() / scale + a[i] * 0.5f;
    }
    float found = hob_similarity(a, b, n), expected = cosine(a, b, n);
    if (found != expected && found != nextafterf(expected, 2) && found != nextafterf(expected, -2))
        fail_msg("%zu numbers times %g: found %.9g, expected %.9g", n, (double)scale, (double)found, (double)expected);
}

static void test_random_vectors(void **state)
{
    (void)state;
    for (size_t n = 1; n <= MOST; n = n < 20 ? n + 1 : n * 2)
        for (int i = 0; i < 200; i++) check(i % 4 == 0 ? 1 : i % 4 == 1 ? 1e-18f : i % 4 == 2 ? 1e15f : 3, n);
}

static void test_ends(void **state)
{
    (void)state;
    const float a[] = {1, 2, 3}, back[] = {-2, -4, -6}, across[] = {3, 0, -1}, none[] = {0, 0, 0}, large[] = {3e38f, 3e38f, 3e38f};
    const float tiny[] = {1e-45f, 0, 0};
    assert_true(hob_similarity(a, a, 3) == 1);
    assert_true(hob_similarity(a, back, 3) == -1);
    assert_true(hob_similarity(a, across, 3) == 0);
    assert_true(hob_similarity(a, none, 3) == 0);
    assert_true(hob_similarity(a, a, 0) == 0);
    assert_true(hob_similarity(large, large, 3) == 1);
    assert_true(hob_similarity(tiny, tiny, 3) == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_vectors), cmocka_unit_test(test_ends)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
