/* The dot-product instructions of armv8.2-a: Cortex-A75 and everything since, Apple M1, Graviton 2. */
#if defined(__aarch64__)
#include "kernels/arm_dotprod/arm_dotprod.h"
#include "kernels/table.h"

#include <asm/hwcap.h>
#include <sys/auxv.h>

static bool is_supported(void)
{
    return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
}

const struct kernel_table_def kernel_table_arm_dotprod = {
    .is_supported = is_supported,
    .kernels =
        {
            .name = "arm_dotprod",
            .gemm_u8i8 = arm_dotprod_gemm_u8i8,
            .gemm_q4_0 = arm_dotprod_gemm_q4_0,
            .gemm_q4_1 = arm_dotprod_gemm_q4_1,
            .gemm_q5_0 = arm_dotprod_gemm_q5_0,
            .gemm_q5_1 = arm_dotprod_gemm_q5_1,
            .gemm_q8_0 = arm_dotprod_gemm_q8_0,
            .gemm_q4_k = arm_dotprod_gemm_q4_k,
            .gemm_q6_k = arm_dotprod_gemm_q6_k,
        },
};
#endif
