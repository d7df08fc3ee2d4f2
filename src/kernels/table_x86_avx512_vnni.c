/* AVX-512 with VNNI, dot products of four bytes: Intel servers since Cascade Lake (2019), AMD since Zen 4 (2022). Products of
 * bytes only; the rest is AVX-512's. */
#if defined(__x86_64__)
#include "kernels/table.h"
#include "kernels/x86_avx512_vnni/x86_avx512_vnni.h"

static bool is_supported(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vnni");
}

const struct kernel_table_def kernel_table_x86_avx512_vnni = {
    .is_supported = is_supported,
    .kernels =
        {
            .name = "x86_avx512_vnni",
            .gemm_u8i8 = x86_avx512_vnni_gemm_u8i8,
            .gemm_q4_0 = x86_avx512_vnni_gemm_q4_0,
            .gemm_q4_1 = x86_avx512_vnni_gemm_q4_1,
            .gemm_q5_0 = x86_avx512_vnni_gemm_q5_0,
            .gemm_q5_1 = x86_avx512_vnni_gemm_q5_1,
            .gemm_q8_0 = x86_avx512_vnni_gemm_q8_0,
            .gemm_q4_k = x86_avx512_vnni_gemm_q4_k,
            .gemm_q6_k = x86_avx512_vnni_gemm_q6_k,
        },
};
#endif
