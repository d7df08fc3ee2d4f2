/* Tables: generic is always there and first, every slot is filled, and HOB_KERNELS picks one. */
#include "kernel_test.h"

#include <stdlib.h>

static void test_tables(void **state)
{
    (void)state;
    assert_non_null(kernels_at(0));
    assert_string_equal(kernels_at(0)->name, "generic");
    FOR_EACH_TABLE(table)
    {
        assert_ptr_equal(kernels_by_name(table->name), table);
#define KERNEL(returns, slot, parameters) assert_non_null(table->slot);
#include "kernels/kernels.def"
#undef KERNEL
    }
    assert_null(kernels_by_name("abacus"));
}

/* main sets the variable before anything asks for a table. */
static void test_environment_picks(void **state)
{
    (void)state;
    assert_ptr_equal(kernels_select(), kernels_by_name("generic"));
}

/* The table stays what it was; a name that the machine does not know is told. */
static void test_unknown_names_are_told(void **state)
{
    (void)state;
    hob_error error;
    assert_int_equal(kernels_check_choice(&error), HOB_OK);
    setenv("HOB_KERNELS", "abacus", 1);
    assert_int_equal(kernels_check_choice(&error), HOB_BAD_ARGUMENT);
    assert_non_null(strstr(error.message, "found abacus, expected one of generic"));
    setenv("HOB_KERNELS", "generic", 1);
    assert_int_equal(kernels_check_choice(&error), HOB_OK);
}

int main(void)
{
    setenv("HOB_KERNELS", "generic", 1);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_tables), cmocka_unit_test(test_environment_picks),
                                       cmocka_unit_test(test_unknown_names_are_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
