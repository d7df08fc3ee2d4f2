/* Execution providers: found by name, opened and released. */
#include "unit.h"

#include "ops/op.h"
#include "providers/providers.h"

static void test_found_by_name(void **state)
{
    (void)state;
    const struct provider_def *cpu = provider_find("cpu");
    assert_non_null(cpu);
    assert_string_equal(cpu->name, "cpu");
    assert_null(provider_find("abacus"));
    assert_null(provider_find(""));
}

static void test_cpu_takes_every_operator(void **state)
{
    (void)state;
    struct provider cpu = {.def = provider_find("cpu")};
    assert_int_equal(cpu.def->open(&(struct provider_options){.n_threads = 2}, &cpu, NULL), HOB_OK);
    assert_non_null(cpu.kernels);
    assert_true(cpu.def->has_op(&cpu, op_find("", "MatMul", 17)));
    assert_false(cpu.def->has_op(&cpu, NULL));
    cpu.def->release(&cpu);
    cpu.def->release(&cpu); /* as a session that failed half-way does */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_found_by_name),
                                       cmocka_unit_test(test_cpu_takes_every_operator)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
