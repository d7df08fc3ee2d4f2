/* A batch of matrix products on tensors of any strides and number type: what MatMul, Gemm and their kin share.
 *
 * f32 goes to kernels->gemm_strided_f32; f16 and bf16 are converted and go there too; f64 and integers (which wrap) take a plain
 * loop. Each output sums over K in rising order, so the bytes depend neither on M, the batch nor the number of threads. */
#ifndef OPS_PRODUCT_H
#define OPS_PRODUCT_H

#include "ops/op.h"

/* Types that product_run takes: f16 bf16 f32 f64 i32 i64 u32 u64. */
bool product_takes(enum dtype dtype);
/* c [..,M,N] = a [..,M,K] x b [..,K,N]: the same rank (at least 2), batch dims and type. a and b any strides; c contiguous. */
HOB_MUST_CHECK hob_status product_run(struct op_context *ctx, const struct tensor *a, const struct tensor *b,
                                      const struct tensor *c);

#endif
