/* What every unit test includes first: cmocka with the headers it wants before it.
 *
 * A test program is tests/<room>/test_<thing>.c, linked with libhob.a, so internal headers and functions are visible; it runs
 * with the repository root as its working directory.
 *
 *     int main(void)
 *     {
 *         const struct CMUnitTest tests[] = {cmocka_unit_test(test_grows)};
 *         return cmocka_run_group_tests(tests, NULL, NULL);
 *     }
 */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#endif
