/* NEON with fused multiply-add: every 64-bit ARM processor. What takes the time of language models and encoders; the rest is
 * generic, which the compiler makes NEON code of, too. */
#if defined(__aarch64__)
#include "kernels/arm_neon/arm_neon.h"
#include "kernels/table.h"

static bool is_supported(void)
{
    return true;
}

const struct kernel_table_def kernel_table_arm_neon = {
    .is_supported = is_supported,
    .kernels =
        {
            .name = "arm_neon",
            .gemm_f32 = arm_neon_gemm_f32,
            .gemm_strided_f32 = arm_neon_gemm_strided_f32,
            .quantize_rows_q8 = arm_neon_quantize_rows_q8,
            .gemm_q4_0 = arm_neon_gemm_q4_0,
            .gemm_q4_1 = arm_neon_gemm_q4_1,
            .gemm_q5_0 = arm_neon_gemm_q5_0,
            .gemm_q5_1 = arm_neon_gemm_q5_1,
            .gemm_q8_0 = arm_neon_gemm_q8_0,
            .gemm_q4_k = arm_neon_gemm_q4_k,
            .gemm_q6_k = arm_neon_gemm_q6_k,
            .gemm_u8i8 = arm_neon_gemm_u8i8,
            .range_f32 = arm_neon_range_f32,
            .quantize_u8 = arm_neon_quantize_u8,
            .attention_f32 = arm_neon_attention_f32,
            .softmax_f32 = arm_neon_softmax_f32,
            .layer_norm_f32 = arm_neon_layer_norm_f32,
            .rms_norm_f32 = arm_neon_rms_norm_f32,
            .sum_f32 = arm_neon_sum_f32,
            .sum_squares_f32 = arm_neon_sum_squares_f32,
            .dot_f32 = arm_neon_dot_f32,
            .max_f32 = arm_neon_max_f32,
            .exp_f32 = arm_neon_exp_f32,
            .log_f32 = arm_neon_log_f32,
            .tanh_f32 = arm_neon_tanh_f32,
            .erf_f32 = arm_neon_erf_f32,
            .sigmoid_f32 = arm_neon_sigmoid_f32,
            .silu_f32 = arm_neon_silu_f32,
            .gelu_f32 = arm_neon_gelu_f32,
            .gelu_tanh_f32 = arm_neon_gelu_tanh_f32,
            .sqrt_f32 = arm_neon_sqrt_f32,
            .reciprocal_f32 = arm_neon_reciprocal_f32,
            .swiglu_f32 = arm_neon_swiglu_f32,
            .f32_from_f16 = arm_neon_f32_from_f16,
            .f16_from_f32 = arm_neon_f16_from_f32,
            .f32_from_bf16 = arm_neon_f32_from_bf16,
        },
};
#endif
