/* AVX2, FMA and F16C: Intel since Haswell (2013), AMD since Zen (2017). Every slot. F16C is older than AVX2 and in every
 * processor that has it; clang 14 has no way to ask. */
#if defined(__x86_64__)
#include "kernels/table.h"
#include "kernels/x86_avx2/x86_avx2.h"

static bool is_supported(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

const struct kernel_table_def kernel_table_x86_avx2 = {
    .is_supported = is_supported,
    .kernels = {
        "x86_avx2",
#define KERNEL(returns, slot, parameters) .slot = x86_avx2_##slot,
#include "kernels/kernels.def"
#undef KERNEL
    },
};
#endif
