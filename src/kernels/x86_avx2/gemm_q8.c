/* Products of 8-bit activations and block formats: the scalar versions. */
#include "kernels/generic/generic.h"
#include "kernels/x86_avx2/x86_avx2.h"

#define GEMM(name)                                         \
    void x86_avx2_gemm_##name(const struct gemm_q8_args *args) \
    {                                                      \
        generic_gemm_##name(args);                         \
    }
GEMM(q4_0)
GEMM(q4_1)
GEMM(q5_0)
GEMM(q5_1)
GEMM(q8_0)
GEMM(q4_k)
GEMM(q6_k)
