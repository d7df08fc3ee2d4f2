/* The scalar kernels: every slot, every machine. */
#include "kernels/generic/generic.h"
#include "kernels/table.h"

static bool is_supported(void)
{
    return true;
}

const struct kernel_table_def kernel_table_generic = {
    .is_supported = is_supported,
    .kernels = {
        "generic",
#define KERNEL(returns, slot, parameters) .slot = generic_##slot,
#include "kernels/kernels.def"
#undef KERNEL
    },
};
