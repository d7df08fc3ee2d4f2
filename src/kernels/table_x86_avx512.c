/* AVX-512 F, VL, BW and DQ: Intel servers since Skylake (2017), AMD since Zen 4 (2022). Only what takes the time of
 * convolutions and matrix products; the rest is AVX2's. */
#if defined(__x86_64__)
#include "kernels/table.h"
#include "kernels/x86_avx512/x86_avx512.h"

static bool is_supported(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq");
}

const struct kernel_table_def kernel_table_x86_avx512 = {
    .is_supported = is_supported,
    .kernels =
        {
            .name = "x86_avx512",
            .gemm_f32 = x86_avx512_gemm_f32,
            .gemm_f16 = x86_avx512_gemm_f16,
            .gemm_bf16 = x86_avx512_gemm_bf16,
            .attention_f32 = x86_avx512_attention_f32,
            .patches_f32 = x86_avx512_patches_f32,
            .finish_f32 = x86_avx512_finish_f32,
            .exp_f32 = x86_avx512_exp_f32,
            .tanh_f32 = x86_avx512_tanh_f32,
            .erf_f32 = x86_avx512_erf_f32,
            .sigmoid_f32 = x86_avx512_sigmoid_f32,
            .silu_f32 = x86_avx512_silu_f32,
            .gelu_f32 = x86_avx512_gelu_f32,
            .gelu_tanh_f32 = x86_avx512_gelu_tanh_f32,
            .swiglu_f32 = x86_avx512_swiglu_f32,
            .range_f32 = x86_avx512_range_f32,
            .quantize_u8 = x86_avx512_quantize_u8,
        },
};
#endif
