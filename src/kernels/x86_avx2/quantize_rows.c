/* Activations in codes of 8 bits: the scalar version. */
#include "kernels/generic/generic.h"
#include "kernels/x86_avx2/x86_avx2.h"

void x86_avx2_quantize_rows_q8(const struct quantize_rows_q8_args *args)
{
    generic_quantize_rows_q8(args);
}
